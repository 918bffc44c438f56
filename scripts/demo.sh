#!/bin/sh
# demo.sh - enrols the bundled photos, verifies, searches, and fails if any answer is wrong.
#
# Run by "./dev demo", which builds first. DOPPEL is the program (default: the release build). Each
# command is printed as one would type it, from the top of the source tree; where the photos come
# from, and whom they show, is in demo/PHOTOS.md. The gallery is made afresh, and stays for more.
set -eu
cd "$(dirname "$0")/.."

DOPPEL=${DOPPEL:-build/release/bin/doppel}
gallery=build/demo-gallery
page=build/demo.html
json=build/demo.json

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# run STATUS WORD… - prints and runs doppel WORD…; its exit status must be STATUS.
run() {
    expected=$1
    shift
    set -- "${DOPPEL#"$PWD"/}" "$@"
    typed=
    for word; do
        case $word in
        *[!A-Za-z0-9_./-]*) typed="$typed \"$word\"" ;;
        *) typed="$typed $word" ;;
        esac
    done
    printf '\n$%s\n' "$typed"
    status=0
    "$@" || status=$?
    [ "$status" -eq "$expected" ] || die "wrong: exit status $status, not $expected, of$typed"
}

# The people whom the JSON answers in file $1 name, sorted, one a line: every object, at any depth,
# that has both a person and the decision "match".
named() {
    awk '{
        for (i = 1; i <= length($0); i++) {
            c = substr($0, i, 1)
            if (c == "{") {
                depth++
                person[depth] = decision[depth] = ""
            } else if (c == "}") {
                if (decision[depth] == "match" && person[depth] != "")
                    print person[depth]
                depth--
            } else if (c == "\"") {
                text = ""
                while ((c = substr($0, ++i, 1)) != "\"" && c != "") {
                    if (c == "\\")
                        c = substr($0, ++i, 1)
                    text = text c
                }
                if (substr($0, i + 1) ~ /^ *:/)
                    key = text
                else if (key == "person")
                    person[depth] = text
                else if (key == "decision")
                    decision[depth] = text
            }
        }
    }' "$1" | sort -u
}

# people PHOTO STATUS NAME… - the same question, with --json: it must name exactly these, sorted.
people() {
    photo=$1
    expected=$2
    shift 2
    status=0
    "$DOPPEL" query "$photo" --json --gallery $gallery >$json || status=$?
    [ "$status" -eq "$expected" ] || die "wrong: exit status $status of query $photo --json"
    grep -q '"schema": *"doppel.query/1"' "$json" || die "wrong: query $photo --json has no schema"
    found=$(named "$json")
    [ "$found" = "$(printf '%s\n' "$@")" ] ||
        die "wrong: named in $photo:" "${found:-nobody}"
}

command -v "$DOPPEL" >/dev/null || die "no program \"$DOPPEL\"; ./dev demo builds it"
mkdir -p build
rm -rf "$gallery" "$page"

echo "Four people, one folder each; of one of them, two photos."
run 0 enroll demo/people --gallery $gallery
run 0 list --gallery $gallery
"$DOPPEL" list --json --gallery $gallery >$json || die "wrong: list --json failed"
for name in "Barack Obama" "Eileen Collins" "Joe Biden" "Marie Curie"; do
    grep -q "\"$name\"" "$json" || die "wrong: list --json does not show $name"
done

printf '\n%s\n' "The same man, three years apart; then another man; then a name, claimed."
run 0 verify demo/congress.jpg "demo/people/Barack Obama/official-portrait.jpg"
run 1 verify demo/congress.jpg "demo/people/Joe Biden/blue-room.jpg"
run 0 verify demo/congress.jpg --as "Barack Obama" --gallery $gallery

printf '\n%s\n' "A sheet of group photos, 21 faces: two of them are enrolled, 19 are strangers."
run 0 query --table demo/group.jpg --html $page --gallery $gallery
people demo/group.jpg 0 "Barack Obama" "Marie Curie"
[ -s "$page" ] || die "wrong: there is no page $page"

printf '\n%s\n' "Nobody in the gallery."
run 1 query --table demo/stranger.jpg --gallery $gallery
people demo/stranger.jpg 1

printf '\n%s\n' "By the whole picture: what is alike is ranked, and a copy of it is told."
run 0 query --table "demo/people/Joe Biden/blue-room.jpg" --by image --gallery $gallery
run 1 dupes demo/people

printf '\n%s\n' "By a sentence: what a photo shows."
run 0 query --table --text "a woman in an orange uniform" --gallery $gallery
"$DOPPEL" query --text "a woman in an orange uniform" --gallery $gallery | head -n 1 | grep -q nasa-portrait ||
    die "wrong: the first photo is another"

cat <<EOF

All answers are right.

The page of the group photos, for your browser:  $PWD/$page
Try next, with photos of your own:
    ${DOPPEL#"$PWD"/} query YOUR-PHOTO.jpg --gallery $gallery
    ${DOPPEL#"$PWD"/} enroll YOUR-FOLDER         (a folder a person; into your own gallery)
EOF
