# Models are found beside the program or where it is told; a missing or broken one is exit status 4.
. "$SRCDIR/tests/cli/lib.sh"
given=$DOPPEL_MODELS

# The build tree has the layout of an installed one.
unset DOPPEL_MODELS
exits 0 --version
says out "share/doppel/models/face-105.onnx"
says out "FAISS     "
says out "SQLite    3."
says out "BLAS      OpenBLAS"
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5

# All models together are small enough to go with the sources.
size=$(cat "$given"/*.onnx | wc -c)
[ "$size" -lt 20000000 ] || fail "the models are $size bytes together"

# What is told wins, and nothing else is looked at then.
mkdir empty
export DOPPEL_MODELS="$PWD/empty"
exits 4 verify "$demo/congress.jpg" "$obama"
says err "empty"
says err "face-105.onnx"
exits 0 --version
says out "no model \"face-105.onnx\" in \"$PWD/empty\""
exits 0 verify "$demo/congress.jpg" "$obama" --threshold 0.5 --model "$given/face-105.onnx" \
    --detector "$given/face-detect.onnx"
exits 4 verify "$demo/congress.jpg" "$obama" --model nowhere.onnx --detector "$given/face-detect.onnx"
says err "nowhere.onnx"

head -c 100000 "$given/face-105.onnx" >half.onnx
exits 4 verify "$demo/congress.jpg" "$obama" --model half.onnx --detector "$given/face-detect.onnx"
says err "half.onnx"
# A detector is no encoder.
exits 4 verify "$demo/congress.jpg" "$obama" --model "$given/face-detect.onnx" \
    --detector "$given/face-detect.onnx"

# A bare name that is no file here is one of the models that come with doppel, here as in the configuration file; a
# file of that name goes before it, and a folder in front says that a file is meant.
export DOPPEL_MODELS="$given"
exits 0 verify "$demo/congress.jpg" "$obama" --model face-105-large --json
is "$("$JSON" out model.name)" two-mobilefacenets-105
exits 0 verify "$demo/congress.jpg" "$obama" --model face-105-large.onnx --detector face-detect --json
is "$("$JSON" out model.name)" two-mobilefacenets-105
mkdir -p told/doppel
printf 'model = face-105-large\n' >told/doppel/config
export XDG_CONFIG_HOME="$PWD/told"
exits 0 verify "$demo/congress.jpg" "$obama" --json
is "$("$JSON" out model.name)" two-mobilefacenets-105
unset XDG_CONFIG_HOME
exits 4 verify "$demo/congress.jpg" "$obama" --model ./face-105-large
says err "face-105-large"
exits 4 verify "$demo/congress.jpg" "$obama" --model face-105-larger
says err "face-105-larger"
cp half.onnx face-105-large
exits 4 verify "$demo/congress.jpg" "$obama" --model face-105-large
says err "face-105-large"
rm face-105-large

# The gallery remembers it by its name, wherever the models are then; another takes migrate.
mkdir -p remembered/Ann
cp "$obama" remembered/Ann
exits 0 enroll remembered --gallery larger --model face-105-large
exits 0 verify "$demo/congress.jpg" --as Ann --gallery larger --json
is "$("$JSON" out model.name)" two-mobilefacenets-105
exits 4 verify "$demo/congress.jpg" --as Ann --gallery larger --model face-105
says err "doppel migrate"
exits 0 migrate --gallery larger --model face-105
exits 0 verify "$demo/congress.jpg" --as Ann --gallery larger --json
is "$("$JSON" out model.name)" mobilefacenet-105
export DOPPEL_MODELS="$PWD/empty"

# A model that asks for more than its limits is refused before it runs, each limit by its option's name.
# (AddressSanitizer reserves terabytes of addresses.)
nm "$DOPPEL" 2>/dev/null | grep -q __asan_init || ulimit -v 4000000
for kind in large:--model-memory slow:--model-operations; do
    model=$SRCDIR/tests/standins/${kind%%:*}.onnx
    exits 4 verify "$demo/congress.jpg" "$obama" --model "$model" --detector "$given/face-detect.onnx"
    says err "${kind%%:*}.onnx"
    says err "${kind#*:}"
done
exits 4 verify "$demo/congress.jpg" "$obama" --model "$given/face-105.onnx" \
    --detector "$given/face-detect.onnx" --model-memory 1M
says err "face-105.onnx"
mkdir people
cp "$obama" people
# The default encoder runs in less than the detector, whose fault is the run's, not the photos'.
export DOPPEL_GALLERY="$PWD/limited"
exits 4 enroll people --model "$given/face-105.onnx" \
    --detector "$given/face-detect.onnx" --model-memory 4M
exits 0 enroll people --model "$given/face-105.onnx" --detector "$given/face-detect.onnx" \
    --model-memory 1G --model-operations 1e12
says out "1 added"
export DOPPEL_GALLERY="$PWD/gallery"

# Without looking for faces the picture is taken whole, and the gallery remembers it.
export DOPPEL_MODELS="$given"
exits 0 enroll "$demo/people" --detect none
exits 0 query "$obama" --threshold 0.8 --json
is "$("$JSON" out faces.0.box.0)" "0.0"
is "$("$JSON" out faces.0.person)" "Barack Obama"
