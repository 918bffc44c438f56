# Names from folders, as people expect: what a shell lists of a folder is the folder, dates are
# nobody, rubbish is left out, and nobody is named by accident.
. "$SRCDIR/tests/cli/lib.sh"

curie="$demo/people/Marie Curie/portrait.png"
collins="$demo/people/Eileen Collins/nasa-portrait.jpg"
names() { # of the gallery's people, in a line
    "$DOPPEL" export - --gallery "$1" | grep '"type":"person"' | sed 's/.*"name":"\([^"]*\)".*/\1/' | sort | tr '\n' ';'
}

mkdir -p people/Ann people/Bob
cp "$obama" people/Ann/1.jpg
cp "$biden" people/Bob/1.jpg
cp "$curie" people/Marie.png
exits 0 enroll people --gallery a
exits 0 enroll people/* --gallery b
exits 0 enroll people/*/*.jpg people/*.png --gallery c
is "$(names a)" "Ann;Bob;Marie;"
is "$(names b)" "Ann;Bob;Marie;"
is "$(names c)" "Ann;Bob;Marie;"
exits 0 enroll people/*/*.jpg --gallery d
is "$(names d)" "Ann;Bob;"
# Somebody who is known is meant by their folder.
cp "$collins" people/Ann/2.jpg
exits 0 enroll people/Ann --gallery a
is "$(names a)" "Ann;Bob;Marie;"

# Files of different folders that only share how they are called.
mkdir -p x/here y/there
cp "$obama" x/here/1.jpg
cp "$biden" y/there/1.jpg
exits 3 enroll x/here y/there --gallery e
says out "would be the name of files in different folders"
[ ! -e e ] || fail "a gallery was made for nothing"
exits 0 enroll x/here y/there --name Ann --gallery e

# What machines put aside, what is hidden, and what is asked to be left out.
mkdir -p "people/Ann/@eaDir" "people/#recycle" people/.thumbnails people/lost+found people/__MACOSX \
    people/private/Zoe people/Carl
for folder in "people/Ann/@eaDir" "people/#recycle" people/.thumbnails people/lost+found \
    people/__MACOSX people/private/Zoe people/Carl; do cp "$demo/stranger.jpg" "$folder/s.jpg"; done
cp "$demo/stranger.jpg" people/Carl/draft-1.jpg
cp "$demo/stranger.jpg" people/Carl/draft-2.jpg
printf '# not these\n/private/\ndraft-*.jpg\n!draft-2.jpg\n' >people/.doppelignore
printf 'x' >people/Ann/Thumbs.db
printf 'x' >people/Ann/desktop.ini
printf '<x/>' >people/Ann/1.xmp
printf '{}' >people/Ann/1.json
printf '\000\000\000\030ftypqt  ' >people/Ann/film.MOV
exits 0 enroll people --gallery f
is "$(names f)" "Ann;Bob;Carl;Marie;"
says out "6 photos: 6 added"
says out "5 files passed over: no pictures"
says out "6 names left out"
exits 0 enroll people/* --gallery g
is "$(names g)" "Ann;Bob;Carl;Marie;"
says out "5 files passed over: no pictures"

# A year or a date is not a person.
mkdir -p years/2019/07 years/Ann/2019 "years/2020-01-01 Party" years/2021/Bob
cp "$obama" years/2019/07/1.jpg
cp "$biden" years/Ann/2019/2.jpg
cp "$curie" "years/2020-01-01 Party/3.png"
cp "$collins" years/2021/Bob/4.jpg
exits 3 enroll years --gallery h
is "$(names h)" "Ann;Bob;"
says out "named by a date"
says out "refused, input not usable: 2"
exits 0 enroll years/2019 --name Cid --gallery h
# Once known, whoever is above the date.
mkdir -p years/2019/Ann/2018/12
cp "$demo/stranger.jpg" years/2019/Ann/2018/12/5.jpg
exits 3 enroll years --gallery h
is "$(names h)" "Ann;Bob;Cid;"

# Two spellings of one name.
mkdir -p "spell/$(printf 'Jos\303\251')" "spell/$(printf 'Jose\314\201')"
cp "$obama" "spell/$(printf 'Jos\303\251')/1.jpg"
cp "$biden" "spell/$(printf 'Jose\314\201')/2.jpg"
exits 0 enroll spell --gallery i
says out "1 person, 2 photos"

# One file under two people, in one run.
mkdir -p twice/Ann twice/Bob
cp "$obama" twice/Ann/1.jpg
cp "$obama" twice/Bob/2.jpg
exits 0 enroll twice --gallery j
says err "the same file as Bob"

# A group names nobody; a portrait with somebody small behind names whom it is of.
mkdir -p group/Ann
cp "$demo/group.jpg" group/Ann/1.jpg
exits 3 enroll group --gallery k
exits 0 enroll group --faces all --gallery k
is "$(names k)" ""
says err "21 faces, and which one is meant is not clear: they are nobody's"
exits 1 query "$demo/group.jpg" --gallery k
exits 0 enroll group --faces all --gallery k
says out "1 unchanged"

# Another name for everybody is asked about.
exits 0 export before.jsonl --gallery f
exits 2 enroll people --name Everyone --gallery f
says err "would become \"Everyone\"'s (--yes says that it is meant)"
exits 0 export after.jsonl --gallery f
cmp before.jsonl after.jsonl || fail "something was changed"
exits 0 enroll people --name Everyone --yes --gallery f
is "$(names f)" "Everyone;"
exits 0 enroll people --name Everyone --gallery f

# A gallery has a folder of its own.
exits 4 enroll people --gallery people
says err "holds other files"
[ ! -e people/gallery.db ] || fail "a gallery among photos"
# As it is where doppel is installed for one user.
mkdir -p own/models
exits 0 enroll people/Ann --gallery own
mkdir empty
# None is made for nothing, whenever it turns out that there is nothing, or that a word was wrong.
made_for_nothing() { # CODE WORD…
    code=$1
    shift
    exits "$code" "$@" --gallery l
    [ ! -e l ] || fail "a gallery was made for nothing: $*"
}
echo "no model" >bad.onnx
made_for_nothing 0 enroll empty
made_for_nothing 3 enroll nowhere
made_for_nothing 3 scan people nowhere
made_for_nothing 4 enroll people --model bad.onnx
made_for_nothing 4 enroll people --detector bad.onnx
made_for_nothing 4 scan people --image-model bad.onnx
made_for_nothing 4 scan people --text-model bad.onnx
made_for_nothing 4 scan people --captions nowhere.csv
made_for_nothing 3 scan people --captions nowhere.csv --text-model "$SRCDIR/models/sentence-256.onnx"
made_for_nothing 3 scan people --captions bad.onnx --text-model "$SRCDIR/models/sentence-256.onnx"
made_for_nothing 5 scan people --html nowhere/page.html
made_for_nothing 3 import nowhere.jsonl
made_for_nothing 3 import bad.onnx
made_for_nothing 4 serve --listen 127.0.0.1:0 --model bad.onnx
made_for_nothing 4 serve --listen 127.0.0.1:0 --text-model bad.onnx
mkdir l
exits 3 enroll nowhere --gallery l
rmdir l || fail "something is left in a folder that was there"
