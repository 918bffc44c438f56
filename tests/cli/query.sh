# query names whom it knows and nobody else, photo by photo, and the worst exit status wins.
. "$SRCDIR/tests/cli/lib.sh"

exits 4 query "$demo/group.jpg"
exits 0 enroll "$demo/people"

exits 0 query "$demo/group.jpg" --threshold 0.5 --html page.html --table
says out "21 faces, 2 known: "
says out "Marie Curie"
says page.html "2 known"
is "$(grep -c 'class="box' page.html)" "21"
lacks page.html "<script"
lacks page.html "http://"
lacks page.html "https://"
exits 1 query "$demo/stranger.jpg" --threshold 0.5 --table
says out "nobody known"
says out "unknown"

exits 3 query "$demo/stranger.jpg" "$SRCDIR/README.md" "$demo/group.jpg" --threshold 0.5 --json -k 2 \
    --min-fmr 1
is "$("$JSON" out photo | wc -l)" "3"
is "$("$JSON" out status | tr '\n' ' ')" "OK E_INPUT OK "
is "$("$JSON" out faces.0.person)" "Barack Obama"
is "$("$JSON" out faces.0.decision | tr '\n' ' ')" "no match match "
is "$("$JSON" out faces.0.hits.1.decision | wc -l)" "2"
[ -z "$("$JSON" out faces.0.hits.2)" ] || fail "-k 2 gave a third hit"
is "$("$JSON" out search.exact | tr '\n' ' ')" "true true "
is "$("$JSON" out search.n | tr '\n' ' ')" "5 5 "
lacks out "NaN"
is "$(grep -o '"decision": "match", "person"' out | wc -l)" "2"

# By the whole picture: what is alike is ranked, a copy is told, and a photo without a face is answered.
exits 1 query "$demo/stranger.jpg" --by image --table
says out "no copy"
exits 0 query "$obama" --by image --json
is "$("$JSON" out picture.copy)" "true"
is "$("$JSON" out picture.hits.0.decision)" "match"
is "$("$JSON" out picture.person)" "Barack Obama"
is "$("$JSON" out picture.hits.0.copy.evidence)" "same picture: all of it at the same size"
"$EDIT" "$obama" mirrored.jpg mirror
exits 0 query mirrored.jpg --by image --table
says out "the whole picture, which is a copy"
says out "(same picture: mirrored)"
exits 0 query mirrored.jpg --by image --json
is "$("$JSON" out picture.hits.0.copy.orientation)" "2"
is "$("$JSON" out picture.hits.0.copy.evidence)" "same picture: mirrored"
"$EDIT" "$demo/people/Marie Curie/portrait.png" part.jpg corner
exits 1 query part.jpg --json
is "$("$JSON" out by)" "image"
is "$("$JSON" out picture.copy)" "false"
# Without its vectors there is nothing to search in.
exits 0 enroll "$demo/people" --gallery faces --image-model none
exits 4 query "$demo/stranger.jpg" --by image --gallery faces
exits 3 query part.jpg --gallery faces

calibrate "[[0, 0.5], [0.2, 0.1], [0.5, 0.001], [0.7, 0.00001]]"
rm -rf "$DOPPEL_GALLERY"
exits 0 enroll "$demo/people"
exits 0 query "$demo/group.jpg" --table
says out "2 known"
says out "A face is named from score"
exits 0 query "$demo/group.jpg" --min-fmr 1e-3 --json
[ -z "$("$JSON" out faces.1.hits.0)" ] || fail "--min-fmr left a common hit"
is "$("$JSON" out faces.0.hits.0.person)" "Barack Obama"
exits 0 query "$demo/group.jpg" --fpir 0.5 --json
low=$("$JSON" out threshold)
exits 0 query "$demo/group.jpg" --fpir 0.0002 --json
[ "$low" != "$("$JSON" out threshold)" ] || fail "--fpir changes nothing"

# What half of all strangers reach is left out, unless it is asked for; nothing is said of how names
# are given where nobody was looked for.
calibrate "[[0.18, 0.5], [0.2, 0.1], [0.5, 0.001], [0.7, 0.00001]]"
exits 0 query "$demo/group.jpg" --json -k 5
grep -q '"rate": 0.5[,}]' out && fail "a hit that half of all strangers reach"
grep -q '"rate": 1.0[,}]' out && fail "a hit that all strangers reach"
n=$(grep -o '"template":' out | wc -l)
exits 0 query "$demo/group.jpg" --json -k 5 --min-fmr 1
[ "$(grep -o '"template":' out | wc -l)" -gt "$n" ] || fail "--min-fmr 1 leaves out as much"
exits 1 query "$demo/stranger.jpg" --table
says out "Eileen Collins"
lacks out "Barack Obama"
exits 3 query "$SRCDIR/README.md"
lacks out "A face is named"
exits 0 enroll "$demo/stranger.jpg" --gallery nobody
exits 0 forget stranger --gallery nobody
exits 1 query "$demo/stranger.jpg" --gallery nobody --table
says out "The gallery holds no faces to compare with"
lacks out "A face is named"

# The page: who it is as the headline, unknown in no colour, names and hashes, what it was made with.
exits 0 query "$demo/congress.jpg" --html page.html --table
says page.html '<h1 class="verdict good"><svg'
says page.html '</svg><div>Barack Obama</div></h1>'
says page.html 'class="strangers-fill"'
says page.html "sha256 $(sha256sum <"$demo/congress.jpg" | cut -c 1-64)"
says page.html "<th>names</th><td>A face is named from score"
exits 1 query "$demo/stranger.jpg" --html page.html --table
says page.html '<h1 class="verdict plain"><svg'
says page.html '<span class="tag plain">unknown</span>'
lacks page.html 'tag bad'
# Of several photos, a page each when it is printed.
exits 1 query "$demo/congress.jpg" "$demo/stranger.jpg" --html page.html --table
is "$(grep -c '<section class="card photo">' page.html)" "2"
says page.html '.card.photo+.card.photo{break-before:page}'

# Two people who are both a match: one reference is wrong, or they are very alike.
mkdir -p two/Ann two/Bob
cp "$obama" two/Ann/1.jpg
cp "$demo/people/Barack Obama/blue-room.jpg" two/Bob/1.jpg
exits 0 enroll two --gallery two-gallery
exits 0 query "$demo/congress.jpg" --gallery two-gallery --html page.html --table
says out "face 1: two people match, "
says page.html "two people match, "
exits 0 query "$demo/congress.jpg" --gallery two-gallery --json
is "$("$JSON" out faces.0.two_people_match)" "true"
exits 0 query "$demo/congress.jpg" --json
[ -z "$("$JSON" out faces.0.two_people_match)" ] || fail "two people where one matches"
