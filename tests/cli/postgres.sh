# A gallery in PostgreSQL, on a server of the test's own: made, filled from a folder and back, exports the same
# bytes; what is said when the server is not there, or may not be used so.
. "$SRCDIR/tests/cli/lib.sh"
server() {
    sh "$SRCDIR/tests/postgres/server.sh" "$@"
}
export SERVER_OF=$$
export XDG_CACHE_HOME="$PWD/cache"
server start server || exit $?
trap 'server stop server' EXIT
server psql server postgres -c "CREATE DATABASE doors"
unset PGHOST PGUSER PGPASSWORD
socket=$(cat server/host)
doors="postgresql://doppel:a-secret@/doors?host=$socket"

# Tables are made when that is asked for, and never by the way.
mkdir -p people/obama people/biden
cp "$obama" people/obama/1.jpg
cp "$demo/people/Barack Obama/blue-room.jpg" people/obama/2.jpg
cp "$biden" people/biden/1.jpg
exits 4 enroll people --gallery "$doors"
says err "doppel migrate"
lacks err "a-secret"
is "$(server psql server doors -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")" 0

# From a folder, and back into one.
exits 0 enroll people
exits 0 scan "$demo/group.jpg"
exits 0 rename biden Joe
exits 0 reject people/obama/2.jpg obama
exits 0 assign "$demo/group.jpg#1" "Somebody Else"
echo '{"version": 1, "metric": "cosine", "pairs": 1000000, "points": [[0.1, 0.1], [0.9, 1e-6]]}' >gallery/calibration.json
exits 0 export before.jsonl
exits 0 migrate --to "$doors"
says out "copied"
lacks out "a-secret"
exits 0 export there.jsonl --gallery "$doors"
cmp before.jsonl there.jsonl || fail "exports differ"
exits 0 check --gallery "$doors"
exits 0 audit --gallery "$doors"
exits 0 migrate --to back --gallery "$doors"
exits 0 export after.jsonl --gallery back
cmp before.jsonl after.jsonl || fail "exports differ on the way back"
cmp gallery/calibration.json back/calibration.json || fail "the calibration is another"
exits 0 audit --gallery back
exits 4 migrate --to "$doors"
says err "has held photos before"

# It answers what the folder answers.
for gallery in gallery "$doors"; do
    exits 0 query "$biden" --threshold 0.5 --json --gallery "$gallery"
    sed 's/"seconds": [0-9.e-]*//g' out | grep -o '"person": "[^"]*"\|"score": [0-9.]*' >answer
    [ ! -e first ] || cmp first answer || fail "it answers otherwise"
    mv answer first
done
lacks out "a-secret"

# Killed anywhere, nothing half is there.
server psql server postgres -c "CREATE DATABASE killed"
killed="postgresql://doppel@/killed?host=$socket"
exits 0 migrate --gallery "$killed"
for place in step:1 step:7 step:20 read:gallery/calibration.json; do
    holds $place migrate --to "$killed"
    goes_on KILL
    exits 0 export killed.jsonl --gallery "$killed"
    cmp -s before.jsonl killed.jsonl || [ "$(wc -l <killed.jsonl)" -eq 2 ] || fail "half a gallery"
done
cmp -s before.jsonl killed.jsonl || exits 0 migrate --to "$killed"
exits 0 export killed.jsonl --gallery "$killed"
cmp before.jsonl killed.jsonl || fail "it does not go on"

# Who may only read, reads.
server psql server doors -c "CREATE ROLE reader LOGIN" -c "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"
reader="postgresql://reader@/doors?host=$socket"
exits 0 list --gallery "$reader"
exits 0 query "$biden" --threshold 0.5 --gallery "$reader"
exits 4 rename Joe Joseph --gallery "$reader"
says err "may not"

# A server that is away is told as that, and nobody's password.
exits 5 list --gallery "postgresql://doppel:a-secret@/doors?host=$socket/elsewhere"
lacks err "a-secret"
says err "no connection"
server halt server
exits 5 enroll people --gallery "$doors"
says err "no connection"
lacks err "a-secret"
exits 5 list --gallery "$doors" --json
lacks out "a-secret"
server again server
exits 0 list --gallery "$doors"
