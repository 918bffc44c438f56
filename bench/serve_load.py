#!/usr/bin/env python3
"""Requests a second and how long they take: doppel serve beside FastAPI, onnxruntime and faiss.

    PYTHON bench/serve_load.py build/release [--seconds 10] [--rounds 2] [--people 2000] > figures.csv

Needs bench/requirements.txt and a built doppel. Both servers run at once and are asked in turns on
loopback, by 1, 16 and 256 clients that each keep a connection and ask again when they are answered, with
one of four photos of the demo; then again while one more client enrols. Both have the same networks, one
thread a core, and the vectors of so many people (drawn, beside those of the demo). Before that, both
have to name the same people. Rows (bench/figures.py), in milliseconds a round each: "an answer" is a second over
the answers of a second, "all processors" the server's processor time a request, enrolments included, which other
work on the machine changes little, and what half and 99 of 100 clients waited.
"""
import argparse
import base64
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy

from figures import Figures, percentile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
PHOTOS = [DEMO / "congress.jpg", DEMO / "stranger.jpg", DEMO / "people/Barack Obama/blue-room.jpg",
          DEMO / "people/Joe Biden/blue-room.jpg"]


def make_gallery(doppel, work, n_people):
    """A gallery of the demo's people and of drawn ones, and their vectors in the same order."""
    run = lambda *words: subprocess.run([doppel, *words, "--gallery", work / "gallery"], check=True,
                                        stdout=subprocess.DEVNULL)
    run("enroll", DEMO / "people", "--image-model", "none", "--quiet")
    run("export", work / "demo.jsonl")
    rows = [json.loads(line) for line in open(work / "demo.jsonl")]
    by = lambda kind: [r for r in rows if r.get("type") == kind]
    random = numpy.random.default_rng(1)
    template, photo = by("template")[0], by("photo")[0]
    people, photos, templates = by("person"), by("photo"), by("template")
    first, dim = 1000, len(base64.b64decode(template["vector"])) // 4
    for i in range(n_people):
        vector = random.standard_normal(dim).astype("<f4")
        vector /= numpy.linalg.norm(vector)
        people.append({**by("person")[0], "id": first + i, "name": "Drawn %d" % i})
        photos.append({**photo, "id": first + i, "person": first + i, "path": "/drawn/%d.jpg" % i,
                       "sha256": "%064x" % i})
        templates.append({**template, "id": first + i, "photo": first + i,
                          "vector": base64.b64encode(vector.tobytes()).decode()})
    kinds = {"person": people, "photo": photos, "template": templates}
    with open(work / "all.jsonl", "w") as f:
        written = set()
        for row in rows:
            kind = row.get("type")
            if "last_ids" in row:
                row["last_ids"] = {k: max(r["id"] for r in v) for k, v in kinds.items()}
            if kind == "end":
                row.update({k + "s": len(v) for k, v in kinds.items()})
            for out in ([row] if kind not in kinds else kinds[kind] if kind not in written else []):
                f.write(json.dumps(out, separators=(",", ":")) + "\n")
            written.add(kind)
    subprocess.run(["rm", "-r", work / "gallery"], check=True)
    run("import", work / "all.jsonl")
    name_of = {p["id"]: p["name"] for p in people}
    whose = {p["id"]: name_of[p["person"]] for p in photos}
    vectors = numpy.stack([numpy.frombuffer(base64.b64decode(t["vector"]), "<f4") for t in templates])
    numpy.savez(work / "vectors.npz", vectors=vectors,
                names=numpy.array([whose[t["photo"]] for t in templates]))


class Client:
    def __init__(self, port):
        self.c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def post(self, path, body):
        self.c.request("POST", path, body, {"Content-Type": "application/octet-stream"})
        r = self.c.getresponse()
        return r.status, r.read()


def load(port, n_clients, seconds, photos, failures):
    """Answers a second and their times in ms, of clients that ask without a pause."""
    times, stop = [[] for _ in range(n_clients)], time.monotonic() + seconds
    gate = threading.Barrier(n_clients)

    def ask(i):
        client = Client(port)
        gate.wait()
        n = i
        while time.monotonic() < stop:
            began = time.monotonic()
            code, body = client.post("/v1/query", photos[n % len(photos)])
            if code != 200:
                failures.append((code, body[:200]))
                return
            times[i].append((time.monotonic() - began) * 1000)
            n += 1

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(n_clients)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    all_times = sorted(t for one in times for t in one)
    return len(all_times) / (time.monotonic() - began), all_times


def enrolling(port, photo, stop, done):
    """Enrol the same face again and again, each time as another file."""
    client, n = Client(port), 0
    while not stop.is_set():
        code, body = client.post("/v1/people/Writer/photos", photo + b"%d" % time.monotonic_ns())
        assert code in (200, 201), (code, body)
        n += 1
    done.append(n)


def processor_ms(server):
    fields = open("/proc/%d/stat" % server.pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("a server does not start")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("build", type=pathlib.Path)
    a.add_argument("--seconds", type=float, default=10)
    a.add_argument("--rounds", type=int, default=2)
    a.add_argument("--people", type=int, default=2000)
    a.add_argument("--clients", default="1,16,256")
    a.add_argument("--precision", default="auto", help="of doppel's networks (the peer's are float32)")
    o = a.parse_args()
    doppel = o.build / "bin" / "doppel"
    cores = len(os.sched_getaffinity(0))
    photos = [p.read_bytes() for p in PHOTOS]
    portrait = (DEMO / "people/Eileen Collins/nasa-portrait.jpg").read_bytes()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        os.environ.setdefault("DOPPEL_MODELS", str(ROOT / "models"))
        make_gallery(doppel, work, o.people)
        (work / "peer").mkdir()
        ports = {"doppel": free_port(), "peer": free_port()}
        environment = {**os.environ, "PEER_MODELS": str(ROOT / "models"), "PEER_PHOTOS": str(work / "peer"),
                       "PEER_VECTORS": str(work / "vectors.npz"), "OMP_NUM_THREADS": "1"}
        servers = {
            "doppel": subprocess.Popen([doppel, "serve", "--gallery", work / "gallery", "--threads", str(cores),
                              "--listen", "127.0.0.1:%d" % ports["doppel"], "--quiet",
                              "--image-model", "none", "--precision", o.precision]),
            "peer": subprocess.Popen([sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "bench"),
                              "--port", str(ports["peer"]), "--log-level", "warning", "serve_peer:app"],
                             env=environment)}
        try:
            for port in ports.values():
                wait_for(port)
            for photo, path in zip(photos, PHOTOS):
                said = {who: json.loads(Client(port).post("/v1/query", photo)[1])["faces"]
                        for who, port in ports.items()}
                best = {who: faces[0]["hits"][0]["person"] for who, faces in said.items()}
                score = {who: faces[0]["hits"][0]["score"] for who, faces in said.items()}
                print("# %s: %s" % (path.name, {w: (best[w], round(score[w], 3)) for w in best}), file=sys.stderr)
                # Of a stranger the two may find another one nearest: their chips are not the same to the last bit.
                assert len(set(best.values())) == 1 or said["doppel"][0]["decision"] != "match", best
            figures = Figures("serve")
            for writer in (False, True):
                for n_clients in map(int, o.clients.split(",")):
                    seen = {who: [] for who in servers}
                    for n in range(o.rounds):
                        for who in ("doppel", "peer") if n % 2 == 0 else ("peer", "doppel"):
                            failures, stop, done = [], threading.Event(), []
                            t = threading.Thread(target=enrolling, args=(ports[who], portrait, stop, done))
                            before = processor_ms(servers[who])
                            if writer:
                                t.start()
                            rate, times = load(ports[who], n_clients, o.seconds, photos, failures)
                            stop.set()
                            if writer:
                                t.join()
                            assert not failures, failures[:3]
                            seen[who].append((1e3 / rate,
                                              (processor_ms(servers[who]) - before) / (len(times) + sum(done)),
                                              percentile(times, 50), percentile(times, 99), sum(done)))
                    what = f"/v1/query, {n_clients} clients" + (" and a writer" if writer else "")
                    for name, k in (("an answer", 0), ("all processors", 1), ("median wait", 2), ("99 % wait", 3)):
                        figures.row(f"{what}, {name}", cores, [s[k] for s in seen["doppel"]],
                                    "FastAPI, onnxruntime, faiss", [s[k] for s in seen["peer"]],
                                    note="enrolled meanwhile %d and %d" % tuple(sum(s[4] for s in seen[who]) for who in seen)
                                    if writer else "")
        finally:
            for s in servers.values():
                s.terminate()
                s.wait()


if __name__ == "__main__":
    main()
