# python_install.sh PYTHON BUILD-TREE FOLDER - `pip install` without a network, twice: a wheel that uses the
# library where it is installed, and one that has it along with its models and needs the prefix no more.
set -eu
python=$1 build=$2
here=$(cd "$(dirname "$0")/.." && pwd)
people=$here/../demo/people
"$python" -c "import setuptools, pip, venv, wheel, numpy" || exit 77
rm -rf "$3/install"
mkdir -p "$3/install"
cd "$3/install"
unset DOPPEL_LIBRARY DOPPEL_MODELS PYTHONPATH

cmake --install "$build" --prefix "$PWD/prefix" >log
PKG_CONFIG_PATH=$(dirname "$PWD"/prefix/lib*/pkgconfig/doppel.pc "$PWD"/prefix/lib*/*/pkgconfig/doppel.pc 2>/dev/null |
    while read -r folder; do [ ! -d "$folder" ] || echo "$folder"; done | head -n 1)
export PKG_CONFIG_PATH
[ "$(pkg-config --variable=libdir doppel)" ]

# The source stays clean: pip builds in place.
mkdir source
cp -R "$here"/doppel "$here"/pyproject.toml "$here"/setup.py "$here"/README.md source/

# install VENV [NAME=VALUE]: a fresh environment, with the system's numpy, and the package in it.
install() {
    "$python" -m venv --system-site-packages --without-pip "$1"
    env ${2+"$2"} "$python" -m pip --python "$1/bin/python" install --quiet --no-build-isolation --no-index \
        --no-deps --disable-pip-version-check ./source >>log 2>&1 || { cat log; exit 1; }
    rm -rf source/build source/*.egg-info
}

cat >use.py <<'EOP'
import sys
import doppel
assert doppel.__file__.startswith(sys.prefix), doppel.__file__
people = sys.argv[1]
model = doppel.Model.open()
a, b = (people + "/Barack Obama/" + name for name in ("blue-room.jpg", "official-portrait.jpg"))
assert model.verify(a, b).decision == doppel.Decision.MATCH
print(doppel.library_path, model.encoder.path)
EOP

install outside
outside/bin/python use.py "$people" >said
grep -q "^$PWD/prefix/lib.*libdoppel.so.* $PWD/prefix/share/doppel/models/" said || { cat said; exit 1; }

install inside DOPPEL_BUNDLE="$PWD/prefix"
mv prefix gone
inside/bin/python use.py "$people" >said
grep -q "^$PWD/inside/.*/bundle/lib.*libdoppel.so.* $PWD/inside/.*/bundle/share/doppel/models/" said || {
    cat said
    exit 1
}
if ldd inside/lib/python3*/site-packages/doppel/bundle/lib/libdoppel.so.* | grep 'not found'; then
    exit 1
fi
grep -q 'linux\|macosx' inside/lib/python3*/site-packages/doppel-*.dist-info/WHEEL || {
    echo "a wheel with a library says that it is for any platform"
    exit 1
}
# Without its library the first says what it has looked for, and how to say where it is.
if outside/bin/python -c 'import doppel' 2>said; then
    echo "there is no library, and it is loaded"
    exit 1
fi
grep -q 'ImportError: the doppel library is not found: .*/prefix/.*set DOPPEL_LIBRARY' said || {
    cat said
    exit 1
}
cd ..
rm -rf install
