# A gallery in PostgreSQL over TCP: a server with a certificate of its own that takes passwords
# (scram-sha-256) and only over TLS. Whom the client does not know it does not talk to, and a password is
# in nothing that it says, writes or starts.
. "$SRCDIR/tests/cli/lib.sh"
command -v openssl >/dev/null || exit 77
server() {
    sh "$SRCDIR/tests/postgres/server.sh" "$@"
}
export SERVER_OF=$$ XDG_CACHE_HOME="$PWD/cache"
unset PGHOST PGUSER PGPASSWORD PGPASSFILE PGSERVICEFILE
trap 'server stop server' EXIT

# A port that nobody has.
for try in 1 2 3 4 5; do
    export PGPORT=$((20000 + ($$ * 7 + try * 1237) % 12000))
    started=0
    server start server listen_addresses=127.0.0.1 "port=$PGPORT" 2>start.err || started=$?
    [ $started -ne 77 ] || exit 77
    [ $started -ne 0 ] || break
done
[ $started -eq 0 ] || fail "no server: $(cat start.err)"
home=$(cat server/home)

# make_certificate NAME - NAME.crt and NAME.key, of localhost.
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout "$1.key" -out "$1.crt" 2>made || fail "$(cat made)"
}
make_certificate own
make_certificate other
cp own.crt own.key "$home"
chmod 0600 "$home/own.key"
[ "$(id -u)" -ne 0 ] || chown "$(cat server/user)" "$home/own.key"
cat >"$home/data/pg_hba.conf" <<'HBA'
local all doppel trust
hostssl all all 127.0.0.1/32 scram-sha-256
HBA
server psql server postgres -c "CREATE ROLE door LOGIN PASSWORD 'my-secret'" \
    -c "CREATE DATABASE doors OWNER door" -c "ALTER SYSTEM SET ssl_cert_file = '$home/own.crt'" \
    -c "ALTER SYSTEM SET ssl_key_file = '$home/own.key'" -c "ALTER SYSTEM SET ssl = on" \
    -c "SELECT pg_reload_conf()" >said
sure="sslmode=verify-full&sslrootcert=$PWD/own.crt"
doors="postgresql://door@localhost:$PGPORT/doors?$sure"

# By a password file.
touch pass wrong
chmod 0600 pass wrong
echo "localhost:$PGPORT:doors:door:my-secret" >pass
echo "localhost:$PGPORT:doors:door:no-secret" >wrong
export PGPASSFILE="$PWD/pass"
# The server reads what it was told when it comes to it.
becomes "$DOPPEL" migrate --gallery "$doors" >out 2>err
mkdir -p people/obama
cp "$obama" people/obama
exits 0 enroll people --gallery "$doors"
is "$(server psql server doors -c "SELECT count(*) FROM photo")" 1
PGPASSFILE="$PWD/wrong" exits 5 list --gallery "$doors"
says err "password authentication failed"
lacks err "no-secret"
PGPASSFILE="$PWD/nothing" exits 5 list --gallery "$doors"
says err "no password supplied"

# By a service file.
cat >service.conf <<CONF
[faces]
host=localhost
port=$PGPORT
dbname=doors
user=door
passfile=$PWD/pass
sslmode=verify-full
sslrootcert=$PWD/own.crt
CONF
unset PGPASSFILE
PGSERVICEFILE="$PWD/service.conf" exits 0 list --gallery "postgresql://?service=faces"
says out "obama"

# Whom it does not know, it does not talk to.
export PGPASSFILE="$PWD/pass"
exits 5 list --gallery "postgresql://door@localhost:$PGPORT/doors?sslmode=verify-full&sslrootcert=$PWD/other.crt"
says err "certificate verify failed"
echo "127.0.0.1:$PGPORT:doors:door:my-secret" >>pass
exits 5 list --gallery "postgresql://door@127.0.0.1:$PGPORT/doors?$sure"
says err "does not match host name"
exits 5 list --gallery "postgresql://door@localhost:$PGPORT/doors?sslmode=disable"
says err "no encryption"

# In the address, where it should not be, it is shown to nobody all the same.
export PGPASSFILE="$PWD/nothing"
exits 5 list --json --gallery "postgresql://door:no-secret@localhost:$PGPORT/doors?$sure"
lacks out "no-secret"
lacks err "no-secret"
export DOPPEL_GALLERY="postgresql://door:my-secret@localhost:$PGPORT/doors?$sure"
exits 0 enroll people --json
lacks out "my-secret"
lacks err "my-secret"
exits 0 rename obama Barack
exits 0 audit
lacks out "my-secret"
exits 0 info
lacks out "my-secret"
"$DOPPEL" serve --listen 127.0.0.1:0 --photos kept >served 2>serving &
pid=$!
comes has served "serving "
for line in /proc/[0-9]*/cmdline; do
    case $(tr '\0' ' ' <"$line" 2>/dev/null) in
    *my-secret*) fail "a command line holds the password: $line" ;;
    esac
done
kill $pid
wait $pid || fail "it ends with $?: $(cat serving)"
! grep -q "my-secret" served serving || fail "serve tells the password"
is "$(server psql server doors -c "SELECT count(*) FROM audit_line WHERE line LIKE '%secret%'")" 0
! grep -rq "my-secret" cache "$home/log" || fail "the password is written"
