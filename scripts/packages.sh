#!/bin/sh
# packages.sh GROUP… - makes sure that the Debian packages of these groups (packages.txt) are installed.
#
# Asks dpkg first, which takes milliseconds; touches apt only when something is missing. Only then it
# needs to be root, or sudo.
set -eu

say() {
    printf '%s\n' "$@" >&2
}

die() {
    say "$@"
    exit 1
}

# The packages of the groups named that are not installed, in one line.
missing_of() {
    wanted=$(for group; do sed -n "s/^$group  *\([^ ]*\).*/\1/p" "$list"; done)
    # shellcheck disable=SC2086 # a list of words
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
        sed -n 's/^installed //p')
    for package in $wanted; do
        printf '%s\n' "$installed" | grep -qxF "$package" || printf ' %s' "$package"
    done
}

list=$(dirname "$0")/packages.txt
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    # Another system: its user has installed the equivalents, or CMake says what is missing.
    command -v cmake >/dev/null ||
        die "no apt and no cmake here: docs/install.md says what to install on this system"
    exit 0
fi
missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        as_root=sudo
    else
        # All that may come to be missing, so that one call is enough.
        die "Packages are missing, and installing them needs root or sudo. Ask root to run:" \
            "    apt-get update && apt-get install --no-install-recommends$(missing_of build faiss)" \
            "then run ./dev again as yourself."
    fi
fi

say "installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Shows apt at work on a terminal, keeps it to itself elsewhere.
run_apt() {
    set -- $as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 "$@"
    if [ -t 2 ]; then
        "$@" >&2 2>>"$log" </dev/null
    else
        "$@" -q >>"$log" 2>&1 </dev/null
    fi
}
# One mirror of several that is down need not matter: whether installing fails is what counts.
run_apt update || :
# shellcheck disable=SC2086
if ! run_apt install --no-install-recommends $missing; then
    grep -E '^[EW]:' "$log" | awk '!seen[$0]++' | head -n 6 >&2
    if grep -qE 'Could not (resolve|connect)|Temporary failure|Connection (failed|refused|timed out)' "$log"; then
        die "apt cannot reach the mirrors of this machine's apt sources: is there a network?" \
            "Missing still:$missing" "Run ./dev again when there is."
    fi
    die "apt could not install:$missing"
fi
