# With --json all that stands on standard output is objects of the command's schema, one a line,
# and a command that fails has its line, too.
. "$SRCDIR/tests/cli/lib.sh"

# answers CODE COMMAND WORD… - the lines are JSON of that command.
answers() {
    exits "$@" --json
    "$JSON" out schema >schemas || fail "not JSON: doppel $*"
    is "$(sort -u schemas)" "doppel.$2/1"
}

# told FILE FIELD - its last line says why, as standard error does.
told() {
    "$JSON" "$1" status | tail -n 1 >status
    [ -s status ] || fail "no status"
    lacks status OK
    "$JSON" "$1" "$2" | tail -n 1 >reason
    [ -s reason ] || fail "no $2"
    grep -qF -- "$(cat reason)" err || fail "standard error says something else: $(cat reason)"
}

# refuses CODE COMMAND WORD… - the command fails: one line is of the schema of failures, any other of
# the command's.
refuses() {
    exits "$@" --json
    "$JSON" out schema >schemas || fail "not JSON: doppel $*"
    is "$(grep -c '^doppel.error/1$' schemas)|$(grep -v -e '^doppel.error/1$' -e "^doppel.$2/1\$" schemas)" "1|"
    grep '"schema": "doppel.error/1"' out >error
    told error message
    is "$("$JSON" error command)|$("$JSON" error exit)" "$2|$1"
}

# No gallery, no model, no photo, no place for the page.
refuses 4 list
refuses 4 check
refuses 4 info
refuses 4 info Ann
refuses 4 rename Ann Bea
refuses 4 assign "$obama" Ann
refuses 4 reject "$obama" Ann
refuses 4 merge Ann Bea
refuses 4 forget Ann
refuses 4 export all.jsonl
refuses 4 migrate
refuses 4 query "$obama"
refuses 4 verify "$obama" --as Ann
refuses 3 import nowhere.jsonl
refuses 3 verify "$obama" nowhere.jpg
refuses 4 verify "$obama" "$obama" --model nowhere.onnx
refuses 5 verify "$obama" "$obama" --html nowhere/page.html
refuses 3 eval pairs nowhere.csv
refuses 3 eval oneshot nowhere
refuses 3 train nowhere --run run
DOPPEL_MODELS=$PWD/none refuses 4 verify "$obama" "$obama"
HOME='' XDG_DATA_HOME='' DOPPEL_GALLERY='' refuses 2 list
rm -rf gallery

mkdir bad
echo "not a photo" >bad/x.jpg
answers 0 enroll "$demo/people"
refuses 3 enroll nowhere
answers 3 enroll bad
answers 0 list
answers 0 check
answers 0 info
answers 0 info "Joe Biden"
answers 0 info --failed
answers 0 info "$obama"
refuses 1 info nobody
answers 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5
answers 0 verify "$demo/congress.jpg" --as "Barack Obama" --threshold 0.5
refuses 4 verify "$obama" --as Nobody
answers 0 query "$obama" "$demo/group.jpg" --threshold 0.5
answers 3 query "$obama" nowhere.jpg --threshold 0.5
told out reason
answers 0 rename "Joe Biden" Joe
answers 0 assign "$biden" Joe
answers 0 reject "$biden" Joe
refuses 2 reject "$biden"
refuses 1 assign nowhere.jpg Joe
answers 0 merge "Eileen Collins" "Marie Curie" --yes
refuses 2 merge "Barack Obama" "Marie Curie"
answers 0 reject --people "Barack Obama" "Marie Curie"
answers 0 assign "$biden" Joe
refuses 4 rename Nobody Somebody
answers 0 migrate
answers 0 version
answers 0 config
answers 0 config query
answers 0 export all.jsonl
is "$("$JSON" out n_photos)" "6"
answers 0 import all.jsonl --gallery other
refuses 1 forget nobody
answers 0 forget Joe
exits 0 export - --json
is "$(head -n 1 out | cut -c 1-28)" '{"schema":"doppel.export/1",'

# Wrong usage, too, whether it is found in the options, after them, or before there is a command.
refuses 2 verify a b --fmr 0,9x
refuses 2 verify a b --nosuch
refuses 2 verify a
refuses 2 list x
refuses 2 config nothing
refuses 2 verfy a b
refuses 2 verify a "$(printf 'b\033[31m')" --fm=1
exits 3 verify a -- --json
[ ! -s out ] || fail "--json behind -- is no option"

# Names that could drive a terminal or turn what is written after them come as \uNNNN: the same
# JSON, whatever it is shown on.
name=$(printf 'a\177b\302\205c\342\200\256d\363\240\201\201e')
mkdir -p "people/$name"
cp "$biden" "people/$name/p.jpg"
answers 0 enroll people
grep -qF 'a\u007fb\u0085c\u202ed\udb40\udc41e' out || fail "a name is not escaped"
answers 0 list
is "$("$JSON" out person | tail -n 1)" "$name"
for call in enroll list info query verify; do
    case $call in
    enroll) words="people --force" ;;
    query | verify) words="people/$name/nowhere.jpg" ;;
    *) words= ;;
    esac
    # shellcheck disable=SC2086 # words of their own
    "$DOPPEL" "$call" $words --json >out 2>err || :
    for file in out err; do
        LC_ALL=C grep -qF "$(printf '\177')" $file && fail "$call: DEL comes raw"
        LC_ALL=C grep -qF "$(printf '\302\205')" $file && fail "$call: NEL comes raw"
        LC_ALL=C grep -qF "$(printf '\342\200\256')" $file && fail "$call: a mark of direction comes raw"
        LC_ALL=C grep -qF "$(printf '\363\240\201\201')" $file && fail "$call: a tag comes raw"
    done
done
exit 0
