#!/bin/sh
# fuzz_libs.sh - prints the prefix of libjpeg-turbo and libpng built for fuzzing: by clang, with
# AddressSanitizer and coverage, so that the fuzzer sees into the decoders and not only past them.
#
# Built once from Debian's source packages, the versions that the program links elsewhere, without
# assembler: ~/.cache/doppel/fuzz-libs, a minute or two. It may be killed: the result gets its name when
# it is whole.
set -eu

say() {
    printf 'fuzz-libs: %s\n' "$*" >&2
}

die() {
    for line; do say "$line"; done
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/doppel
prefix=$cache/fuzz-libs
work=$cache/fuzz-libs-work
# shellcheck source=scripts/source.sh
. "$here/source.sh"

# build_one PACKAGE TARGET PC-NAME LIBS CMAKE-OPTION… - a static library and its headers.
build_one() {
    package=$1
    target=$2
    pc=$3
    libs=$4
    shift 4
    say "building $package"
    rm -rf "$work/src" "$work/build"
    fetch_source "$package"
    cmake -S "$work/src" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang \
        "-DCMAKE_C_FLAGS=-O1 -g -w -fPIC -fsanitize=address,fuzzer-no-link" "$@" >"$work/log" 2>&1 &&
        cmake --build "$work/build" --target "$target" >>"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        die "$package cannot be built"
    }
    find "$work/build" -maxdepth 1 -name "$pc*.a" -exec cp -P {} "$prefix.tmp/lib/" \;
    cp "$work"/src/*.h "$work"/build/*.h "$prefix.tmp/include/"
    printf '%s\n' "Name: $pc" "Description: $package for fuzzing" "Version: $(cat "$work/version")" \
        "Libs: -L$prefix/lib $libs" "Cflags: -I$prefix/include" >"$prefix.tmp/lib/pkgconfig/$pc.pc"
}

mkdir -p "$cache"
if [ ! -d "$prefix" ]; then
    rm -rf "$prefix.tmp"
    mkdir -p "$prefix.tmp/lib/pkgconfig" "$prefix.tmp/include" "$work"
    build_one libjpeg-turbo jpeg-static libjpeg -ljpeg -DWITH_SIMD=OFF -DENABLE_SHARED=OFF -DWITH_TURBOJPEG=OFF
    build_one libpng1.6 png_static libpng "-lpng16 -lz -lm" -DPNG_SHARED=OFF -DPNG_TESTS=OFF \
        -DPNG_HARDWARE_OPTIMIZATIONS=OFF
    mv "$prefix.tmp" "$prefix"
    rm -rf "$work"
fi
echo "$prefix"
