#!/bin/sh
# packages.sh GROUP… - makes sure that the Debian packages of these groups (packages.txt) are installed.
#
# Asks dpkg first, which takes milliseconds; touches apt only when something is missing. Needs to be
# root, or sudo, only then.
set -eu

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

list=$(dirname "$0")/packages.txt
wanted=$(for group; do sed -n "s/^$group  *\([^ ]*\).*/\1/p" "$list"; done)

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    # Another system: its user has installed the equivalents, or CMake says what is missing.
    command -v cmake >/dev/null || die "this is not a Debian-like system: docs/install.md says what to install"
    exit 0
fi

# shellcheck disable=SC2086 # a list of words
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
    sed -n 's/^installed //p')
missing=
for package in $wanted; do
    printf '%s\n' "$installed" | grep -qxF "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

printf 'installing%s\n' "$missing" >&2
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=sudo
    else
        die "these packages are missing, and installing them needs root or sudo. As root, run:" \
            "    apt-get update && apt-get install --no-install-recommends$missing" \
            "then run ./dev again as yourself."
    fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Fails only when it is certain that nothing can be installed: a mirror that is down among several
# need not matter.
$as_root apt-get -q update >"$log" 2>&1 || :
# shellcheck disable=SC2086
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends $missing >>"$log" 2>&1 </dev/null; then
    grep -E '^[EW]:' "$log" | sort -u | tail -n 12 >&2
    die "apt could not install:$missing" \
        "If the lines above speak of resolving, connecting or fetching: the network or the mirror of" \
        "this machine's apt sources is missing. Run ./dev again when it is there."
fi
