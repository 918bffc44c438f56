# audit: who changed the gallery, questions where asked for, receipts of what was forgotten.
. "$SRCDIR/tests/cli/lib.sh"

exits 4 audit
exits 0 enroll "$demo/people"
exits 0 rename "Joe Biden" "Joseph R. Biden"
exits 0 audit
says out "enroll: 4 people added, 5 photos added"
says out "rename: 1 person renamed"
lacks out "Biden"
lacks gallery/audit.jsonl "Biden"
says err "2 lines, unbroken"
is "$(stat -c %a gallery/audit.jsonl)" "600"

# A rehearsal is no change.
exits 0 rename "Joseph R. Biden" "Joe" --dry-run
exits 0 audit --json
is "$("$JSON" out schema | tr '\n' ' ')" "doppel.audit_line/1 doppel.audit_line/1 doppel.audit/1 "
is "$("$JSON" out n_lines | tail -n 1)" "2"

# Questions, only where they are to be noted.
exits 0 query "$obama"
exits 0 query --audit "$obama" "$obama"
exits 0 verify --audit "$obama" --as "Barack Obama"
exits 2 verify --audit "$obama" "$obama"
exits 0 audit
says out "query: 2 questions asked"
says out "verify: 1 question asked"
says err "4 lines, unbroken"

# A receipt: of what is gone, checked later, and right for one person only.
exits 0 forget "Marie Curie" --receipt receipt.json --html receipt.html
says receipt.html "Marie Curie"
says receipt.html "Found of them"
exits 0 audit receipt.json
says out "receipt.json: right"
exits 0 audit receipt.json --json
is "$("$JSON" out right)" "true"
sed 's/Marie Curie/Marie Kuhri/' receipt.json >other.json
exits 4 audit other.json
says err "not about whom the receipt names"
exits 4 audit receipt.json other.json --json
is "$("$JSON" out right | tr '\n' ' ')" "true false "
echo "no receipt" >bad.json
exits 3 audit bad.json
says err "bad.json"
exits 3 audit missing.json
: >empty.json
exits 3 audit empty.json

# What has no place for its receipt is not forgotten, and no receipt is written over.
exits 5 forget "Eileen Collins" --receipt receipt.json
says err "nothing was forgotten"
exits 0 info "Eileen Collins"
exits 0 forget "Eileen Collins" --receipt none.json --dry-run
[ ! -e none.json ] || fail "a dry run has a receipt"

# Several at once are a line each.
exits 0 forget "Eileen Collins" "$obama" --receipt both.json
is "$(wc -l <both.json)" "2"
exits 0 audit both.json

# What was taken out, or altered, is told, and by check, too.
cp gallery/audit.jsonl whole.jsonl
sed 2d whole.jsonl >gallery/audit.jsonl
exits 4 audit
says err "the audit is broken at line 2"
exits 4 audit receipt.json
exits 4 check
says out "damaged, audit: the audit's line 2 is wrong"
sed '1s/enroll/append/' whole.jsonl >gallery/audit.jsonl
exits 4 audit --json
is "$("$JSON" out broken_at | tail -n 1)" "1"
cp whole.jsonl gallery/audit.jsonl
exits 0 audit

# Half a line, as a kill leaves it, is written whole by the next change.
head -c -40 whole.jsonl >gallery/audit.jsonl
exits 0 audit
says err "still to be written"
exits 0 rename "Joseph R. Biden" "Joe Biden"
exits 0 audit
says err "8 lines, unbroken"
