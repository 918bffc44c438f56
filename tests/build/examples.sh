# examples.sh BUILD-TREE FOLDER CC - the programs of examples/c, built as C99 against the installed headers
# by pkg-config, say what is so of the demo's photos, and end with an error's own status.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
cc=$3
people=$source/demo/people
rm -rf "$2"
mkdir -p "$2"
cd "$2"
unset DOPPEL_MODELS

fail() {
    echo "$*"
    exit 1
}

cmake --install "$build" --prefix "$PWD/prefix" >log
for folder in prefix/lib/pkgconfig prefix/lib/*/pkgconfig; do
    [ ! -e "$folder/doppel.pc" ] || export PKG_CONFIG_PATH="$PWD/$folder"
done
[ "$(wc -l <"$source/examples/c/gallery.c")" -le 40 ] || fail "the gallery in 40 lines has more"
for file in "$source"/examples/c/*.c; do
    # shellcheck disable=SC2046 # a list of options
    "$cc" -std=c99 -pedantic -Wall -Wextra -Wconversion -Werror "$file" -o "$(basename "$file" .c)" \
        $(pkg-config --cflags --libs doppel) -Wl,-rpath,"$(pkg-config --variable=libdir doppel)"
done

./verify "$people"/Barack*/blue-room.jpg "$people"/Barack*/official-portrait.jpg >out
grep -q '^match: score 0\.[0-9]*, strangers come so far once in [0-9]* pairs$' out || fail "$(cat out)"
status=0
./verify "$people"/Barack*/blue-room.jpg "$people"/Joe*/blue-room.jpg >out || status=$?
[ $status = 1 ] && grep -q '^no match: ' out || fail "status $status: $(cat out)"
status=0
./verify nothing.jpg "$people"/Joe*/blue-room.jpg 2>out || status=$?
[ $status = 3 ] && grep -q '^verify: "nothing.jpg": ' out || fail "status $status: $(cat out)"

./gallery people "$people" "$people"/Marie*/portrait.png >out
[ "$(cat out)" = "face 1: Marie Curie" ] || fail "$(cat out)"
./gallery people "$people" "$source/demo/stranger.jpg" >out
[ "$(cat out)" = "face 1: unknown" ] || fail "$(cat out)"

# A grey picture has no face, half a picture is none.
printf 'P6 64 64 255\n' >grey.ppm
head -c 12288 /dev/zero | tr '\0' '\200' >>grey.ppm
[ -z "$(./vector <grey.ppm)" ] || fail "a face in plain grey"
if head -c 500 grey.ppm | ./vector 2>out; then
    fail "half a picture is taken"
fi
# The pixels of a portrait, decoded by a program of its own: a face where it is, and its vector.
cat >ppm.c <<'EOP'
#include <doppel/doppel.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    dpl_image i;
    if (argc != 2 || dpl_image_open(&i, argv[1], NULL, NULL) != DPL_OK)
        return 1;
    printf("P6 %d %d 255\n", i.width_px, i.height_px);
    fwrite(i.pixels, 3, (size_t)i.width_px * (size_t)i.height_px, stdout);
    dpl_image_clear(&i);
    return 0;
}
EOP
# shellcheck disable=SC2046 # a list of options
"$cc" ppm.c -o ppm $(pkg-config --cflags --libs doppel) -Wl,-rpath,"$(pkg-config --variable=libdir doppel)"
./ppm "$people"/Barack*/official-portrait.jpg | ./vector >out
awk 'NR == 1 && split($1, box, ",") == 4 && box[1] > 300 && box[1] < 400 {
         for (i = 2; i <= NF; i++) sum += $i * $i
         right = NF > 100 && sum > 0.999 && sum < 1.001
     } END { exit !(right && NR == 1) }' out || fail "$(cut -c 1-200 out)"
cd ..
rm -rf "$2"
