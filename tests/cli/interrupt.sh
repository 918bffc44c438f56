# SIGINT and SIGTERM end an enrolment with 130; what is done is kept, and the next run does the rest.
. "$SRCDIR/tests/cli/lib.sh"
n=160
i=0
while [ $i -lt $n ]; do
    mkdir -p "people/p$i"
    cp "$demo/people/Marie Curie/portrait.png" "people/p$i/x.png"
    i=$((i + 1))
done

# interrupt SIGNAL - enrols until the first photos are told, then sends the signal.
interrupt() {
    : >out
    : >err
    env -u OPENBLAS_NUM_THREADS -u OMP_NUM_THREADS "$DOPPEL" enroll people -v --threads 1 --detect-side 160 >out 2>err &
    pid=$!
    while [ "$(wc -l <err)" -lt 60 ] && kill -0 $pid 2>/dev/null; do
        sleep 0.02
    done
    if [ -d /proc/$pid/task ]; then
        ls /proc/$pid/task | wc -l >tasks
    fi
    kill -"$1" $pid || fail "it was over before the signal came"
    status=0
    wait $pid || status=$?
    [ $status -eq 130 ] || fail "exit status $status, not 130, after SIG$1"
    says err "interrupted"
}
interrupt INT
[ "$(cat tasks)" -eq 1 ] || fail "$(cat tasks) threads where one was asked for"
exits 0 list
says out " people, "
before=$(sed -n 's/ people, .*//p' out)
[ "$before" -ge 60 ] && [ "$before" -lt $n ] || fail "$before of $n people after SIGINT"
exits 0 enroll people --detect-side 160
says out "$before unchanged"
exits 0 list
says out "$n people, $n photos"

rm -rf gallery
interrupt TERM
exits 0 enroll people --detect-side 160
exits 0 list
says out "$n people, $n photos"
