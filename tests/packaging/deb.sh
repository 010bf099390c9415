#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# deb.sh DEB SANDBOX CACHE SANDBOX-DEB: the life of the package on somebody's machine. Installed by apt into a minimal system,
# configured, provisioned, looked at by doctor, run, upgraded while it runs, removed, purged; with a conversation played before
# and after the upgrade, and one by an ordinary user with the sandbox's package, as the README tells newcomers.
# Exits 77 with the reason where no such system can be made.
set -euo pipefail
deb=$1 sandbox=$2 cache=$3 sandbox_deb=$4
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/packaging/root.sh
. "$here/root.sh"

root='' daemon='' player=''
work=$(mktemp -d /tmp/deskbell-deb.XXXXXX)
finish() {
    code=$?
    for pid in $daemon $player; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in $daemon $player; do wait "$pid" 2>/dev/null || true; done
    if [ $code != 0 ] && [ $code != 77 ]; then tail -n 40 "$work"/*.log 2>/dev/null || true; fi
    drop_root
    rm -rf "$work"
    exit $code
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# An address of our own: nobody else's ports are in the way.
address=127.88.$((($$ / 250) % 250)).$(($$ % 250 + 1))

# apt in the root; what it printed is in apt.log.
apt() { in_root apt-get -q -y --no-install-recommends "$@" </dev/null >"$work/apt.log" 2>&1; }

must_be() { # PATH MODE USER:GROUP
    local is
    is=$(in_root stat -c '%a %U:%G' "$1") || die "$1 is not there"
    [ "$is" = "$2 $3" ] || die "$1 is $is, not $2 $3"
}

# next_version FOLDER VERSION [LINE]: the same package with another version, and LINE more in the sample configuration.
next_version() {
    rm -rf "$work/next"
    dpkg-deb -R "$deb" "$work/next"
    sed -i "s/^Version: .*/Version: $2/" "$work/next/DEBIAN/control"
    if [ $# -gt 2 ]; then
        echo "$3" >>"$work/next/etc/deskbell/deskbell.conf"
        (cd "$work/next" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
    fi
    dpkg-deb -b --root-owner-group "$work/next" "$1" >/dev/null
}

# configure: as an operator does it, for the sandbox that has just been started.
configure() {
    local tries=300 name
    until [ -s "$work/secrets/url" ]; do
        [ $((tries -= 1)) -gt 0 ] || die "the sandbox does not start"
        sleep 0.1
    done
    mkdir -p "$root/tmp/in"
    cp "$work/secrets/"* "$root/tmp/in/"
    for name in freshchat.token freshdesk.key freshdesk-webhook.token; do
        in_root install -m 0640 -g deskbell "/tmp/in/$name" /etc/deskbell/credentials/
    done
    in_root install -m 0644 /tmp/in/freshchat-webhook.pem /etc/deskbell/
    mv "$root/tmp/in/freshdesk-admin.key" "$root/root/admin.key"
    rm -rf "$root/tmp/in"
    sed -e "s#^    api_url = \"https://acme.freshchat.com/v2\"#    api_url = \"$(cat "$work/secrets/url")/v2\"#" \
        -e "s#^    api_url = \"https://acme.freshdesk.com/api/v2\"#    api_url = \"$(cat "$work/secrets/url")/api/v2\"#" \
        -e "s#^    \#agent_id = \"\"#    agent_id = \"$(cat "$work/secrets/freshchat.agent")\"#" \
        -e "s#^    \#listen = .*#    listen = \"$address:8080\"#" \
        -e "s#^    \#admin_listen = .*#    admin_listen = \"$address:9464\"#" "$work/sample.conf" >"$root/etc/deskbell/deskbell.conf"
}

# play FIRST_TICKET: the sandbox waits until Deskbell is ready, plays, and leaves with its verdict. The machine may be
# busy with other tests, so it is the way that is judged here and not the two seconds.
play() {
    rm -rf "$work/secrets"
    mkdir "$work/secrets"
    "$sandbox" --bare --listen "$address:0" --state "$work/secrets" --first-ticket "$1" --limit 20000 --play \
        --ready-url "http://$address:9464/readyz" --freshchat-webhook "http://$address:8080/webhooks/freshchat" \
        --freshdesk-webhook "http://$address:8080/webhooks/freshdesk" >"$work/sandbox.log" 2>&1 &
    player=$!
    configure
    in_root runuser -u deskbell -- deskbelld -t || die "the configuration is not accepted"
    provision
    start_daemon
    wait "$player" || die "the conversation was not played to its end"
    player=''
    grep -q 'reached chat' "$work/sandbox.log" || die "nothing reached the chat"
}

# As deskbell(7) says: what the helpdesk needs, then a look at everything, as root and as the daemon's own user.
provision() {
    ! in_root deskbellctl doctor >"$work/doctor.log" 2>&1 || die "doctor is content with a helpdesk without fields"
    grep -q 'no ticket field cf_cart_value' "$work/doctor.log" || die "doctor does not say which field there is not: $(cat "$work/doctor.log")"
    in_root deskbellctl provision --key-file /root/admin.key --public-url "http://$address:8080" >"$work/provision.log" 2>&1 ||
        die "provision: $(cat "$work/provision.log")"
    in_root deskbellctl doctor --key-file /root/admin.key >"$work/doctor.log" 2>&1 || die "doctor: $(cat "$work/doctor.log")"
    ! grep -E '^(FAIL|warn) ' "$work/doctor.log" | grep -v ' deskbelld ' || die "doctor warns: $(cat "$work/doctor.log")"
    in_root runuser -u deskbell -- deskbellctl doctor >"$work/doctor.log" 2>&1 || die "doctor as deskbell: $(cat "$work/doctor.log")"
    in_root rm /root/admin.key
}

# As the unit does where that needs no systemd: the user, no capability, none to be gained.
start_daemon() {
    in_root install -d -m 0700 -o deskbell -g deskbell /run/deskbell
    chroot "$root" setpriv --reuid deskbell --regid deskbell --init-groups --no-new-privs --bounding-set=-all \
        --inh-caps=-all /usr/sbin/deskbelld >>"$work/deskbelld.log" 2>&1 &
    daemon=$!
}

stop_daemon() {
    local code=0
    kill -TERM "$daemon"
    wait "$daemon" || code=$?
    daemon=''
    [ $code = 0 ] || die "deskbelld left with $code"
}

make_root "$cache" "$deb"
cp "$deb" "$root/tmp/first.deb"

step "apt install"
apt install /tmp/first.deb || die "apt install"
grep -q 'not started, because it is not configured' "$work/apt.log" || die "a fresh install does not say what to do next"
grep -q 'systemctl enable --now' "$work/apt.log" || die "a fresh install does not say how to start"
[ -z "$(find "$root/etc/systemd/system" -name 'deskbell*' 2>/dev/null)" ] || die "a fresh install has enabled a unit"
must_be /etc/deskbell/credentials 750 root:deskbell
must_be /etc/deskbell/deskbell.conf 644 root:root
must_be /var/lib/deskbell 700 deskbell:deskbell
[ "$(in_root dpkg-query -W -f='${Conffiles}' deskbell | awk 'NF {print $1}')" = /etc/deskbell/deskbell.conf ] || die "conffiles"
for program in /usr/sbin/deskbelld /usr/libexec/deskbell/deskbell-front /usr/libexec/deskbell/deskbell-worker /usr/bin/deskbellctl; do
    in_root ldd "$program" >"$work/ldd.log" || die "ldd $program"
    ! grep 'not found' "$work/ldd.log" || die "$program lacks a library that the package does not depend on"
done
code=0
in_root runuser -u deskbell -- deskbelld -t 2>/dev/null || code=$?
[ $code = 3 ] || die "an unconfigured deskbelld leaves with $code, not 3"
cp "$root/etc/deskbell/deskbell.conf" "$work/sample.conf"
in_root deskbelld --print-sample | cmp - "$work/sample.conf" || die "the installed configuration is not the daemon's sample"

step "a conversation"
play 1001
in_root deskbellctl status >"$work/status.log" || die "deskbellctl status"
must_be /run/deskbell/control.sock 660 deskbell:deskbell
sequence=$(find "$root/var/lib/deskbell" -type f | wc -l)
[ "$sequence" -gt 1 ] || die "there is no ledger in /var/lib/deskbell"

step "upgrade while it runs, with an edited configuration"
version=$(dpkg-deb -f "$deb" Version)
next_version "$root/tmp/second.deb" "$version+1"
cp "$root/etc/deskbell/deskbell.conf" "$work/edited.conf"
apt install /tmp/second.deb || die "an upgrade with an edited configuration asks, or fails"
cmp "$root/etc/deskbell/deskbell.conf" "$work/edited.conf" || die "the upgrade has changed an edited configuration"
[ "$(in_root dpkg-query -W -f='${Version}' deskbell)" = "$version+1" ] || die "not upgraded"
kill -0 "$daemon" || die "the running deskbelld was killed by the upgrade"
in_root deskbellctl status >"$work/status.log" || die "deskbelld does not answer after the upgrade"
stop_daemon

step "upgrade that brings another sample"
next_version "$root/tmp/third.deb" "$version+2" "# a line that is new in this version"
apt -o Dpkg::Options::=--force-confold install /tmp/third.deb || die "an upgrade with a changed sample"
cmp "$root/etc/deskbell/deskbell.conf" "$work/edited.conf" || die "an edited configuration was replaced"
[ -f "$root/etc/deskbell/deskbell.conf.dpkg-dist" ] || die "the new sample is not left beside the edited one"
must_be /etc/deskbell/credentials/freshdesk.key 640 root:deskbell

step "a conversation after the upgrades, over the same ledger"
play 5001
stop_daemon

step "remove, purge"
apt remove deskbell || die "remove"
[ ! -e "$root/usr/sbin/deskbelld" ] || die "deskbelld is left"
[ -s "$root/etc/deskbell/deskbell.conf" ] || die "a removal took the configuration"
[ -s "$root/etc/deskbell/credentials/freshdesk.key" ] || die "a removal took the secrets"
[ -d "$root/var/lib/deskbell" ] || die "a removal took the ledger"
apt purge deskbell || die "purge"
for left in /etc/deskbell /var/lib/deskbell /run/deskbell; do
    [ ! -e "$root$left" ] || die "a purge leaves $left: $(ls -A "$root$left")"
done
[ -z "$(in_root dpkg-query -W -f='${db:Status-Abbrev}' deskbell 2>/dev/null | tr -d ' ')" ] ||
    [ "$(in_root dpkg-query -W -f='${db:Status-Abbrev}' deskbell | tr -d ' ')" = un ] || die "dpkg still knows it"

step "the README's way for operators, word by word, with the sandbox's package"
# words LINE-PATTERN: the README's commands that begin so, with their continuation, at our own address.
words() {
    sed -n '/^## For operators/,/^\*\*With your accounts/p' "$here/../../README.md" |
        awk -v begin="^    $1" '$0 ~ begin { on = 1 } on { print; on = /\\$/ }' | sed "s#127\.0\.0\.1#$address#g"
}
# The tree as ./dev package leaves it.
mkdir -p "$root/tmp/build/release/packages"
cp "$sandbox_deb" "$root/tmp/build/release/packages/deskbell-sandbox.deb"
cp "$deb" "$root/tmp/build/release/packages/deskbell.deb"
[ -n "$(words 'apt install')" ] || die "the README does not say how to install"
in_root sh -e -c "cd /tmp; $(words 'apt install' | sed 's/apt install/apt-get -q -y --no-install-recommends install/')" \
    </dev/null >"$work/apt.log" 2>&1 || die "the packages cannot be installed: $(tail -n 5 "$work/apt.log")"
trial=$(words deskbell-sandbox)
[ -n "$trial" ] || die "the README does not start the sandbox"
chroot "$root" setpriv --reuid nobody --regid nogroup --clear-groups /bin/sh -c "exec ${trial#    } --listen $address:8088 --limit 20000 --play \
    --ready-url http://$address:9564/readyz" >"$work/trial.log" 2>&1 &
player=$!
tries=300
until [ -s "$root/tmp/deskbell-trial/deskbell.conf" ] && grep -q '^  /usr/sbin/deskbelld' "$work/trial.log"; do
    [ $((tries -= 1)) -gt 0 ] || die "no trial: $(cat "$work/trial.log")"
    sleep 0.1
done
# What the program prints is what the README says, up to the program that stays.
words '(deskbellctl|/usr/sbin/deskbelld) ' | sed 's/^  //' >"$work/readme"
sed -n '/^  deskbellctl .* provision/,/^  .usr.sbin.deskbelld/p' "$work/trial.log" | cmp - "$work/readme" ||
    die "the README says $(cat "$work/readme") and the trial $(cat "$work/trial.log")"
grep -v '^  /usr/sbin/deskbelld' "$work/readme" >"$work/words"
[ "$(wc -l <"$work/words")" = 3 ] || die "the trial does not say what to type: $(cat "$work/trial.log")"
in_root runuser -u nobody -- sh -e -c "$(cat "$work/words")" >"$work/words.log" 2>&1 || die "what the trial says: $(cat "$work/words.log")"
! grep -E '^(FAIL|warn) ' "$work/words.log" | grep -vE ' (deskbelld|you) ' || die "doctor warns of a trial: $(cat "$work/words.log")"
chroot "$root" setpriv --reuid nobody --regid nogroup --clear-groups $(grep "^  /usr/sbin/deskbelld" "$work/readme") \
    >"$work/deskbelld.log" 2>&1 &
daemon=$!
wait "$player" || die "the trial's conversation was not played to its end: $(cat "$work/trial.log")"
player=''
stop_daemon
apt purge deskbell deskbell-sandbox || die "purge of both"
[ ! -e "$root/usr/bin/deskbell-sandbox" ] || die "the sandbox is left"

step "done"
