#!/bin/sh
# lint.sh BUILD-TREE [FILE…] - clang-tidy, with the checks of .clang-tidy, over every C file that is
# compiled there but the tests and what is generated, or over those given.
set -eu
tree=$1
shift
# shellcheck disable=SC2046 # a list of files
[ $# -gt 0 ] || set -- $(sed -n 's/^ *"file": "\(.*\.c\)",*$/\1/p' "$tree/compile_commands.json" |
    grep -v -e /build/ -e /tests/ | sort -u)
# One compiler's warning options are not another's.
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 8 \
    clang-tidy -p "$tree" --quiet --extra-arg=-Wno-unknown-warning-option
