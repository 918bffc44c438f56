# check: what is damaged is named, and had again from the photos, or dropped when told.
. "$SRCDIR/tests/cli/lib.sh"

exits 4 check
cp -r "$demo/people" people
mkdir "people/Somebody"
head -c 2000 /dev/zero >people/Somebody/refused.jpg
exits 3 enroll people
exits 0 check
says out "4 people, 6 photos, 10 templates: nothing is damaged"
cp gallery/gallery.db whole.db
exits 0 export whole.jsonl
exits 2 check extra
exits 2 check --drop

# damage SQL - the gallery as it was, and damaged so.
damage() {
    cp whole.db gallery/gallery.db
    rm -f gallery/gallery.db-wal gallery/gallery.db-shm
    "$SQL" gallery/gallery.db "$1"
}

# Each kind of row is named, with its photo.
obama_2="$PWD/people/Barack Obama/official-portrait.jpg"
damage "UPDATE person SET name = x'41' WHERE name = CAST('Barack Obama' AS BLOB);
        UPDATE photo SET size_bytes = 7 WHERE uri LIKE '%nasa-portrait.jpg';
        UPDATE photo SET meant = x'41' WHERE uri LIKE '%refused.jpg';
        UPDATE template SET vector = zeroblob(512) WHERE id =
          (SELECT id FROM template WHERE photo_id = (SELECT id FROM photo WHERE uri LIKE '%official%'));
        UPDATE face SET x_px = x_px + 1 WHERE template_id =
          (SELECT id FROM template WHERE photo_id = (SELECT id FROM photo WHERE uri LIKE '%Biden%'));
        UPDATE thumb SET sum = 1 WHERE template_id =
          (SELECT id FROM template WHERE photo_id = (SELECT id FROM photo WHERE uri LIKE '%Curie%'))"
exits 4 check
says out "damaged, person: name"
says out "damaged, photo: $PWD/people/Eileen Collins/nasa-portrait.jpg: is not what was written"
says out "damaged, vector: $obama_2: is not what was written"
says out "damaged, face: $PWD/people/Joe Biden/blue-room.jpg"
says out "damaged, thumbnail: $PWD/people/Marie Curie/portrait.png"
says out "damaged in 6 places"
exits 4 check --json
is "$("$JSON" out part | sort | tr '\n' ' ')" "face person photo photo thumbnail vector "
is "$("$JSON" out n_damaged)" "6"

# From the photos all is had again; whose the refused one was to be is not proved.
exits 4 check --repair
says out 'mended: a name is "Barack Obama" again'
says out "left: $PWD/people/Somebody/refused.jpg: whose it is cannot be proved by its path"
says out "damaged in 1 place"
exits 0 check --repair --drop
says out "dropped: $PWD/people/Somebody/refused.jpg"
says out "nothing is damaged"
exits 3 enroll people
says out "5 unchanged, 1 refused"
# The same as before, but for the ids that are new.
exits 0 export again.jsonl
for key in vector thumb path sha256; do
    for file in whole again; do
        grep -o "\"$key\":\"[^\"]*\"" "$file.jsonl" | sort >"$file.$key"
    done
    cmp whole.$key again.$key || fail "$key differs after a repair"
done

# Another file in the photo's place is not the photo.
damage "UPDATE template SET vector = zeroblob(512) WHERE id =
          (SELECT id FROM template WHERE photo_id = (SELECT id FROM photo WHERE uri LIKE '%Biden%'))"
cp "$obama_2" "people/Joe Biden/blue-room.jpg"
exits 4 check --repair
says out "its file is not the one that was enrolled"
rm "people/Joe Biden/blue-room.jpg"
exits 4 check --repair --json
is "$("$JSON" out result)" "left"
exits 0 check --repair --drop
lacks out "left: "
exits 0 list
lacks out "Biden"

# A damaged structure, settings that were changed: nothing is read from them.
damage "UPDATE setting SET value = 'none' WHERE key = 'detect'"
exits 4 check
says err "settings, models or counters are not what was written"
damage "PRAGMA foreign_keys = OFF; DELETE FROM template WHERE id = 2"
exits 4 list
says err "refers to a row of template that is not there"

# A snapshot that is damaged goes, and is made anew.
cp whole.db gallery/gallery.db
echo "no snapshot" >gallery/face.faiss
exits 4 check
says out "damaged, snapshot: face.faiss: no trailer"
exits 0 check --repair
[ ! -e gallery/face.faiss ] || fail "the snapshot is still there"

# References: nothing is in doubt; then one person under two names, one file under two, and a photo
# that is somebody else's, each with what mends it.
rm -rf gallery people
cp -r "$demo/people" people
exits 0 enroll people
exits 0 check
says out "5 references of 4 people compared: nothing is in doubt"
mkdir people/Barry "people/It's Joe"
mv "people/Barack Obama/presidential-portrait.jpg" people/Barry/1.jpg 2>/dev/null ||
    mv "people/Barack Obama/$(ls "people/Barack Obama" | tail -n 1)" people/Barry/1.jpg
cp "people/Joe Biden/blue-room.jpg" "people/It's Joe/copy.jpg"
rm -rf gallery
exits 0 enroll people
exits 0 check
says out "alike: Barack Obama and Barry match"
says out "if they are one: doppel merge 'Barack Obama' Barry"
says out "if they are two: doppel reject --people 'Barack Obama' Barry"
says out "two names: "
says out "if it is It's Joe: doppel assign 'people/Joe Biden/blue-room.jpg' 'It'\\''s Joe'"
says out "compared: 2 doubts"
lacks out "Joe Biden and"
exits 0 check --html doubts.html
says doubts.html "6 references of 6 people compared: 2 doubts"
says doubts.html "doppel merge &#39;Barack Obama&#39; Barry"
is "$(grep -o "<figure>" doubts.html | wc -l)" "4"
exits 0 check --json
"$JSON" out kind | sort -u >kinds
is "$(tr '\n' ' ' <kinds)" "alike shared "
is "$("$JSON" out schema | sort -u)" "doppel.check/1"
# Pasted as they are.
mended() {
    sed -n "s/^  $1: doppel //p" out >command
    eval "exits 0 $(cat command)"
    exits 0 check
}
exits 0 check
mended "if they are two"
lacks out "Barry"
mended "if it is Joe Biden"
lacks out "two names"
says out "nothing is in doubt"
exits 0 info "people/It's Joe/copy.jpg"
says out "Joe Biden's face (by hand)"

# A name that is known only because a face was said not to be theirs.
cp "$demo/group.jpg" people/Carl.jpg
exits 0 enroll people/Carl.jpg --faces largest --name Carl
exits 0 reject people/Carl.jpg Carl
exits 0 check
cp gallery/gallery.db whole.db
damage "UPDATE person SET name = x'41' WHERE name = CAST('Carl' AS BLOB)"
exits 4 check
exits 4 check --repair
exits 0 check --repair --drop
says out "dropped: a name that faces were said not to be"
exits 0 info people/Carl.jpg
lacks out "said not to be"

# A merge writes no damaged row anew.
exits 0 check
cp gallery/gallery.db whole.db
damage "UPDATE owner SET by_hand = 7 WHERE person_id =
          (SELECT id FROM person WHERE name = CAST('Marie Curie' AS BLOB))"
exits 4 merge "Marie Curie" "Joe Biden" --yes
says err "is not what was written"
cp whole.db gallery/gallery.db

# Without the model what is damaged is told all the same.
DOPPEL_MODELS=$PWD/none exits 0 check
says out "nothing is damaged"
says err "references were not compared"
