# doppel --version names the version that the header states.
version=$(sed -n 's/^#define DPL_VERSION  *"\(.*\)"$/\1/p' "$SRCDIR/include/doppel/version.h")
[ -n "$version" ]
"$DOPPEL" --version >out
grep -qF "doppel $version" out

# A hash has one name, wherever it is told: of the file as sha256sum gives it, of the net, of vectors.
. "$SRCDIR/tests/cli/lib.sh"
exits 0 --version
hashes=$(sed -n '/^encoder/{n;p;}' out)
for name in file net vectors; do
    short=$(echo "$hashes" | sed -n "s/.*$name \([0-9a-f]\{12\}\).*/\1/p")
    [ -n "$short" ] || fail "--version has no hash \"$name\" of the encoder"
    exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --json
    is "$("$JSON" out model.hashes.$name | cut -c 1-12)" "$short"
done
is "$("$JSON" out model.hashes.file)" "$(sha256sum <"$DOPPEL_MODELS/face-105.onnx" | cut -c 1-64)"
is "$("$JSON" out detector.hashes.file)" "$(sha256sum <"$DOPPEL_MODELS/face-detect.onnx" | cut -c 1-64)"
exits 0 enroll "$demo/people"
exits 0 info
says out ", vectors $short"
exits 0 info "$obama"
says out ", vectors $short"
exits 0 info --json
is "$("$JSON" out models.face.hashes.vectors | cut -c 1-12)" "$short"
exits 0 info "$obama" --json
is "$("$JSON" out templates.0.vectors | cut -c 1-12)" "$short"
exits 0 query "$demo/congress.jpg" --threshold 0.5 --json
is "$("$JSON" out model.hashes.vectors | cut -c 1-12)" "$short"
