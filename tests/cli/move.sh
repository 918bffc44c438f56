# A gallery goes into another one whole: exports of both are the same bytes, and so is what it decides.
. "$SRCDIR/tests/cli/lib.sh"
mkdir -p people/obama people/biden
cp "$demo/people/Barack Obama/"*.jpg people/obama
cp "$biden" people/biden/1.jpg
cp "$biden" people/biden/twin.jpg
cp "$demo/group.jpg" group.jpg
"$EDIT" "$demo/group.jpg" again.jpg mirror
echo "no photo" >people/biden/broken.jpg
printf 'a man in a suit\n' >people/biden/1.txt
"$DOPPEL" enroll people >out 2>err || [ $? -eq 3 ] || fail "it cannot be made"
exits 0 scan group.jpg again.jpg
exits 0 group
exits 0 reject people/biden/twin.jpg biden
exits 0 rename obama Barack
# The highest numbers are of nobody any more, and yet are taken.
cp "$demo/stranger.jpg" people/biden/2.jpg
exits 0 enroll people/biden/2.jpg --name Gone
exits 0 forget Gone
exits 0 assign "group.jpg#1" "Somebody Else"
echo '{"version": 1, "metric": "cosine", "pairs": 1000000, "points": [[0.1, 0.1], [0.9, 1e-6]]}' >gallery/calibration.json
exits 0 export before.jsonl
exits 0 audit --json
cp out audit.before

# A rehearsal makes nothing.
exits 0 migrate --to elsewhere --dry-run
says out "would copy"
[ ! -e elsewhere ] || fail "a rehearsal made a gallery"

exits 0 migrate --to elsewhere
says out "copied"
says out "is as it was"
exits 0 export after.jsonl --gallery elsewhere
cmp before.jsonl after.jsonl || fail "exports differ"
exits 0 export still.jsonl
cmp before.jsonl still.jsonl || fail "the former gallery is another"
cmp gallery/calibration.json elsewhere/calibration.json || fail "the calibration is another"
exits 0 check --gallery elsewhere

# Its audit goes on, unbroken.
exits 0 audit --gallery elsewhere
says out "migrate"
head -n "$(wc -l <gallery/audit.jsonl)" elsewhere/audit.jsonl | cmp - gallery/audit.jsonl ||
    fail "the audit is another"

# What it decides is what it was, and what was said by hand holds.
for gallery in gallery elsewhere; do
    exits 0 query "$biden" --threshold 0.5 --json --gallery $gallery
    sed 's/"seconds": [0-9.e-]*//g; s/elsewhere/gallery/g' out >$gallery.answer
done
cmp gallery.answer elsewhere.answer || fail "it answers otherwise"

# It is final, and goes on from where it was: a number that was given does not come again.
exits 1 undo --yes --gallery elsewhere
says err "migrate"
cp "$demo/stranger.jpg" people/biden/3.jpg
for gallery in gallery elsewhere; do
    exits 0 enroll people/biden/3.jpg --name Stranger --gallery $gallery
    exits 0 export - --gallery $gallery
    grep -o '"type":"photo","id":[0-9]*' out | tail -n 1 >$gallery.last
done
cmp gallery.last elsewhere.last || fail "its numbers go on otherwise"

# Once more is refused: it would be over what is there.
exits 4 migrate --to elsewhere
says err "has held photos before"
exits 4 migrate --to .
exits 2 migrate --to third --model x.onnx
says err "--to takes the gallery as it is"
exits 0 migrate --to third --json
"$JSON" out n_photos >n
[ "$(cat n)" -ge 7 ] || fail "$(cat n) photos"

# Killed anywhere, nothing half is there, and the next run makes all of it.
exits 0 export before.jsonl
for place in step:1 step:2 step:7 step:20 read:gallery/calibration.json; do
    holds $place migrate --to killed
    goes_on KILL
    if [ -e killed/gallery.db ] && "$DOPPEL" export killed.jsonl --gallery killed 2>err; then
        cmp -s before.jsonl killed.jsonl || [ "$(wc -l <killed.jsonl)" -eq 2 ] || fail "half a gallery"
    fi
done
cmp -s before.jsonl killed.jsonl || exits 0 migrate --to killed
exits 0 export killed.jsonl --gallery killed
cmp before.jsonl killed.jsonl || fail "it does not go on"
exits 0 audit --gallery killed
