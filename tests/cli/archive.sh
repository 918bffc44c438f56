# What was enrolled stays: a file that is gone, empty, broken or moved takes nothing away, an absent
# disk is not taken for a wish, and the last change can be taken back.
. "$SRCDIR/tests/cli/lib.sh"

everyone="$demo/people"
people() { # how many, in the gallery
    "$DOPPEL" list --json | tail -1 >list.json
    "$JSON" list.json n_persons 2>/dev/null || "$DOPPEL" info --json | "$JSON" /dev/stdin n_persons
}
same_export() { # FILE: the gallery is as it was, but for the counters
    exits 0 export now.jsonl
    tail -n +2 "$1" | cmp -s - now.tail || { tail -n +2 now.jsonl >now.tail; tail -n +2 "$1" | cmp -s - now.tail; } ||
        fail "the gallery is not as it was in $1"
    rm -f now.tail
}

# ---- links to a disk that is not there
mkdir disk photos
for person in Ann Bob Cid Dora; do mkdir "photos/$person"; done
cp "$obama" disk/1.jpg
cp "$biden" disk/2.jpg
cp "$everyone/Marie Curie/portrait.png" disk/3.png
cp "$everyone/Eileen Collins/nasa-portrait.jpg" disk/4.jpg
ln -s ../../disk/1.jpg photos/Ann/1.jpg
ln -s ../../disk/2.jpg photos/Bob/2.jpg
ln -s ../../disk/3.png photos/Cid/3.png
ln -s ../../disk/4.jpg photos/Dora/4.jpg
exits 0 enroll photos --follow-links
says out "4 people, 4 photos"
mv disk elsewhere
exits 3 enroll photos --follow-links
says out "4 kept"
says out "4 photos unreadable today: what was enrolled before stays"
says out "4 people, 4 photos"
exits 0 info photos/Ann/1.jpg
says out "unreadable since"
exits 0 export since.jsonl
is "$(grep -c unreadable_since_unix_s since.jsonl)" "4"
# The time stays the first one.
exits 3 enroll photos --follow-links
same_export since.jsonl
exits 3 enroll photos --follow-links --force --name Ann --yes
says out "4 people, 4 photos"
mv elsewhere disk
exits 0 enroll photos --follow-links
says out "4 unchanged"
exits 0 export since.jsonl
is "$(grep -c unreadable_since_unix_s since.jsonl)" "0"
rm -r gallery photos disk

# ---- emptied, broken, replaced
cp -r "$everyone" people
exits 0 enroll people
: >"people/Joe Biden/blue-room.jpg"
printf 'no picture' >"people/Marie Curie/portrait.png"
exits 3 enroll people
says out "2 kept"
says out "4 people, 5 photos"
exits 3 enroll people --force
says out "4 people, 5 photos"
exits 0 verify "$biden" --as "Joe Biden"
# What was read and judged is new knowledge.
cp "$demo/group.jpg" "people/Joe Biden/blue-room.jpg"
exits 3 enroll people
says out "1 refused, 1 kept"
says out "3 people, 4 photos"
rm -r gallery people

# ---- a disk that is not there is not pruned
cp -r "$everyone" people
exits 0 enroll people
mkdir -p aside
mv people/* aside
exits 3 enroll people --prune
says err "is empty, and 5 photos were enrolled from it"
says err "--prune-absent forgets them all the same"
says out "4 people, 5 photos"
exits 0 enroll people
says out "5 photos not there any more: what was enrolled stays"
says out "4 people, 5 photos"
exits 0 info "people/Joe Biden/blue-room.jpg"
says out "file is gone"
mv "aside/Barack Obama" people
exits 3 enroll people --prune
says err "of the 5 photos that were enrolled from \"people\" 3 are gone"
mv aside/* people
# The disk's number in the ledger is not the folder's.
exits 0 enroll people
rm "people/Joe Biden/blue-room.jpg"
"$SQL" gallery/gallery.db "SELECT count(*) FROM file WHERE file_system <> 0" >n || true
exits 0 export before.jsonl
sed 's/"file_system":[0-9]*/"file_system":12345/' before.jsonl >moved.jsonl
exits 0 import moved.jsonl --gallery other-disk
exits 3 enroll people --prune --gallery other-disk
says err "was on another file system than its folder is now"
exits 0 enroll people --prune-absent --dry-run --gallery other-disk
says out "nothing is changed; "
says out "1 pruned"
says out "4 people, 5 photos"
exits 0 enroll people --prune-absent --gallery other-disk
says out "3 people, 4 photos"
exits 0 undo --yes --gallery other-disk
exits 0 list --gallery other-disk
says out "Joe Biden"
exits 0 enroll people --prune
says out "1 pruned"
rm -r gallery other-disk people aside

# ---- a photo that has moved moves its row, forced or not
for how in "" "--force" "--force --faces largest"; do
    mkdir -p people/Ann people/Bob
    cp "$obama" people/Ann/1.jpg
    cp "$biden" people/Bob/2.jpg
    exits 0 enroll people
    mv people/Ann/1.jpg people/Bob/
    # shellcheck disable=SC2086
    exits 0 enroll people $how --prune
    says out "1 moved"
    says err "it stays Ann's"
    says err "doppel assign FILE NAME"
    says out "2 people, 2 photos"
    exits 0 export moved.jsonl
    is "$(grep -c '"type":"photo"' moved.jsonl)" "2"
    lacks moved.jsonl "/Ann/"
    rm -r gallery people
done
mkdir -p people/Ann people/Bob
cp "$obama" people/Ann/1.jpg
cp "$biden" people/Bob/2.jpg
exits 0 enroll people
mv people/Ann/1.jpg people/Bob/
exits 0 enroll people/Bob/1.jpg --name Bob --yes --prune
says out "1 person, 2 photos"
exits 0 export moved.jsonl
is "$(grep -c '"type":"photo"' moved.jsonl)" "2"
# All of it is one change.
exits 0 undo --yes
says out "the last change: enroll \"people/Bob/1.jpg\" --name \"Bob\""
exits 0 list
says out "Ann"
rm -r gallery people

# ---- undo
cp -r "$everyone" people
exits 0 enroll "people/Barack Obama" --name "Barack Obama"
exits 0 export one.jsonl
exits 0 enroll people
exits 0 export all.jsonl
exits 0 undo --dry-run
says out "the last change: enroll \"people\""
says out "3 people added"
says out "3 photos added"
same_export all.jsonl
exits 2 undo
says err "--yes"
same_export all.jsonl
exits 0 undo --yes
says out "taken back"
same_export one.jsonl
exits 0 undo --yes --json
is "$("$JSON" out schema) $("$JSON" out dry_run)" "doppel.undo/1 false"
same_export all.jsonl
# Looking again changes nothing that would push out the change.
exits 0 enroll people
exits 0 undo --dry-run
says out "the last change: enroll \"people\""
exits 0 rename "Barack Obama" Obama --dry-run
says out "would be"
same_export all.jsonl
exits 0 rename "Barack Obama" Obama
exits 0 undo --dry-run
says out "1 person renamed"
exits 0 enroll people
says out "5 unchanged"
cp "$demo/stranger.jpg" "people/Barack Obama/3.jpg"
exits 0 enroll people
exits 0 list
lacks out "Barack"
exits 0 undo --yes
exits 0 forget Obama --dry-run
exits 0 forget Obama
exits 1 undo --yes
says err "forget, which is final"
exits 0 export all.jsonl
exits 0 import all.jsonl --dry-run --gallery fresh
says out "would import"
[ ! -e fresh ] || fail "a rehearsal made a gallery"
exits 0 import all.jsonl --gallery fresh
exits 0 undo --yes --gallery fresh
exits 0 list --gallery fresh
lacks out "Marie"

# ---- a dry run of enrolment
rm -r gallery
exits 0 enroll people --dry-run
says out "nothing is changed; 6 photos: 6 added"
[ ! -e gallery ] || fail "a rehearsal made a gallery"
exits 4 list
says err '"doppel enroll" with a folder of photos makes one'
