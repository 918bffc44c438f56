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
