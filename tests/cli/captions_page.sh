# docs/captions.md's commands run as written, in order; what they find is what the page says. Photos and models
# are the demo's and stand-ins. Each part of the page is of a gallery of its own.
. "$SRCDIR/tests/cli/lib.sh"
unset DOPPEL_GALLERY XDG_DATA_HOME
mkdir bin Pictures
ln -s "$DOPPEL" bin/doppel
export HOME="$PWD" PATH="$PWD/bin:$PATH"
golden=$SRCDIR/tests/golden/text
cp "$SRCDIR/tests/standins/sentences.onnx" "$golden/clip-image.onnx" "$golden/clip-text.onnx" .
chmod u+w sentences.onnx
cp "$golden/clip.merges" merges.txt
cp "$demo/stranger.jpg" Pictures/beach.jpg
cp "$demo/people/Eileen Collins/nasa-portrait.jpg" Pictures/suit.jpg
printf 'Two dogs on a beach\n' >Pictures/beach.jpg.txt
printf 'path,caption\nPictures/suit.jpg,"A portrait, of a woman"\n' >captions.csv
# 3,024 pairs that do not say the same and 56 that do; small words, so that not all have one of three scores.
awk 'BEGIN {
    n = split("dog cat beach run woman red two portrait", w)
    small[0] = ""
    for (i = 1; i < 10; i++) small[i] = small[i - 1] "the "
    print "a,b,label"
    for (i = 1; i <= n; i++) for (j = 1; j <= n; j++) for (k = 1; k <= n; k++) for (l = 1; l <= n; l++)
        if (i != j && k != l && (i != k || j != l)) {
            print small[m % 10] w[i] " " w[j] "," small[int(m / 10) % 10] w[k] " " w[l] "," (i == l && j == k)
            m++
        }
}' >pairs.csv

# block.1, block.2, …: the blocks marked sh.
awk '/^```sh$/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > ("block." n) }' \
    "$SRCDIR/docs/captions.md"
n=0
while [ -e "block.$((n + 1))" ]; do
    n=$((n + 1))
    case $n in
    4 | 5) rm -r .local ;;
    esac
    sh -eu "block.$n" >out 2>err </dev/null || fail "block $n: $(cat "block.$n")"
    cp out "out.$n"
done
[ $n -eq 5 ] || fail "$n blocks are found, not 5"
says out.1 "match: both say the same"
says out.2 "56 that do"
exits 0 verify --text "a dog in the sea" "the puppy at a beach" --text-model sentences.onnx
says out.3 "2 captions new"
# A line a photo: sentence, path, the caption's score, the picture's, caption.
is "$(grep -c "^two dogs on a beach" out.4)" 2
is "$(grep "suit.jpg" out.4 | cut -f 1,3,5)" "$(printf 'two dogs on a beach\t-\t')"
found=$(grep "beach.jpg" out.3 | tail -n 1)
is "$(printf '%s' "$found" | cut -f 1,3-)" "$(printf 'two dogs on a beach\t1.0000\t-\tTwo dogs on a beach')"
awk -F'\t' '$2 ~ /beach.jpg$/ && $4 != "-" && $5 == "Two dogs on a beach" { found = 1 } END { exit !found }' out.5 ||
    fail "the pair did not search both: $(cat out.5)"
