# lib.sh - what the command tests share; read by ". $SRCDIR/tests/cli/lib.sh".
demo=$SRCDIR/demo
obama="$demo/people/Barack Obama/official-portrait.jpg"
biden="$demo/people/Joe Biden/blue-room.jpg"
export DOPPEL_GALLERY="$PWD/gallery"

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
    "$DOPPEL" "$@" >out 2>err || status=$?
    # What it answers as JSON, run checks by docs/schema.
    LC_ALL=C grep -a '^{"schema": ' out >>"$ANSWERS" || :
    [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected: doppel $*"
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
