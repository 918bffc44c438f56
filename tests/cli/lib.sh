# lib.sh - what the command tests share; read by ". $SRCDIR/tests/cli/lib.sh".
demo=$SRCDIR/demo
obama="$demo/people/Barack Obama/official-portrait.jpg"
biden="$demo/people/Joe Biden/blue-room.jpg"
export DOPPEL_GALLERY="$PWD/gallery"
# In a database of the server that this names (tests/postgres), which gets its tables from the first
# command that would make a folder.
n_databases=0
made=
another_database() {
    n_databases=$((n_databases + 1))
    sh "$SRCDIR/tests/postgres/server.sh" psql "$DOPPEL_TEST_POSTGRES" postgres \
        -c "CREATE DATABASE cli_$$_$n_databases"
    DOPPEL_GALLERY="postgresql://doppel@/cli_$$_$n_databases?host=$(cat "$DOPPEL_TEST_POSTGRES/host")"
    made=
}
if [ -n "${DOPPEL_TEST_POSTGRES:-}" ]; then
    [ -e "$DOPPEL_TEST_POSTGRES/host" ] || exit 77
    export XDG_CACHE_HOME="$PWD/cache"
    another_database
fi

# drop_gallery - there is none from here on.
drop_gallery() {
    if [ -n "${DOPPEL_TEST_POSTGRES:-}" ]; then
        another_database
    else
        rm -r gallery
    fi
}

fail() {
    echo "FAILED: $*" >&2
    echo "--- its stdout" >&2
    cat out >&2
    echo "--- its stderr" >&2
    cat err >&2
    exit 1
}

# exits CODE WORD… - runs doppel WORD…, output in out and err; its exit status must be CODE.
exits() {
    expected=$1
    shift
    status=0
    case ${DOPPEL_TEST_POSTGRES:-no}:$made${1:-} in
    no:*) ;;
    *:enroll | *:scan | *:import)
        # For this command it may be a folder all the same.
        ! "$DOPPEL" migrate >out 2>err || made=done
        ;;
    esac
    "$DOPPEL" "$@" >out 2>err || status=$?
    # What it answers as JSON, run checks by docs/schema.
    LC_ALL=C grep -a '^{"schema": ' out >>"$ANSWERS" || :
    [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected: doppel $*"
}

# runs - the process $pid has not ended. (kill -0 finds one that has, too, until it is waited for.)
runs() {
    [ "$(sed -n 's/^State:[^A-Za-z]*\(.\).*/\1/p' /proc/$pid/status 2>/dev/null)" != Z ] && kill -0 "$pid" 2>/dev/null
}

# comes WORD… - waits until the command WORD… succeeds; fails when the process $pid ends before. However long that
# takes: what never comes is ended by ctest.
comes() {
    until "$@"; do
        runs || "$@" || fail "process $pid was over before: $*"
        sleep 0.02
    done
}

# becomes WORD… - waits until the command WORD… succeeds, whoever brings it about.
becomes() {
    until "$@"; do
        sleep 0.05
    done
}

# has FILE TEXT - says, for comes; has_lines FILE N - it has that many at least.
has() {
    grep -qsF -- "$2" "$1"
}
has_lines() {
    [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

# holds PLACE WORD… - starts doppel WORD…, output in out and err, and returns when it stands still at PLACE
# (tests/standins/held.c); $pid is its number. goes_on [SIGNAL] - sends the signal and lets it go on from there
# to its end; $status is its exit status.
holds() {
    place=$1
    shift
    rm -f held go
    mkfifo held go
    # Its own, before they are opened: what a command before it has said is not what this one says.
    : >out
    : >err
    DOPPEL_HOLD=$place "$HELD" "$@" 8<go 9>held >out 2>err &
    pid=$!
    exec 8>go
    read -r place <held || fail "it was over before it came to $place"
}
goes_on() {
    [ -z "${1:-}" ] || kill -"$1" $pid
    exec 8>&-
    status=0
    wait $pid || status=$?
}

# interrupt_training LINES RUN WORD… - trains into RUN until its log has so many lines, then sends SIGINT; its
# exit status must be 130, and $step is the step that was saved. WORD… ask for more steps than it can be done with.
interrupt_training() {
    lines=$1
    run=$2
    shift 2
    : >out
    "$DOPPEL" train --run "$run" "$@" >out 2>err &
    pid=$!
    comes has_lines "$run/log.jsonl" "$lines"
    kill -INT $pid
    status=0
    wait $pid || status=$?
    is $status 130
    step=$(sed -n 's/.*after step \([0-9]*\), which is saved.*/\1/p' err)
    [ -n "$step" ] || fail "no step is saved"
}

# says FILE TEXT - FILE (out, err, …) has a line with TEXT; lacks: it has none.
says() {
    grep -qF -- "$2" "$1" || fail "$1 does not say: $2"
}
lacks() {
    ! grep -qF -- "$2" "$1" || fail "$1 says: $2"
}

# is TEXT EXPECTED
is() {
    [ "$1" = "$2" ] || fail "got \"$1\", not \"$2\""
}

# calibrate POINTS [MORE] - the models of the tree with a calibration of the test's own, in ./models.
# MORE: further keys of it, each ", \\\"key\\\": value".
calibrate() {
    : "${tree_models:=$DOPPEL_MODELS}"
    mkdir -p models
    for model in "$tree_models"/*.onnx; do
        ln -sf "$model" models/
    done
    printf '{"calibration": "{\\"version\\": 1, \\"metric\\": \\"cosine\\", \\"pairs\\": 1000000, \\"points\\": %s%s}"}\n' \
        "$1" "${2:-}" >models/face-105.onnx.json
    export DOPPEL_MODELS="$PWD/models"
}
