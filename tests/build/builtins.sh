# builtins.sh SOURCE-TREE - what GCC alone, or clang alone, has of __builtin_… stands where the compiler was asked:
# ./dev fuzz and ./dev lint compile with clang, the tests with GCC, so that it would be found late.
set -eu
cd "$1"
both='add_overflow clzll convertvector cpu_init cpu_supports ctz ctzll frame_address ia32_pause isfinite mul_overflow
    popcount popcountll prefetch return_address sub_overflow unreachable'
known=$(printf '%s' "$both" | tr -s ' \n' '||')
found=$(find app base bench data fuzz include index net serve text train vision tests examples \( -name '*.c' -o -name '*.h' \) \
    -exec grep -nE '__builtin_[a-z0-9_]+' {} + |
    grep -vE "__builtin_($known)\(" | grep -vE '^vision/image/resample\.c:[0-9]+:(#define BYTES_AT.*|    )__builtin_shuffle(vector)?\(' || :)
[ -z "$found" ] || {
    echo "a builtin that GCC and clang do not both have, or that is not in this test's list:"
    echo "$found"
    exit 1
}
