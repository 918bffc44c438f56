# circles.sh OBJECT… - calls between files and folders go one way. Reads the symbols of the object files
# that the library and the program are made of: an edge from the file that needs a symbol to the file
# that has it. No circle may be in them, and an edge between folders only goes down base, net, vision,
# data, then train or index; the program calls nothing but dpl_*, or its own.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# nm -A puts the object's path before each symbol: "…/net/CMakeFiles/doppel_net.dir/ops/conv.c.o:".
nm -A "$@" | awk '
    {
        split($0, at, ":")
        if (!(at[1] in names)) {
            folder = at[1]; sub(/\/CMakeFiles\/.*/, "", folder); sub(/.*\//, "", folder)
            file = at[1]; sub(/.*\.dir\//, "", file); sub(/\.o$/, "", file)
            names[at[1]] = folder "/" file
        }
    }
    $(NF - 1) ~ /[TDBRC]$/ { print "has", $NF, names[at[1]] }
    $(NF - 1) ~ /U$/ { print "needs", $NF, names[at[1]] }' >"$work/symbols"
[ "$(grep -c '^has dpli\{0,1\}_' "$work/symbols")" -gt 100 ] || {
    echo "no symbols read: this test sees nothing"
    exit 1
}
sort -k1,1 "$work/symbols" | awk '
    # A source that two targets compile (the program takes some of base) is one file.
    $1 == "has" { owner[$2] = $3 }
    $1 == "needs" && ($2 in owner) && owner[$2] != $3 { print $3, owner[$2], $2 }' |
    sort -u >"$work/edges"

failed=0
awk 'BEGIN {
        may["net"] = " base "; may["text"] = may["vision"] = " base net "
        may["data"] = " base net text vision "
        may["train"] = may["index"] = " base net text vision data "
    }
    { split($1, a, "/"); split($2, b, "/") }
    a[1] == b[1] { next }
    a[1] == "app" ? $3 ~ /^dpli_/ && b[1] != "base" : index(may[a[1]], " " b[1] " ") == 0 {
        print $1 " calls up into " $2 ": " $3; bad = 1
    }
    END { exit bad }' "$work/edges" || failed=1
if ! awk '{ print $1, $2 }' "$work/edges" | tsort >"$work/order" 2>"$work/loops"; then
    echo "files that call each other in a circle:"
    sed -n 's/^tsort: \([a-z]*\/\)/  \1/p' "$work/loops"
    failed=1
fi
exit $failed
