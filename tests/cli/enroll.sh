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
# Refusals are counted by reason, and listed when that is asked for.
lacks err "refused: $PWD/bad"
says out "refused, several faces where one is needed: 1: $PWD/bad/many.jpg: 21 faces found"
says out "refused, input not usable: 3, such as $PWD/bad/"
says out "(-v lists them all)"
exits 3 enroll bad -v
says err "refused: $PWD/bad/text.jpg: is neither a JPEG, a PNG"
says err "refused: $PWD/bad/many.jpg: 21 faces found"
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
says out "too poor"
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
exits 3 enroll mixed -v --gallery mixed-gallery
says err "refused: $PWD/mixed/Ann/2.jpg: is neither"
says err "refused: $PWD/mixed/Ann/3: is a GIF picture"
exits 3 enroll mixed/Ann/note.txt --gallery mixed-gallery
says out "refused, input not usable: 1: $PWD/mixed/Ann/note.txt"

# A wrong reference is told: a photo unlike its person's others, two unlike each other, one file of two
# people in one run; of right ones nothing is said.
mkdir -p doubt/Ann doubt/Pair doubt/Cat doubt/Dan
cp "$obama" doubt/Ann/1.jpg
cp "$demo/people/Barack Obama/blue-room.jpg" doubt/Ann/2.jpg
cp "$demo/congress.jpg" doubt/Ann/3.jpg
exits 0 enroll doubt/Ann --name Ann --gallery doubted
lacks err "note:"
cp "$biden" doubt/Ann/4.jpg
exits 0 enroll doubt/Ann --name Ann --gallery doubted --html page.html
says err "doubt/Ann/4.jpg is unlike the other 3 photos of Ann (score "
says page.html "4.jpg is unlike the other 3 photos of Ann"
is "$(grep -c note: err)" "1"
cp "$demo/people/Marie Curie/portrait.png" doubt/Pair/1.png
cp "$demo/people/Eileen Collins/nasa-portrait.jpg" doubt/Pair/2.jpg
cp "$demo/stranger.jpg" doubt/Cat/x.jpg
cp "$demo/stranger.jpg" doubt/Dan/x.jpg
exits 0 enroll doubt --gallery doubted
says err "both of Pair, are unlike each other (score "
# With the photo where the other was enrolled before it, at the end where both came at once.
grep -Eq 'x\.jpg: the same photo is enrolled as "(Cat|Dan)"|x\.jpg is enrolled as Cat, and the same file as Dan' err ||
    fail "a file of two people is not told"
exits 0 enroll doubt --gallery doubted --force --json
grep -q '"doubt": {"kind": "unlike", "person": "Ann", ' out || fail "no doubt in JSON"
# Also where the person is asked for.
exits 0 verify "$demo/congress.jpg" --as Ann --gallery doubted --threshold 0.5
says out "note: "
says out "4.jpg is unlike the other 3 photos of Ann"
exits 0 verify "$demo/congress.jpg" --as Ann --gallery doubted --threshold 0.5 --json
is "$("$JSON" out doubts.0.kind)" "unlike"
lacks out "also_matches"
exits 0 verify "$demo/stranger.jpg" --as Cat --gallery doubted --threshold 0.5
says out "Dan matches, too: "
exits 0 verify "$demo/stranger.jpg" --as Cat --gallery doubted --threshold 0.5 --json
is "$("$JSON" out claim.also_matches)" "Dan"
exits 1 verify "$demo/stranger.jpg" --as Ann --gallery doubted --threshold 0.5
lacks out "matches, too"
exits 0 query "$demo/congress.jpg" --gallery doubted --threshold 0.5 --table
says out "4.jpg is unlike the other 3 photos of Ann"
exits 0 query "$demo/stranger.jpg" --gallery doubted --threshold 0.5 --table
says out "two people match, "
says out "is enrolled as Cat, and the same file as Dan"
exits 0 query "$demo/stranger.jpg" --gallery doubted --threshold 0.5 --json
is "$("$JSON" out doubts.0.kind)" "shared"
