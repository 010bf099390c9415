#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# checks.sh DEB TREE SANDBOX-DEB: what can be said of the package without installing it. lintian, manual pages, units, completion.
set -euo pipefail
deb=$1 tree=$2 sandbox=$3
work=$(mktemp -d /tmp/deskbell-checks.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=0
bad() {
    echo "FAILED: $*" >&2
    failed=1
}
without() { echo "not checked, because $1 is not installed: $2"; }

dpkg-deb -x "$deb" "$work/root"
dpkg-deb -e "$deb" "$work/control"
# The sandbox is a package of its own: nothing of it is in the daemon's, and nothing of the daemon's in it.
[ ! -e "$work/root/usr/bin/deskbell-sandbox" ] || bad "the sandbox is in the daemon's package"
dpkg-deb -x "$sandbox" "$work/sandbox"
(cd "$work/sandbox" && find . -type f | sort) >"$work/sandbox.files"
(cd "$work/root" && find . -type f | sort) | comm -12 - "$work/sandbox.files" >"$work/both"
[ ! -s "$work/both" ] || bad "files of both packages: $(cat "$work/both")"
dpkg-deb -e "$sandbox" "$work/sandbox.control"
[ -z "$(find "$work/sandbox.control" -name 'p*' -o -name conffiles)" ] || bad "the sandbox's package has scripts or conffiles"

if command -v lintian >/dev/null; then
    # As a user of no rights where we are root: lintian warns about root.
    lintian --allow-root --fail-on error,warning --display-level '>=warning' "$deb" >"$work/lintian" 2>&1 || bad "lintian: $(cat "$work/lintian")"
    [ ! -s "$work/lintian" ] || bad "lintian: $(cat "$work/lintian")"
    lintian --allow-root --fail-on error,warning --display-level '>=warning' "$sandbox" >"$work/lintian" 2>&1 || bad "lintian: $(cat "$work/lintian")"
    [ ! -s "$work/lintian" ] || bad "lintian: $(cat "$work/lintian")"
else
    without lintian "Debian's policy"
fi
for script in "$work"/control/post* "$work"/control/pre*; do
    sh -n "$script" || bad "$script"
done

# ---- manual pages: render without a warning; deskbell.conf(5) has each key of the sample, and no other.
for page in man8/deskbelld.8 man8/deskbellctl.8 man5/deskbell.conf.5 man7/deskbell.7 man1/deskbell-sandbox.1; do
    file=$work/root/usr/share/man/$page.gz
    [ "$page" != man1/deskbell-sandbox.1 ] || file=$work/sandbox/usr/share/man/$page.gz
    [ -s "$file" ] || bad "there is no $page"
    if command -v groff >/dev/null; then
        zcat "$file" | groff -man -Tutf8 -ww >/dev/null 2>"$work/groff"
        [ ! -s "$work/groff" ] || bad "$page: $(cat "$work/groff")"
    else
        without groff "how $page renders"
    fi
done
"$work/root/usr/sbin/deskbelld" --print-sample >"$work/sample"
# In the sample: "    #key = value", and "#   key: explanation" for the rules' keys. In the page: ".BR key ...".
sed -nE 's/^ *#?([a-z_]+) = .*/\1/p; s/^#   ([a-z_]+): .*/\1/p' "$work/sample" | sort -u >"$work/keys.sample"
zcat "$work/root/usr/share/man/man5/deskbell.conf.5.gz" | sed -nE '/^\.BR [a-z_]+ "/s/^\.BR ([a-z_]+) .*/\1/p' | sort -u >"$work/keys.page"
[ "$(wc -l <"$work/keys.page")" -gt 40 ] || bad "deskbell.conf(5) names only $(wc -l <"$work/keys.page") keys"
diff "$work/keys.sample" "$work/keys.page" >"$work/keys.diff" || bad "sample (<) and deskbell.conf(5) (>) differ: $(cat "$work/keys.diff")"
for section in $(sed -nE 's/^([a-z]+) \{$/\1/p' "$work/sample"); do
    zcat "$work/root/usr/share/man/man5/deskbell.conf.5.gz" | grep -qE "^\.SS \"$section" || bad "deskbell.conf(5) has no section $section"
done

# ---- what deskbellctl says it can do is in its page and in the completion
"$work/root/usr/bin/deskbellctl" --help | sed -nE 's/^  ([a-z]+)( [a-z]+)? .*/\1/p' | sort -u >"$work/commands"
[ -s "$work/commands" ] || bad "deskbellctl --help lists no command"
while read -r command; do
    grep -qw "$command" "$work/root/usr/share/bash-completion/completions/deskbellctl" || bad "bash completion lacks $command"
    zcat "$work/root/usr/share/man/man8/deskbellctl.8.gz" | grep -qE "^\.(B|BR|BI) \"?$command\b" || bad "deskbellctl(8) lacks $command"
done <"$work/commands"
for file in deskbell-dashboard.json deskbell-alerts.yml; do
    [ -s "$work/root/usr/share/deskbell/$file" ] || bad "there is no /usr/share/deskbell/$file"
done
bash -n "$work/root/usr/share/bash-completion/completions/deskbellctl" || bad "bash completion"
if [ -f /usr/share/bash-completion/bash_completion ]; then
    bash -c '. /usr/share/bash-completion/bash_completion; . "$1"
        COMP_WORDS=(deskbellctl pause desk) COMP_CWORD=2 COMP_LINE="deskbellctl pause desk" COMP_POINT=22
        _deskbellctl; [ "${COMPREPLY[*]}" = desk-to-chat ]' - "$work/root/usr/share/bash-completion/completions/deskbellctl" ||
        bad "bash completion does not complete"
else
    without bash-completion "what is completed"
fi

"$work/sandbox/usr/bin/deskbell-sandbox" --help | grep -oE '^  --[a-z-]+' | tr -d ' ' | sort -u >"$work/options"
[ "$(wc -l <"$work/options")" -gt 5 ] || bad "deskbell-sandbox --help lists no options"
while read -r option; do
    zcat "$work/sandbox/usr/share/man/man1/deskbell-sandbox.1.gz" | tr -d '\\' | grep -qF -- "$option" || bad "deskbell-sandbox(1) lacks $option"
done <"$work/options"

# ---- units
if command -v systemd-analyze >/dev/null; then
    units=$work/root/usr/lib/systemd/system
    # The program is not installed on this machine; what is to be judged is the unit.
    mkdir "$work/units"
    cp "$units"/deskbell* "$work/units/"
    sed -i "s#^ExecStart=/usr/sbin/#ExecStart=$work/root/usr/sbin/#" "$work/units/deskbell.service"
    systemd-analyze verify --man=no "$work/units"/deskbell.service "$work/units"/deskbell*.socket >"$work/verify" 2>&1 || bad "systemd-analyze verify"
    # Units of this machine are loaded along and are not ours to judge.
    ! grep -i deskbell "$work/verify" || bad "systemd-analyze verify"
    systemd-analyze security --offline=true "$work/units/deskbell.service" --threshold=15 >"$work/security" 2>&1 || bad "exposure above 1.5: $(grep '✗' "$work/security")"
    tail -n 1 "$work/security"
    # Without these it does not start (ZeroMQ aborts) or opens no control socket; that is only seen under systemd itself.
    for call in sched_setscheduler chown landlock_restrict_self; do
        grep -qE "^SystemCallFilter=([a-z_]+ )*$call( |$)" "$units/deskbell.service" || bad "the unit refuses $call"
    done
    stop=$(sed -nE 's/^ *#?stop_seconds = ([0-9]+).*/\1/p' "$work/sample")
    unit_stop=$(sed -nE 's/^TimeoutStopSec=([0-9]+)$/\1/p' "$units/deskbell.service")
    [ "$unit_stop" -gt $((stop + 2)) ] || bad "TimeoutStopSec=$unit_stop is not above stop_seconds $stop and 2"
    grep -qx 'FileDescriptorName=front' "$units/deskbell.socket" || bad "deskbell.socket"
    grep -qx 'FileDescriptorName=admin' "$units/deskbell-admin.socket" || bad "deskbell-admin.socket"
    grep -qF "\"$(sed -n 's/^ListenStream=//p' "$units/deskbell.socket")\"" "$work/sample" || bad "deskbell.socket is not the default front.listen"
    grep -qF "\"$(sed -n 's/^ListenStream=//p' "$units/deskbell-admin.socket")\"" "$work/sample" || bad "deskbell-admin.socket is not the default front.admin_listen"
else
    without systemd-analyze "the units"
fi

# ---- nothing of this machine is in the programs
! grep -rlF "$tree" "$work/root" "$work/sandbox" || bad "files of the package name the build's folder"
[ $failed = 0 ] && echo "nothing found"
exit $failed
