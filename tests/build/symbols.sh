# symbols.sh NM LIBRARY HEADERS - the library shows what the public headers declare, each of it and
# nothing else.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" -D --defined-only "$2" | awk '{ print $NF }' | sort -u >"$work/shown"
# A declaration is DPL_API to the semicolon; its name is the first word before a bracket.
cat "$3"/*.h | tr '\n' ' ' | grep -oE 'DPL_API [^;{]*;' | sed -nE 's/^[^(]*[ *](dpl_[a-z0-9_]+)\(.*/\1/p' |
    sort -u >"$work/declared"
grep -qx dpl_version "$work/declared" || {
    echo "no declarations read: this test sees nothing"
    exit 1
}
if ! diff "$work/declared" "$work/shown" >"$work/different"; then
    echo "$2 shows other symbols than are declared (<: declared only, >: shown only):"
    grep '^[<>]' "$work/different"
    exit 1
fi
