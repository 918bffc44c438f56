#!/usr/bin/env python3
"""TAR at FAR 1e-2 of encoders on LFW's pairs whose second photo is spoilt as archives spoil photos.

    doppel enroll PHOTOS --faces largest --min-quality 0 --gallery G && doppel export chips.jsonl --gallery G
    python models/make/spoilt_pairs.py chips.jsonl pairsDevTest.txt models/face-105.onnx other.onnx

Chips are spoilt, not photos: what is compared are encoders, not what the detector finds.
"""
import argparse
import base64
import io
import json
import os

import numpy as np
from PIL import Image, ImageFilter


def enlarged(side):
    def change(chip):
        return chip.resize((side, side), Image.LANCZOS).resize(chip.size, Image.BICUBIC)
    return change


def dark(chip):
    x = np.float32(chip) * 0.12 + np.random.default_rng(1).normal(0, 1, (chip.height, chip.width, 3))
    return Image.fromarray(np.uint8(x.round().clip(0, 255)))


def covered(box):
    def change(chip):
        chip = chip.copy()
        w, h = chip.size
        chip.paste((90, 90, 90), tuple(int(v * s) for v, s in zip(box, (w, h, w, h))))
        return chip
    return change


def glasses(chip):
    for box in ((.2, .36, .46, .56), (.54, .36, .8, .56), (.4, .42, .6, .46)):
        chip = covered(box)(chip)
    return chip


def jpeg(quality):
    def change(chip):
        out = io.BytesIO()
        chip.save(out, "JPEG", quality=quality)
        return Image.open(out).convert("RGB")
    return change


def narrowed(chip):
    """As a head turned aside: three quarters as wide."""
    w, h = chip.size
    return chip.transform((w, h), Image.AFFINE, (1 / .75, 0, w / 2 - w / 1.5, 0, 1, 0), Image.BICUBIC)


SPOILT = {
    "as it is": lambda chip: chip, "24 px": enlarged(24), "32 px": enlarged(32), "40 px": enlarged(40),
    "blur, sigma 2.5": lambda chip: chip.filter(ImageFilter.GaussianBlur(2.5)), "dark, 12 %": dark,
    "grey": lambda chip: chip.convert("L").convert("RGB"), "JPEG 30": jpeg(30), "JPEG 10": jpeg(10),
    "lower half covered": covered((0, .6, 1, 1)), "one side covered": covered((.5, 0, 1, 1)),
    "dark glasses": glasses, "narrowed": narrowed,
}


def encoder(path):
    """A function from pictures [n, 3, h, w] of 0 to 255 to unit vectors."""
    try:
        import torch
        import networks
        assert torch.cuda.is_available()
        net = networks.from_onnx(path).eval().cuda()

        def run(x):
            with torch.no_grad():
                return net(torch.as_tensor(x).cuda()).cpu().numpy()
    except (ImportError, AssertionError):
        from pipeline import open_session
        session = open_session(path)

        def run(x):
            return session.run(None, {"input": x})[0]

    def encode(chips):
        x = (np.stack([np.float32(c) for c in chips]).transpose(0, 3, 1, 2) - 127.5) / 128
        y = np.concatenate([run(np.float32(x[k:k + 128])) for k in range(0, len(x), 128)])
        return y / np.linalg.norm(y, axis=1, keepdims=True)

    return encode


def read_chips(path):
    photos, chips = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row.get("type") == "photo":
                photos[row["id"]] = os.path.splitext(os.path.basename(row["path"]))[0]
            elif row.get("type") == "template" and "thumb" in row:  # not of the whole picture
                chip = Image.open(io.BytesIO(base64.b64decode(row["thumb"]))).convert("RGB")
                if chip.size == (141, 176):  # a portrait: the chip is a part of it (vision/encoder.h)
                    chip = chip.crop((18, 30, 123, 135))
                chips[photos[row["photo"]]] = chip.resize((105, 105), Image.BICUBIC)
    return chips


def read_pairs(path):
    with open(path, encoding="utf-8") as file:
        for line in list(file)[1:]:
            f = line.rstrip("\n").split("\t")
            if len(f) == 3:
                yield f"{f[0]}_{int(f[1]):04d}", f"{f[0]}_{int(f[2]):04d}", True
            elif len(f) == 4:
                yield f"{f[0]}_{int(f[1]):04d}", f"{f[2]}_{int(f[3]):04d}", False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("export")
    parser.add_argument("pairs")
    parser.add_argument("encoders", nargs="+")
    args = parser.parse_args()
    chips = read_chips(args.export)
    pairs = [p for p in read_pairs(args.pairs) if p[0] in chips and p[1] in chips]
    names = sorted({name for a, b, _ in pairs for name in (a, b)})
    at = {name: k for k, name in enumerate(names)}
    a, b, same = (np.array(c) for c in zip(*((at[a], at[b], s) for a, b, s in pairs)))
    print(f"{len(pairs)} pairs, {same.sum()} of one person; TAR at FAR 1e-2 (and 1e-3), d'")
    clean = {}
    for kind, change in SPOILT.items():
        spoilt = [change(chips[name]) for name in names]
        line = f"{kind:20}"
        for path in args.encoders:
            encode = encoder(path)
            if path not in clean:
                clean[path] = encode([chips[name] for name in names])
            scores = (clean[path][a] * encode(spoilt)[b]).sum(1)
            genuine, impostor = scores[same], np.sort(scores[~same])[::-1]
            tar = [(genuine > impostor[int(far * len(impostor))]).mean() for far in (1e-2, 1e-3)]
            spread = np.sqrt((genuine.var() + impostor.var()) / 2)
            line += f" | {tar[0]:.3f} ({tar[1]:.3f}) {(genuine.mean() - impostor.mean()) / spread:.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
