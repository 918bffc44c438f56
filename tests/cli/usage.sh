# Every wrong call is refused with exit status 2 and a word on stderr, before anything is done.
. "$SRCDIR/tests/cli/lib.sh"

exits 2
says err "usage: doppel COMMAND"
is "$(cat out)" ""
exits 2 verfy a b
says err 'is "verify" meant?'
exits 2 frobnicate
lacks err meant
exits 2 --json
exits 2 --json list
says err "options stand behind the command"
exits 2 --version x
exits 2 help verfy
says err 'is "verify" meant?'

for call in "verify" "verify a" "verify a b c" "verify a b --as x" "verify --as x" \
    "verify a --as x --face-b 1" "query" "enroll" "list x" "info a b" "info a --failed" "forget" \
    "rename a" "rename a b c" "assign a" "reject" "reject a b c" "merge a" "export" "export a b" "import" "import a b" "help a b" "help nothing"; do
    # shellcheck disable=SC2086 # the words of the call
    exits 2 $call
    says err "doppel ${call%% *}: "
    is "$(cat out)" ""
done

# Options: whole names, whole numbers, in range, finite.
for option in --fm=1e-3 --js --fmr=0,9x --fmr=0.1x --fmr= --fmr=nan --fmr=inf --fmr=0x1p-3 \
    --fmr=1.5 --fmr=-1 --fmr=1e-999 "--fmr= 0.1" --fmr=0.1.2 --fmr=1e --threshold=5-5 \
    --threshold=1e999 --face=0 --face=1.5 --face=1e1 --face=99999999999999999999 --max-memory=1T \
    --max-memory=-1 --max-memory=0 --max-memory=99999999999999999999G --max-pixels=0 --color=blue \
    --json=1 --detect=maybe --nosuch -z --model= --fmr --as; do
    exits 2 verify a b "$option"
done
exits 2 verify a b --fm 1e-3
says err "is --fmr meant?"
exits 2 verify a b --fmrr 1e-3
says err 'there is no option --fmrr, is "--fmr" meant?'
exits 2 query a --treshold=0.5
says err 'there is no option --treshold, is "--threshold" meant?'
exits 2 query a --frobnicate
lacks err meant
exits 2 verify a b --fmr 0,9x
says err '--fmr takes a number from 0 to 1, not "0,9x"'
exits 2 verify a b --fmr 1e-3 --threshold 0.5
exits 2 query a --fmr 1e-3 --fpir 1e-3
exits 2 query a -k 0
exits 2 query a -k 2.5
exits 2 enroll a --min-quality 2
exits 2 enroll a --faces some
says err "refuse, largest, all"
# What the user typed cannot drive the terminal.
exits 2 verify a b "--color=$(printf '\033[31m')"
says err '\x1b[31m'
[ ! -e gallery ] || fail "a wrong call made a gallery"
