# layers.sh SOURCE-TREE - what no compiler flag can enforce: no path climbs out of a folder, public
# headers include neither stdio nor a third-party header, and all headers are listed and installed.
set -eu
cd "$1"
failed=0

complain() {
    echo "$1"
    echo "$2"
    failed=1
}

climbs=$(find base vision index app -name '*.[ch]' -exec \
    grep -nE '#[[:space:]]*include[[:space:]]*"(\.\.?/|.*/\.\./)' {} + || :)
[ -z "$climbs" ] || complain "an include climbs out of its folder:" "$climbs"

allowed='<(stdbool|stddef|stdint)\.h>|"doppel/[a-z_]+\.h"'
foreign=$(grep -nE '^[[:space:]]*#[[:space:]]*include' include/doppel/*.h | grep -vE "$allowed" || :)
[ -z "$foreign" ] || complain "a public header includes more than its own kind:" "$foreign"

for header in include/doppel/*.h; do
    grep -qx "[[:space:]]*${header##*/}" include/CMakeLists.txt ||
        complain "not listed in include/CMakeLists.txt:" "$header"
done
exit $failed
