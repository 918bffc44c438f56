#!/bin/sh
# faiss.sh - prints the prefix of FAISS' C API; prints nothing when the system has its code.
#
# Debian's libfaiss-dev is FAISS with the headers of its C API, but without that API's code. The functions of it
# that doppel calls are compiled here, once, from the source package of the same version:
#
#     ~/.cache/doppel/faiss-c-<version>-<machine>   the result, an archive; another clone uses it as it is
#     ~/.cache/doppel/faiss-work                    sources, objects; gone when the result is there
#
# It may be killed at any instant: the result gets its name when it is whole. The system's apt configuration is
# read, never written: the source package comes through a deb-src copy of the machine's own entries, in a folder
# of ours. Needs no root.
#
# With DOPPEL_SYSROOT, the folder that scripts/arm.sh prints, it is compiled for ARM.
set -eu

say() {
    printf 'faiss: %s\n' "$*" >&2
}

die() {
    for line; do say "$line"; done
    exit 1
}

# What index/ann.c calls.
files="Index_c IndexFlat_c clone_index_c error_impl"

# Does a program that calls the C API compile and link without any path of ours?
system_has_c_api() {
    printf '%s\n' '#include <faiss/c_api/IndexFlat_c.h>' 'int main() { return faiss_IndexFlat_new(nullptr); }' |
        c++ -x c++ - -o "$cache/probe.$$" -lfaiss_c -lfaiss -lopenblas -fopenmp 2>/dev/null
    found=$?
    rm -f "$cache/probe.$$"
    return $found
}

build() {
    [ "$(cat "$work/version" 2>/dev/null)" = "$version" ] || {
        rm -rf "$work"
        fetch_source faiss "$version"
    }
    say "compiling the C API of FAISS $version, once for all clones"
    # As Debian hardens packages; with doppel's own flags in cmake/DoppelCompile.cmake.
    hard="-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
    case $machine in x86_64) hard="$hard -fcf-protection" ;; esac
    rm -rf "$prefix.tmp"
    mkdir -p "$prefix.tmp/lib"
    set --
    for file in $files; do
        # shellcheck disable=SC2086 # lists of options
        $cxx -O2 -fPIC $hard -w -c "$work/src/c_api/$file.cpp" -o "$work/$file.o" >"$work/log" 2>&1 || {
            tail -n 30 "$work/log" >&2
            die "the C API of FAISS cannot be compiled"
        }
        set -- "$@" "$work/$file.o"
    done
    ar rcs "$prefix.tmp/lib/libfaiss_c.a" "$@"
    sync -f "$prefix.tmp"
    mv "$prefix.tmp" "$prefix"
    rm -rf "$work"
}

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/source.sh
. "$here/source.sh"
[ -n "${XDG_CACHE_HOME:-${HOME:-}}" ] || die "neither HOME nor XDG_CACHE_HOME is set"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/doppel
work=$cache/faiss-work
mkdir -p "$cache" 2>/dev/null || die "cannot write to $cache"

sysroot=${DOPPEL_SYSROOT:-}
if [ -n "$sysroot" ]; then
    cxx="aarch64-linux-gnu-g++ --sysroot=$sysroot"
elif system_has_c_api; then
    exit 0
else
    cxx=c++
fi
machine=$($cxx -dumpmachine)
machine=${machine%%-*}
version=$(printf '%s\n' '#include <faiss/Index.h>' \
    'FAISS is FAISS_VERSION_MAJOR.FAISS_VERSION_MINOR.FAISS_VERSION_PATCH' |
    $cxx -E -P -x c++ - 2>/dev/null | sed -n 's/^FAISS is //p' | tr -d ' ')
[ -n "$version" ] || die "there is no faiss/Index.h: the package libfaiss-dev, or docs/install.md, has it"
prefix=$cache/faiss-c-$version-$machine
if [ ! -d "$prefix" ]; then
    # One build at a time. The compiler holds the lock as well, so after a kill of this script alone the next one
    # waits until it is gone.
    exec 9>"$cache/faiss.lock"
    flock -n 9 || {
        say "another build is running, waiting for it"
        flock 9
    }
    [ -d "$prefix" ] || build
fi
echo "$prefix"
