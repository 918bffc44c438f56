# xmp: names of faces into sidecars and back; what others wrote there, and what was said by hand, stays.
. "$SRCDIR/tests/cli/lib.sh"
status=0
"$DOPPEL" xmp read . >out 2>err || status=$?
if grep -q "built without XMP" err; then
    is "$status" 2
    exit 0
fi

cp -r "$demo/people" people
side="people/Barack Obama/official-portrait.jpg.xmp"
exits 2 xmp
exits 2 xmp wirte
exits 2 xmp read
exits 4 xmp write
exits 0 enroll people
find people -type f ! -name '*.xmp' -exec sha256sum {} + | sort >photos

# ---- out
exits 0 xmp write --dry-run
says out "would write 5 new and 0 existing sidecars"
[ -z "$(find people -name '*.xmp')" ] || fail "a dry run wrote"
exits 0 xmp write "Marie Curie"
says out "1 photo: wrote 1 new and 0 existing sidecars"
exits 0 xmp write "./people/Joe Biden" -v
says out "new $PWD/people/Joe Biden/blue-room.jpg.xmp: 1 added"
exits 1 xmp write "Nobody At All"
exits 0 xmp write
says out "5 photos: wrote 3 new and 0 existing sidecars"
says out "regions: 3 added, 0 renamed, 0 removed, 2 there"
says "$side" "<mwg-rs:Name>Barack Obama</mwg-rs:Name>"
says "$side" "<stDim:w>820</stDim:w>"
cp -r people before
exits 0 xmp write
says out "wrote 0 new and 0 existing sidecars"
diff -r people before || fail "writing the same again changes a file"
find people -type f ! -name '*.xmp' -exec sha256sum {} + | sort | cmp -s - photos ||
    fail "a photo was touched"

# A sidecar is no photo.
exits 0 enroll people
says out "5 unchanged"

# ---- a name that doppel wrote follows
exits 0 rename "Joe Biden" "Joseph R. Biden"
exits 0 xmp write --json
is "$(tail -n 1 out >last; "$JSON" last n_renamed)" 1
is "$("$JSON" last schema)" doppel.xmp/1
says "people/Joe Biden/blue-room.jpg.xmp" "<mwg-rs:Name>Joseph R. Biden</mwg-rs:Name>"
exits 0 reject "people/Joe Biden/blue-room.jpg#1" "Joseph R. Biden"
exits 0 xmp write
says out "1 removed"
lacks "people/Joe Biden/blue-room.jpg.xmp" "Biden"

# ---- one that somebody else gave stays
sed 's/<mwg-rs:Name>Barack Obama/<mwg-rs:Name>Barack H. Obama/' "$side" >changed
cp changed "$side"
exits 0 xmp write
says out "1 with another's name kept"
cmp -s changed "$side" || fail "somebody else's name is lost"

# ---- in
exits 0 xmp read people --dry-run
says out "would name 1 face by their regions"
exits 0 list
lacks out "Barack H. Obama"
exits 0 xmp read people -v
says out "named $PWD/people/Barack Obama/official-portrait.jpg: Barack H. Obama"
exits 0 list
says out "Barack H. Obama"
exits 0 undo --yes
says out "xmp read"
exits 0 list
lacks out "Barack H. Obama"
# What somebody said by hand stays.
exits 0 assign "people/Barack Obama/official-portrait.jpg#1" "Somebody"
exits 0 xmp read people
says out "1 with another name kept"
exits 0 xmp read people --overwrite
says out "named 1 face by"
exits 0 xmp read "people/Eileen Collins/nasa-portrait.jpg" --json
is "$(head -n 1 out >first; "$JSON" first regions.0.fate)" same

# ---- what cannot be done is told, and the rest goes on
rm -r people
drop_gallery
cp -r "$demo/people" people
exits 0 enroll people
ln -s nowhere "people/Joe Biden/blue-room.jpg.xmp"
mkdir "people/Marie Curie/portrait.png.xmp"
printf 'not XML' >"people/Eileen Collins/nasa-portrait.jpg.xmp"
rm "people/Barack Obama/blue-room.jpg"
exits 3 xmp write
says err 'blue-room.jpg.xmp": is a link, which is not followed'
says err 'portrait.png.xmp": is not a file'
says err 'nasa-portrait.jpg.xmp": is not XML'
says err 'blue-room.jpg" is not there'
says out "5 photos: wrote 1 new and 0 existing sidecars"
says out "4 photos refused"
is "$(cat "people/Eileen Collins/nasa-portrait.jpg.xmp")" "not XML"
[ ! -e nowhere ] || fail "a link was followed"
exits 3 xmp read people
says err 'nasa-portrait.jpg.xmp": is not XML'
cat "$demo/stranger.jpg" >"people/Barack Obama/official-portrait.jpg"
exits 3 xmp write "Barack Obama"
says err "has changed since it was enrolled"
exits 2 xmp read people --json --overwrit
exits 3 xmp read not-there

# ---- a photo that is not in the gallery yet is counted
cp "people/Barack Obama/official-portrait.jpg.xmp" new.jpg.xmp
cp "$obama" new.jpg
exits 0 xmp read new.jpg
says out "1 photo with a sidecar not in the gallery"

# ---- names outlast a gallery: nobody's faces of another one get them back
cp "$demo/group.jpg" group.jpg
exits 0 enroll --faces all group.jpg
exits 0 assign "group.jpg#1" "Ann Marsh"
exits 0 assign "group.jpg#3" "Zoë Lund"
exits 0 xmp write group.jpg
says out "2 added"
DOPPEL_GALLERY="$PWD/second"
exits 0 enroll --faces all group.jpg
exits 0 xmp read group.jpg
says out "named 2 faces"
exits 0 list
says out "Ann Marsh"
says out "Zoë Lund"
exits 0 reject "group.jpg#1" "Ann Marsh"
exits 0 xmp read group.jpg
says out "named 0 faces"
says out "1 with another name kept"
