#!/usr/bin/env python3
"""What the benchmarks beside a peer share: the rows they write, and the table that is made of them.

    PYTHON bench/figures.py build/bench/*.csv

A row is one thing done by doppel and by one peer in turns: the least, the median and the 95th percentile
of both, in the unit named, and the ratio of the medians and of the least times: above 1 where doppel is
faster. The last columns say on what. The table has a line a row, and says what is missing.
"""
import csv
import datetime
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = ["benchmark", "what", "threads", "unit", "doppel_min", "doppel_median", "doppel_p95", "peer", "peer_min",
           "peer_median", "peer_p95", "ratio_min", "ratio", "runs", "note", "processor", "cores", "load", "revision", "date"]


def processor():
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown"


def revision():
    out = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True)
    return out.stdout.strip() or "unknown"


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * percent // 100)]


class Figures:
    """Rows on standard output, each as soon as it is known."""

    def __init__(self, benchmark):
        self.fixed = {"benchmark": benchmark, "processor": processor(), "cores": len(os.sched_getaffinity(0)),
                      "revision": revision(), "date": datetime.date.today().isoformat()}
        self.out = None

    def row(self, what, threads, ours, peer, theirs, unit="ms", note=""):
        """ours and theirs: what each run took, in the unit."""
        if self.out is None:
            self.out = csv.DictWriter(sys.stdout, COLUMNS)
            self.out.writeheader()
        row = dict(self.fixed, what=what, threads=threads, unit=unit, peer=peer, runs=len(ours), note=note,
                   load="%.1f" % os.getloadavg()[0])
        for who, of in (("doppel", ours), ("peer", theirs)):
            row[who + "_min"] = "%.4g" % min(of)
            row[who + "_median"] = "%.4g" % statistics.median(of)
            row[who + "_p95"] = "%.4g" % percentile(of, 95)
        row["ratio_min"] = "%.2f" % (min(theirs) / min(ours))
        row["ratio"] = "%.2f" % (statistics.median(theirs) / statistics.median(ours))
        self.out.writerow(row)
        sys.stdout.flush()


class Side:
    """A process that does something each time that a line asks it to, and says in numbers what that took."""

    def __init__(self, words, **environment):
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment})

    def line(self):
        words = self.process.stdout.readline().split()
        if not words:
            sys.exit(f"{self.process.args[0]} ended")
        return [float(x) for x in words]

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.line()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def table(paths):
    rows = []
    for path in paths:
        with open(path, newline="") as file:
            reader = csv.DictReader(line for line in file if not line.startswith("#"))
            if reader.fieldnames and set(COLUMNS) <= set(reader.fieldnames):
                rows += list(reader)
    if not rows:
        return "no figures beside a peer"
    shown = [["benchmark", "what", "threads", "doppel", "peer", "", "ratio", "of the least"]]
    for row in rows:
        shown.append([row["benchmark"], row["what"], row["threads"], row["doppel_median"] + " " + row["unit"], row["peer"],
                      row["peer_median"] + " " + row["unit"], row["ratio"], row["ratio_min"]])
    widths = [max(len(line[i]) for line in shown) for i in range(len(shown[0]))]
    lines = ["  ".join(cell.rjust(width) if i in (2, 3, 5, 6, 7) else cell.ljust(width)
                       for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in shown]
    lines.insert(1, "-" * max(map(len, lines)))
    on = sorted({f"{row['processor']}, {row['cores']} cores, {row['revision']}, {row['date']}" for row in rows})
    return "\n".join(lines + ["", "ratio: the peer's median time over doppel's; above 1 doppel is faster"] + on)


if __name__ == "__main__":
    print(table(sys.argv[1:]))
