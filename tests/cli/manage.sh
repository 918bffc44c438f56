# list, info, rename, export, import, forget: what they tell, and that forgetting forgets.
. "$SRCDIR/tests/cli/lib.sh"

for call in "list" "info" "info Ann" "forget Ann" "rename Ann Bea" "export -"; do
    # shellcheck disable=SC2086 # the words of the call
    exits 4 $call
done
[ ! -e gallery ] || fail "reading made a gallery"
exits 0 enroll "$demo/people"

exits 0 list
says out "Barack Obama         2          4"
says out "4 people, 5 photos"
exits 0 list --json
is "$("$JSON" out person | head -n 1)" "Barack Obama"
exits 0 info
says out "4 people, 5 photos"
exits 0 info --json
is "$("$JSON" out n_templates_face)" "5"
exits 0 info "Barack Obama"
says out "official-portrait.jpg"
exits 0 info "$obama"
says out "enrolled as Barack Obama"
exits 0 info "$obama" --json
is "$("$JSON" out templates.0.space)" "face"
exits 1 info nobody
says err '"nobody" is no person and no photo'
exits 1 info "Mary Curie"
says err 'nearest: "Marie Curie"'

exits 0 rename "Joe Biden" "Joseph R. Biden"
says out "Joe Biden is now Joseph R. Biden"
exits 2 rename "Joseph R. Biden" "Marie Curie"
exits 4 rename Nobody Somebody
exits 4 rename "Mary Curie" Somebody
says err 'nearest: "Marie Curie"'

exits 0 export all.jsonl
exits 0 export -
cmp -s out all.jsonl || fail "export - is not export FILE"
exits 0 import all.jsonl --gallery other
says out "imported 5 photos, 10 templates"
exits 0 export again.jsonl --gallery other
cmp -s again.jsonl all.jsonl || fail "a round trip changes an export"
printf 'not an export\n' >wrong.jsonl
status=0
"$DOPPEL" import wrong.jsonl --gallery third >out 2>err || status=$?
[ "$status" -ne 0 ] || fail "imported what is no export"
exits 0 list --gallery other

exits 0 forget "Barack Obama" --dry-run
says out "would forget Barack Obama: 2 photos, 4 templates"
exits 1 forget "Barack Obama" Nobody
says err "nothing was forgotten"
exits 1 forget "Mary Curie"
says err '"Mary Curie" is no person and no photo in the gallery; nothing was forgotten; nearest: "Marie Curie"'
exits 0 list
says out "Barack Obama"
exits 0 forget "Barack Obama" "$biden"
says out "forgot Barack Obama: 2 photos, 4 templates; a search still finds none of 4 vectors, and the gallery's files hold none of 6 names, paths and hashes"
says out "forgot 1 photo, 2 templates; a search still finds none of 2 vectors, and"
exits 0 list
lacks out "Obama"
lacks out "Biden"
! grep -qa Obama gallery/* || fail "the gallery's files still hold the name"
exits 1 query "$demo/congress.jpg" --threshold 0.5

# What was refused is forgotten with whom it was meant for, and what lies about is told.
mkdir -p refused/Annabell
head -c 2000 /dev/zero >refused/Annabell/secret.jpg
exits 3 enroll refused
cp gallery/gallery.db gallery/copy.db
exits 70 forget Annabell
says out "the gallery's files hold 3 of 4 names, paths and hashes (copy.db)"
rm gallery/copy.db
exits 3 enroll refused
exits 0 forget Annabell
says out "forgot Annabell: 1 photo, 0 templates; the gallery's files hold none of 4 names, paths and hashes"
! grep -qa "Annabell\|$(sha256sum <refused/Annabell/secret.jpg | cut -c 1-64)" gallery/* ||
    fail "a refused photo's row is left"
