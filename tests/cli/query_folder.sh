# query walks folders and prints a line a face, whatever the names are; --person lists a person's
# photos.
. "$SRCDIR/tests/cli/lib.sh"
exits 0 enroll "$demo/people" --image-model none

# field N - that field of the lines in out.
field() {
    cut -f "$1" out
}
tab=$(printf '\t')

# A folder as a disk has it: rubbish counted, a broken photo told, a landscape without a face.
mkdir -p album/2019 album/@eaDir album/.trash
cp "$demo/congress.jpg" album/2019/a.jpg
cp "$demo/stranger.jpg" album/b.jpg
cp "$demo/stranger.jpg" album/@eaDir/thumb.jpg
cp "$demo/stranger.jpg" album/.trash/x.jpg
cp "$demo/stranger.jpg" album/private.jpg
cp "$SRCDIR/tests/fixtures/image/rgb.jpg" album/c.jpg
echo "not a photo" >album/broken.jpg
echo "a note" >album/note.txt
echo private.jpg >album/.doppelignore
exits 3 query album --threshold 0.5
is "$(field 1 | tr '\n' ' ')" "album/2019/a.jpg album/b.jpg album/c.jpg "
is "$(field 2 | tr '\n' ' ')" "1 1 - "
is "$(field 3 | tr '\n' ' ')" "Barack Obama unknown_person no_persons_found "
is "$(field 4 | tail -n 1)" "-"
[ -z "$(field 6)" ] || fail "a sixth field"
says err '"album/broken.jpg": '
lacks err "c.jpg"
says err "4 photos: 1 with somebody known, 1 without a face, 1 refused; "
says err "1 file passed over: no pictures"
says err "2 names left out"
# The same on any number of threads, and in JSON with a line for each photo.
cp out first
for n in 1 3; do
    exits 3 query album --threshold 0.5 --threads $n -q
    cmp out first || fail "another answer on $n threads"
    lacks err "photos:"
done
exits 3 query album --threshold 0.5 --json
is "$("$JSON" out status | tr '\n' ' ')" "OK OK E_INPUT E_NO_FACE "
is "$("$JSON" out photo | head -n 1)" "album/2019/a.jpg"
exits 3 query album --threshold 0.5 --table
says out "album/2019/a.jpg: 1 face, 1 known: Barack Obama"
# Files given by name are taken, also those that a walk leaves out, each once and as they came.
exits 3 query album/private.jpg album/b.jpg album/note.txt ./album/b.jpg --threshold 0.5
is "$(field 1 | tr '\n' ' ')" "album/private.jpg album/b.jpg "
says err '"album/note.txt": '
lacks err "with somebody known"
exits 3 query album/* --threshold 0.5
is "$(field 1 | tr '\n' ' ')" "album/2019/a.jpg album/b.jpg album/c.jpg album/private.jpg "
mkdir empty
exits 1 query empty
is "$(cat out)" ""
says err "0 photos"

# Links out of the folder are followed when that is asked for.
mkdir links
ln -s "$PWD/album/2019" links/away
exits 1 query links
says err "1 link out of these folders not followed"
exits 0 query links --follow-links --threshold 0.5
is "$(field 1)" "links/away/a.jpg"

# Names that hold what parts fields and lines, and what is no text: safe, and to be had back.
odd=$(printf 'odd/a\tb\nc\\d\033[31m\351.jpg')
person=$(printf 'Tab\there')
mkdir -p odd "named/$person" named/unknown_person
cp "$biden" "$odd"
cp "$biden" "named/$person/1.jpg"
cp "$obama" named/unknown_person/1.jpg
exits 0 enroll named --gallery names
exits 0 query odd --gallery names --threshold 0.5
is "$(wc -l <out)" "1"
is "$(field 1)" 'odd/a\tb\nc\\d\x1b[31m\xe9.jpg'
is "$(field 3)" 'Tab\there'
exits 0 query "$demo/congress.jpg" --gallery names --threshold 0.5
is "$(field 3)" '\x75nknown_person'
exits 0 query odd "$demo/congress.jpg" --gallery names --threshold 0.5 -0
is "$(tr -cd '\000' <out | wc -c)" "2"
tr '\000' '\001' <out >marked
printf '%s\t1\tTab\\there\t' "$odd" >wanted
cmp -n "$(wc -c <wanted)" marked wanted || fail "-0 does not give the path as it is"
lacks out "x1b"

# Where nothing decides, that is said; of a whole picture the number is 0.
exits 1 query "$demo/stranger.jpg" --by face --min-fmr 0
is "$(field 4)" "-"
exits 0 enroll "$demo/people" --detect none --model "$SRCDIR/models/image-105.onnx" --gallery pictures
exits 1 query "$obama" --gallery pictures --threshold 2
is "$(field 3)" "unknown_person"
exits 0 enroll "$demo/people" --image-model "$SRCDIR/models/image-105.onnx" --gallery both
exits 0 query "$obama" --gallery both --by image
is "$(field 2)" "0"
is "$(field 3)" "Barack Obama"
exits 1 query "$demo/stranger.jpg" --gallery both --by image
is "$(field 3)" "no_copy"

# -k, and --table, are for people; one form at a time.
exits 0 query "$demo/congress.jpg" -k 2 --threshold 0.5
says out "1 known: Barack Obama"
exits 0 query "$demo/congress.jpg" --lines --threshold 0.5
is "$(field 3)" "Barack Obama"
for options in "--lines --table" "-0 --json" "--table --json" "--lines -k 3" "--person Ann" \
    "--person Ann --threads 2"; do
    # shellcheck disable=SC2086 # words of their own
    exits 2 query album $options
done
exits 2 query --person Ann --threshold 0.5
exits 2 query

# Many photos: a page that does not grow with them.
mkdir many
i=0
while [ $i -lt 110 ]; do
    cp "$biden" many/$i.jpg
    i=$((i + 1))
done
status=0
"$DOPPEL" query many --threshold 0.5 --detect-side 160 --html page.html >out 2>err || status=$?
is "$(wc -l <out)" "110"
is "$(grep -c '<section class="card photo">' page.html)" "100"
says page.html "The first 100 of 110 photos with an answer"
[ "$(wc -c <page.html)" -lt 30000000 ] || fail "a page of $(wc -c <page.html) bytes"

# Where its lines cannot be written it does not go on to the end.
status=0
"$DOPPEL" query many --threads 1 >/dev/full 2>err || status=$?
is "$status" "5"
says err "cannot write to standard output"
[ "$(sed -n 's/ photos*: .*//p' err)" -lt 100 ] || fail "it went on without output"

# An interrupt ends it after the photos in hand.
unset OPENBLAS_NUM_THREADS OMP_NUM_THREADS
holds read:many/50.jpg query many --threads 1 --detect-side 160
[ "$(wc -l <out)" -ge 20 ] || fail "$(wc -l <out) lines before it is over"
is "$(ls "/proc/$pid/task" | wc -l)" "1"
goes_on INT
is "$status" "130"
says err "interrupted after "
n=$(cut -f 1 out | sort -u | wc -l)
says err "interrupted after $n of 110 files"

# A person's photos: those with a face of theirs, in the order of paths, whatever the name was.
exits 0 query --person "Barack Obama"
is "$(tr '\n' ' ' <out)" "$demo/people/Barack Obama/blue-room.jpg $obama "
exits 0 query --person "Barack Obama" -0
is "$(tr '\000' '\n' <out | tr '\n' ' ')" "$demo/people/Barack Obama/blue-room.jpg $obama "
exits 0 query --person "Barack Obama" --json
is "$("$JSON" out photo | tail -n 1)" "$obama"
is "$("$JSON" out person | sort -u)" "Barack Obama"
exits 0 rename "Barack Obama" Barack
exits 0 query --person "Barack Obama"
is "$(wc -l <out)" "2"
exits 0 query --person Barack --json
is "$("$JSON" out person | sort -u)" "Barack"
exits 0 query --person "$person" --gallery names
is "$(cat out)" "$(printf '%s/named/Tab\\there/1.jpg' "$PWD")"
exits 4 query --person Barak
says err 'nearest: "Barack'
is "$(cat out)" ""
exits 4 query --person Nobody --json
is "$("$JSON" out status)" "E_NO_PERSON"
exit 0
