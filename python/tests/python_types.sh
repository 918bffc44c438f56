# python_types.sh PYTHON BUILD-TREE FOLDER - mypy finds nothing in the package, nor in a program that uses
# it as the README does; and finds what is wrong.
set -eu
python=$1
cd "$(dirname "$0")/.."
"$1" -c 'import mypy, numpy' || exit 77
work=$3/types
rm -rf "$work"
mkdir -p "$work"
cat >"$work/right.py" <<'PY'
from typing import List, Optional
import numpy as np
from numpy.typing import NDArray
import doppel
from doppel.insightface import FaceAnalysis

model = doppel.Model.open()
verdict = model.verify("a.jpg", np.zeros((8, 8, 3), np.uint8))
decision: doppel.Decision = verdict.decision
vectors: NDArray[np.float32] = model.photo("a.jpg").vectors
with doppel.Gallery.open("gallery", "c") as gallery:
    names: List[Optional[str]] = [answer.person for answer in gallery.query(model, "a.jpg")]
boxes = [face.bbox for face in FaceAnalysis().get(np.zeros((8, 8, 3), np.uint8))]
PY
cat >"$work/wrong.py" <<'PY'
import doppel
name: str = doppel.Gallery.open("gallery").query(doppel.Model.open(), "a.jpg")[0].person
doppel.Model.open().verify("a.jpg")
doppel.Model.open().photo(7)
PY
check() {
    "$python" -m mypy --cache-dir "$work/../mypy" --config-file pyproject.toml "$@"
}
check doppel "$work/right.py"
check "$work/wrong.py" >"$work/found" && exit 1
[ "$(grep -c 'wrong.py:[234]: error' "$work/found")" = 3 ] || {
    cat "$work/found"
    exit 1
}
