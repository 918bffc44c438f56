#!/bin/sh
# symbols.sh LIBRARY - prints debian/libdoppel1.symbols: what the library shows, and since which version.
# A symbol that the file has already keeps its version.
#
#     sh scripts/symbols.sh build/release/lib/libdoppel.so >symbols && mv symbols debian/libdoppel1.symbols
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^#define DPL_VERSION  *"\(.*\)"$/\1/p' "$here/include/doppel/version.h")
echo 'libdoppel.so.1 libdoppel1 #MINVER#'
nm -D --defined-only "$1" | awk '{ print $NF }' | LC_ALL=C sort -u | while read -r name; do
    since=$(sed -n "s/^ $name@Base //p" "$here/debian/libdoppel1.symbols" 2>/dev/null || :)
    echo " $name@Base ${since:-$version}"
done
