#!/bin/sh
# How many instructions each work of work.c takes, against the ceilings of ceilings.txt: what makes
# something slow is seen here, on any machine, however busy it is.
#
# usage: instructions.sh WORK CEILINGS [NAME...]   (DOPPEL_VALGRIND: valgrind)
#
# valgrind says it has AVX2 and no more, so these are the kernels of most people's processors. One core:
# which thread does what is then no matter. JPEG's vector code is not valgrind's kind.
set -eu
unset MALLOC_PERTURB_ # filling what is taken and freed is no work of ours
export LC_ALL=C DOPPEL_CPU=avx2 OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 JSIMD_FORCENONE=1
work=$1 ceilings=$2
shift 2
wanted=" $* "
core=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')
failed=0
printf '%-12s %12s %12s\n' work instructions ceiling
while read -r name ceiling; do
    case $name in '' | '#'*) continue ;; esac
    case $wanted in "  " | *" $name "*) ;; *) continue ;; esac
    taskset -c "$core" "$DOPPEL_VALGRIND" --tool=callgrind --instr-atstart=no --callgrind-out-file=/dev/null \
        --log-file=counted "$work" "$name" || {
        cat counted
        exit 1
    }
    n=$(sed -n 's/^==[0-9]*== Collected *: *//p' counted)
    note=
    if [ "${n:-0}" -gt "$ceiling" ]; then
        note='  above the ceiling'
        failed=1
    elif [ "${n:-0}" -lt $((ceiling / 4)) ]; then
        note='  so few: bring the ceiling down'
        failed=1
    fi
    printf '%-12s %12d %12d%s\n' "$name" "${n:-0}" "$ceiling" "$note"
done <"$ceilings"
exit $failed
