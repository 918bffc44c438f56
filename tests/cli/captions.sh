# Captions: found beside photos, in them and in a list; kept up to date; searched; forgotten.
. "$SRCDIR/tests/cli/lib.sh"
standins=$SRCDIR/tests/standins
cp "$standins/sentences.onnx" "$standins/colours.onnx" "$standins/image.onnx" .
mkdir album
cp "$demo/stranger.jpg" album/a.jpg
cp "$demo/congress.jpg" album/b.jpg

# segment MARKER FILE - a JPEG's segment of that content, and its length.
segment() {
    n=$(($(wc -c <"$2") + 2))
    printf '\377'"$1""\\$(printf %o $((n / 256)))\\$(printf %o $((n % 256)))"
    cat "$2"
}
# with_segments OUT IN SEGMENTS - the JPEG with these before all others.
with_segments() {
    { head -c 2 "$2" && cat "$3" && tail -c +3 "$2"; } >"$1"
}
# IPTC's caption, in Photoshop's resource: Latin-1, as the é says.
printf 'Photoshop 3.0\0008BIM\004\004\000\000\000\000\000\036\034\002\170\000\031A caf\351 dog on the shore..' >iptc
printf 'http://ns.adobe.com/xap/1.0/\000<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt><rdf:li xml:lang="x-default">A lady running</rdf:li><rdf:li xml:lang="de">Ein Hund</rdf:li><rdf:li xml:lang="fr">Un chien</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>' >xmp
{ segment '\355' iptc && segment '\341' xmp; } >segments
with_segments album/c.jpg "$obama" segments
tail -c +30 xmp >album/b.xmp
sed -i 's/A lady running/A kitten/; s/Ein Hund/Two/' album/b.xmp
printf 'Two dogs on a beach\r\n\n  A red cat.  \nTwo dogs on a beach\n' >album/a.jpg.txt

# Nobody asks for captions: none are looked for. Without a model of sentences a list is refused.
# Pictures are taken whole, by a stand-in: no face is looked for, which is quick.
whole="--detect none --model image.onnx"
exits 0 scan album --gallery bare $whole
lacks out "caption"
exits 4 query --text "dogs" --gallery bare
says err "holds no captions (doppel scan --text-model puts them there), and \"$DOPPEL_MODELS/sentence-256.onnx\" is not a model of sentences for its model of pictures"
exits 4 query --text "dogs" --gallery bare --text-model none
says err "the gallery has no model of sentences"
exits 4 query --text "dogs" --gallery bare --text-model sentences.onnx
says err "holds no captions (doppel scan --text-model puts them there)"
# Pictures' vectors of image-105 are found by the sentences of sentence-256, without a word of it.
mkdir plain
cp "$demo/people/Eileen Collins/nasa-portrait.jpg" plain/c.jpg
exits 0 scan plain --gallery plain.gallery
exits 0 query --text "a woman in an orange uniform" --gallery plain.gallery --json
is "$("$JSON" out by.0)" "picture"
is "$("$JSON" out hits.0.photo)" "$PWD/plain/c.jpg"
# Words that it does not know are told, beside lines on stderr.
exits 0 query --text "a woman xyzzying" --gallery plain.gallery
is "$(cat err)" "doppel query: a woman xyzzying: 1 of its words not known to the model"
lacks out "not known"
exits 0 query --text "a woman xyzzying" --gallery plain.gallery --quiet
is "$(cat err)" ""
exits 0 scan plain --gallery plain.faces --image-model none
exits 4 query --text "a woman" --gallery plain.faces
says err "holds no vectors of pictures, and no captions (doppel scan --text-model puts them there)"
exits 4 query --text "a woman" --gallery plain.faces --by image
says err 'gallery "plain.faces" holds no vectors of pictures'
printf 'path,caption\nalbum/b.jpg,"A portrait, of a woman"\nalbum/gone.jpg,a dog\n' >list.csv
exits 4 scan album --gallery bare --captions list.csv
says err "--captions needs a model of sentences (--text-model FILE)"

exits 0 scan album --text-model sentences.onnx $whole --captions list.csv
# a: two lines; b: three of XMP, one of the list; c: IPTC's and three of XMP's
says out "10 captions new, 0 not written any more"
says out "1 picture of the list not among these files: album/gone.jpg"
says out "10 captions"
exits 0 info
says out "10 captions of photos"
says out "text model  stand-in sentences"
exits 0 info --json
is "$("$JSON" out n_templates_text)" "10"
is "$("$JSON" out models.text.name)" "stand-in sentences"
exits 0 info album/a.jpg
says out 'caption "Two dogs on a beach" (sidecar), 9 numbers'
exits 0 export export.jsonl
is "$(grep -o '"caption_source":"[a-z]*"' export.jsonl | sort | uniq -c | tr -s ' \n' ' ')" \
    ' 1 "caption_source":"list" 4 "caption_source":"photo" 2 "caption_source":"sidecar" 3 "caption_source":"xmp" '
grep -q '"caption":"A café dog on the shore.."' export.jsonl || fail "Latin-1 was not read"

# Found, without being told the model again.
exits 0 query --text "2 puppy at the sea" --table -k 2
says out "2 puppy at the sea:"
is "$(sed -n 2p out | tr -s ' ')" " caption 1.000 album/a.jpg Two dogs on a beach"
exits 0 query --text "a woman runs" "kitten" --json --html page.html
is "$("$JSON" out query.text | tr '\n' '|')" "a woman runs|kitten|"
is "$("$JSON" out hits.0.caption | tr '\n' '|')" "A lady running|A kitten|"
is "$("$JSON" out hits.0.caption_rank | tr '\n' ' ')" "1 1 "
is "$("$JSON" out by.0 | tr '\n' ' ')" "caption caption "
[ -z "$("$JSON" out by.1)" ] || fail "pictures were searched"
says page.html "A lady running"
says page.html "data:image/jpeg"
exits 0 query --text "a woman runs"
is "$(head -1 out | cut -f 1,3-5)" "$(printf 'a woman runs\t1.0000\t-\tA lady running')"
exits 1 query --text "a green portrait" --threshold 0.999
[ ! -s out ] || fail "a line of what is not so alike"
exits 3 query --text " "
says err "text is empty"
exits 4 query --text dog --by image
says err "is not a model of sentences for its model of pictures"
exits 2 query --text dog --by face
exits 2 query --by caption a.jpg
exits 2 query --text
exits 2 query --text dog --fmr 1e-3

# By the pictures, with a model that is made for them, and one that is said to be.
hash=$(sed -n 's/.*"space":"image","hash":"\([0-9a-f]*\)".*/\1/p' export.jsonl)
exits 4 query --text dark --text-model colours.onnx
says err "text vectors of gallery"
exits 0 query --text dark --by image --text-model colours.onnx --image-model image.onnx --json
is "$("$JSON" out by.0)" "picture"
is "$("$JSON" out hits.0.by.0)" "picture"
[ -n "$("$JSON" out hits.0.picture_score)" ] || fail "no score"
dark=$("$JSON" out hits.0.photo)
exits 0 query --text bright --by image --text-model colours.onnx --image-model image.onnx --json
[ "$dark" != "$("$JSON" out hits.0.photo)" ] || fail "the darkest is the brightest"
printf '{"pictures": "%s"}' "$hash" >colours.onnx.json
exits 0 query --text dark --text-model colours.onnx --json
is "$("$JSON" out hits.0.photo)" "$dark"
exits 4 query --text dark --by image --text-model sentences.onnx --image-model image.onnx
says err "are no pair"
exits 4 query --text dark --by image --text-model colours.onnx --image-model "$SRCDIR/models/image-105.onnx"
says err "did not make the vectors of pictures"
# Both at once, and said by which.
exits 0 scan album --gallery both --text-model colours.onnx $whole --quiet
printf 'path\tcaption\nalbum/a.jpg\tdark\n' >both.tsv
exits 0 scan album --gallery both --captions both.tsv
exits 0 query --text dark --gallery both --json
is "$("$JSON" out by.0) $("$JSON" out by.1)" "caption picture"
is "$("$JSON" out hits.0.by.1)" "picture"
is "$("$JSON" out hits.0.caption)" "dark"

# Kept up to date: what is not written any more goes, what a list said stays; the same again is no change.
exits 0 scan album
lacks out "captions new"
printf 'A red cat.\rThe sand\r' >album/a.jpg.txt
rm album/b.xmp
exits 0 scan album
says out "1 caption new, 4 not written any more"
exits 0 undo --yes
says out "templates"
exits 0 export again.jsonl
is "$(grep -c '"caption"' again.jsonl)" "10"
exits 0 undo --yes
exits 0 check
says out "nothing is damaged"
# A photo that is encoded again keeps its captions; one that moves, too.
exits 0 scan album --force
lacks out "captions new"
mv album/b.jpg album/d.jpg
exits 0 scan album
exits 0 query --text "portrait of a lady" --json
is "$(basename "$("$JSON" out hits.0.photo)")" "d.jpg"
is "$("$JSON" out hits.0.caption)" "A portrait, of a woman"

# Texts that are none are named, and take nothing along.
printf 'good dog\n\377\376\n' >album/a.jpg.txt
exits 0 scan album
says out "1 caption left out: "
says out "a.jpg.txt\": is not UTF-8"
{ printf 'the dog\n' && head -c 70000 /dev/zero | tr '\0' x; } >album/a.jpg.txt
exits 0 scan album --json
is "$("$JSON" out summary.n_captions)" "1"
is "$("$JSON" out summary.n_captions_refused)" "1"
printf '{"tokens.unknown": "-1"}' >sentences.onnx.json
printf 'xyzzy\nthe dog\n' >album/a.jpg.txt
exits 4 scan album
says err "text vectors of gallery"
rm sentences.onnx.json
printf 'path,caption\nalbum/a.jpg\n' >bad.csv
exits 3 scan album --captions bad.csv
says err "bad.csv"
exits 3 scan album --captions nowhere.csv

# A damaged one is named, kept out of answers, and goes when the photo is looked at again.
"$SQL" "$DOPPEL_GALLERY/gallery.db" "UPDATE caption SET words = CAST('a blue dog' AS BLOB) WHERE
    words = CAST('A lady running' AS BLOB)"
exits 4 check
says out "caption"
exits 4 query --text "lady running"
exits 0 scan album --force
says out "2 captions new, 2 not written any more"
exits 0 check

# Exports bring captions over to the bit; forgetting leaves no word of them.
exits 0 export one.jsonl
exits 0 import one.jsonl --gallery other
exits 0 export two.jsonl --gallery other
cmp one.jsonl two.jsonl || fail "an import is another gallery"
exits 0 forget album/d.jpg --json
is "$("$JSON" out n_left)" "0"
is "$("$JSON" out n_strings_left)" "0"
grep -q "portrait, of a woman" "$DOPPEL_GALLERY"/* && fail "a caption is left in the gallery's files"
exits 0 query --text "portrait of a lady" --json
lacks out "portrait, of a woman"
# Somebody's photos: a photo given by name has its text looked for, too.
printf 'a red dog\n' >album/c.jpg.txt
exits 0 enroll album/c.jpg --name Ann
says out "1 caption new"
exits 0 query --text "a red dog" --json
is "$("$JSON" out hits.0.person)" "Ann"
exits 0 scan album --text-model none
lacks out "not written"

# Another model of sentences: the words are there, so that it needs nothing else.
cp sentences.onnx next.onnx
printf '{"normalize": "none", "name": "next"}' >next.onnx.json
exits 4 query --text "a red dog" --text-model next.onnx
exits 0 migrate --text-model next.onnx --dry-run
says out "the gallery is as it was; "
exits 0 migrate --text-model next.onnx --json
[ "$("$JSON" out n_captions)" -gt 3 ] || fail "captions are missing"
vectors=$("$JSON" out model.hashes.vectors)
exits 0 info --json
is "$("$JSON" out models.text.hashes.vectors)" "$vectors"
exits 0 query --text "a red dog" --json
is "$("$JSON" out hits.0.caption)" "a red dog"
is "$("$JSON" out model.name)" "next"
exits 0 check
exits 1 undo

# A pair of files as people bring them: what they do not say, options do, and the gallery remembers.
golden=$SRCDIR/tests/golden/text
rm album/a.jpg
exits 0 scan album --gallery clip --image-model "$golden/clip-image.onnx" --image-preset clip-224 \
    --text-model "$golden/clip-text.onnx" --merges "$golden/clip.merges"
says out "captions new"
exits 0 query --text "two dogs on the beach" --gallery clip --json
is "$("$JSON" out by.0)" "caption"
is "$("$JSON" out query.n_tokens)" "7"
exits 0 query --text "two dogs on the beach" --gallery clip --image-model "$golden/clip-image.onnx" --json
is "$("$JSON" out by.1)" "picture"
