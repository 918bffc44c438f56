# What a calibration claims nothing of is said: a face too poor, one that is poor, and by whose table.
. "$SRCDIR/tests/cli/lib.sh"

exits 0 enroll "$demo/people"
# Fair from quality 0.9 and to 12 degrees, too poor below 0.74; the gallery's own, which decides.
points='[[0, 0.5, 0.4, 0.6], [0.5, 0.0001, 0.00009, 0.0001], [0.7, 0.000001, 0.0000009, 0.000001]]'
second='"version": 2, "metric": "cosine", "people": 50, "pairs": 5000000, "source": "ours"'
range='"range": {"quality": 0.9, "yaw_deg": 12, "too_poor": 0.74}'
printf '{%s, %s, "mean_factor": 1.5, "points": %s}\n' "$second" "$range" "$points" >gallery/calibration.json

# The photo looks aside by 15 degrees: a poor pair, for which there is no table.
exits 6 verify "$demo/congress.jpg" --as "Barack Obama"
says out "inconclusive: "
says out "the face is poor (turned sideways by 15 degrees), and for such faces no match is claimed"
exits 6 verify "$demo/congress.jpg" --as "Barack Obama" --json
is "$("$JSON" out decision)" "inconclusive"
is "$("$JSON" out faces)" "poor"
is "$("$JSON" out times)" "1.5"
is "$("$JSON" out calibration.from)" "gallery"
is "$("$JSON" out calibration.source)" "ours"
is "$("$JSON" out claim.compared)" "mean"
[ -z "$("$JSON" out fmr.rate)" ] || fail "a rate without a table"
exits 6 query "$demo/congress.jpg" --json
is "$("$JSON" out faces.0.candidates.0.person)" "Barack Obama"
is "$("$JSON" out faces.0.candidates.0.n_compared)" "2"
exits 0 query "$demo/congress.jpg" --threshold 0.5 --table
exits 0 verify "$demo/congress.jpg" --as "Barack Obama" --threshold 0.5 --json
is "$("$JSON" out decision)" "match"
exits 0 verify "$obama" --as "Barack Obama" --json
is "$("$JSON" out decision)" "match"
# Two photos without a gallery are the model's own matter.
exits 0 verify "$demo/congress.jpg" "$obama" --json
is "$("$JSON" out calibration.from)" "model"

# Too poor: refused, with the photo and the part; in a query said of the face, and never named.
exits 3 verify "$demo/group.jpg" --as "Barack Obama" --face 2
says err '"'"$demo/group.jpg"'": the face is too poor'
says err "size (quality 0.7"
exits 3 verify "$demo/group.jpg" --as "Barack Obama" --face 2 --json
is "$("$JSON" out status)" "E_QUALITY"
exits 1 verify "$demo/group.jpg" --as "Barack Obama" --face 2 --threshold 0.5
exits 6 query "$demo/group.jpg" --html page.html --table
says out "too poor"
says out "size (quality 0.7"
says page.html "too poor"
exits 6 query "$demo/group.jpg" --json
is "$("$JSON" out faces.1.decision)" "too poor"
[ -z "$("$JSON" out faces.1.person)" ] || fail "a face too poor was named"
# An unreadable photo is worse than an open answer.
printf '{%s, %s, "points": %s}\n' "$second" "$range" "$points" >gallery/calibration.json
exits 3 query "$demo/congress.jpg" nowhere.jpg
exits 6 query "$demo/stranger.jpg" "$demo/congress.jpg"

# What stands there must be one, of this model.
echo '{"version": 2}' >gallery/calibration.json
exits 4 query "$demo/stranger.jpg"
says err "calibration.json"
printf '{%s, "model": "%064d", "points": %s}\n' "$second" 0 "$points" >gallery/calibration.json
exits 4 query "$demo/stranger.jpg"
says err "another model"
rm gallery/calibration.json
exits 0 query "$demo/congress.jpg" --json
is "$("$JSON" out calibration.from)" "model"
