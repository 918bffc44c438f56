# docs/postgresql.md's commands run as written, in order, and do what the page says.
. "$SRCDIR/tests/cli/lib.sh"
server() {
    sh "$SRCDIR/tests/postgres/server.sh" "$@"
}
export SERVER_OF=$$
export XDG_CACHE_HOME="$PWD/cache"
server start server wal_level=replica max_wal_senders=4 || exit $?
trap 'server stop server; server stop replica' EXIT
mkdir bin
ln -s "$DOPPEL" bin/doppel
export PATH="$PWD/bin:$(cat server/bin):$PATH"
PGHOST=$(cat server/host)
export PGHOST PGUSER=doppel
mkdir -p people/Ann people/Bob
cp "$obama" people/Ann/1.jpg
cp "$biden" people/Bob/1.jpg
cp "$demo/people/Barack Obama/blue-room.jpg" door.jpg
exits 0 enroll people --gallery former

awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$SRCDIR/docs/postgresql.md" >commands
bash -eu commands >out 2>err </dev/null || fail "a command of docs/postgresql.md"
says out "2 people"

# What the roles may.
reader="postgresql://doppel_reader@/faces"
writer="postgresql://doppel_writer@/faces"
exits 0 list --gallery "$reader"
exits 4 rename Ann Anna --gallery "$reader"
says err "may not change"
exits 0 rename Ann Anna --gallery "$writer"
exits 0 undo --yes --gallery "$writer"
exits 4 migrate --gallery "$reader"

# A replica is read, and told as one when it is to be changed.
sh "$SRCDIR/tests/postgres/server.sh" follow replica server
exits 0 list --gallery "postgresql://doppel_reader@/faces?host=$(cat replica/host)"
says out "Bob"
exits 0 query door.jpg --threshold 0.5 --gallery "postgresql://doppel_reader@/faces?host=$(cat replica/host)"
exits 4 rename Ann Anna --gallery "postgresql://doppel_writer@/faces?host=$(cat replica/host)"
says err "replica"
exits 0 forget Bob --gallery "postgresql://doppel_owner@/faces"
# It follows.
is_gone() {
    ! "$DOPPEL" info Bob --gallery "postgresql://doppel_reader@/faces?host=$(cat replica/host)" >out 2>err
}
becomes is_gone
