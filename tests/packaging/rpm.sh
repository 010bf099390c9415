#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# rpm.sh RPM DEB SANDBOX-RPM SANDBOX-DEB: what the rpm says of itself: files, owners, configuration, scripts, dependencies. It is not installed:
# this is not a machine of rpms.
set -euo pipefail
rpm=$1 deb=$2 sandbox=$3 sandbox_deb=$4
here=$(cd "$(dirname "$0")" && pwd)
command -v rpm >/dev/null || { echo "SKIPPED: rpm is not installed"; exit 77; }
work=$(mktemp -d /tmp/deskbell-rpm.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=0
bad() {
    echo "FAILED: $*" >&2
    failed=1
}

# The same files as the deb, but for what is for Debian's tools only.
dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's#^\.\(/.*[^/]\)$#\1#p' | grep -v '^/usr/share/lintian' | sort >"$work/deb"
rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" | sed -n 's/^-[^ ]* //p' | sort >"$work/rpm"
diff "$work/deb" "$work/rpm" >"$work/files" || bad "files of deb (<) and rpm (>): $(cat "$work/files")"

# Folders that are others' must not be claimed.
rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" | sed -n 's/^d[^ ]* //p' | sort | tr '\n' ' ' >"$work/folders"
[ "$(cat "$work/folders")" = "/etc/deskbell /etc/deskbell/credentials /usr/libexec/deskbell /usr/share/deskbell /usr/share/doc/deskbell /usr/share/doc/deskbell/examples " ] ||
    bad "folders: $(cat "$work/folders")"
is=$(rpm -qp --qf '[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]' "$rpm" | grep ' /etc/deskbell/credentials$')
[ "$is" = "drwxr-x--- root:deskbell /etc/deskbell/credentials" ] || bad "$is"
[ "$(rpm -qp --configfiles "$rpm")" = /etc/deskbell/deskbell.conf ] || bad "configuration: $(rpm -qp --configfiles "$rpm")"
# Bit 0 is "config", bit 4 "noreplace".
flags=$(rpm -qp --qf '[%{FILEFLAGS} %{FILENAMES}\n]' "$rpm" | sed -n 's# /etc/deskbell/deskbell.conf$##p')
[ $((flags & 17)) = 17 ] || bad "deskbell.conf is not noreplace: $flags"

# Each library that the programs name is required by its soname.
mkdir "$work/root"
dpkg-deb -x "$deb" "$work/root"
rpm -qp --requires "$rpm" >"$work/requires"
for program in usr/sbin/deskbelld usr/libexec/deskbell/deskbell-front usr/libexec/deskbell/deskbell-worker usr/bin/deskbellctl; do
    for library in $(objdump -p "$work/root/$program" | awk '$1 == "NEEDED" {print $2}'); do
        [[ $library = ld-linux* ]] || grep -qF "$library()" "$work/requires" || bad "$library, which $program needs, is not required"
    done
done
grep -qF 'librocksdb.so' "$work/requires" || bad "RocksDB is not required"
grep -qx shadow-utils "$work/requires" || bad "useradd is not required"

for script in PREIN POSTIN PREUN POSTUN; do
    rpm -qp --qf "%{$script}" "$rpm" >"$work/$script"
    [ "$(wc -l <"$work/$script")" -gt 2 ] || bad "no $script"
    sh -n "$work/$script" || bad "$script"
done
grep -q 'useradd' "$work/PREIN" || bad "PREIN makes no user"
grep -q 'not configured yet' "$work/POSTIN" || bad "POSTIN does not say what to do next"
! grep -Eq 'systemctl.* (start|enable|restart)' <(sed '/<</,/^TEXT/d' "$work/POSTIN") || bad "POSTIN starts something"
# ---- the sandbox's
dpkg-deb --fsys-tarfile "$sandbox_deb" | tar -t | sed -n 's#^\.\(/.*[^/]\)$#\1#p' | sort >"$work/deb"
rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$sandbox" | sed -n 's/^-[^ ]* //p' | sort >"$work/rpm"
diff "$work/deb" "$work/rpm" >"$work/files" || bad "files of the sandbox's deb (<) and rpm (>): $(cat "$work/files")"
[ -z "$(rpm -qp --scripts "$sandbox")" ] || bad "the sandbox's rpm has scripts"
rpm -qp --requires "$sandbox" | grep -qF 'libcivetweb.so' || bad "CivetWeb is not required"

if command -v rpmlint >/dev/null; then
    for file in "$rpm" "$sandbox"; do
        # By its own name: rpmlint wants no link.
        rpmlint -r "$here/../../packaging/rpm/rpmlintrc" --ignore-unused-rpmlintrc "$(realpath "$file")" >"$work/rpmlint" 2>&1 || bad "rpmlint: $(cat "$work/rpmlint")"
        ! grep -E ': [EW]: ' "$work/rpmlint" || bad "rpmlint: the lines above, for which packaging/rpm/rpmlintrc has no reason"
    done
else
    echo "not checked, because rpmlint is not installed: the habits of rpms"
fi
[ $failed = 0 ] && echo "nothing found"
exit $failed
