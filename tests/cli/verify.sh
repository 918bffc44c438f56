# verify says yes, no or neither in words and in JSON, and exits 0 for a match only, 6 for neither.
. "$SRCDIR/tests/cli/lib.sh"

# With a threshold, whatever the model's calibration.
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5
says out "match: "
says out "show the same person"
says out "  score 0."
says out "; a match from 0.500 on, the threshold given"
exits 1 verify "$demo/congress.jpg" "$biden" --threshold 0.5
says out "no match: "
exits 1 verify "$demo/congress.jpg" "$obama" --threshold 0.999
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --json
is "$("$JSON" out decision)" "match"
is "$("$JSON" out schema)" "doppel.verify/1"
is "$("$JSON" out direction)" "higher"
is "$("$JSON" out threshold)" "0.5"
is "$("$JSON" out a.n_faces)" "1"
lacks out "NaN"
exits 1 verify "$demo/congress.jpg" "$biden" --threshold 0.5 --json
is "$("$JSON" out decision)" "no match"

# Which face, of several.
exits 1 verify "$demo/group.jpg" "$biden" --threshold 0.5 --face-a 2
says out "group.jpg has 21 faces: face 2 was compared"
exits 0 verify "$demo/congress.jpg" "$demo/group.jpg" --threshold 0.5
says out "the main one, was compared (--face-b N chooses)"
exits 2 verify "$demo/group.jpg" "$biden" --threshold 0.5 --face-a 22
says err "the photo has 21"

# What cannot be compared.
exits 3 verify "$demo/congress.jpg" nowhere.jpg
says err '"nowhere.jpg"'
exits 3 verify "$demo/congress.jpg" "$SRCDIR/README.md" --json
is "$("$JSON" out status)" "E_INPUT"
[ -z "$("$JSON" out decision)" ] || fail "a decision without a comparison"
exits 3 verify "$demo/congress.jpg" "$obama" --max-pixels 1000
says err "limit"
exits 4 verify "$demo/congress.jpg" --as "Barack Obama"

# A claim against the gallery, page included.
exits 0 enroll "$demo/people"
exits 0 verify "$demo/congress.jpg" --as "Barack Obama" --threshold 0.5 --html page.html
says out "shows Barack Obama"
says out "compared with the mean of 2 of 2 templates; most like, by itself: "
says page.html "this is Barack Obama"
exits 1 verify "$demo/congress.jpg" --as "Marie Curie" --threshold 0.5 --json
is "$("$JSON" out claim.person)" "Marie Curie"
is "$("$JSON" out claim.n_templates)" "1"
exits 4 verify "$demo/congress.jpg" --as Nobody --threshold 0.5
says err 'knows nobody called "Nobody" (doppel list'
exits 4 verify "$demo/congress.jpg" --as "barak OBAMA" --threshold 0.5 --json
says err 'knows nobody called "barak OBAMA"; nearest: "Barack Obama"'
is "$("$JSON" out status)" "E_NO_PERSON"

# By a calibration: a match, no match, and between what the pairs can tell.
calibrate "[[0, 0.5, 0.4, 0.6], [0.5, 0.001, 0.0009, 0.0011], [0.9, 0.00001, 0.000001, 0.00009]]"
exits 0 verify "$demo/congress.jpg" "$obama" --fmr 1e-3 --html page.html
lacks out "the same person scores"
says page.html 'class="strangers-fill"'
lacks page.html 'class="same-fill"'
says out "a stranger scores this high once in "
exits 1 verify "$demo/congress.jpg" "$biden"
exits 6 verify "$demo/congress.jpg" "$obama" --fmr 1e-4
says out "inconclusive: "
exits 6 verify "$demo/congress.jpg" "$obama" --fmr 1e-4 --json
is "$("$JSON" out decision)" "inconclusive"
exits 2 verify "$demo/congress.jpg" "$obama" --fmr 1e-9
says err "lowest"


# The verdict, the score with its bar, and how the same person scores: a line each.
calibrate "[[0, 0.5, 0.4, 0.6], [0.5, 0.001, 0.0009, 0.0011], [0.9, 0.00001, 0.000001, 0.00009]]" \
    ', \"genuine\": {\"pairs\": 100, \"points\": [[0, 0.01], [0.5, 0.1], [0.9, 0.9]]}'
exits 0 verify "$demo/congress.jpg" "$obama" --fmr 1e-2 --html page.html
is "$(sed -n 1p out)" "match: $demo/congress.jpg and $obama show the same person"
grep -q '^  score 0\.[0-9]*; a match from 0\.3[0-9]* on, which strangers reach at most once in 100 pairs; a stranger scores this high once in [0-9,]* pairs$' out ||
    fail "the second line is another"
grep -q '^  the same person scores this low or lower in [4-9][0-9] % of pairs$' out ||
    fail "the third line is another"

# The page: the verdict as its headline, both distributions told apart without colour, their numbers
# as text, the photos' names, and what was done with what.
says page.html '<h1 class="verdict good"><svg'
says page.html 'class="strangers-fill"'
says page.html 'class="same-fill"'
says page.html 'stroke-dasharray:6 3'
says page.html '<th class="num">strangers so high</th>'
says page.html 'Barack Obama/<wbr>official-portrait.jpg'
says page.html "<th>command</th><td>doppel verify"
says page.html "<th>first photo</th><td>sha256 $(sha256sum <"$demo/congress.jpg" | cut -c 1-64)"
says page.html "$(date +%Y-%m-)"
lacks page.html 'class="axis"'
# Paths tell what is below, not who keeps it.
cp "$demo/congress.jpg" photo.jpg
exits 0 verify "$PWD/photo.jpg" "$obama" --fmr 1e-2 --html page.html
says page.html '<figcaption>photo.jpg'

# The same file twice says nothing of a person, and is told; a copy is the same file.
exits 0 verify "$demo/congress.jpg" photo.jpg --fmr 1e-2 --html page.html
says out "both are the same file, byte for byte"
says page.html "both are the same file"
exits 0 verify "$demo/congress.jpg" photo.jpg --fmr 1e-2 --json
is "$("$JSON" out same_file)" "true"
exits 0 verify "$demo/congress.jpg" "$obama" --fmr 1e-2 --json
is "$("$JSON" out same_file)" "false"
exits 0 verify "$obama" --as "Barack Obama" --fmr 1e-2
says out "is itself one of the photos of Barack Obama in the gallery"
exits 0 verify "$obama" --as "Barack Obama" --fmr 1e-2 --json
is "$("$JSON" out same_file)" "true"
exits 0 verify photo.jpg --as "Barack Obama" --fmr 1e-2
lacks out "is itself one"
