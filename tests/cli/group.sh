# Faces of nobody put into groups, told, named, and taken back.
. "$SRCDIR/tests/cli/lib.sh"

exits 0 enroll "$demo/people" --quiet

# nobodys GALLERY FILE - the gallery as it were if nobody had said who its faces are; Biden is known.
nobodys() {
    exits 0 export all.jsonl
    biden_id=$(sed -n 's/^{"type":"person","id":\([0-9]*\),"name":"Joe Biden"}$/\1/p' all.jsonl)
    sed -e "/^{\"type\":\"[pt][he]/{/\"person\":$biden_id,/!s/\"person\":[0-9]*,//}" \
        -e '/^{"type":"person"/{/Joe Biden/!d}' \
        -e '/^{"type":"end"/s/"persons":[0-9]*/"persons":1/' all.jsonl >"$1.jsonl"
    exits 0 import "$1.jsonl" --gallery "$1"
}
nobodys unsorted
export DOPPEL_GALLERY="$PWD/unsorted"

# ---- nothing was grouped
exits 1 group --list
is "$(cat out)" "0 groups"
exits 4 name 1 Barack
says err "there is no group 1 (doppel group --list tells them)"

# ---- told, and not changed by a rehearsal
exits 0 group --dry-run
says out "would be: 1 group of 2 faces"
exits 1 group --list
says out "0 groups"
exits 0 group --html page.html
says out "1 group of 2 faces; 2 faces alone"
says out "blue-room.jpg#1"
says page.html "<h2>Group 1</h2>"
says page.html "doppel name 1 NAME"
is "$(grep -c '<img' page.html)" 1
is "$(grep -o '<img' page.html | wc -l)" 2
exits 0 group --json
is "$("$JSON" out schema | sort -u)" "doppel.group/1"
is "$("$JSON" out summary.changed)" false

# ---- named, with and without somebody who is known
exits 2 name 1
exits 2 name one Barack
exits 2 name 1 "Joe Biden" </dev/null
says err "group 1 does not look like \"Joe Biden\" (--yes says that it is meant)"
exits 0 name 1 "Joe Biden" --yes --dry-run
is "$(cat out)" "group 1: 2 faces would be named Joe Biden"
exits 0 name 1 "Barack Obama"
is "$(cat out)" "group 1: 2 faces named Barack Obama"
exits 0 info "Barack Obama"
says out "2 photos"
exits 1 group
says out "0 groups of 0 faces; 2 faces alone"

# ---- taken back, the number comes back; given up, it does not come back for others
exits 0 undo --yes
exits 0 group --list
says out "1 group"
exits 0 group
exits 0 name 1 "Barack Obama" --json
is "$("$JSON" out n_named)" 2

# ---- what cannot be
exits 2 group --precision 0.999
exits 2 group somebody
exits 2 group --list --dry-run
