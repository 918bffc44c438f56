# A gallery is asked and added to with the model that made it, wherever that is now, and with no other.
. "$SRCDIR/tests/cli/lib.sh"
mkdir people folder
cp "$obama" people/obama.jpg
cp "$biden" people/biden.jpg

# The file, --detect and whose it is are remembered; found also from another folder.
cp "$SRCDIR/models/drawing-64.onnx" mine.onnx
exits 0 enroll people --model ./mine.onnx --detect none
exits 0 query "$obama" --threshold 0.99
says out "$(printf '\t1\tobama\t1.0000\t')"
exits 0 verify "$obama" --as obama --threshold 0.99
exits 0 enroll people
says out "2 unchanged"
cd folder
exits 0 query "$obama" --threshold 0.99
cd ..
exits 0 info
says out "$PWD/mine.onnx"

# Gone: named, and how to say where it is; said once to enroll, it is found again.
mv mine.onnx folder/moved.onnx
for call in "query people/obama.jpg" "verify people/obama.jpg --as obama" "enroll people"; do
    # shellcheck disable=SC2086 # the words of the call
    exits 4 $call
    says err "$PWD/mine.onnx"
    says err "--model FILE"
done
exits 0 query "$obama" --threshold 0.99 --model folder/moved.onnx
exits 4 query "$obama" --threshold 0.99
exits 0 enroll people --model folder/moved.onnx
exits 0 query "$obama" --threshold 0.99

# Another model, given or in its place, is refused: not "unknown".
for call in "query people/obama.jpg --threshold 0.99" "verify people/obama.jpg --as obama --threshold 0.99"; do
    # shellcheck disable=SC2086
    exits 4 $call --model "$DOPPEL_MODELS/image-105.onnx"
    # shellcheck disable=SC2086
    exits 4 $call --model "$DOPPEL_MODELS/face-105.onnx"
done
cp "$SRCDIR/models/face-105.onnx" folder/moved.onnx
exits 4 query "$obama" --threshold 0.99
says err "made by model \"resnet-drawing\""

# Of whole pictures alone.
export DOPPEL_GALLERY="$PWD/pictures"
cp "$SRCDIR/models/image-105.onnx" image.onnx
exits 0 enroll people --model image.onnx --detect none
exits 0 query "$obama" --threshold 0.99 --table
says out "1 known: obama"

# Beside faces; a claim needs no model of whole pictures, nor does a search by faces.
export DOPPEL_GALLERY="$PWD/both"
exits 0 enroll people --image-model image.onnx
exits 0 query "$obama" --by image --json
is "$("$JSON" out picture.hits.0.person)" "obama"
mv image.onnx folder
exits 4 query "$obama"
says err "--image-model FILE"
exits 0 query "$obama" --by face --threshold 0.5
exits 0 verify "$obama" --as obama --threshold 0.5

# What comes with doppel is found where it comes from.
export DOPPEL_GALLERY="$PWD/ours"
mkdir here there
cp "$SRCDIR/models/face-105.onnx" "$SRCDIR/models/face-detect.onnx" here
DOPPEL_MODELS=here exits 0 enroll people
mv here/* there
DOPPEL_MODELS=there exits 0 query "$obama" --threshold 0.5
DOPPEL_MODELS=here exits 4 query "$obama" --threshold 0.5
says err "face-105.onnx"
says err "--model FILE"

# A preset, which changes what the net is given. An export takes all of it along.
export DOPPEL_GALLERY="$PWD/koch"
exits 0 enroll people --model "$SRCDIR/tests/standins/koch.onnx" --preset koch-105 --detect none
exits 0 query "$obama" --threshold 0.8
exits 0 export koch.jsonl
exits 0 import koch.jsonl --gallery again
exits 0 query "$obama" --threshold 0.8 --gallery again
exits 0 export again.jsonl --gallery again
cmp -s koch.jsonl again.jsonl || fail "a round trip changes an export"
