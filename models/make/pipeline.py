"""The recognition pipeline in numpy and onnxruntime, for making and checking the models.

photo -> YuNet -> five points -> similarity transform -> chip -> encoder -> unit vector. It follows
the C library step by step, but shares no code with it, so that each can check the other.
"""
import numpy as np
import onnxruntime

STRIDES = (8, 16, 32)
ARCFACE_112 = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366],
                        [41.5493, 92.3655], [70.7299, 92.2041]])


def decode(out, threshold):
    """Faces as rows of (score, x, y, w, h, 5 x (px, py)), before suppression, best first."""
    rows = []
    for stride in STRIDES:
        score = np.sqrt(out[f"cls_{stride}"][0, 0] * out[f"obj_{stride}"][0, 0])
        for r, c in zip(*np.nonzero(score >= threshold)):
            box, kps = out[f"bbox_{stride}"][0, :, r, c], out[f"kps_{stride}"][0, :, r, c]
            cx, cy = (c + box[0]) * stride, (r + box[1]) * stride
            w, h = np.exp(box[2]) * stride, np.exp(box[3]) * stride
            points = (kps.reshape(5, 2) + (c, r)) * stride
            rows.append([score[r, c], cx - w / 2, cy - h / 2, w, h, *points.ravel()])
    return np.array(sorted(rows, key=lambda row: -row[0])).reshape(-1, 15)


def suppress(rows, overlap):
    """Non-maximum suppression of decode()'s rows by intersection over union."""
    keep = []
    for row in rows:
        x, y, w, h = row[1:5]
        for other in keep:
            ox, oy, ow, oh = other[1:5]
            iw = max(0, min(x + w, ox + ow) - max(x, ox))
            ih = max(0, min(y + h, oy + oh) - max(y, oy))
            if iw * ih > overlap * (w * h + ow * oh - iw * ih):
                break
        else:
            keep.append(row)
    return np.array(keep).reshape(-1, 15)


def open_session(model, threads=0):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def detect(session, rgb, threshold=0.5, overlap=0.45):
    """Faces of an RGB uint8 picture, padded with black to multiples of 32."""
    h, w = rgb.shape[:2]
    tensor = np.zeros((1, 3, -(-h // 32) * 32, -(-w // 32) * 32), np.float32)
    tensor[0, :, :h, :w] = rgb[:, :, ::-1].transpose(2, 0, 1)
    names = [o.name for o in session.get_outputs()]
    return suppress(decode(dict(zip(names, session.run(None, {"input": tensor}))), threshold),
                    overlap)


def umeyama(points, template):
    """(a, b) of the least-squares similarity z -> a z + b in complex numbers (Umeyama 1991).

    In two dimensions and without reflection it has this closed form.
    """
    z, t = points @ (1, 1j), template @ (1, 1j)
    dz, dt = z - z.mean(), t - t.mean()
    a = (dz.conj() @ dt) / (dz.conj() @ dz).real
    return a, t.mean() - a * z.mean()


def align(rgb, points, template, side):
    """The side x side chip, bilinear, pixel centres at whole numbers, black outside the picture."""
    a, b = umeyama(points, template)
    ys, xs = np.mgrid[0:side, 0:side]
    z = (xs + 1j * ys - b) / a
    x0, y0 = np.floor(z.real).astype(int), np.floor(z.imag).astype(int)
    fx = np.float32(z.real - x0)[..., None]
    fy = np.float32(z.imag - y0)[..., None]
    h, w = rgb.shape[:2]

    def at(x, y):
        inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        return rgb[np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)] * inside[..., None]

    chip = (at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx) * (1 - fy) \
        + (at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx) * fy
    return np.round(chip).astype(np.uint8)


def encode(session, chips, mean=127.5, std=128.0, batch=64):
    """Unit vectors [n, dim] of RGB uint8 chips [n, side, side, 3]."""
    out = []
    for at in range(0, len(chips), batch):
        x = (np.float32(chips[at:at + batch]).transpose(0, 3, 1, 2) - mean) / std
        out.append(session.run(None, {session.get_inputs()[0].name: np.float32(x)})[0])
    vectors = np.concatenate(out)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
