# dist.sh FOLDER - the archive of "./dev dist" holds the sources and nothing else, packs itself to the same
# files again, and is configured with no network; with DOPPEL_DIST_BUILD=1 built, too.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$1
faiss=$2
rm -rf "$work"
mkdir -p "$work"
cd "$source"
archive=$(./dev dist)
case $archive in
build/dist/doppel-[0-9]*.tar.gz) ;;
*)
    echo "./dev dist says $archive"
    exit 1
    ;;
esac
cd "$work"
tar -xf "$source/$archive"
cd doppel-*
if [ "$(git -C "$source" rev-parse --show-toplevel 2>/dev/null)" = "$source" ]; then
    git -C "$source" ls-files | while read -r file; do
        [ ! -e "$source/$file" ] || printf '%s\n' "$file"
    done | LC_ALL=C sort >../expected
    find . -type f -o -type l | sed 's|^\./||' | LC_ALL=C sort | diff ../expected -
fi
find . -type f | LC_ALL=C sort >../first
# Below another repository it is still no part of that.
./dev dist >/dev/null
mkdir ../again
tar -xf build/dist/*.tar.gz -C ../again
rm -rf build
(cd ../again/doppel-* && find . -type f | LC_ALL=C sort) | diff ../first -
diff -r . ../again/doppel-*
rm -rf ../again
apart=
if unshare -n true 2>/dev/null; then
    apart="unshare -n"
fi
$apart cmake --preset release ${faiss:+"-DFAISS_ROOT=$faiss"} >../log 2>&1 || {
    tail -n 20 ../log
    exit 1
}
# All of it is built where that is asked for: it takes the minutes of a whole build.
if [ -n "${DOPPEL_DIST_BUILD:-}" ]; then
    $apart cmake --build build/release --target doppel-cli >../log 2>&1 || {
        tail -n 20 ../log
        exit 1
    }
    $apart build/release/bin/doppel verify demo/congress.jpg "demo/people/Barack Obama/official-portrait.jpg" |
        grep '^match: '
fi
rm -rf "$work"
