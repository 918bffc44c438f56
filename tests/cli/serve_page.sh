# docs/serve.md's commands run as written, in order, and do what the page says.
. "$SRCDIR/tests/cli/lib.sh"
mkdir bin
ln -s "$DOPPEL" bin/doppel
export PATH="$PWD/bin:$PATH"
cp "$obama" ann-1.jpg
cp "$demo/people/Barack Obama/blue-room.jpg" ann-2.jpg
cp "$biden" bob-1.jpg

# The blocks marked sh, on ports that are free: none that the system gives to whoever asks for any, so that
# nobody has them before doppel does.
ports=$(python3 -c 'import os, socket
free = []
for port in range(10000 + os.getpid() * 2 % 9000, 20000):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        free.append(port)
    except OSError:
        pass
    if len(free) == 2:
        break
print(*free)')
awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$SRCDIR/docs/serve.md" |
    sed "s/\<8080\>/${ports% *}/g; s/\<8081\>/${ports#* }/g" >commands
# kill %1 is of a shell with jobs.
printf 'set -m\ntrap "kill -9 %%1 %%2 2>/dev/null || :" EXIT\n' | cat - commands >with_jobs
bash -eu with_jobs >out 2>err </dev/null || fail "a command of docs/serve.md"
says out '"schema":"doppel.health/1"'
says out '"outcome":"added"'
says out '"person":"Ann"'
says out '"decision":"match"'
says out '"to":"Robert"'
says out '"query":{"text":"a man in a suit","n_tokens":5}'
says out '"change":"undo: rename'
says out '"schema":"doppel.forget/1"'
says out '"n_files_removed":1'
is "$(grep -o '"schema":"doppel.list/1"' out | wc -l)" "3"
