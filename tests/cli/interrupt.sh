# SIGINT and SIGTERM end an enrolment with 130; what is done is kept, and the next run does the rest.
. "$SRCDIR/tests/cli/lib.sh"
unset OPENBLAS_NUM_THREADS OMP_NUM_THREADS
n=80
i=0
while [ $i -lt $n ]; do
    mkdir -p "people/p$i"
    cp "$demo/people/Marie Curie/portrait.png" "people/p$i/x.png"
    i=$((i + 1))
done

# interrupt SIGNAL - enrols, and sends the signal when most are done.
interrupt() {
    holds read:/p7/x.png enroll people -v --threads 1 --detect-side 160
    told=$(wc -l <err)
    ls "/proc/$pid/task" | wc -l >tasks
    goes_on "$1"
    [ $status -eq 130 ] || fail "exit status $status, not 130, after SIG$1"
    says err "interrupted"
}
interrupt INT
[ "$(cat tasks)" -eq 1 ] || fail "$(cat tasks) threads where one was asked for"
exits 0 list
says out " people, "
before=$(sed -n 's/ people, .*//p' out)
[ "$told" -ge 20 ] || fail "$told photos were told"
[ "$before" -ge "$told" ] && [ "$before" -lt $n ] || fail "$before of $n people after SIGINT"
exits 0 enroll people --detect-side 160
says out "$before unchanged"
exits 0 list
says out "$n people, $n photos"

rm -rf gallery
interrupt TERM
exits 0 enroll people --detect-side 160
exits 0 list
says out "$n people, $n photos"
