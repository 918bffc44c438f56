#!/bin/sh
# arm.sh - prints the folder of a Debian for ARM (arm64): what the cross compiler builds against and what qemu
# runs programs with.
#
# Nothing of it is installed: apt, for another architecture and with all its state in a folder of ours, fetches
# the packages of group build that end in -dev and what they need, and they are unpacked. Packages of arm64
# installed beside those of this machine (multiarch) would have to be of the same versions, to the last number,
# so that apt might have to replace what is there. Needs no root.
#
#     ~/.cache/doppel/arm64-<packages>   the result, 180 MB; another list of packages is another folder
#
# It may be killed: the result gets its name when it is whole.
set -eu

say() {
    printf 'arm: %s\n' "$*" >&2
}

die() {
    for line; do say "$line"; done
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/source.sh
. "$here/source.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/doppel
packages="$(sed -n 's/^build  *\([^ ]*-dev\) .*/\1/p' "$here/packages.txt") libgomp1 libstdc++6"
root=$cache/arm64-$(printf '%s' "$packages" | sha256sum | cut -c 1-12)
work=$cache/arm64-work
if [ -d "$root" ]; then
    echo "$root"
    exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/arm64.lock"
flock 9
if [ ! -d "$root" ]; then
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/sources"
    : >"$work/status"
    copy_apt_entries "$work/sources" binary
    set -- -q -y -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::Etc::SourceList=/dev/null \
        -o Dir::Etc::SourceParts="$work/sources" -o Dir::State="$work" -o Dir::State::Lists="$work/lists" \
        -o Dir::State::status="$work/status" -o Dir::Cache="$work" -o Dir::Cache::Archives="$work/archives" \
        -o Acquire::Languages=none -o APT::Sandbox::User=root -o Debug::NoLocking=true
    say "fetching Debian's packages for arm64, once for all clones"
    # An entry that has nothing for arm64 is no failure; a package that cannot be had is.
    apt-get "$@" update >"$work/log" 2>&1 || :
    # shellcheck disable=SC2086 # a list of words
    apt-get "$@" --download-only install --no-install-recommends $packages >>"$work/log" 2>&1 || {
        grep -E '^[EW]:' "$work/log" | awk '!seen[$0]++' | head -n 6 >&2
        die "the packages for arm64 cannot be had through this machine's apt sources"
    }
    new=$work/root
    mkdir -p "$new/usr/lib" "$new/usr/bin" "$new/usr/sbin"
    # As an installed system has them.
    ln -s usr/lib "$new/lib"
    ln -s usr/bin "$new/bin"
    ln -s usr/sbin "$new/sbin"
    for deb in "$work"/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" |
            tar -xf - --keep-directory-symlink --no-same-owner --exclude=./usr/share/doc --exclude=./usr/share/man -C "$new"
    done
    # What OpenBLAS' packages let update-alternatives do when they are installed.
    multi=aarch64-linux-gnu
    for file in "$new/usr/lib/$multi"/openblas-pthread/lib*.so* "$new/usr/lib/$multi"/openblas-pthread/pkgconfig/*.pc; do
        to=$new/usr/lib/$multi${file#"$new/usr/lib/$multi/openblas-pthread"}
        ln -sf "openblas-pthread/${file##*/}" "$to"
        case $file in *.pc) ln -sf "../openblas-pthread/pkgconfig/${file##*/}" "$to" ;; esac
    done
    for file in "$new/usr/include/$multi"/openblas-pthread/*; do
        ln -sf "openblas-pthread/${file##*/}" "$new/usr/include/$multi/${file##*/}"
    done
    # A link by its whole name would lead out into this machine.
    find "$new" -type l | while read -r link; do
        target=$(readlink "$link")
        case $target in /*) ln -sfr "$new$target" "$link" ;; esac
    done
    mv "$new" "$root"
    rm -rf "$work"
fi
echo "$root"
