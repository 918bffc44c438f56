# waits.sh SOURCE-TREE - no test of the command line waits for a time in which something is to have come about:
# how long that takes is the machine's. "comes", "becomes" and "holds" of tests/cli/lib.sh wait for the thing
# itself. A sleep that no answer depends on says so on its line: "# however long: …". And none asks by kill -0
# whether a process has ended: until it is waited for, that says no.
set -eu
cd "$1"
found=$(find tests -name '*.sh' ! -path tests/cli/lib.sh ! -path tests/build/waits.sh ! -path tests/postgres/server.sh \
    -exec grep -nE '(^|[^a-z_.-])sleep [0-9$".]|kill -0' {} + | grep -v '# however long: ' || :)
[ -z "$found" ] || {
    echo "a test that waits for a time, or asks by kill -0:"
    echo "$found"
    exit 1
}
