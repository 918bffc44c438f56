#!/usr/bin/env python3
"""Photos a second from Python by one thread and by several: what the interpreter's lock costs.

    DOPPEL_LIBRARY=build/release/lib/libdoppel.so DOPPEL_MODELS=models python3 bench/python_threads.py

One process, one model, the same photo of the demo from memory; one thread and as many as there are cores in
turns, ten times after a first. A row a turn: photos a second of both and their ratio; last the median.
"""
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
import doppel  # noqa: E402

N_PHOTOS, TURNS = 40, 10


def photos_a_second(pool, model, photo):
    begun = time.perf_counter()
    for _ in pool.map(lambda _: model.decode(photo), range(N_PHOTOS)):
        pass
    return N_PHOTOS / (time.perf_counter() - begun)


def main():
    cores = len(os.sched_getaffinity(0))
    photo = (ROOT / "demo" / "congress.jpg").read_bytes()
    ratios = []
    print("turn,one_thread,%d_threads,ratio" % cores)
    with doppel.Model.open() as model, ThreadPoolExecutor(1) as one, ThreadPoolExecutor(cores) as many:
        for turn in range(TURNS + 1):
            rate = {pool: photos_a_second(pool, model, photo)
                    for pool in ((one, many) if turn % 2 else (many, one))}
            if turn > 0:
                ratios.append(rate[many] / rate[one])
                print("%d,%.1f,%.1f,%.2f" % (turn, rate[one], rate[many], ratios[-1]))
    print("median,,,%.2f" % statistics.median(ratios))


if __name__ == "__main__":
    main()
