# symbols.sh NM LIBRARY - the library defines dpl_version and shows nothing that is not dpl_*.
set -eu
names=$("$1" -D --defined-only "$2" | awk '{ print $NF }')
echo "$names" | grep -qx 'dpl_version' || {
    echo "$2 does not show dpl_version"
    exit 1
}
foreign=$(echo "$names" | grep -v '^dpl_' || :)
[ -z "$foreign" ] || {
    echo "$2 shows symbols that are not dpl_*:"
    echo "$foreign"
    exit 1
}
