# encryption: docs/encryption.md as written; no byte of what is sealed in any file, log or core; wrong keys.
. "$SRCDIR/tests/cli/lib.sh"

# nothing_plain FOLDER… - no file in them has a name, a path, or bytes of a thumbnail or a vector.
nothing_plain() {
    for text in Curie "Barack" official-portrait blue-room "$(printf '\377\330\377')"; do
        found=$(LC_ALL=C grep -rlaF -- "$text" "$@" || :)
        [ -z "$found" ] || fail "\"$text\" is in $found"
    done
    while read -r bytes; do
        found=$(LC_ALL=C grep -rlaP -- "$bytes" "$@" || :)
        [ -z "$found" ] || fail "bytes of a vector are in $found"
    done <vectors
}

# The commands of the document, in a home of their own.
mkdir -p book/work
(
    cd book/work
    mkdir -p people/Ann
    cp "$obama" people/Ann/1.jpg
    (umask 077 && echo correct horse >words)
)
sed -n '/^```sh$/,/^```$/{/^doppel /p}' "$SRCDIR/docs/encryption.md" >commands
[ "$(wc -l <commands)" -ge 10 ] || fail "the document has too few commands"
while read -r line <&3; do
    set -- $line
    shift
    status=0
    (cd book/work && DOPPEL_GALLERY=../gallery "$DOPPEL" "$@") >out 2>err || status=$?
    is $status 0
done 3<commands

# What is to be looked for is found where it is plain. Twelve bytes of each vector, as grep writes them.
exits 0 enroll "$demo/people"
exits 0 export plain.jsonl
sed -n 's/.*"vector": *"\([^"]*\)".*/\1/p' plain.jsonl >base64
while read -r vector; do
    echo "$vector" | base64 -d | od -An -v -tx1 -j 64 -N 12 | sed 's/ /\\x/g'
done <base64 >vectors
rm plain.jsonl base64
[ "$(wc -l <vectors)" -ge 10 ] || fail "there are too few vectors"
for text in Curie "$(head -n 1 vectors)"; do
    LC_ALL=C grep -rlaP -- "$text" gallery >out || fail "the search does not find what is there"
done

exits 0 encrypt --key-file key
says out "whoever has that file reads it"
nothing_plain gallery
for command in list info check "check --repair" "query '$obama'" "export -" "forget Nobody"; do
    eval "exits 4 $command"
    says err "is encrypted, and its key is in a file of its own that was not named"
done
exits 0 list --key-file key
says out "Marie Curie"
exits 0 info --key-file key
says out "encrypted"
exits 0 check --key-file key
says out "nothing is damaged"
exits 0 query "$obama" --key-file key
says out "Barack Obama"
exits 4 list --key-file other
says err "there is no key file"

# A passphrase: by file, by descriptor, by a service's credentials, wrong, and none.
(umask 077 && echo correct horse >words && echo wrong horse >wrong && : >empty)
exits 0 rekey --key-file key --new-passphrase-file words --json
is "$("$JSON" out passphrase)" "true"
exits 4 list --key-file key --passphrase-file wrong
says err "that is not the passphrase"
exits 4 list --key-file key --passphrase-file empty
says err "is empty"
status=0
setsid "$DOPPEL" list --key-file key >out 2>err </dev/null || status=$?
is $status 4
says err "where there is no terminal to type it on"
exits 0 list --key-file key --passphrase-file /dev/fd/5 5<words
mkdir -m 700 credentials
cp -p words credentials/doppel.passphrase
cp -p key credentials/doppel.key
CREDENTIALS_DIRECTORY=$PWD/credentials exits 0 list
printf 'key-file = %s\npassphrase-file = %s\n' "$PWD/key" "$PWD/words" >config
export XDG_CONFIG_HOME="$PWD/configuration"
mkdir -p configuration/doppel
cp config configuration/doppel/config
exits 0 list
nothing_plain gallery
exits 0 export sealed --export-passphrase-file words
exits 4 import sealed --gallery other --export-passphrase-file wrong
says err "that is not its passphrase"
head -c 5000 sealed >cut
exits 4 import cut --gallery other --export-passphrase-file words
[ ! -e other ] || fail "an import that failed left a gallery"

# The server: its log, and files while it answers and enrols, and after it is killed. No core is left.
ulimit -c unlimited 2>/dev/null || :
mkdir server
(cd server && exec "$DOPPEL" serve --listen 127.0.0.1:0 >../serve.out 2>../serve.err </dev/null) &
pid=$!
comes has serve.out serving
url=$(sed -n 's|.*\(http://[^ /]*\).*|\1|p' serve.out serve.err | head -n 1)
curl -sS --data-binary "@$biden" -H "Content-Type: application/octet-stream" "$url/v1/query" >answer || fail "the server does not answer"
says answer "Joe Biden"
nothing_plain gallery serve.err
kill -ABRT $pid
wait $pid || :
nothing_plain gallery serve.err
[ -z "$(ls server)" ] || fail "a core was left: $(ls server)"

# Forgotten: an old copy opens by the key file as it is now, but for whoever was forgotten.
cp -r gallery copy
exits 0 forget "Marie Curie"
exits 4 list --gallery copy
exits 4 check --gallery copy
says out "forgotten:photo-"
exits 0 info "Joe Biden" --gallery copy
says out "blue-room.jpg"

exits 0 decrypt
says out "is plain"
rm configuration/doppel/config
exits 0 list
