# layers.sh SOURCE-TREE OBJECT… - what no compiler flag can enforce: no path climbs out of a folder, public
# headers include neither stdio nor a third-party header, all headers are listed and installed, and
# what doppel stands on is included by one file each (onnx by its reader and its writer, libcrypto by
# who hashes and who seals).
set -eu
cd "$1"
shift
failed=0
sh tests/build/circles.sh "$@" || failed=1

complain() {
    echo "$1"
    echo "$2"
    failed=1
}

climbs=$(find base net text vision data train index app serve -name '*.[ch]' -exec \
    grep -nE '#[[:space:]]*include[[:space:]]*"(\.\.?/|.*/\.\./)' {} + || :)
[ -z "$climbs" ] || complain "an include climbs out of its folder:" "$climbs"

allowed='<(stdbool|stddef|stdint)\.h>|"doppel/[a-z_]+\.h"'
foreign=$(grep -nE '^[[:space:]]*#[[:space:]]*include' include/doppel/*.h | grep -vE "$allowed" || :)
[ -z "$foreign" ] || complain "a public header includes more than its own kind:" "$foreign"

for header in include/doppel/*.h; do
    grep -qx "[[:space:]]*${header##*/}" include/CMakeLists.txt ||
        complain "not listed in include/CMakeLists.txt:" "$header"
done
while read -r header owner; do
    others=$(find base net text vision data train index app serve -regextype egrep -name '*.[ch]' ! -regex "$owner" -exec \
        grep -nE "#[[:space:]]*include[[:space:]]*[<\"]$header" {} + || :)
    [ -z "$others" ] || complain "only $owner includes <$header>:" "$others"
done <<EOF
cblas net/blas.c
dav1d/ vision/image/avif.c
exempi/ data/packet.c
expat data/packet_guard.c
faiss/ index/ann.c
j(peglib|error)\.h vision/image/jpeg.c
libde265/ vision/image/heic.c
libexif/ vision/image/exif.c
libpq index/db_postgres.c
microhttpd serve/http.c
onnx/ net/.*onnx.*\.c
openssl/ base/(hash|piece)\.c
png\.h vision/image/png.c
sodium base/secret.c
sqlite3 index/db.c
tiff(io)?\.h vision/image/tiff.c
utf8proc base/unicode.c
webp/ vision/image/webp.c
xxhash base/hash.c
zip\.h data/zip.c
zlib\.h vision/image/png_text.c
EOF

# A gallery's database stands behind index/store.h: only a keeper's files know SQL, or the type of its
# database.
keepers='index/db(_[a-z]+)?\.[ch]|index/store_[a-z_]+\.[ch]'
sql=$(find base net text vision data train index app serve -name '*.[ch]' -exec \
    grep -nE '"[^"]*\<(SELECT|INSERT INTO|UPDATE [a-z]+ SET|DELETE FROM|CREATE TABLE|PRAGMA|VACUUM)\>|\<(dpli_db|dpli_stmt|sqlite3|PG(conn|result))\>' {} + |
    grep -vE "^($keepers):" || :)
[ -z "$sql" ] || complain "only a keeper of the store knows its database:" "$sql"

# The Python package stands on the library and numpy, and what comes with Python.
foreign=$(grep -nE '^[[:space:]]*(import|from) ' python/doppel/*.py |
    grep -vE ':[[:space:]]*(import|from) (__future__|ctypes|dataclasses|contextlib|enum|functools|importlib|math|os|pathlib|sys|threading|types|typing|weakref|numpy|doppel)([. ]|$)' || :)
[ -z "$foreign" ] || complain "the Python package imports more than Python, numpy and itself:" "$foreign"

accepting=$(find base net text vision data train index app serve -name '*.[ch]' ! -path index/policy.c -exec \
    grep -nE '>=[^;]*threshold' {} + || :)
[ -z "$accepting" ] || complain "only index/policy.c accepts, ask dpl_accepts:" "$accepting"

assigning=$(find base net text vision data train index app serve include tests fuzz bench -name '*.[ch]' -exec \
    grep -nE '((if|while) \(|(&&|\|\|) *)!?\(+\*?[a-z][]a-zA-Z0-9_>.[-]* = ' {} + || :)
[ -z "$assigning" ] || complain "assigned inside a condition:" "$assigning"
exit $failed
