# A portrait in every format that is built in is enrolled, verified and found, inside of the sandbox; one
# in a format that is not is refused by its name.
. "$SRCDIR/tests/cli/lib.sh"
faces=$SRCDIR/tests/fixtures/face

mkdir people
cp -r "$demo/people/Barack Obama" people/
exits 0 enroll people
for file in heic avif webp tif dng; do
    case $file in
    heic) name=HEIC ;; avif) name=AVIF ;; webp) name=WebP ;; tif) name=TIFF ;; *) name= ;;
    esac
    status=0
    "$DOPPEL" verify "$faces/portrait.$file" "$obama" >out 2>err || status=$?
    if [ "$status" -eq 3 ] && [ -n "$name" ]; then
        says err "$name is not built in"
        continue
    fi
    [ "$status" -eq 0 ] || fail "exit status $status: verify portrait.$file"
    exits 0 query "$faces/portrait.$file"
    says out "Barack Obama"
    mkdir "people-$file"
    cp "$faces/portrait.$file" "people-$file/Somebody.$file"
    exits 0 enroll "people-$file" --gallery "gallery-$file"
    says out "1 photo: 1 added"
done
