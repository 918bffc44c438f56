#!/bin/sh
# archive.sh - an archivist's way through a made library: photos by year with all that lies about in one, scanned,
# grouped, named, asked, moved, unmounted, scanned again, and the last change taken back. After each step nothing
# must be lost. Prints how well the groups agree with who the people are (B-cubed: Bagga, Baldwin 1998; Amigo et al.
# 2009), each photo's largest face counted.
#
# usage: bench/archive.sh PEOPLE WORK [N]
#   PEOPLE  a folder with a folder per person, such as lfw/images
#   WORK    a folder to be made: its library of N photos (default 3000), and new/, of which doppel hears last
# $DOPPEL is the program (default build/release/bin/doppel), $DOPPEL_MODELS its models. Pictures become HEIC and WebP
# where heif-enc and cwebp are there.
# Exits with 1 and a word where something was lost.
set -eu
[ $# -ge 2 ] || { sed -n 's/^# \(usage.*\)/\1/p' "$0" >&2; exit 2; }
people=$(cd "$1" && pwd)
mkdir "$2"
work=$(cd "$2" && pwd)
n=${3:-3000}
tree=$(cd "$(dirname "$0")/.." && pwd)
D=${DOPPEL:-$tree/build/release/bin/doppel}
export DOPPEL_MODELS="${DOPPEL_MODELS:-$tree/models}" DOPPEL_GALLERY="$work/gallery" LC_ALL=C
cd "$work"

fail() {
    echo "LOST: $*" >&2
    [ ! -s err ] || { echo "--- its stderr"; tail -20 err; } >&2
    exit 1
}

# must CODE WORD... - run doppel, which must end with CODE, or what this pattern fits; output in out and err.
must() {
    want=$1
    shift
    got=0
    "$D" "$@" >out 2>err || got=$?
    # shellcheck disable=SC2254 # a pattern
    case $got in
    $want) ;;
    *) fail "exit status $got, not $want: doppel $*" ;;
    esac
}

# number KEY - of the last object in out.
number() {
    tail -1 out | sed -n 's/.*"'"$1"'": *\([-0-9.e]*\).*/\1/p'
}

# is WHAT GOT WANTED
is() {
    [ "$2" = "$3" ] || fail "$1: $2, not $3"
}

# content FILE - all that the gallery holds, in an order of its own.
content() {
    must 0 export full.jsonl
    grep -v '"schema":\|"type":"end"' full.jsonl | sort >"$1"
}

same() {
    cmp -s "$1" "$2" || {
        diff "$1" "$2" | cut -c1-300 | head -5 >&2
        fail "the gallery is not as it was: $3"
    }
}

began=$(date +%s)
step() {
    now=$(date +%s)
    echo "[$((now - began)) s] $*"
}

# ------------------------------------------------------------------ the library

# Of the people with the most photos, in an order of no meaning. Every tenth photo is kept back for new/. A folder has
# eight of the others, of whoever comes; names repeat.
find "$people" -mindepth 2 -type f \( -name '*.jpg' -o -name '*.png' \) | awk '
    { person = $0; sub("/[^/]*$", "", person); sub(".*/", "", person); count[person]++; of[NR] = person; path[NR] = $0 }
    END { for (i = 1; i <= NR; i++) printf "%06d\t%s\t%s\n", 999999 - count[of[i]], of[i], path[i] }' |
    sort | cut -f3 | head -n "$n" | awk '
    BEGIN { for (i = 1; i < 256; i++) ord[sprintf("%c", i)] = i }
    {
        h = 7
        for (i = 1; i <= length($0); i++) h = (h * 131 + ord[substr($0, i, 1)]) % 2147483647
        printf "%010d\t%s\n", h, $0
    }' | sort | cut -f2 | awk -v n="$n" '
    {
        parts = split($0, part, "/"); person = part[parts - 1]; ending = $0; sub(/.*\./, "", ending)
        if (NR % 10 == 0) { printf "%s\t%s\tnew/%s_%d.%s\tcopy\n", $0, person, person, NR, ending; next }
        i = NR - 1; block = int(i / 8); year = 2001 + int(20 * i / n); month = block % 12 + 1
        if (block % 5 == 0) folder = sprintf("%d/%d-%02d-14 Birthday", year, year, month)
        if (block % 5 == 1) folder = sprintf("%d/%02d", year, month)
        if (block % 5 == 2) folder = sprintf("%d/%02d/%02d_beach & lunch", year, month, i % 28 + 1 - i % 8 % 4)
        if (block % 5 == 3) folder = sprintf("%d/Anna, Bob %02d", year, month)
        if (block % 5 == 4) folder = sprintf("%d/%02d Ski/100CANON", year, month)
        name = i % 3 == 0 ? "IMG_%04d" : i % 3 == 1 ? "DSC%05d" : "Bild (%d)"
        how = i % 40 == 7 ? "heic" : i % 40 == 23 ? "webp" : "copy"
        printf "%s\t%s\tlibrary/%s/" name ".%s\t%s\n", $0, person, folder, i % 8 + 1, i % 16 < 8 ? ending : toupper(ending), how
    }' >plan
fixtures=$tree/tests/fixtures/image
reads() { # whether this doppel is built with the format of a fixture
    [ -e "$fixtures/$1" ] && "$D" scan "$fixtures/$1" --dry-run --gallery probe >/dev/null 2>&1
}
heic=$(command -v heif-enc || true)
webp=$(command -v cwebp || true)
reads heic_444.heic || heic=
reads webp_lossy.webp || webp=
mkdir library new outside
: >truth
while IFS='	' read -r from person to how; do
    mkdir -p "${to%/*}"
    if [ "$how" = heic ] && [ "$heic" ] && "$heic" -q 90 "$from" -o "${to%.*}.heic" >/dev/null 2>&1; then
        to="${to%.*}.heic"
    elif [ "$how" = webp ] && [ "$webp" ] && "$webp" -quiet -q 90 "$from" -o "${to%.*}.webp" 2>/dev/null; then
        to="${to%.*}.webp"
    else
        cp "$from" "$to"
    fi
    printf '%s\t%s\n' "$work/$to" "$person" >>truth
done <plan
n_new=$(grep -c "^$work/new/" truth)
n_known=$(grep -c "^$work/library/" truth)
first=$(sed -n 1p truth | cut -f1)

# What servers, desktops, cameras and other programs leave beside the photos.
find library -mindepth 2 -type d | while read -r folder; do
    mkdir "$folder/@eaDir"
    cp "$first" "$folder/@eaDir/SYNOFILE_THUMB_M.jpg"
    cp "$first" "$folder/.IMG_0001.jpg"
    printf 'cache' >"$folder/Thumbs.db"
    printf 'store' >"$folder/.DS_Store"
    printf '{"title": "IMG_0001.jpg"}' >"$folder/IMG_0001.jpg.json"
done
for folder in '#recycle' __MACOSX .thumbnails lost+found drafts; do
    mkdir "library/$folder"
    cp "$first" "library/$folder/1.jpg"
done
echo 'drafts/' >library/.doppelignore
printf '<x:xmpmeta xmlns:x="adobe:ns:meta/"/>' >library/2001/IMG_0001.xmp
printf '\000\000\000\024ftypqt  ' >library/2001/MVI_0001.MOV
# Links: to a photo, to a folder that is walked anyway, out of the library, to nothing.
cp "$first" outside/1.jpg
mkdir library/favourites
ln -s "$first" library/favourites/best.jpg
ln -s ../2001 library/favourites/first-year
ln -s ../outside library/elsewhere
ln -s nowhere.jpg library/favourites/gone.jpg
# Broken.
mkdir library/damaged
: >library/damaged/empty.jpg
printf 'no photo' >library/damaged/text.jpg
head -c 300 "$first" >library/damaged/cut.jpg
# Names that are no words.
mkdir library/odd
for name in 'a#2.jpg' "tab	tab.jpg" "two
lines.jpg" "quote'\".jpg" "$(printf 'e\314\201.jpg')" "$(printf 'bytes\377.jpg')" '-n.jpg' 'more  spaces .jpg'; do
    cp "$first" "library/odd/$name"
done
# Copies, and other formats, of which nobody is.
mkdir library/Backup library/scans
sed -n 's/\t.*//; 1~50p' truth | grep /library/ | while read -r photo; do
    cp "$photo" "library/Backup/$(echo "$photo" | cksum | cut -d' ' -f1).${photo##*.}"
done
n_copies=$(find library/Backup -type f | wc -l)
for file in heic_444.heic webp_lossy.webp tiff_rgb8.tif avif_444.avif grey.jpg; do
    ! reads "$file" || cp "$fixtures/$file" library/scans/
done
n_scans=$(find library/scans -type f | wc -l)
n_photos=$((n_known + n_copies + n_scans + 8 + 1))
step "made: $n_known photos of known people in $(find library -mindepth 2 -type d ! -name '@eaDir' | wc -l) folders, $((n_photos - n_known)) others, $n_new more for later"

# ------------------------------------------------------------------ scan

must 3 scan library --json
is "photos added" "$(number n_added)" "$n_photos"
is "files refused" "$(number n_refused)" 4
n_faces=$(($(number n_faces) - $(number n_poor)))
step "scanned: $n_photos photos, $(number n_faces) faces, $(number n_poor) of them too poor, in $(number seconds) s"
content scanned
is "photos in the export" "$(grep -c '"type":"photo"' scanned)" $((n_photos + 4))
is "faces in the export" "$(grep -c '"type":"template".*"space":"face"' scanned)" "$n_faces"
must 3 scan library --json
is "photos unchanged" "$(number n_unchanged)" "$n_photos"
content again
same scanned again "nothing was new"

# ------------------------------------------------------------------ group

# The largest face of each photo of a known person, by its template's id: truth.id.
awk -F'\t' 'NR == FNR { person[$1] = $2; next }
    /"type":"photo"/ {
        id = $0; sub(/.*"type":"photo","id":/, "", id); sub(/,.*/, "", id)
        path = $0; sub(/.*"path":"/, "", path); sub(/".*/, "", path)
        if (path in person) who[id] = person[path]
    }
    /"type":"template"/ && /"w_px"/ {
        photo = $0; sub(/.*"photo":/, "", photo); sub(/,.*/, "", photo)
        id = $0; sub(/.*"id":/, "", id); sub(/,.*/, "", id)
        w = $0; sub(/.*"w_px":/, "", w); sub(/,.*/, "", w)
        h = $0; sub(/.*"h_px":/, "", h); sub(/,.*/, "", h)
        if (photo in who && w * h > size[photo]) { size[photo] = w * h; face[photo] = id }
    }
    END { for (photo in face) print face[photo] "\t" who[photo] }' truth full.jsonl >truth.id

must 0 group --limit 0 --json
cp out groups
# GROUP<tab>ID of every face in a group, the largest group first.
awk '/"group": *\{/ {
        number = $0; sub(/.*"number": */, "", number); sub(/[,}].*/, "", number)
        n = split($0, part, /"template_id": */)
        for (i = 2; i <= n; i++) { id = part[i]; sub(/[^0-9].*/, "", id); print number "\t" id }
    }' groups >members
cp groups out
step "grouped: $(number n_grouped) faces in $(number n_groups) groups, $(number n_single) alone, $(number n_too_poor) too poor"

# A face in no group is one of its own.
b_cubed() { # MEMBERS
    awk -F'\t' 'NR == FNR { who[$1] = $2; next }
        $2 in who { group[$2] = $1 }
        END {
            for (id in who) {
                g = id in group ? group[id] : "alone " id
                n_group[g]++; n_who[who[id]]++; n_both[g, who[id]]++; of[id] = g; n++
            }
            for (id in who) {
                precision += n_both[of[id], who[id]] / n_group[of[id]]
                recall += n_both[of[id], who[id]] / n_who[who[id]]
            }
            printf "%.3f %.3f %d\n", precision / n, recall / n, n
        }' truth.id "$1"
}
b_cubed members >b3
step "B-cubed precision and recall, and faces: $(cat b3)"

# ------------------------------------------------------------------ name

# The ten largest groups, by whom most of their faces are of.
awk -F'\t' 'NR == FNR { who[$1] = $2; next }
    !($1 in seen) { seen[$1] = ++n; number[n] = $1 }
    seen[$1] <= 10 && $2 in who { count[$1, who[$2]]++; if (count[$1, who[$2]] > most[$1]) { most[$1] = count[$1, who[$2]]; name[$1] = who[$2] } }
    END { for (i = 1; i <= 10 && i <= n; i++) if (number[i] in name) print number[i] "\t" name[number[i]] }' truth.id members >names
n_named=0
while IFS='	' read -r group name; do
    must 0 name "$group" "$name" --yes --json </dev/null
    n_named=$((n_named + $(number n_named)))
done <names
cut -f2 names | sort -u >people
must 0 list --json
is "people" "$(grep -c '"person"' out)" "$(wc -l <people)"
step "named: $(wc -l <names) groups, $(wc -l <people) people, $n_named faces"
content named
is "photos and faces" "$(grep -c '"type":"photo"\|"type":"template"' named)" "$(grep -c '"type":"photo"\|"type":"template"' scanned)"
is "faces with a name" "$(grep -c '"by_hand"' named)" "$n_named"
# Neither looking again nor grouping again takes a name away.
must 3 scan library --json
must 3 scan library --force --json
must '[01]' group --json # 1: everybody has a name
must 0 list --json
is "people" "$(grep -c '"person"' out)" "$(wc -l <people)"
must 0 export full.jsonl
is "faces with a name" "$(grep -c '"by_hand"' full.jsonl)" "$n_named"
content named

# ------------------------------------------------------------------ query a folder

# Of photos that doppel has not seen: who is called by whose name.
ask() {
    got=0
    "$D" query new --lines >lines 2>err || got=$?
    [ "$got" -le 1 ] || fail "exit status $got: doppel query new --lines"
    awk -F'\t' 'FILENAME == "people" { known[$1]; next }
        FILENAME == "truth" { n = split($1, part, "/"); person[part[n]] = $2; next }
        {
            n = split($1, part, "/"); who = person[part[n]]
            if ($3 in known && $3 == who) right[part[n]] = 1
            else if ($3 in known) wrong[$1, $2] = 1
            n_faces++
            if (who in known) asked[part[n]] = 1
        }
        END {
            for (i in asked) { n_asked++; n_right += i in right }
            for (i in wrong) n_wrong++
            printf "%d of %d photos of the people named are told; of all %d faces %d as somebody else than their photo is of\n", n_right, n_asked, n_faces, n_wrong
        }' people truth lines
}
ask >asked
step "asked: $(cat asked)"

# ------------------------------------------------------------------ move, unmount, scan again, undo

content named
year=$(ls library | grep '^20' | sed -n 3p)
mv "library/$year" "library/Sorted $year"
n_moved=$(awk -F'\t' -v year="$work/library/$year/" 'index($1, year) == 1' truth | wc -l)
must 3 scan library --json
is "photos moved" "$(number n_moved)" "$n_moved"
content moved
sed "s|$work/library/$year/|$work/library/Sorted $year/|" named | sort >as_moved
same as_moved moved "a folder was moved"
step "moved: $n_moved photos"

mv library elsewhere
mkdir library
must 0 scan library --json
is "photos gone" "$(number n_gone)" $((n_photos + 4))
must 3 scan library --prune --json
must 0 list --json
is "people" "$(grep -c '"person"' out)" "$(wc -l <people)"
ask >asked_again
same asked asked_again "the disk was away"
rmdir library
mv elsewhere library
must 3 scan library --json
is "photos unchanged" "$(number n_unchanged)" "$n_photos"
content back
same moved back "the disk was away"
step "unmounted, and there again"

cp -r new library/new
must 3 scan library --json
is "photos added" "$(number n_added)" "$n_new"
step "scanned again: $n_new new photos"
content more
must 0 undo --yes
content undone
same back undone "the scan was taken back"
must 0 undo --yes
content redone
same more redone "the scan was done again"
must 0 check
is "what must be moved, dropped or mended" "$(number n_damaged)" ""
step "taken back and done again; the gallery is sound: $(tail -1 out)"
cp -r gallery copy
rm -r library
must 0 list --json
is "people" "$(grep -c '"person"' out)" "$(wc -l <people)"
echo "nothing was lost"
