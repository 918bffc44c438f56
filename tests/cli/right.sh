# assign, reject, merge: who is who, put right by hand, and what lasts of it.
. "$SRCDIR/tests/cli/lib.sh"

# With a calibration of the test's own: one that reaches the rate of a gallery.
calibrate '[[0.1, 0.1], [0.25, 0.0001], [0.3, 0.000001]]'
cp -r "$demo/people" people
exits 4 assign people/x.jpg Ann
exits 0 enroll people
a="people/Barack Obama/official-portrait.jpg"
b="people/Joe Biden/blue-room.jpg"

# Usage, and what is not there.
exits 2 assign "$a"
exits 2 reject
exits 2 reject a b c
exits 2 reject --people Ann
exits 2 merge Ann
exits 1 assign people/nothing.jpg Ann
says err '"people/nothing.jpg" is no photo in the gallery (doppel enroll or doppel scan puts it there)'
exits 1 assign "people/nothing.jpg#2" Ann
exits 2 assign "$a#2" Ann
says err 'has no face 2: it has 1'
exits 4 reject "$a" Nobody
exits 4 merge Nobody "Joe Biden"
exits 4 merge "Joe Biden" "Barrack Obama"
says err 'nearest: "Barack Obama"'
exits 2 merge "Joe Biden" "Joe Biden"

# assign: rehearsed, done, kept by an enrolment by force, and taken back.
exits 0 assign "$a" Barry --dry-run
says out "'$a' would be Barry's (it was Barack Obama's)"
exits 0 info "$a"
says out "enrolled as Barack Obama"
exits 0 assign "$a" Barry
says out "'$a' is now Barry's (it was Barack Obama's)"
says out "Barry is new in the gallery"
says out "doppel undo takes it back"
exits 0 enroll people --force
exits 0 info "$a"
says out "enrolled as Barry"
says out "#1, template"
says out "Barry's face (by hand) at"
exits 0 info "$a" --json
is "$("$JSON" out templates.0.face)" "1"
is "$("$JSON" out templates.0.by_hand)" "true"
exits 0 assign "$a" "$b" Barry --json
is "$("$JSON" out to | sort -u)" "Barry"
is "$("$JSON" out from | tail -n 1)" "Joe Biden"
exits 0 undo --yes
says out 'the last change: assign 2 faces to "Barry"'
exits 0 info "$b"
says out "enrolled as Joe Biden"

# Nobody is told half of it.
exits 1 assign "$b" people/nothing.jpg Barry
exits 0 info "$b"
says out "enrolled as Joe Biden"

# reject: lasts by force, elsewhere, and as a copy, though it was his only photo.
exits 0 reject "$b"
says out "'$b' is not Joe Biden's"
exits 0 list
lacks out Biden
exits 0 info "$b"
says out "said not to be Joe Biden"
exits 0 info "$b" --json
is "$("$JSON" out templates.0.not.0.person)" "Joe Biden"
exits 0 enroll people --force
exits 0 list
lacks out Biden
mv "$b" "people/Joe Biden/moved.jpg"
exits 0 enroll people
exits 0 enroll people --force
cp "people/Joe Biden/moved.jpg" "people/Joe Biden/copy.jpg"
exits 0 enroll people
exits 0 enroll "people/Joe Biden" --force --name "Joe Biden" --yes
says err "it is not Joe Biden's, as was said by hand"
exits 0 enroll "people/Joe Biden" --force --name "Joe Biden" --yes --json
"$JSON" out person >persons || true
lacks persons Biden
exits 0 info "people/Joe Biden/moved.jpg"
says out "said not to be Joe Biden"
exits 0 info "people/Joe Biden/copy.jpg"
says out "nobody's face"
exits 2 reject "people/Joe Biden/copy.jpg"
says err "is nobody's and in no group"
exits 0 assign "people/Joe Biden/copy.jpg" "Joe Biden"
exits 0 info "Joe Biden"
says out "copy.jpg"
lacks out "moved.jpg"
drop_gallery
rm -r people
cp -r "$demo/people" people
exits 0 enroll people

# Several faces: which one is to be said.
mkdir crowd
cp "$demo/group.jpg" "crowd/the crowd#1.jpg"
cp "$demo/group.jpg" "crowd/b#2"
exits 0 enroll --faces all --name Congress crowd/*
exits 3 assign "crowd/the crowd#1.jpg" Ann
says err "and which one is meant is not said ('crowd/the crowd#1.jpg#1' is the first)"
says err "  #2 at "
exits 3 assign "crowd/the crowd#1.jpg" Ann --json
is "$("$JSON" out faces.1.face)" "2"
exits 0 assign "crowd/the crowd#1.jpg#2" Ann
exits 0 info "crowd/the crowd#1.jpg"
says out "Ann's face (by hand)"
exits 0 assign crowd/b#2#3 Ben
exits 3 assign crowd/b#2 Ben
exits 2 assign crowd/b#2#999 Ben
exits 0 info Ann
says out "Ann: 1 photo"

# merge: asks where two are not alike, moves all, and the old name goes on meaning them.
mkdir people/Joe
cp "people/Joe Biden/blue-room.jpg" people/Joe/copy.jpg
exits 0 enroll people
exits 2 merge "Marie Curie" "Barack Obama"
says err "Marie Curie and Barack Obama as the gallery shows them: no match"
says err "nothing was changed"
exits 0 merge Joe "Joe Biden" --dry-run
says out "Joe would be Joe Biden: 1 photo, 1 face; match: score 1.000"
exits 0 merge Joe "Joe Biden" --json
is "$("$JSON" out decision)" "match"
is "$("$JSON" out n_photos)" "1"
exits 0 info "Joe Biden"
says out "Joe Biden: 2 photos"
cp "$demo/people/Joe Biden/blue-room.jpg" people/Joe/another.jpg
exits 0 enroll people
exits 0 info "Joe Biden"
says out "Joe Biden: 3 photos"
exits 0 merge "Marie Curie" "Barack Obama" --yes
exits 0 undo --yes
exits 0 list
says out "Marie Curie"

# reject --people
exits 0 reject --people "Marie Curie" "Barack Obama"
says out "Marie Curie and Barack Obama are two people"
exits 0 info "people/Marie Curie/portrait.png"
says out "said not to be Barack Obama"
exits 4 reject --people "Marie Curie" Nobody
exits 0 export all.jsonl
exits 0 import all.jsonl --gallery other
exits 0 info "people/Marie Curie/portrait.png" --gallery other
says out "said not to be Barack Obama"

# Nobody's face is not who the others of its group are, and in none with them again.
exits 0 export all.jsonl
sed -e '/^{"type":"\(photo\|template\)"/s/"person":[0-9]*,//' -e '/^{"type":"\(person\|refusal\|name\)"/d' \
    -e '/^{"type":"end"/s/"persons":[0-9]*/"persons":0/' \
    -e '/^{"type":"end"/s/,"\(refusals\|names\)":[0-9]*//g' -e 's/,"by_hand":1//' all.jsonl >unsorted.jsonl
exits 0 import unsorted.jsonl --gallery unsorted
export DOPPEL_GALLERY="$PWD/unsorted"
exits 2 reject "$a"
exits 0 group
says out "blue-room.jpg"
exits 0 reject "$a" --dry-run
says out "'$a' would be not who group "
exits 0 reject "$a"
says out "'$a' is not who group "
exits 0 group
exits 2 reject "$a"
exits 0 undo --yes
exits 0 reject "$a" --json
"$JSON" out group >group && [ -s group ] || fail "no group"
