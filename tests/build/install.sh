# install.sh BUILD-TREE FOLDER CC - what is installed works after its prefix has been moved: the program
# runs and has its models beside it, and customers link the library by pkg-config and by CMake.
set -eu
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
# Neither the program nor the libraries may lean on the place where they were built.
for file in "$prefix"/bin/doppel "$prefix"/lib*/libdoppel.so; do
    if readelf -d "$file" | grep -E 'R(UN)?PATH' | grep -v '\[\$ORIGIN[^:]*\]'; then
        echo "$file looks for libraries outside its prefix"
        exit 1
    fi
done

cat >customer.c <<'EOF'
#include <doppel/doppel.h>
#include <string.h>
int main(void)
{
    return strcmp(dpl_version(), DPL_VERSION) != 0;
}
EOF
PKG_CONFIG_PATH=$(dirname "$prefix"/lib*/pkgconfig/doppel.pc)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # a list of options
"$cc" customer.c -o by-pkg-config $(pkg-config --cflags --libs doppel) \
    -Wl,-rpath,"$(pkg-config --variable=libdir doppel)"
./by-pkg-config

cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.22)
project(customer LANGUAGES C)
find_package(doppel 0.1 REQUIRED)
add_executable(by-cmake customer.c)
target_link_libraries(by-cmake PRIVATE doppel::doppel)
EOF
cmake -S . -B by-cmake -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" >>log
cmake --build by-cmake >>log
./by-cmake/by-cmake
cd ..
rm -rf "$2"
