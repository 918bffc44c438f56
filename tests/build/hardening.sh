# hardening.sh FILE… - what Debian's hardening-check asks of a program or library, read from the file:
# position independent, relocations read-only, bound at start, stack protector, fortified calls, and on
# x86 control-flow protection.
set -eu
failed=0

lacks() {
    echo "$1 $2"
    failed=1
}

[ $# -gt 0 ]
for file; do
    headers=$(readelf -Wl "$file")
    dynamic=$(readelf -Wd "$file")
    symbols=$(readelf -Ws "$file")
    case $(readelf -Wh "$file" | sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p') in
    DYN) ;;
    *) lacks "$file" "is not position independent" ;;
    esac
    case $headers in
    *GNU_RELRO*) ;;
    *) lacks "$file" "can have its relocations overwritten (-z relro)" ;;
    esac
    case $dynamic in
    *BIND_NOW* | *"Flags: NOW"*) ;;
    *) lacks "$file" "binds lazily (-z now)" ;;
    esac
    case $symbols in
    *__stack_chk_fail*) ;;
    *) lacks "$file" "has no stack protector" ;;
    esac
    case $symbols in
    *_chk@* | *_chk\ *) ;;
    *) lacks "$file" "calls nothing fortified" ;;
    esac
    stack=$(printf '%s\n' "$headers" | awk '$1 == "GNU_STACK" { print $7 }')
    [ "$stack" = RW ] || lacks "$file" "has a stack that runs code"
    # Not by the file's mark, which Debian's crti.o takes away: by the landing places in the code.
    case $(readelf -Wh "$file") in
    *X86-64*)
        objdump -d "$file" | grep -qm 100 endbr64 || lacks "$file" "has no control-flow protection"
        ;;
    esac
done
exit $failed
