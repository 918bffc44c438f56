# query names whom it knows and nobody else, photo by photo, and the worst exit status wins.
. "$SRCDIR/tests/cli/lib.sh"

exits 4 query "$demo/group.jpg"
exits 0 enroll "$demo/people"

exits 0 query "$demo/group.jpg" --threshold 0.5 --html page.html
says out "21 faces, 2 known: "
says out "Marie Curie"
says page.html "2 known"
is "$(grep -c 'class="box' page.html)" "21"
lacks page.html "<script"
lacks page.html "http://"
lacks page.html "https://"
exits 1 query "$demo/stranger.jpg" --threshold 0.5
says out "nobody known"
says out "unknown"

exits 3 query "$demo/stranger.jpg" "$SRCDIR/README.md" "$demo/group.jpg" --threshold 0.5 --json -k 2
is "$("$JSON" out photo | wc -l)" "3"
is "$("$JSON" out status | tr '\n' ' ')" "OK E_INPUT OK "
is "$("$JSON" out faces.0.person)" "Barack Obama"
is "$("$JSON" out faces.0.decision | tr '\n' ' ')" "no match match "
is "$("$JSON" out faces.1.hits.1.decision | wc -l)" "1"
[ -z "$("$JSON" out faces.0.hits.2)" ] || fail "-k 2 gave a third hit"
is "$("$JSON" out search.exact | tr '\n' ' ')" "true true "
is "$("$JSON" out search.n | tr '\n' ' ')" "5 5 "
lacks out "NaN"
is "$(grep -o '"decision": "match", "person"' out | wc -l)" "2"

# Without anything to decide by there is no decision; by picture needs a model.
exits 4 query "$demo/stranger.jpg" --by image

calibrate "[[0, 0.5], [0.2, 0.1], [0.5, 0.001], [0.7, 0.00001]]"
rm -rf "$DOPPEL_GALLERY"
exits 0 enroll "$demo/people"
exits 0 query "$demo/group.jpg"
says out "2 known"
says out "A face is named from score"
exits 0 query "$demo/group.jpg" --min-fmr 1e-3 --json
[ -z "$("$JSON" out faces.1.hits.0)" ] || fail "--min-fmr left a common hit"
is "$("$JSON" out faces.0.hits.0.person)" "Barack Obama"
exits 0 query "$demo/group.jpg" --fpir 0.5 --json
low=$("$JSON" out threshold)
exits 0 query "$demo/group.jpg" --fpir 0.0002 --json
[ "$low" != "$("$JSON" out threshold)" ] || fail "--fpir changes nothing"
