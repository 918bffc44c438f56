# Every example that help tells is run, as it is typed, and none is refused.
. "$SRCDIR/tests/cli/lib.sh"
unset DOPPEL_GALLERY XDG_DATA_HOME
mkdir -p bin home config/doppel
ln -s "$DOPPEL" bin/doppel
export HOME="$PWD/home" XDG_CONFIG_HOME="$PWD/config" PATH="$PWD/bin:$PATH"
# What would take long on so little, or needs more people than there are here.
cat >config/doppel/config <<EOF
[serve]
listen = 127.0.0.1:0
[train]
steps = 2
batch = 2x2
hold-classes = 2
validate-ways = 2
validate-trials = 4
[calibrate]
fmr = 0.5
detect = none
EOF

# The files that the examples name.
"$DRAWINGS" .
mkdir -p now/people/Ann now/people/Bob now/photos now/drawings
cd now
cp "$obama" people/Ann/1.jpg
cp "$demo"/people/Barack*/blue-room.jpg people/Ann/2.jpg
cp "$biden" people/Bob/1.jpg
cp "$demo/people/Eileen Collins/nasa-portrait.jpg" people/Bob/2.jpg
cp "$demo/congress.jpg" a.jpg
cp "$obama" b.jpg
cp "$demo/congress.jpg" door.jpg
cp "$demo/congress.jpg" new.jpg
cp "$demo/group.jpg" party.jpg
cp "$demo/stranger.jpg" photos/1.jpg
cp "$demo/stranger.jpg" photos/2.jpg
"$EDIT" "$demo/group.jpg" photos/3.jpg same
"$EDIT" "$demo/group.jpg" photos/4.jpg mirror
printf 'a,b,same\na.jpg,b.jpg,1\na.jpg,people/Bob/1.jpg,0\n' >pairs.csv
cp -r ../drawings/Bee drawings
rm -r drawings/Bee/character1* drawings/Bee/character20
find drawings -name '*_0[5-9].png' -o -name '*_10.png' | xargs rm
cp "$DOPPEL_MODELS/face-105.onnx" mine.onnx
exits 0 enroll people
exits 0 enroll people --gallery other
cd ..
cp -r home before
cp -r now world

# ready COMMAND - the gallery and the files as the command's examples find them.
ready() {
    rm -rf home now ann.key new.key
    cp -r before home
    cp -r world now
    cd now
    case $1 in
    group) exits 0 scan photos ;;
    name) exits 0 scan photos && exits 0 group ;;
    rename | merge)
        exits 0 enroll new.jpg --name Anne
        [ "$1" = rename ] || exits 0 enroll people/Bob/2.jpg --name Robert --yes
        ;;
    assign | reject) exits 0 scan party.jpg new.jpg door.jpg && exits 0 assign "party.jpg#1" Ann ;;
    audit) exits 0 forget Bob --receipt bob.receipt ;;
    serve) (umask 077 && echo a-token-of-the-tests >tokens) ;;
    encrypt | rekey | decrypt)
        (umask 077 && echo correct horse >words)
        [ "$1" = encrypt ] || exits 0 encrypt --key-file ../ann.key
        [ "$1" != decrypt ] || exits 0 encrypt --gallery other --passphrase-file words
        ;;
    undo) exits 0 rename Bob Robert ;;
    import) exits 0 export all.jsonl ;;
    xmp) exits 0 scan photos && exits 0 xmp write ;;
    query) exits 0 scan photos ;;
    train) rm mine.onnx ;;
    # Who is enough people is drawn.
    calibrate)
        rm -rf people ../home/.local
        mkdir people
        i=0
        for picture in ../drawings/[ABC]*/*/*_01.png; do
            i=$((i + 1))
            mkdir "people/$i"
            cp "$picture" "people/$i"
        done
        exits 0 enroll people --detect none
        ;;
    esac
    cd ..
}

exits 0 help
n=0
failed=0
for command in $(sed -n 's/^  \([a-z]*\) .*/\1/p' out); do
    exits 0 help "$command"
    sed -n '/^Examples:$/,$s/^  \(doppel .*[^ ]\)  *# .*/\1/p' out >examples
    ready "$command"
    while read -r line <&3; do
        n=$((n + 1))
        # A no is an answer, too.
        case $line in
        "doppel query "* | "doppel dupes" | *"eval "*) allowed=1 ;;
        *) allowed=0 ;;
        esac
        status=0
        case $line in
        # Until it serves; then it ends as it should. On a port that is free.
        "doppel serve"*)
            line=$(echo "$line" | sed 's/808[0-9]/0/')
            : >out # the one before has said that it serves, too
            (cd now && exec sh -euc "exec $line") >out 2>err </dev/null &
            pid=$!
            comes has out serving
            kill -TERM $pid
            wait $pid || status=$?
            ;;
        *) (cd now && sh -euc "$line") >out 2>err </dev/null || status=$? ;;
        esac
        if [ "$status" -gt "$allowed" ]; then
            echo "FAILED: exit status $status: $line"
            cat err
            failed=1
        fi
    done 3<examples
done
[ "$n" -ge 70 ] || fail "only $n examples were found"
exit $failed
