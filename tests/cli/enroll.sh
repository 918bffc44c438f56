# Enrolment tells every file's fate, looks only at what has changed, and the worst code wins.
. "$SRCDIR/tests/cli/lib.sh"

cp -r "$demo/people" people
exits 0 enroll people
says out "5 photos: 5 added"
says out "4 people, 5 photos"
exits 0 enroll people
says out "5 photos: 5 unchanged"
exits 0 enroll people --force -v
says out "5 updated"
says err "updated: "

mv "people/Joe Biden/blue-room.jpg" "people/Joe Biden/moved.jpg"
exits 0 enroll people
says out "1 moved"
rm "people/Joe Biden/moved.jpg"
exits 0 enroll people --prune
says out "1 pruned"
exits 0 list
lacks out "Biden"

mkdir bad
printf 'no photo' >bad/text.jpg
head -c 3000 "$obama" >bad/half.jpg
cp "$demo/group.jpg" bad/many.jpg
: >bad/empty.png
exits 3 enroll bad
says err "refused: $PWD/bad/text.jpg: is neither a JPEG, a PNG"
says err "refused: $PWD/bad/many.jpg: 21 faces found"
says out "refused, several faces where one is needed: 1"
exits 3 enroll bad --quiet
says err "refused: $PWD/bad/text.jpg"
lacks out "added"
exits 0 list
lacks out "text"
exits 0 info --failed
says out "many.jpg"
exits 0 enroll bad/many.jpg --name "A Group" --faces largest
# One of the small faces of a group, enlarged.
exits 0 enroll "$demo/group.jpg" --faces all --gallery crowd
exits 0 export - --gallery crowd
sed -n 's/.*"thumb":"\([^"]*\)".*/\1/p' out | sed -n 5p | base64 -d >poor.jpg
exits 3 enroll poor.jpg --faces largest --min-quality 1
says err "too poor"
exits 3 enroll nowhere
says err "nowhere"

exits 3 enroll bad people --json
is "$("$JSON" out summary.n_refused)" "3"
is "$("$JSON" out outcome | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 3 refused; 5 unchanged;"
is "$("$JSON" out status | grep -c OK)" "5"

exits 3 enroll bad people --html page.html
says page.html "Refused, and why"
says page.html "is neither a JPEG, a PNG"
says page.html "Marie Curie"

# Nothing outside the folder is looked at, unless that is asked for.
mkdir -p outside/Stranger linked/Ann
cp "$biden" outside/Stranger/1.jpg
cp "$obama" linked/Ann/1.jpg
ln -s ../outside linked/out
ln -s ../../outside/Stranger/1.jpg linked/Ann/2.jpg
exits 0 enroll linked --gallery apart
says out "1 photo: 1 added"
says out "2 links out of these folders not followed (--follow-links follows them)"
exits 0 list --json --gallery apart
lacks out "Stranger"
exits 0 enroll linked --follow-links --gallery apart
says out "2 added"
if [ -e /proc/self ]; then
    exits 3 enroll /proc --gallery apart
    says err "holds no files"
fi

# One card a person, however their photos and others' came to be enrolled after each other.
mkdir -p turn/Ann turn/Bob
for person in Ann Bob Ann Bob Ann; do
    n=$((${n:-0} + 1))
    cp "$biden" "turn/$person/$n.jpg"
    printf '%s' "$n" >>"turn/$person/$n.jpg" # another file, the same picture
    exits 0 enroll turn --gallery turns --html page.html
done
is "$(grep -c '<h3>Ann</h3>' page.html) $(grep -c '<h3>Bob</h3>' page.html)" "1 1"
is "$(grep -o '<img alt="Ann, from' page.html | wc -l)" "3"

# What is no picture is counted, not recorded; what is meant as one and is none is refused.
mkdir -p mixed/Ann
cp "$obama" mixed/Ann/1.jpg
cp "$obama" mixed/Ann/no-suffix
printf 'note' >mixed/Ann/note.txt
printf 'cache' >mixed/Ann/Thumbs.db
printf '\000\000\000\030ftypmp42' >mixed/Ann/film.MOV
exits 0 enroll mixed --gallery mixed-gallery
says out "2 photos: 2 added"
says out "3 files passed over: no pictures"
lacks err "note.txt"
exits 0 enroll mixed --gallery mixed-gallery -v
says err "passed over: $PWD/mixed/Ann/note.txt: is no picture"
says out "2 photos: 2 unchanged"
exits 0 info --gallery mixed-gallery --json
lacks out "note.txt"
printf 'no photo' >mixed/Ann/2.jpg
printf 'GIF89a....' >mixed/Ann/3
exits 3 enroll mixed --gallery mixed-gallery
says err "refused: $PWD/mixed/Ann/2.jpg: is neither"
says err "refused: $PWD/mixed/Ann/3: is a GIF picture"
exits 3 enroll mixed/Ann/note.txt --gallery mixed-gallery
says err "refused: $PWD/mixed/Ann/note.txt"
