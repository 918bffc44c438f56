#!/usr/bin/env python3
"""One probe among many vectors: doppel's index beside hnswlib's, usearch's and FAISS's.

    PYTHON bench/search_vs_peers.py build/release [--sizes 10000,100000] [--rounds 5] [--vectors FILE.npy] > figures.csv

Needs bench/requirements.txt and a built bench/bench_probes. Vectors are drawn as bench_search.c draws them: ten a
person, 192 numbers of which 64 directions carry all; or those of a file, repeated with noise where it has
fewer. Probes are 1,000 more photos of the same people. Each index has a process of its own, is made on all cores, and
each is tuned to the smallest width that gives recall@10 of .99 on half of the probes ("at one recall"); doppel also
answers as it has tuned itself, without knowing the probes, on vectors that it leaves out of the index ("as it comes"),
which is a harder question. All probes are asked, one thread, one probe after the other (the peers within one call, so that Python costs nothing), in turns.
Each answers as its users get it: doppel's from its file, scored again exactly, the peers' by their own
distances. exact is beside FAISS's flat index. A note says recall, what making and opening took, and memory.
Milliseconds a probe by the clock and of all processors; the columns: bench/figures.py.
"""
import argparse
import os
import pathlib
import sys
import tempfile
import time

import numpy

from figures import Figures, Side

DIM, CARRY, PHOTOS, PROBES, K, RECALL = 192, 64, 10, 1000, 10, 0.99
PEERS = ["hnswlib", "usearch i8", "usearch f32", "faiss HNSW32_SQ8"]


# ------------------------------------------------------------------ the vectors


def unit(x):
    return (x / numpy.linalg.norm(x, axis=1, keepdims=True)).astype(numpy.float32)


def drawn(random, persons):
    """A photo of each of these people."""
    out = numpy.zeros((len(persons), DIM), numpy.float32)
    scale = numpy.sqrt(1 - 0.8 * numpy.arange(CARRY) / CARRY)
    out[:, :CARRY] = scale * (persons + 0.7 * random.standard_normal(persons.shape))
    return unit(out)


def make(folder, n, path):
    random = numpy.random.default_rng(105)
    if path:
        real = unit(numpy.load(path).astype(numpy.float32))
        people = real[random.integers(0, len(real), n + PROBES)]
        near = unit(people + 0.35 / numpy.sqrt(real.shape[1]) * random.standard_normal(people.shape))
        rows, probes = near[:n], near[n:]
    else:
        persons = random.standard_normal((n // PHOTOS, CARRY))
        rows = numpy.concatenate([drawn(random, persons) for _ in range(PHOTOS)])
        rows = rows[numpy.arange(len(rows)).reshape(PHOTOS, -1).T.ravel()]  # by person, as people enrol
        probes = drawn(random, persons[random.integers(0, len(persons), PROBES)])
    truth = numpy.empty((PROBES, K), numpy.int64)
    for at in range(0, PROBES, 50):
        scores = probes[at : at + 50] @ rows.T
        best = numpy.argpartition(-scores, K, axis=1)[:, :K]
        truth[at : at + 50] = best
    for name, what in (("rows.f32", rows), ("probes.f32", probes), ("truth.i64", truth)):
        what.tofile(folder / name)
    return rows.shape[1]


# ------------------------------------------------------------------ a peer, in a process of its own


def resident_mib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def hnswlib_index(rows, cores):
    import hnswlib
    index = hnswlib.Index(space="ip", dim=rows.shape[1])
    index.init_index(max_elements=len(rows), M=16, ef_construction=100)
    index.add_items(rows, num_threads=cores)

    def search(probes, width):
        index.set_ef(max(width, K))
        return index.knn_query(probes, k=K, num_threads=1)[0]
    return index, search


def usearch_index(kind):
    def build(rows, cores):
        from usearch.index import Index
        index = Index(ndim=rows.shape[1], metric="cos", dtype=kind, connectivity=16, expansion_add=100)
        index.add(numpy.arange(len(rows)), rows, threads=cores)

        def search(probes, width):
            index.expansion_search = max(width, K)
            return index.search(probes, K, threads=1).keys
        return index, search
    return build


def faiss_index(factory):
    def build(rows, cores):
        import faiss
        faiss.omp_set_num_threads(cores)
        index = faiss.index_factory(rows.shape[1], factory, faiss.METRIC_L2)
        if not index.is_trained:
            index.train(rows)
        if factory.startswith("HNSW"):
            index.hnsw.efConstruction = 100
        index.add(rows)
        faiss.omp_set_num_threads(1)

        def search(probes, width):
            if factory.startswith("HNSW"):
                index.hnsw.efSearch = max(width, K)
            return index.search(probes, K)[1]
        return index, search
    return build


BUILD = {"hnswlib": hnswlib_index, "usearch i8": usearch_index("i8"), "usearch f32": usearch_index("f32"),
         "faiss HNSW32_SQ8": faiss_index("HNSW32_SQ8"), "faiss Flat": faiss_index("Flat")}


def recall(found, truth):
    return (found[:, :, None].astype(numpy.int64) == truth[:, None, :]).any(1).mean()


def peer_side(name, folder, dim):
    folder = pathlib.Path(folder)
    rows = numpy.fromfile(folder / "rows.f32", numpy.float32).reshape(-1, dim)
    probes = numpy.fromfile(folder / "probes.f32", numpy.float32).reshape(-1, dim)
    truth = numpy.fromfile(folder / "truth.i64", numpy.int64).reshape(-1, K)
    before, start, cpu = resident_mib(), time.perf_counter(), time.process_time()
    kept, search = BUILD[name](rows, len(os.sched_getaffinity(0)))
    made = time.perf_counter() - start, time.process_time() - cpu, resident_mib() - before
    width = K
    for width in [10, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 384, 512]:
        if name == "faiss Flat" or recall(search(probes[::2], width), truth[::2]) >= RECALL:
            break
    print(*made, width, recall(search(probes, width), truth), flush=True)
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        if name == "faiss Flat":  # several probes in one call would be another question
            for i in range(len(probes)):
                search(probes[i : i + 1], width)
        else:
            search(probes, width)
        print("%.5f %.5f" % (1e3 * (time.perf_counter() - start) / len(probes),
                             1e3 * (time.process_time() - cpu) / len(probes)), flush=True)
    del kept


# ------------------------------------------------------------------ in turns


def version(name):
    from importlib import metadata
    package = {"hnswlib": "hnswlib", "usearch": "usearch", "faiss": "faiss-cpu"}[name.split()[0]]
    return f"{name} {metadata.version(package)}"


def compare(figures, options, folder, n, kind, peers):
    dim = int((folder / "dim").read_text())
    own = Side([str(options.build / "bench" / "bench_probes"), str(folder), str(dim), kind, str(RECALL)],
               OMP_NUM_THREADS="1")
    wall, cpu, opened, own_width, own_recall, resident, file, width, recall_at = own.line()
    ways = [("exact", width, recall_at)] if kind == "exact" else [
        ("at one recall", width, recall_at), ("as it comes", own_width, own_recall)]
    for name in peers:
        other = Side([sys.executable, __file__, "--peer", name, "--folder", str(folder), "--dim", str(dim)])
        their_wall, their_cpu, their_resident, their_width, their_recall = other.line()
        times = [[] for _ in ways]
        theirs = []
        for i in range(-1, options.rounds):
            asked = [(mine, own, "%.0f" % way[1]) for mine, way in zip(times, ways)] + [(theirs, other, "1")]
            for kept, who, line in asked if i % 2 else asked[::-1]:
                values = who.ask(line)
                if i >= 0:
                    kept.append(values)
        other.close()
        for (way, width, found), mine in zip(ways, times):
            note = (f"recall {found:.4f} and {their_recall:.4f}; width {width:.0f} and {their_width:.0f}; made in {cpu:.0f} and "
                    f"{their_cpu:.0f} s of processor time ({wall:.0f} and {their_wall:.0f} by the clock); {resident:.0f} and "
                    f"{their_resident:.0f} MiB, file {file:.0f}; opened in {opened:.1f} ms")
            for clock, k in (("clock", 0), ("all processors", 1)):
                figures.row(f"{way}, {n:,} vectors, {clock}", 1, [t[k] for t in mine], version(name), [t[k] for t in theirs],
                            note=note)
    own.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--vectors", help="unit vectors [n, dim] of real photos, .npy")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--scratch", help="a folder for the vectors, 1 KB each")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--dim", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer_side(options.peer, options.folder, options.dim)
        return
    figures = Figures("search")
    for n in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            folder = pathlib.Path(folder)
            (folder / "dim").write_text(str(make(folder, n, options.vectors)))
            compare(figures, options, folder, n, "approximate", options.peers.split(","))
            compare(figures, options, folder, n, "exact", ["faiss Flat"])


if __name__ == "__main__":
    main()
