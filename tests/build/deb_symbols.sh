# deb_symbols.sh LIBRARY - debian/libdoppel1.symbols lists what the library shows: each of it, nothing else.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
readelf -d "$1" | grep -q 'SONAME.*\[libdoppel\.so\.1\]' || {
    echo "the package libdoppel1 is of libdoppel.so.1, and this library is not"
    exit 1
}
sh "$source/scripts/symbols.sh" "$1" | diff "$source/debian/libdoppel1.symbols" - || {
    echo "debian/libdoppel1.symbols is old: scripts/symbols.sh says how it is made"
    exit 1
}
