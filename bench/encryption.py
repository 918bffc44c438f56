"""Whole commands on an encrypted gallery beside a plain one, in one run, alternating.

    python3 bench/encryption.py DOPPEL FOLDER-OF-PEOPLE PHOTO [ROUNDS [TEMPLATES…]]

The galleries hold the folder's people and photos, and as many more photos of made-up people, one face
and its thumbnail each, twenty of a person, as make up so many templates (none, 20,000 and 100,000
unless told). Prints CSV: what, templates, key, rounds; medians of the processor's time plain and
encrypted, and the median of the ratios of neighbours; the same of the time on the clock.
"""

import array
import base64
import glob
import json
import os
import random
import resource
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


def fill(export, out, n):
    """An export of a few photos, and n templates of others like them."""
    rows = [json.loads(line) for line in open(export)]
    photo = next(row for row in rows if row.get("type") == "photo" and row["status"] == "OK")
    face = next(row for row in rows if row.get("type") == "template" and row["space"] == "face")
    last = rows[0]["last_ids"]
    draw = random.Random(7)
    of = {kind: [row for row in rows[1:] if row["type"] == kind]
          for kind in ("setting", "model", "person", "photo", "template")}
    dim = next(row["dim"] for row in of["model"] if row["space"] == "face")
    n_people, first = (n + 19) // 20, dict(last)

    def vector():
        numbers = [byte - 127.5 for byte in draw.randbytes(dim)]
        length = sum(number * number for number in numbers) ** .5
        return base64.b64encode(array.array("f", [number / length for number in numbers])).decode()

    with open(out, "w") as file:
        def put(row):
            file.write(json.dumps(row, separators=(",", ":")) + "\n")

        last.update(person=last["person"] + n_people, photo=last["photo"] + n, template=last["template"] + n)
        put(rows[0])
        for row in of["setting"] + of["model"] + of["person"]:
            put(row)
        for i in range(n_people):
            put({"type": "person", "id": first["person"] + 1 + i, "name": f"Somebody {i}"})
        for row in of["photo"]:
            put(row)
        for i in range(n):
            put(photo | {"id": first["photo"] + 1 + i, "person": first["person"] + 1 + i // 20,
                         "path": f"/archive/{i // 20}/photo {i}.jpg", "sha256": "%064x" % draw.getrandbits(256)})
        for row in of["template"]:
            put(row)
        for i in range(n):
            put(face | {"id": first["template"] + 1 + i, "photo": first["photo"] + 1 + i, "vector": vector()}
                | ({"person": first["person"] + 1 + i // 20} if "person" in face else {}))
        put(rows[-1] | {key: value + (n_people if key == "persons" else n)
                        for key, value in rows[-1].items() if key in ("persons", "photos", "templates")})


def main():
    doppel, people, photo = sys.argv[1:4]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 15
    sizes = list(map(int, sys.argv[5:])) or [0, 20000, 100000]
    print("what,templates,kind,rounds,plain_cpu_s,cpu_s,cpu_ratio,plain_clock_s,clock_s,clock_ratio")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(doppel, people, photo, rounds, size, folder)


def measure(doppel, people, photo, rounds, size, folder):
    kinds = {"plain": [], "key file": ["--key-file", folder + "/key"]}
    if size == 0:
        kinds["passphrase"] = ["--passphrase-file", folder + "/words"]
        with open(os.open(folder + "/words", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("correct horse battery staple\n")

    def gallery(kind):
        return ["--gallery", f"{folder}/{kind}", *kinds[kind]]

    def lose_index(kind):
        for path in glob.glob(f"{folder}/{kind}/*.faiss"):
            os.unlink(path)

    run([doppel, "enroll", people, "--threads", "1", "--gallery", folder + "/few"])
    run([doppel, "export", folder + "/few.jsonl", "--gallery", folder + "/few"])
    fill(folder + "/few.jsonl", folder + "/many.jsonl", size)
    for kind in kinds:
        run([doppel, "import", folder + "/many.jsonl", "--gallery", f"{folder}/{kind}"])
        if kind != "plain":
            run([doppel, "encrypt", *gallery(kind)])
    os.unlink(folder + "/many.jsonl")
    words = ["--threads", "1"]
    enroll = [("enroll --force", lambda kind: [doppel, "enroll", people, "--force", "--yes", *words, *gallery(kind)])]
    query = [("query", lambda kind: [doppel, "query", photo, *words, *gallery(kind)])]
    first = [("query after enroll", query[0][1])]
    made = [("query that makes the index", query[0][1])]
    # What is done one after the other, and what before it that is not measured.
    jobs = [(query, None), (enroll + first, None), ([("list", lambda kind: [doppel, "list", *gallery(kind)])], None)]
    if size:
        jobs.insert(0, ([("first query", query[0][1])], "once"))
        jobs.append((made, lose_index))
    for steps, before in jobs:
        for kind in list(kinds)[1:]:
            taken = {(what, k): [] for what, _ in steps for k in ("plain", kind)}
            for i in range(1 if before == "once" else rounds + 1):
                for k in ("plain", kind) if i % 2 else (kind, "plain"):
                    if callable(before):
                        before(k)
                    for what, words_of in steps:
                        taken[what, k].append(run(words_of(k)))
            for what, _ in steps:
                warm = slice(0 if before == "once" else 1, None)
                plain, sealed = taken[what, "plain"][warm], taken[what, kind][warm]
                row = [what, size, kind, len(plain)]
                for n in (0, 1):
                    row += [f"{statistics.median(t[n] for t in plain):.4f}",
                            f"{statistics.median(t[n] for t in sealed):.4f}",
                            f"{statistics.median(b[n] / a[n] for a, b in zip(plain, sealed)):.3f}"]
                print(",".join(map(str, row)), flush=True)


main()
