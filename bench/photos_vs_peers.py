#!/usr/bin/env python3
"""From photo to vectors: `doppel scan` beside what somebody would write in Python, in turns.

    PYTHON bench/photos_vs_peers.py build/release FOLDER [--rounds 3] [--threads 2] [--peers pipeline,dlib]
                                    [--pictures] > figures.csv

FOLDER holds photos, in folders or not. Each peer is a process of its own, which loads its models first; what is
told is the processor time of user and system a photo, and the clock's, without loading; the columns:
bench/figures.py. doppel's include its start and its gallery. On a busy machine only processor time means anything.

pipeline  OpenCV (decode, EXIF applied), the same networks in onnxruntime, both by --threads: the larger side reduced to 1280, YuNet as its paper decodes it,
          overlaps removed, faces aligned by five points and encoded in batches of 16 across photos, photos decoded
          ahead by a thread. With --pictures each photo's vector by image-105 as well, in batches of 16.
dlib      face_recognition's way: dlib's HOG detector on the photo, not enlarged (reduced to 1280 first), its
          five-point landmarks, its ResNet's vectors (PyPI dlib-bin, face_recognition_models), --threads processes.

Needs bench/requirements.txt; for dlib also PyPI's dlib-bin, face_recognition_models and setuptools.
They do less than doppel: one look, no turned faces, no tiles for small ones, no quality, thumbnails or database.
"""
import argparse
import itertools
import json
import multiprocessing
import os
import pathlib
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time

SIDE, MIN_SCORE, OVERLAP, BATCH = 1280, 0.6, 0.3, 16

from figures import Figures

ROOT = pathlib.Path(__file__).resolve().parent.parent


def photos(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))


def spent(who):
    r = resource.getrusage(who)
    return r.ru_utime + r.ru_stime


def read(cv2, path):
    import numpy

    return cv2.imdecode(numpy.frombuffer(path.read_bytes(), numpy.uint8), cv2.IMREAD_COLOR)


def reduce(cv2, image):
    scale = min(1, SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return small, scale


class Pipeline:
    def __init__(self, threads, pictures):
        import cv2
        import numpy
        import onnxruntime

        self.cv2, self.np = cv2, numpy
        cv2.setNumThreads(threads)

        def session(name):
            o = onnxruntime.SessionOptions()
            o.intra_op_num_threads, o.inter_op_num_threads = threads, 1
            # Its threads would wait by spinning, which is no work.
            o.add_session_config_entry("session.intra_op.allow_spinning", "0")
            return onnxruntime.InferenceSession(str(ROOT / "models" / name), o, ["CPUExecutionProvider"])

        self.detector, self.encoder = session("face-detect.onnx"), session("face-105.onnx")
        self.whole = session("image-105.onnx") if pictures else None
        self.facts = {s: s.get_modelmeta().custom_metadata_map for s in (self.encoder, self.whole) if s}
        facts = self.facts[self.encoder]
        self.template = numpy.array([[float(v) for v in p.split(",")] for p in facts["doppel.template"].split()])
        self.outputs = [o.name for o in self.detector.get_outputs()]

    def find(self, small):
        np, cv2 = self.np, self.cv2
        h, w = small.shape[:2]
        padded = np.zeros((1, 3, -(-h // 32) * 32, -(-w // 32) * 32), np.float32)
        padded[0, :, :h, :w] = small.transpose(2, 0, 1)
        out = dict(zip(self.outputs, self.detector.run(None, {self.detector.get_inputs()[0].name: padded})))
        boxes, points, scores = [], [], []
        for s in (8, 16, 32):
            columns = padded.shape[3] // s
            score = np.sqrt(np.clip(out["cls_%d" % s].ravel() * out["obj_%d" % s].ravel(), 0, 1))
            keep = np.nonzero(score >= MIN_SCORE)[0]
            cell = np.stack([keep % columns, keep // columns], 1)
            b = out["bbox_%d" % s].reshape(4, -1).T[keep]
            k = out["kps_%d" % s].reshape(10, -1).T[keep].reshape(-1, 5, 2)
            size = np.exp(b[:, 2:]) * s
            boxes.append(np.concatenate([(cell + b[:, :2]) * s - size / 2, size], 1))
            points.append((k + cell[:, None]) * s)
            scores.append(score[keep])
        boxes, points, scores = map(np.concatenate, (boxes, points, scores))
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), MIN_SCORE, OVERLAP) if len(boxes) else []
        return [points[i] for i in kept]

    def encode(self, session, chips):
        np, facts = self.np, self.facts[session]
        mean, std = (np.array([float(v) for v in facts["doppel." + name].split(",")], np.float32)
                     for name in ("mean", "std"))
        x = (np.stack(chips)[..., ::-1].astype(np.float32) - mean) / std
        entry = session.get_inputs()[0]
        return session.run(None, {entry.name: x.transpose(0, 3, 1, 2) if entry.shape[1] == 3 else x})[0]

    def run(self, paths):
        np, cv2 = self.np, self.cv2
        ahead = queue.Queue(4)

        def decode():
            for path in paths:
                ahead.put(read(cv2, path))

        threading.Thread(target=decode, daemon=True).start()
        chips, wholes, n_faces = [], [], 0
        for i in range(len(paths)):
            image = ahead.get()
            small, scale = reduce(cv2, image)
            for points in self.find(small):
                m, _ = cv2.estimateAffinePartial2D(points / scale, self.template, method=cv2.LMEDS)
                chips.append(cv2.warpAffine(image, m, (105, 105), flags=cv2.INTER_AREA))
                n_faces += 1
            if self.whole:
                h, w = image.shape[:2]
                side = min(h, w)
                part = image[(h - side) // 2:(h + side) // 2, (w - side) // 2:(w + side) // 2]
                wholes.append(cv2.resize(part, (105, 105), interpolation=cv2.INTER_AREA))
            last = i + 1 == len(paths)
            while len(chips) >= BATCH or (last and chips):
                self.encode(self.encoder, chips[:BATCH])
                del chips[:BATCH]
            if len(wholes) == BATCH or (last and wholes):
                self.encode(self.whole, wholes)
                wholes.clear()
        return n_faces


def dlib_start():
    global dlib_parts
    import cv2
    import dlib
    import face_recognition_models as models

    cv2.setNumThreads(1)
    dlib_parts = (cv2, dlib, dlib.get_frontal_face_detector(),
                  dlib.shape_predictor(models.pose_predictor_five_point_model_location()),
                  dlib.face_recognition_model_v1(models.face_recognition_model_location()))


def dlib_one(path):
    cv2, _, detector, predictor, encoder = dlib_parts
    small, _ = reduce(cv2, read(cv2, path))
    rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    faces = detector(rgb, 0)
    for face in faces:
        encoder.compute_face_descriptor(rgb, predictor(rgb, face))
    return len(faces)


def peer(name, folder, threads, pictures):
    paths = photos(folder)
    if name == "pipeline":
        p = Pipeline(threads, pictures)
        p.run(paths[:2])
        cpu, clock = spent(resource.RUSAGE_SELF), time.perf_counter()
        n = p.run(paths)
        figures = spent(resource.RUSAGE_SELF) - cpu, time.perf_counter() - clock, n
    else:
        clock = time.perf_counter()
        with multiprocessing.Pool(threads, dlib_start) as pool:
            pool.map(dlib_one, paths[:threads], 1)
            clock = time.perf_counter()
            n = sum(pool.imap_unordered(dlib_one, paths, 1))
            clock = time.perf_counter() - clock
            pool.close()
            pool.join()
        # Loading, half a second a process, is in it.
        figures = spent(resource.RUSAGE_CHILDREN), clock, n
    print(json.dumps(figures))


def ours(build, folder, threads, pictures):
    with tempfile.TemporaryDirectory() as gallery:
        command = [str(build / "bin" / "doppel"), "scan", str(folder), "--gallery", gallery, "--quiet", "--json",
                   "--threads", str(threads)] + ([] if pictures else ["--image-model", "none"])
        cpu, clock = spent(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, DOPPEL_MODELS=str(ROOT / "models")))
        if done.returncode not in (0, 3):
            sys.exit(done.stderr)
        text = done.stdout.strip().splitlines()[-1]
        n = json.loads(text)["summary"]["n_faces"]
        return spent(resource.RUSAGE_CHILDREN) - cpu, time.perf_counter() - clock, n


def middle(values):
    v = sorted(values)
    return v[len(v) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", default="pipeline,dlib")
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer:
        return peer(a.peer, a.folder, a.threads, a.pictures)
    n = len(photos(a.folder))
    names = ["doppel"] + a.peers.split(",")
    seen = {name: [] for name in names}
    for round_ in range(a.rounds):
        for name in names if round_ % 2 == 0 else reversed(names):
            if name == "doppel":
                seen[name].append(ours(a.build, a.folder, a.threads, a.pictures))
                continue
            command = [sys.executable, __file__, str(a.build), str(a.folder), "--peer", name, "--threads",
                       str(a.threads)] + (["--pictures"] if a.pictures else [])
            seen[name].append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    figures = Figures("photos")
    what = f"{a.folder.name}, {n} photos" + (", with picture vectors" if a.pictures else "")
    for name in names[1:]:
        note = f"faces {seen['doppel'][0][2]} and {seen[name][0][2]}"
        for clock, k in (("all processors", 0), ("clock", 1)):
            figures.row(f"{what}, {clock}", a.threads, [1e3 * s[k] / n for s in seen["doppel"]], name,
                        [1e3 * s[k] / n for s in seen[name]], unit="ms a photo", note=note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
