# install.sh BUILD-TREE FOLDER CC - what is installed works after its prefix has been moved: the program
# runs and has its models beside it, customers link the library by pkg-config and by CMake and find the
# models by either and by the library, and the README's program does what it says.
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
cc=$3
rm -rf "$2"
mkdir -p "$2"
cd "$2"

cmake --install "$build" --prefix "$PWD/first" >log
mv first moved
prefix=$PWD/moved
"$prefix/bin/doppel" --version | grep -q '^doppel [0-9]'
ls "$prefix"/share/doppel/models/*.onnx >/dev/null
if find "$prefix" -name '*.py' | grep .; then
    echo "the makers of the models are installed too"
    exit 1
fi
# What shells and man read.
for file in man/man1/doppel.1 bash-completion/completions/doppel zsh/site-functions/_doppel \
    fish/vendor_completions.d/doppel.fish; do
    [ -s "$prefix/share/$file" ] || {
        echo "share/$file is not installed"
        exit 1
    }
done
# Neither the program nor the libraries may lean on the place where they were built.
for file in "$prefix"/bin/doppel "$prefix"/lib*/libdoppel.so; do
    if readelf -d "$file" | grep -E 'R(UN)?PATH' | grep -v '\[\$ORIGIN[^:]*\]'; then
        echo "$file looks for libraries outside its prefix"
        exit 1
    fi
done

# It is not in a bin beside share/, so it is by the library that the models are found.
cat >customer.c <<'EOF'
#include <doppel/doppel.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    char *path;
    dpl_error err;
    if (dpl_models_find(&path, DPL_MODEL_ENCODER, &err) != DPL_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    puts(path);
    dpl_bytes_free(path);
    return strcmp(dpl_version(), DPL_VERSION) != 0;
}
EOF
unset DOPPEL_MODELS
models=$prefix/share/doppel/models
PKG_CONFIG_PATH=$(dirname "$prefix"/lib*/pkgconfig/doppel.pc)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of options
"$cc" customer.c -o by-pkg-config $(pkg-config --cflags --libs doppel) \
    -Wl,-rpath,"$(pkg-config --variable=libdir doppel)"
[ "$(./by-pkg-config)" = "$models/face-105.onnx" ]
[ -e "$(pkg-config --variable=modelsdir doppel)/face-105.onnx" ]

# The README's program, as written.
sed -n '/^```c$/,/^```$/p' "$source/README.md" | sed '1d;$d' >same.c
# shellcheck disable=SC2046 # a list of options
"$cc" -std=c99 -Wall -Wextra -Werror same.c -o same $(pkg-config --cflags --libs doppel) \
    -Wl,-rpath,"$(pkg-config --variable=libdir doppel)"
people="$source/demo/people"
[ "$(./same "$people"/Barack*/blue-room.jpg "$people"/Barack*/official-portrait.jpg)" = match ]
[ "$(./same "$people"/Barack*/blue-room.jpg "$people"/Joe*/blue-room.jpg)" = "no match" ]

cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.22)
project(customer LANGUAGES C)
find_package(doppel 0.1 REQUIRED)
add_executable(by-cmake customer.c)
target_link_libraries(by-cmake PRIVATE doppel::doppel)
if(NOT EXISTS ${doppel_MODELS_DIR}/face-105.onnx)
  message(FATAL_ERROR "doppel_MODELS_DIR is ${doppel_MODELS_DIR}")
endif()
EOF
cmake -S . -B by-cmake -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" >>log
cmake --build by-cmake >>log
[ "$(./by-cmake/by-cmake)" = "$models/face-105.onnx" ]
cd ..
rm -rf "$2"
