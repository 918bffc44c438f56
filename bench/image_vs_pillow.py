#!/usr/bin/env python3
"""Decode speed of libdoppel beside Pillow's, alternating in one process.

    image_vs_pillow.py LIBDOPPEL.SO [REPEATS]

Photos are made here: smooth shapes with noise on top, which is about as hard to decode as a camera's
picture (the bytes a pixel are in the note). One thread, 12 megapixels. The columns: bench/figures.py.
"""
import ctypes
import io
import os
import pathlib
import sys
import time

import numpy as np
import PIL
from PIL import Image

from figures import Figures


# How the structs lie, as the Python package has it from the headers.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
os.environ["DOPPEL_LIBRARY"] = sys.argv[1]
from doppel._abi import dpl_decode_options, dpl_image  # noqa: E402


def photo(width, height):
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (height // 40, width // 40, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC), np.int16)
    return Image.fromarray(np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8))


def main():
    lib = ctypes.CDLL(sys.argv[1])
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    picture = photo(4000, 3000)
    figures = Figures("image")
    for name, kind, save, enough in (
            ("jpeg 4:2:0", "JPEG", {"quality": 88}, 0),
            ("jpeg 4:4:4", "JPEG", {"quality": 88, "subsampling": 0}, 0),
            ("jpeg progressive", "JPEG", {"quality": 88, "progressive": True}, 0),
            ("jpeg 4:2:0 to >= 1280 px", "JPEG", {"quality": 88}, 1280),
            ("png rgb", "PNG", {"compress_level": 6}, 0)):
        out = io.BytesIO()
        picture.save(out, kind, **save)
        data = out.getvalue()
        options = dpl_decode_options(ctypes.sizeof(dpl_decode_options), 64000000, 256 << 20, enough)

        def ours():
            image = dpl_image()
            assert lib.dpl_image_decode(ctypes.byref(image), data, ctypes.c_size_t(len(data)),
                                        ctypes.byref(options), None) == 0
            size = image.width_px, image.height_px
            lib.dpl_image_clear(ctypes.byref(image))
            return size

        def theirs():
            image = Image.open(io.BytesIO(data))
            if enough:
                image.draft("RGB", (enough, enough * 3 // 4))
            image.load()
            return image.size

        assert ours() == theirs(), (ours(), theirs())
        times = [], []
        for _ in range(repeats):
            for run, kept in ((ours, times[0]), (theirs, times[1])):
                start = time.perf_counter()
                run()
                kept.append(1e3 * (time.perf_counter() - start))
        figures.row(name, 1, times[0], "Pillow " + PIL.__version__, times[1],
                    note="%.2f bytes a pixel" % (len(data) / 12e6))


if __name__ == "__main__":
    main()
