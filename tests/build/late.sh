#!/bin/sh
# What is loaded only when it is needed is not loaded with the program.
#
# usage: late.sh libdoppel.so doppel
set -eu
for file in "$@"; do
    if readelf -d "$file" | grep -E 'NEEDED.*\[lib(faiss|openblas|gomp|gfortran|pq|microhttpd)'; then
        echo "$file asks for it from the start"
        exit 1
    fi
done
