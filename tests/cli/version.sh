# doppel --version names the version that the header states.
version=$(sed -n 's/^#define DPL_VERSION  *"\(.*\)"$/\1/p' "$SRCDIR/include/doppel/version.h")
[ -n "$version" ]
"$DOPPEL" --version >out
grep -qF "doppel $version" out
