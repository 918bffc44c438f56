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

# Without looking for faces the picture is taken whole, and the gallery remembers it.
export DOPPEL_MODELS="$given"
exits 0 enroll "$demo/people" --detect none
exits 0 query "$obama" --threshold 0.9 --json
is "$("$JSON" out faces.0.box.0)" "0.0"
is "$("$JSON" out faces.0.person)" "Barack Obama"
