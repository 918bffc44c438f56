"""The server that serve_load.py compares with: FastAPI, onnxruntime, faiss, OpenCV; the same networks.

    PEER_MODELS=models PEER_VECTORS=file.npz uvicorn --app-dir bench serve_peer:app

What somebody would write: decode (OpenCV, EXIF applied), bring the larger side down to 1280, YuNet as its
paper decodes it, overlaps removed, each face aligned to five points and encoded, the nearest vectors by
inner product. It does less than doppel: one look, no quality of faces, no cohort and no rates, nobody's
photos in a database but vectors in memory, and files that are written when somebody is enrolled.
"""
import os
import threading
import uuid

import cv2
import faiss
import numpy
import onnxruntime
from fastapi import FastAPI, HTTPException, Request

MODELS = os.environ["PEER_MODELS"]
SIDE, MIN_SCORE, OVERLAP = 1280, 0.6, 0.3
cv2.setNumThreads(1)
faiss.omp_set_num_threads(1)


def session(name):
    options = onnxruntime.SessionOptions()
    # As doppel: as many requests at a time as there are cores, each on one.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(os.path.join(MODELS, name), options, ["CPUExecutionProvider"])


detector, encoder = session("face-detect.onnx"), session("face-105.onnx")
facts = encoder.get_modelmeta().custom_metadata_map
TEMPLATE = numpy.array([[float(v) for v in p.split(",")] for p in facts["doppel.template"].split()])
MEAN, STD = float(facts["doppel.mean"]), float(facts["doppel.std"])
CHANNELS_FIRST = encoder.get_inputs()[0].shape[1] == 3
outputs = [o.name for o in detector.get_outputs()]
stored = numpy.load(os.environ["PEER_VECTORS"])
index = faiss.IndexFlatIP(stored["vectors"].shape[1])
index.add(stored["vectors"])
names = [str(n) for n in stored["names"]]
writing = threading.Lock()
app = FastAPI()


def detect(image):
    scale = min(1, SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
    h, w = small.shape[:2]
    padded = numpy.zeros((1, 3, -(-h // 32) * 32, -(-w // 32) * 32), numpy.float32)
    padded[0, :, :h, :w] = small.transpose(2, 0, 1)
    out = dict(zip(outputs, detector.run(None, {detector.get_inputs()[0].name: padded})))
    boxes, points, scores = [], [], []
    for s in (8, 16, 32):
        rows, columns = padded.shape[2] // s, padded.shape[3] // s
        score = numpy.sqrt(numpy.clip(out["cls_%d" % s].ravel() * out["obj_%d" % s].ravel(), 0, 1))
        keep = numpy.nonzero(score >= MIN_SCORE)[0]
        cell = numpy.stack([keep % columns, keep // columns], 1)
        b = out["bbox_%d" % s].reshape(-1, 4)[keep]
        k = out["kps_%d" % s].reshape(-1, 5, 2)[keep]
        size = numpy.exp(b[:, 2:]) * s
        boxes.append(numpy.concatenate([(cell + b[:, :2]) * s - size / 2, size], 1) / scale)
        points.append((cell[:, None] + k) * s / scale)
        scores.append(score[keep])
        assert rows * columns == out["cls_%d" % s].size
    boxes, points, scores = map(numpy.concatenate, (boxes, points, scores))
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), MIN_SCORE, OVERLAP)
    return [(boxes[i], points[i], float(scores[i])) for i in numpy.array(kept).ravel()]


def similarity(p, q):
    """The map of least squares from p to q (Umeyama): 2 x 3."""
    pm, qm = p.mean(0), q.mean(0)
    a, b = (p - pm) @ [1, 1j], (q - qm) @ [1, 1j]
    z = numpy.vdot(a, b) / numpy.vdot(a, a).real
    m = numpy.array([[z.real, -z.imag], [z.imag, z.real]])
    return numpy.column_stack([m, qm - m @ pm])


def look(photo):
    image = cv2.imdecode(numpy.frombuffer(photo, numpy.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise HTTPException(422, "no photo")
    faces = detect(image)
    chips = [cv2.warpAffine(image, similarity(p, TEMPLATE), (105, 105)) for _, p, _ in faces]
    if not faces:
        return faces, numpy.zeros((0, index.d), numpy.float32)
    x = (numpy.stack(chips)[..., ::-1].astype(numpy.float32) - MEAN) / STD
    x = numpy.ascontiguousarray(x.transpose(0, 3, 1, 2)) if CHANNELS_FIRST else x
    vectors = encoder.run(None, {encoder.get_inputs()[0].name: x})[0]
    return faces, vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


def query(photo):
    faces, vectors = look(photo)
    scores, ids = index.search(vectors, 5) if faces else ([], [])
    return {"faces": [
        {"box": box.tolist(), "landmarks": points.tolist(), "score": score,
         "hits": [{"person": names[i], "score": float(v)} for i, v in zip(ids[n], scores[n])]}
        for n, (box, points, score) in enumerate(faces)]}


def enrol(name, photo):
    _, vectors = look(photo)
    if len(vectors) != 1:
        raise HTTPException(422, "one face is needed")
    path = os.path.join(os.environ["PEER_PHOTOS"], uuid.uuid4().hex)
    with open(path, "wb") as f:
        f.write(photo)
        f.flush()
        os.fsync(f.fileno())
    with writing:
        index.add(vectors)
        names.append(name)
    return {"photo": path}


@app.post("/v1/query")
async def post_query(request: Request):
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(query, await request.body())


@app.post("/v1/people/{name}/photos")
async def post_photo(name: str, request: Request):
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(enrol, name, await request.body())
