# A scan takes photos for what is in them: every face is nobody's, names of folders play no part,
# nothing is taken from anybody, and what was scanned can be enrolled later.
. "$SRCDIR/tests/cli/lib.sh"

faces() { # PHOTO: whose its faces are, with their number
    exits 0 info "$1"
    sed -n "s/^  #[0-9]*, template [0-9]*: \(.*\)'s face.* at .*/\1/p" out | sort | uniq -c | tr -s ' ' | tr '\n' ';'
}

mkdir -p nas/2012/"Barack Obama" nas/2013/07/trip nas/@eaDir outside
cp "$obama" nas/2012/"Barack Obama"/1.jpg
cp "$biden" nas/2013/07/trip/IMG_0001.jpg
cp "$demo/group.jpg" nas/2013/07/group.jpg
cp "$obama" nas/@eaDir/thumb.jpg
cp "$SRCDIR/tests/fixtures/image/bits12.jpg" nas/2013/refused.jpg
cp "$SRCDIR/tests/fixtures/image/grey.jpg" nas/landscape.jpg
cp "$demo/stranger.jpg" outside/
ln -s ../outside/stranger.jpg nas/link.jpg
printf 'a cache' >nas/2013/Thumbs.db

# ---- nothing is refused but what cannot be read
exits 3 scan nas
says out "5 photos: 4 added, 1 refused"
says out " faces found"
says out "refused, input not usable: 1: $PWD/nas/2013/refused.jpg"
says out "1 name left out"
says out "1 file passed over: no pictures"
says out "1 link out of these folders not followed"
says out "0 people, 4 photos"
is "$(faces nas/2012/"Barack Obama"/1.jpg)" " 1 nobody;"
is "$(faces nas/landscape.jpg)" ""
says out "enrolled"
exits 1 query "$obama" --json
says out "nas/2012/Barack Obama/1.jpg"
exits 0 list
says out "0 people, 0 photos"
exits 0 check
exits 0 export scanned.jsonl
exits 3 scan nas --follow-links
says out "6 photos: 1 added, 4 unchanged, 1 refused"
exits 0 undo --yes
says out 'the last change: scan "nas"'
exits 0 export now.jsonl
tail -n +2 scanned.jsonl >a
tail -n +2 now.jsonl >b
cmp a b || fail "undo has left something of the scan"
exits 3 scan nas --json
is "$("$JSON" out schema | sort -u)" "doppel.scan/1"
is "$("$JSON" out summary.n_unchanged) $("$JSON" out summary.n_refused_again)" "4 1"
exits 2 scan
exits 2 scan nas --name Ann
exits 2 scan nas --faces all

# A file that cannot be read is tried each time, and is no change when it still cannot.
ln -s nowhere nas/gone.jpg
exits 3 scan nas
exits 0 export scanned.jsonl
sleep 1 # however long: the second try is at another second
exits 3 scan nas
says out "4 unchanged, 2 refused"
exits 0 export now.jsonl
cmp scanned.jsonl now.jsonl || fail "looking again has changed something"
rm nas/gone.jpg
exits 3 scan nas --prune
exits 0 export scanned.jsonl

# ---- poor faces are left out and counted; a photo of these only is no failure
exits 3 scan nas --gallery strict --min-quality 0.99 -v
says out "of them too poor and left out (--min-quality)"
says err "nas/2013/07/group.jpg: 21 faces, 20 too poor"
grep '"space":"face"' scanned.jsonl | sed -n 's/.*"thumb":"\([^"]*\)".*/\1/p' | sed -n 6p | base64 -d >poor.jpg
exits 0 scan poor.jpg --gallery strict --min-quality 1
says out "1 face found, 1 of them too poor"
exits 0 info poor.jpg --gallery strict
says out "enrolled"
lacks out "#1, template"

# ---- the whole picture, where there is a model of that
exits 0 scan nas/landscape.jpg nas/2013/07/group.jpg --gallery pictures --image-model "$SRCDIR/models/image-105.onnx"
says out "2 photos: 2 added"
exits 0 info --gallery pictures
says out ", 2 of whole pictures"

# ---- moved, gone, unreadable, absent
mv nas/2013/07 nas/2013/july
exits 3 scan nas
says out "2 moved"
is "$(faces nas/2013/july/trip/IMG_0001.jpg)" " 1 nobody;"
: >nas/2013/july/group.jpg
exits 3 scan nas --force
says out "1 kept"
is "$(faces nas/2013/july/group.jpg | cut -d' ' -f3)" "nobody;"
cp "$demo/group.jpg" nas/2013/july/group.jpg
exits 3 scan nas
exits 0 export before.jsonl
mv nas away
mkdir nas
exits 0 scan nas
says out "5 photos not there any more: what was enrolled stays"
exits 3 scan nas --prune
says err "is empty, and 5 photos were enrolled from it"
rmdir nas
mv away nas
exits 3 scan nas
exits 0 export after.jsonl
tail -n +2 before.jsonl >a
tail -n +2 after.jsonl >b
cmp a b || fail "the disk was away, and something was lost"
rm nas/landscape.jpg
exits 3 scan nas --prune --dry-run
says out "1 pruned"
exits 3 scan nas --prune
says out "1 pruned"

# ---- somebody's photos stay theirs, forced or not
cp -r "$demo/people" people
exits 0 enroll people
exits 0 scan people
says out "5 unchanged"
exits 0 scan people --force
says out "5 unchanged"
exits 0 list
says out "4 people, 5 photos"
# A new picture in the place of a person's is still theirs, as enrolment would have it.
cp "$demo/stranger.jpg" people/"Marie Curie"/portrait.png
exits 0 scan people
is "$(faces people/"Marie Curie"/portrait.png)" " 1 Marie Curie;"
cp "$demo/group.jpg" people/"Marie Curie"/portrait.png
exits 0 scan people
says err "they are nobody's"
is "$(faces people/"Marie Curie"/portrait.png | cut -d' ' -f3)" "nobody;"

# ---- what was scanned is enrolled: it becomes the person's
mkdir -p trip/Ann trip/Bob
cp "$obama" trip/Ann/1.jpg
cp "$demo/group.jpg" trip/Bob/1.jpg
cp "$SRCDIR/tests/fixtures/image/grey.jpg" trip/Bob/2.jpg
exits 0 scan trip
says out "3 added"
is "$(faces trip/Ann/1.jpg)" " 1 nobody;"
crowd=$(faces trip/Bob/1.jpg)
exits 0 enroll trip
says out "3 updated"
is "$(faces trip/Ann/1.jpg)" " 1 Ann;"
# What enrolment would refuse stays as it is, and that is told.
exits 0 enroll trip --force
says err "trip/Bob/1.jpg: it stays nobody's: 21 faces found"
says err "trip/Bob/2.jpg: it stays nobody's: no face found"
is "$(faces trip/Bob/1.jpg)" "$crowd"
exits 0 enroll trip
says out "3 unchanged"
exits 0 scan trip
says out "3 unchanged"
exits 0 enroll trip --faces largest
says out "2 updated"
is "$(faces trip/Bob/1.jpg)" " 1 Bob;"
# Moved from where it was scanned to somebody's folder, in one go.
cp "$biden" trip/new.jpg
exits 0 scan trip
mkdir trip/Joe
mv trip/new.jpg trip/Joe/
exits 0 enroll trip
says out "1 moved"
is "$(faces trip/Joe/new.jpg)" " 1 Joe;"
# What was refused is scanned, and is still nobody's, whosever it was to be.
mkdir -p other/Zoe
cp "$demo/group.jpg" other/Zoe/1.jpg
exits 3 enroll other
exits 0 scan other
is "$(faces other/Zoe/1.jpg)" "$crowd"
cp poor.jpg other/Zoe/2.jpg
exits 3 enroll other/Zoe/2.jpg --name Zoe --min-quality 1
exits 0 scan other
says out "1 updated, 1 unchanged"
is "$(faces other/Zoe/2.jpg)" " 1 nobody;"
exits 0 export zoe.jsonl
grep -q '"meant":"Zoe"' zoe.jsonl || fail "whose it was to be is forgotten"

# ---- what was refused is remembered with its reason, and looked at again when the file, the model or
# what decides is another, or when that is asked for
mkdir -p seen/Ann dated/2012
head -c 3000 "$obama" >seen/Ann/half.jpg
cp "$demo/group.jpg" seen/Ann/many.jpg
cp "$SRCDIR/tests/fixtures/image/grey.jpg" seen/Ann/none.jpg
cp poor.jpg seen/Ann/poor.jpg
cp "$obama" dated/2012/1.jpg
told() { # WORD…: how many are refused, and of these not looked at again; how many are updated, unchanged
    "$DOPPEL" "$@" --gallery seen.gallery --json >out 2>err || :
    echo "$("$JSON" out summary.n_refused) $("$JSON" out summary.n_refused_again)" \
        "$("$JSON" out summary.n_updated) $("$JSON" out summary.n_unchanged)"
}
strict="enroll seen/Ann --min-quality 1"
# shellcheck disable=SC2086 # the words of the call
{
    is "$(told $strict)" "4 0 0 0"
    is "$(told $strict)" "4 4 0 0"
    exits 3 $strict --gallery seen.gallery
    says out "4 of them seen before, unchanged, and not looked at again (--force looks)"
    says out "refused, several faces where one is needed: 1: $PWD/seen/Ann/many.jpg: 21 faces found"
    exits 0 info --failed --gallery seen.gallery
    says out "half.jpg"
    touch seen/Ann/many.jpg
    is "$(told $strict)" "4 4 0 0"
    cp seen/Ann/none.jpg seen/Ann/many.jpg
    is "$(told $strict)" "4 3 0 0"
    cp "$demo/group.jpg" seen/Ann/many.jpg
    is "$(told $strict --force)" "4 0 0 0"
    is "$(told $strict --min-score 0.7)" "4 1 0 0"
    is "$(told $strict --min-score 0.7)" "4 4 0 0"
    is "$(told $strict --min-score 0.7 --max-pixels 20000000)" "4 0 0 0"
    is "$(told $strict)" "4 0 0 0"
}
# A scan finds what cannot be decoded as enrolling did, and the other way round; the rest is nobody's.
is "$(told scan seen/Ann)" "1 1 3 0"
is "$(told scan seen/Ann)" "1 1 0 3"
is "$(told enroll seen/Ann)" "1 1 3 0"
is "$(told scan seen/Ann)" "1 1 0 3"
is "$(told enroll seen/Ann)" "1 1 0 3"
# Without a name there is nobody to enroll it as, each time; it was not looked at.
is "$(told enroll dated)" "1 0 0 0"
is "$(told scan dated)" "0 0 0 0"
is "$(told enroll dated)" "1 0 0 0"

# ---- a face named by hand keeps its name, scanned or enrolled again
exits 0 scan "$demo/congress.jpg" "$demo/stranger.jpg" --gallery hand
exits 0 export - --gallery hand
awk '/"type":"photo"/ && !n++ { print "{\"type\":\"person\",\"id\":1,\"name\":\"Hand\"}" }
    NR == 1 { sub(/"person":0/, "\"person\":1") } /"type":"template"/ { sub(/"photo":1,/, "&\"person\":1,\"by_hand\":1,") }
    /"type":"end"/ { sub(/"persons":0/, "\"persons\":1") } { print }' out >hand.jsonl
exits 0 import hand.jsonl --gallery named
DOPPEL_GALLERY=$PWD/named
is "$(faces "$demo/congress.jpg")" " 1 Hand;"
exits 0 scan "$demo/congress.jpg" --force
says out "1 updated"
is "$(faces "$demo/congress.jpg")" " 1 Hand;"
exits 0 enroll "$demo/congress.jpg" "$demo/stranger.jpg" --name Folder --yes
is "$(faces "$demo/congress.jpg")" " 1 Hand;"
is "$(faces "$demo/stranger.jpg")" " 1 Folder;"
