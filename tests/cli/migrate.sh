# A gallery of another model is refused by what needs vectors, with the way out; migrate takes it.
. "$SRCDIR/tests/cli/lib.sh"
mkdir -p former later people/obama people/biden people/curie
cp "$DOPPEL_MODELS"/face-*.onnx former
cp "$DOPPEL_MODELS"/face-*.onnx later
# The shipped network, given its pictures otherwise: its vectors are another model's.
echo '{"mean": "120", "std": "140"}' >later/face-105.onnx.json
cp "$demo/people/Barack Obama/"*.jpg people/obama
cp "$demo/congress.jpg" people/obama/congress.jpg
cp "$biden" people/biden/1.jpg
cp "$demo/people/Marie Curie/portrait.png" people/curie
DOPPEL_MODELS=former exits 0 enroll people
DOPPEL_MODELS=former exits 0 export before.jsonl
export DOPPEL_MODELS="$PWD/later"

# Refused, with the way out; what needs no vectors goes on.
for call in "query people/biden/1.jpg" "verify people/biden/1.jpg --as biden" "enroll people --force" "calibrate"; do
    # shellcheck disable=SC2086 # the words of the call
    exits 4 $call
    says err "doppel migrate"
done
exits 0 list
exits 0 info
exits 0 info people/biden/1.jpg
exits 0 check
exits 0 export same.jsonl
cmp -s before.jsonl same.jsonl || fail "an export is another"
exits 0 rename biden joe
exits 0 undo --yes

# A rehearsal tells and changes nothing.
mv people/biden away
exits 0 migrate --dry-run --former-model "$PWD/former/face-105.onnx"
says out "from its thumbnail: $PWD/people/biden/1.jpg"
says out "the gallery is as it was; 5 photos: 4 vectors from photos, 1 from thumbnails, 0 lost"
says out "no decision other than by the former model"
exits 0 export same.jsonl
cmp -s before.jsonl same.jsonl || fail "a dry run changes the gallery"
exits 4 migrate --former-model "$PWD/later/face-105.onnx"
says err "did not make the gallery"

# Taken, going on from there; kept beforehand.
exits 0 migrate --keep kept.jsonl --json
cmp -s before.jsonl kept.jsonl || fail "--keep kept another gallery"
tail -n 1 out >last
is "$("$JSON" last schema)" "doppel.migrate/1"
is "$("$JSON" last n_from_photo)" 4
is "$("$JSON" last n_from_thumbnail)" 1
is "$("$JSON" last n_earlier)" 5
exits 0 migrate
says out "of this model already"
exits 0 info
says out "thumbnails  made the vectors of 1 photo"
exits 0 info people/biden/1.jpg
says out "made from thumbnails"
exits 0 query "$biden" --threshold 0.9 --table
says out "1 known: biden"
exits 0 check
exits 1 undo --yes
says err "migrate"

# Found again, it is made from the photo, and nothing else is looked at.
mv away people/biden
exits 0 enroll people
says out "1 updated, 4 unchanged"
exits 0 info people/biden/1.jpg
lacks out "made from thumbnails"
exits 0 enroll people --gallery anew
for gallery in gallery anew; do
    exits 0 export - --gallery "$gallery"
    grep -o '"vector":"[^"]*"' out | sort >"$gallery.vectors"
done
cmp -s gallery.vectors anew.vectors || fail "vectors are not those of a gallery enrolled by the model"

# What was kept is the former gallery again, and can go the same way.
exits 0 import kept.jsonl --gallery again
exits 0 export again.jsonl --gallery again
cmp -s before.jsonl again.jsonl || fail "the kept gallery is another"

# Decisions that change are told: this model looks at what is beside a face.
mkdir blind
cp "$SRCDIR/models/face-105.onnx" blind/blind.onnx
echo '{"template": "-65,48.2 -30,48 -47.5,68.2 -62,88.9 -33,88.7"}' >blind/blind.onnx.json
exits 0 migrate --gallery again --model blind/blind.onnx --former-model "$PWD/former/face-105.onnx" --dry-run
says out "changes: $PWD/people/obama/"
says out "with their other photos: match (score "
exits 0 migrate --gallery again --model blind/blind.onnx --former-model "$PWD/former/face-105.onnx" --dry-run --json
head -n 1 out >first
is "$("$JSON" first person)" obama
is "$("$JSON" first before.decision)" match

# Killed in the middle of many photos, it goes on; the gallery is whole at every instant.
i=0
while [ $i -lt 80 ]; do
    mkdir -p "many/p$i"
    cp "$demo/people/Marie Curie/portrait.png" "many/p$i/x.png"
    i=$((i + 1))
done
export DOPPEL_GALLERY="$PWD/killed"
DOPPEL_MODELS="$PWD/former" exits 0 enroll many
exits 0 export before.jsonl
holds read:many/p7/x.png migrate --threads 1
[ -s killed/gallery.migrate ] || fail "nothing is staged"
goes_on KILL
exits 0 check
exits 0 export same.jsonl
cmp -s before.jsonl same.jsonl || fail "a kill changes the gallery"
exits 0 migrate --json
tail -n 1 out >last
is "$("$JSON" last n_from_photo)" 80
[ "$("$JSON" last n_earlier)" -ge 30 ] || fail "it began anew: $("$JSON" last n_earlier) of 80"
[ ! -e killed/gallery.migrate ] || fail "what was staged is still there"
exits 0 check
exits 0 query "$demo/people/Marie Curie/portrait.png" --threshold 0.9

# A disk that is not there is not taken for photos that are gone.
mv many elsewhere
DOPPEL_MODELS="$PWD/former" exits 3 migrate
says err "is their disk there?"
DOPPEL_MODELS="$PWD/former" exits 0 migrate --from-thumbnails --quiet
says out "0 vectors from photos, 80 from thumbnails"

# Whole pictures go the same way, as a small one is kept of each.
cp "$SRCDIR/models/image-105.onnx" former
cp former/image-105.onnx later
echo '{"mean": "120", "std": "140"}' >later/image-105.onnx.json
mkdir shown
cp "$demo/group.jpg" "$demo/congress.jpg" "$demo/stranger.jpg" shown
export DOPPEL_GALLERY="$PWD/pictures"
DOPPEL_MODELS="$PWD/former" exits 0 scan shown
mv shown/stranger.jpg gone.jpg
exits 0 migrate
says out "from its thumbnail: $PWD/shown/stranger.jpg"
lacks out ", 0 from thumbnails"
says out "0 lost"
exits 0 query gone.jpg --by image --table
says out "shown/stranger.jpg (same picture: "
