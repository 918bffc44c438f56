#!/bin/sh
# faiss.sh - prints the prefix of a FAISS that has its C API; prints nothing when the system's own has.
#
# Debian's FAISS comes without the code of the C API, so it is built here, once, from Debian's source
# package, with the instruction set level of this processor:
#
#     ~/.cache/doppel/faiss-<version>-<level>-hard   the result; another clone uses it as it is
#     ~/.cache/doppel/faiss-work                     source, objects; gone when the result is there
#
# It may be killed at any instant: each step leaves its result under a name that is given only when it
# is whole, so the next run goes on where this one stopped. The system's apt configuration is read,
# never written: the source package comes through a deb-src copy of the machine's own entries, in a
# folder of ours. Needs no root.
#
# DOPPEL_FAISS_LEVEL overrides the level: x86-64, x86-64-v2, x86-64-v3 or x86-64-v4. With DOPPEL_SYSROOT,
# the folder that scripts/arm.sh prints, it is built for ARM, of level aarch64. With
# DOPPEL_FAISS_STATIC=yes the libraries are archives, to be linked into another library (a Debian
# package must bring no copy of its own); the folder's name then ends in -static.
set -eu

say() {
    printf 'faiss: %s\n' "$*" >&2
}

die() {
    for line; do say "$line"; done
    exit 1
}

# Does a program that calls the C API compile and link without any path of ours?
system_has_c_api() {
    printf '%s\n' '#include <faiss/c_api/index_io_c.h>' \
        'int main() { return faiss_write_index_fname(nullptr, ""); }' |
        c++ -x c++ - -o "$cache/probe.$$" -lfaiss_c -lfaiss -lopenblas -fopenmp 2>/dev/null
    found=$?
    rm -f "$cache/probe.$$"
    return $found
}

# The highest level whose every instruction this processor has; the names are GCC's and the psABI's.
processor_level() {
    case $(c++ -dumpmachine) in
    x86_64-*) ;;
    *)
        uname -m
        return
        ;;
    esac
    flags=" $(sed -n '/^flags/{s/^[^:]*: *//p;q;}' /proc/cpuinfo) "
    level=x86-64
    while read -r name needed; do
        for flag in $needed; do
            case $flags in
            *" $flag "*) ;;
            *) break 2 ;;
            esac
        done
        level=$name
    done <<EOF
x86-64-v2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3
x86-64-v3 abm avx avx2 bmi1 bmi2 f16c fma movbe
x86-64-v4 avx512bw avx512cd avx512dq avx512f avx512vl
EOF
    echo "$level"
}

# The newest finished build for this level, if there is one.
finished_prefix() {
    # shellcheck disable=SC2012 # the names are ours
    ls -d "$cache"/faiss-[0-9]*-"$level"-hard"$kind" 2>/dev/null | sort -V | tail -n 1
}

# Runs the build: ninja's one line on a terminal, else a line each tenth of the way.
run_build() {
    set -- cmake --build "$work/build-$level$kind" --parallel "$jobs" --target faiss faiss_c
    if [ -t 2 ]; then
        "$@" >&2
        return
    fi
    log=$work/build-$level$kind.log
    { "$@" 2>&1 || echo "stopped: failed"; } | {
        tenths=0
        failed=0
        while IFS= read -r line; do
            printf '%s\n' "$line"
            case $line in
            "stopped: failed") failed=1 ;;
            "["[0-9]*/[0-9]*"]"*)
                n=${line#?}
                n=${n%%/*}
                of=${line#*/}
                of=${of%%]*}
                if [ $((n * 10 / of)) -gt "$tenths" ]; then
                    tenths=$((n * 10 / of))
                    say "$n of $of files"
                fi
                ;;
            esac
        done >"$log"
        [ "$failed" -eq 0 ] || {
            tail -n 30 "$log" >&2
            die "FAISS cannot be built"
        }
    }
}

build() {
    version=$(cat "$work/version")
    prefix=$cache/faiss-$version-$level-hard$kind
    march=
    case $level in x86-64*) march=-march=$level ;; esac
    # As Debian hardens packages; with doppel's own flags in cmake/DoppelCompile.cmake.
    hard="-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
    case $level in x86-64*) hard="$hard -fcf-protection" ;; esac
    say "building $version for $level with $jobs jobs, once for all clones"
    set --
    [ -z "$sysroot" ] || set -- -DCMAKE_TOOLCHAIN_FILE="$here/../cmake/arm.cmake"
    # shellcheck disable=SC2016 # $ORIGIN is the loader's
    cmake -S "$work/src" -B "$work/build-$level$kind" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" \
        -DCMAKE_CXX_FLAGS="$march $hard -w" \
        -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-z,relro,-z,now -DCMAKE_INSTALL_LIBDIR=lib \
        '-DCMAKE_INSTALL_RPATH=$ORIGIN' -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON \
        -DBUILD_SHARED_LIBS=$shared -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_TESTING=OFF -DFAISS_ENABLE_C_API=ON \
        -DFAISS_ENABLE_GPU=OFF -DFAISS_ENABLE_PYTHON=OFF -DFAISS_OPT_LEVEL=generic \
        >"$work/configure.log" 2>&1 || {
        tail -n 20 "$work/configure.log" >&2
        die "FAISS cannot be configured"
    }
    run_build
    rm -rf "$prefix.tmp"
    cmake --install "$work/build-$level$kind" --prefix "$prefix.tmp" >"$work/install.log" 2>&1 ||
        die "$(tail -n 5 "$work/install.log")"
    # Old versions install the C API's headers but forget its library.
    cp -P "$work/build-$level$kind"/c_api/libfaiss_c.* "$prefix.tmp/lib/"
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
    level=aarch64
elif system_has_c_api; then
    exit 0
else
    level=${DOPPEL_FAISS_LEVEL:-$(processor_level)}
fi
case $level in
*[!a-z0-9_-]*) die "DOPPEL_FAISS_LEVEL=\"$level\" is not a level such as x86-64-v3" ;;
esac
kind=
shared=ON
if [ "${DOPPEL_FAISS_STATIC:-no}" = yes ]; then
    kind=-static
    shared=OFF
fi
prefix=$(finished_prefix)
if [ -z "$prefix" ]; then
    # One build at a time. The compilers hold the lock as well, so after a kill of this script alone
    # the next one waits until they are gone.
    exec 9>"$cache/faiss.lock"
    flock -n 9 || {
        say "another build is running, waiting for it"
        flock 9
    }
    prefix=$(finished_prefix)
    if [ -z "$prefix" ]; then
        # A compiler of this size takes up to a gigabyte.
        jobs=$(sed -n '/^MemAvailable:/{s/[^0-9]//g;p;q;}' /proc/meminfo)
        jobs=$((jobs / 1048576 + 1))
        [ "$jobs" -lt "$(nproc)" ] || jobs=$(nproc)
        [ -d "$work/src" ] || fetch_source faiss
        build
    fi
fi
echo "$prefix"
