# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the tests of the packages: a minimal system of this machine's own release, made by debootstrap from this
# machine's own apt sources. Making one takes a minute, so one is kept for the day in the build folder and copied.
# What the distribution's archive is called is asked of apt, never written here.

skip() {
    echo "SKIPPED: $*"
    exit 77
}

die() {
    echo "FAILED: $*" >&2
    exit 1
}

step() { echo "== $* (${SECONDS} s)"; }

# in_root COMMAND...: with apt and debconf asking nothing, and nothing of this machine's environment.
in_root() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# make_base FOLDER DEB: with DEB's dependencies downloaded, not installed.
make_base() {
    local base=$1 deb=$2 codename archive
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
    archive=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" "Codename: $codename" 2>/dev/null | head -n 1)
    [ -n "$archive" ] || skip "apt knows no archive of $codename"
    rm -rf "$base.new"
    step "debootstrap $codename"
    debootstrap --variant=minbase --include=ca-certificates "$codename" "$base.new" "$archive" >"$base.log" 2>&1 || {
        tail -n 5 "$base.log"
        rm -rf "$base.new"
        skip "debootstrap cannot make a system here"
    }
    # The same sources and the same way to them as this machine's apt; debootstrap has written only the archive.
    rm -f "$base.new/etc/apt/sources.list"
    for file in sources.list sources.list.d preferences preferences.d trusted.gpg.d keyrings; do
        [ ! -e "/etc/apt/$file" ] || cp -a "/etc/apt/$file" "$base.new/etc/apt/"
    done
    cp -a /usr/share/keyrings/. "$base.new/usr/share/keyrings/"
    # Only the distribution's: others may need keys and helpers that are not in there.
    find "$base.new/etc/apt/sources.list.d" -type f ! -name 'debian*' ! -name 'ubuntu*' -delete
    if [ -z "$(find "$base.new/etc/apt" -path '*sources.list*' -type f -size +0 -print -quit)" ]; then
        echo "deb $archive $codename main" >"$base.new/etc/apt/sources.list"
    fi
    apt-config dump | grep -E '^Acquire::(http|https|ftp)::Proxy' >"$base.new/etc/apt/apt.conf.d/90host" || true
    cp -L /etc/resolv.conf "$base.new/etc/resolv.conf"
    cp -L /etc/hosts "$base.new/etc/hosts"
    cp "$deb" "$base.new/tmp/deskbell.deb"
    root=$base.new
    in_root apt-get -q update >>"$base.log" 2>&1 || skip "apt in the new system reaches no archive: see $base.log"
    # Kept for the copies: apt removes what it has downloaded after an installation, not after a download.
    in_root apt-get -q -y --no-install-recommends --download-only install /tmp/deskbell.deb >>"$base.log" 2>&1 ||
        die "the package's dependencies cannot be had: $(tail -n 5 "$base.log")"
    rm -f "$base.new/tmp/deskbell.deb"
    rm -rf "$base"
    mv "$base.new" "$base"
}

# make_root CACHE DEB: sets $root, a copy of today's base, to be removed with drop_root.
make_root() {
    local cache=$1 deb=$2 base
    [ "$(id -u)" = 0 ] || skip "only root can make a system to install into"
    command -v debootstrap >/dev/null || skip "debootstrap is not installed"
    mkdir -p "$cache"
    base=$cache/base-$(date +%F)
    exec 9>"$cache/lock"
    flock 9
    if [ ! -d "$base" ]; then
        find "$cache" -maxdepth 1 -name 'base-*' -exec rm -rf --one-file-system {} +
        make_base "$base" "$deb"
    fi
    root=$(mktemp -d "$cache/root.XXXXXX")
    cp -a --reflink=auto "$base/." "$root/"
    flock -u 9
    # A container may not allow it; nothing here depends on it.
    mount -t proc proc "$root/proc" 2>/dev/null || true
}

drop_root() {
    [ -n "${root-}" ] || return 0
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
