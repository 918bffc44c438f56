# A photo is made of its own file and nothing else: one without pixels is refused, whoever was decoded
# before it, and shows nobody's face.
. "$SRCDIR/tests/cli/lib.sh"

# Memory as a user has it, with what was there before still in it.
unset MALLOC_PERTURB_

portrait="$demo/people/Eileen Collins/nasa-portrait.jpg"
mkdir -p people/Ann people/Ben people/Cid
cp "$portrait" people/Ann/a.jpg
# As large as the portrait, so that its pixels get the same memory: 512x512 in the frame header.
cp "$SRCDIR/tests/fixtures/image/no_pixels.jpg" people/Ben/b.jpg
printf '\002\000\002\000' | dd of=people/Ben/b.jpg bs=1 seek=79 conv=notrunc 2>dd
head -c 40000 "$obama" >people/Cid/half.jpg

exits 3 enroll people --threads 1 -v
says err "refused: $PWD/people/Ben/b.jpg: broken JPEG: Quantization table 0x01 was not defined"
says out "input not usable: 1"
exits 0 list
lacks out "Ben"
exits 0 query "$portrait" --json
is "$("$JSON" out faces.0.candidates | grep -c Ben || :)" "0"
says out "Ann"

exits 3 verify people/Ann/a.jpg people/Ben/b.jpg
says err "Quantization table"

# A face that is not found may be in the rows that are not there.
head -c 20000 "$obama" >third.jpg
exits 3 verify third.jpg people/Ann/a.jpg
says err "no face found; truncated: "

# A face of which half is not there says nothing of whose it is.
head -c 13000 "$portrait" >cut.jpg
exits 3 verify cut.jpg people/Ann/a.jpg
says err "the face is too poor to tell by a rate: cut"
exits 3 verify cut.jpg --as Ann
head -c 20000 "$portrait" >below.jpg
exits 0 verify below.jpg people/Ann/a.jpg

# As CHANGELOG says it: which photos were decoded in part, and how they are looked at again.
"$DOPPEL" export - >all
is "$(grep -a '"type":"photo".*"status":"OK","reason":"\(damaged\|truncated\)' all | wc -l | tr -d ' ')" "1"
exits 0 info Cid
says out "half.jpg  truncated: "
exits 3 enroll --force people
says out "2 updated, 1 refused"
