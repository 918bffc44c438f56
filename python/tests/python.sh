# python.sh PYTHON BUILD-TREE FOLDER - pytest of the package as it lies in the source tree.
set -eu
cd "$(dirname "$0")/.."
"$1" -c 'import numpy, pytest' || exit 77
exec "$1" -m pytest --basetemp="$3/pytest" tests
