#!/usr/bin/env python3
"""Whether two programs found the same: two exports of galleries of the same photos, face by face.

    bench/scans_same.py A.jsonl B.jsonl

(`doppel export`.) A face of A and one of B are the same where their boxes overlap by half. Told are the faces that
only one has, how far landmarks moved in pixels of the photo and of what the detector first looks at (1,280 pixels
along the larger side at most), and the cosines of the vectors of faces and of pictures.
"""
import base64
import json
import pathlib
import struct
import sys

LOOK_PX = 1280
LANDMARKS = ["%s_%s_px" % (point, axis) for point in ("eye_1", "eye_2", "nose", "mouth_1", "mouth_2") for axis in "xy"]


def read(path):
    photos, templates = {}, []
    for line in pathlib.Path(path).open():
        row = json.loads(line)
        if row.get("type") == "photo":
            photos[row["id"]] = dict(row, faces=[], pictures=[])
        elif row.get("type") == "template":
            templates.append(row)
    for row in templates:
        photos[row["photo"]]["faces" if row["space"] == "face" else "pictures"].append(row)
    return {p["path"]: p for p in photos.values()}


def box(row):
    f = row["face"]
    return f["x_px"], f["y_px"], f["w_px"], f["h_px"]


def overlap(a, b):
    (ax, ay, aw, ah), (bx, by, bw, bh) = box(a), box(b)
    w, h = min(ax + aw, bx + bw) - max(ax, bx), min(ay + ah, by + bh) - max(ay, by)
    return 0 if w <= 0 or h <= 0 else w * h / (aw * ah + bw * bh - w * h)


def vector(row):
    raw = base64.b64decode(row["vector"])
    return struct.unpack("<%df" % (len(raw) // 4), raw)


def cosine(a, b):
    a, b = vector(a), vector(b)
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** .5


def tell(what, values, largest):
    v = sorted(values, reverse=not largest)
    if v:
        print("%-34s median %.5f, 99 %%: %.5f, worst %.5f" % (what, v[len(v) // 2], v[int(len(v) * .99)], v[-1]))


def main(a, b):
    a, b = read(a), read(b)
    same, only, moved, moved_look, faces, pictures, worst = 0, [0, 0], [], [], [], [], []
    for path in sorted(a.keys() & b.keys()):
        left, right = list(a[path]["faces"]), list(b[path]["faces"])
        scale = max(1, max(a[path]["width_px"], a[path]["height_px"]) / LOOK_PX)
        for f in left:
            match = max(right, key=lambda g: overlap(f, g), default=None)
            if match is None or overlap(f, match) < .5:
                only[0] += 1
                worst.append("only the first: %s at %s, score %.3f" % (path, [round(v) for v in box(f)], f["face"]["score"]))
                continue
            right.remove(match)
            same += 1
            d = max(abs(f["face"][m] - match["face"][m]) for m in LANDMARKS)
            moved.append(d)
            moved_look.append(d / scale)
            faces.append(cosine(f, match))
        only[1] += len(right)
        worst += ["only the second: %s at %s, score %.3f" % (path, [round(v) for v in box(g)], g["face"]["score"]) for g in right]
        for f, g in zip(a[path]["pictures"], b[path]["pictures"]):
            pictures.append(cosine(f, g))
    print("%d photos, %d faces of both, %d only of the first, %d only of the second" % (
        len(a.keys() & b.keys()), same, *only))
    tell("landmarks moved, photo's pixels", moved, True)
    tell("landmarks moved, the look's pixels", moved_look, True)
    tell("cosine of faces", faces, False)
    tell("cosine of pictures", pictures, False)
    print("\n".join(worst[:20]))
    return 0 if a.keys() == b.keys() else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
