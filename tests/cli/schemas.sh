# Every command with --json has its schema, and the check of answers by them refuses what is none.
. "$SRCDIR/tests/cli/lib.sh"
exits 0 help --manual
awk '$1 == ".SS" { command = $3 } /^\\fB\\-\\-json\\fR/ { print command }' out | sort -u >commands
[ "$(wc -l <commands)" -ge 20 ] || fail "only so many commands were found: $(cat commands)"
while read -r command; do
    [ -s "$SRCDIR/docs/schema/$command.json" ] || fail "docs/schema has no $command.json"
done <commands

# Each line of the first file is an answer, none of the second is.
cat >right <<'LINES'
{"schema":"doppel.list/1","person":"Ann","n_photos":1,"n_templates":1}
{"schema":"doppel.error/1","command":"list","status":"E_GALLERY","message":"there is none","exit":4}
{"schema":"doppel.query/1","photo":"a","status":"E_NO_FACE"}
LINES
cat >wrong <<'LINES'
{"schema":"doppel.list/1","person":"Ann","n_photos":1}
{"schema":"doppel.list/1","person":"Ann","n_photos":1,"n_templates":-1}
{"schema":"doppel.list/1","person":"Ann","n_photos":1,"n_templates":"1"}
{"schema":"doppel.list/1","person":"Ann","n_photos":1,"n_templates":1,"more":1}
{"schema":"doppel.nothing/1"}
{"schema":"doppel.query/1","photo":"a","status":"E_NOTHING"}
{"schema":"doppel.error/1","command":"list","status":"E_GALLERY","message":"there is none","exit":0}
{"person":"Ann"}
[]
LINES
python3 - "$SRCDIR" <<'PYTHON' >out 2>err || { status=$? && [ "$status" -eq 77 ]; } || fail "the check"
import json, sys
sys.path.insert(0, sys.argv[1] + "/tests/schema")
import check
checker = check.Checker(sys.argv[1] + "/docs/schema")
for line in open("right"):
    assert not checker.check_answer(json.loads(line)), line
for line in open("wrong"):
    assert checker.check_answer(json.loads(line)), line
PYTHON
