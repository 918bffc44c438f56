"""Whole commands on an encrypted gallery beside a plain one, in one run, alternating.

    python3 bench/encryption.py DOPPEL FOLDER-OF-PEOPLE PHOTO [ROUNDS]

Prints CSV: what, rounds, medians of the processor's time plain and encrypted, and the median of the
ratios of neighbours; the same of the time on the clock.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def run(words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    clock = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3, 6):
        sys.exit(done.stderr.decode())
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock


def main():
    doppel, people, photo = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 15
    with tempfile.TemporaryDirectory() as folder:
        words = {"plain": [], "key file": ["--key-file", folder + "/key"],
                 "passphrase": ["--passphrase-file", folder + "/words"]}
        with open(os.open(folder + "/words", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("correct horse battery staple\n")

        def gallery(kind):
            return ["--gallery", f"{folder}/{kind}", *words[kind]]

        for kind in words:
            run([doppel, "enroll", people, "--threads", "1", "--gallery", f"{folder}/{kind}"])
            if kind != "plain":
                run([doppel, "encrypt", *gallery(kind)])
            shutil.copytree(f"{folder}/{kind}", f"{folder}/{kind}.kept")
        jobs = {
            "query": lambda kind: [doppel, "query", photo, "--threads", "1", *gallery(kind)],
            "enroll --force": lambda kind: [doppel, "enroll", people, "--force", "--yes", "--threads",
                                            "1", *gallery(kind)],
            "list": lambda kind: [doppel, "list", *gallery(kind)],
        }
        print("what,kind,rounds,plain_cpu_s,cpu_s,cpu_ratio,plain_clock_s,clock_s,clock_ratio")
        for what, words_of in jobs.items():
            for kind in ("key file", "passphrase"):
                taken = {"plain": [], kind: []}
                for i in range(rounds + 1):
                    for k in taken if i % 2 else reversed(list(taken)):
                        taken[k].append(run(words_of(k)))
                plain, sealed = taken["plain"][1:], taken[kind][1:]  # the first one warms up
                row = [what, kind, rounds]
                for n in (0, 1):
                    row += [f"{statistics.median(t[n] for t in plain):.4f}",
                            f"{statistics.median(t[n] for t in sealed):.4f}",
                            f"{statistics.median(b[n] / a[n] for a, b in zip(plain, sealed)):.3f}"]
                print(",".join(map(str, row)), flush=True)


main()
