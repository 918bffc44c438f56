# dupes finds what was copied and edited, says how, proposes what to keep, and removes nothing.
. "$SRCDIR/tests/cli/lib.sh"
collins="$demo/people/Eileen Collins/nasa-portrait.jpg"

exits 1 dupes "$demo/people"
says out "5 photos: no copies, no bursts"
exits 1 dupes "$demo/people" --json
is "$("$JSON" out schema)" "doppel.dupes/1"
is "$("$JSON" out summary.n_files)" "5"
is "$("$JSON" out summary.n_groups)" "0"

mkdir photos
cp "$obama" photos/a.jpg
cp "$obama" photos/again.jpg
"$EDIT" "$obama" photos/mirror.jpg mirror
"$EDIT" "$obama" photos/turn.jpg turn
"$EDIT" "$obama" photos/half.jpg half
"$EDIT" "$obama" photos/crop.jpg crop
"$EDIT" "$obama" photos/pale.jpg pale
# The same pixels in another file: what stands behind a JPEG's end is not of the picture.
{ cat "$obama"; printf 'a note'; } >photos/note.jpg
cp "$biden" photos/other.jpg
exits 0 dupes photos --html page.html
says out "one picture, 8 photos"
says out "keep"
says out "same bytes"
says out "same pixels"
says out "same picture: mirrored"
says out "same picture: turned 90° clockwise"
says out "reduced to 50 %"
says out "cropped to 64 % of the area"
says out "same size, other pixels"
says out "7 photos of 1 picture beside what to keep"
says out "nothing is removed"
lacks out "other.jpg"
is "$(ls photos | wc -l)" "9"
says page.html "One picture, 8 photos"
is "$(grep -o 'src="data:image/jpeg' page.html | wc -l)" "8"
lacks page.html "http://"
lacks page.html "https://"
lacks page.html "<script"

exits 0 dupes photos --json
is "$("$JSON" out group)" "copies"
is "$("$JSON" out keep.width_px | head -n 1)" "$("$JSON" out photos.0.width_px | head -n 1)"
is "$(grep -o '"kind": "[a-z]*"' out | sort | uniq -c | tr -s ' ' | tr '\n' ';')" \
    ' 1 "kind": "bytes"; 5 "kind": "near"; 1 "kind": "pixels";'
is "$("$JSON" out summary.n_copies)" "7"

# A frame makes the larger picture: that is what it says, and nothing is removed.
mkdir frame
cp "$obama" frame/a.jpg
"$EDIT" "$obama" frame/frame.jpg frame
exits 0 dupes frame
says out "one picture, 2 photos"

# Two moments are no copies, however alike; within seconds they are a burst.
mkdir moments
"$EDIT" "$obama" moments/1.jpg same "2024:05:01 12:00:00"
"$EDIT" "$obama" moments/2.jpg pale "2024:05:01 12:00:02"
exits 0 dupes moments
says out "burst, 2 photos"
says out "not a copy: alike, taken 2 s apart by the camera's clock"
exits 0 dupes moments --json
is "$("$JSON" out group)" "burst"
is "$("$JSON" out photos.0.time)" "camera"
exits 0 dupes moments --burst 0
says out "one picture, 2 photos"
# The files' time counts where there is no other.
mkdir files
cp "$obama" files/1.jpg
"$EDIT" "$demo/people/Barack Obama/blue-room.jpg" files/2.jpg same
"$EDIT" "$demo/people/Barack Obama/blue-room.jpg" files/3.jpg same "2024:05:01 12:00:00"
touch -d "2024-05-01 12:00:00" files/1.jpg files/3.jpg
touch -d "2024-05-01 12:00:02" files/2.jpg
exits 0 dupes files
says out "one picture, 2 photos"

# What cannot be read is told and counts; what is no picture is only counted.
printf 'no picture' >photos/broken.jpg
printf 'a note' >photos/note.txt
exits 3 dupes photos
says err "broken.jpg"
says out "1 photo not read"
says out "1 file passed over"
says out "one picture, 8 photos"
exits 3 dupes photos/broken.jpg
exits 3 dupes nowhere
exits 3 dupes photos --json
is "$("$JSON" out status | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 1 E_INPUT; 1 OK;"

# Of a gallery: its photos, also of a folder that is not given.
exits 4 dupes
exits 0 enroll photos/a.jpg photos/half.jpg "$collins" --name Ann --yes --faces largest
exits 0 dupes
says out "one picture, 2 photos"
# Their vectors are there: only what has changed since is encoded, and it is the same answer.
says out "3 photos by the gallery's vector, not encoded again"
exits 0 dupes photos/a.jpg photos/half.jpg "$collins" --json
is "$("$JSON" out summary.n_known)" "0"
mv out encoded
exits 0 dupes --json
is "$("$JSON" out summary.n_known)" "3"
is "$("$JSON" out photos.0.score)" "$("$JSON" encoded photos.0.score)"
cp photos/pale.jpg photos/half.jpg
exits 0 dupes --json
is "$("$JSON" out summary.n_known)" "2"
is "$("$JSON" out photos.0.kind)" "near"
exits 1 dupes --json --image-model "$SRCDIR/tests/standins/image.onnx"
is "$("$JSON" out summary.n_known)" "0"
exits 2 dupes photos --gallery gallery
exits 4 dupes photos --image-model nowhere.onnx
says err "nowhere.onnx"
exits 2 dupes --burst -1
