#!/usr/bin/env python3
"""A tiny CLIP with random weights as its pair of ONNX files, and what onnxruntime makes of them:
make_clip.py FOLDER (needs torch, onnx, onnxruntime). FOLDER holds clip.merges and clip.tsv already
(make_tokens.py).

clip-text.onnx   input_ids [n, steps], attention_mask [n, steps] -> text_embeds [n, 24]; no metadata
clip-image.onnx  pixel_values [n, 3, 32, 32] -> image_embeds [n, 24]; no metadata
clip-pair.tsv    24 numbers of unit length, and "text" with a text or "image" with a seed: pixel i of its
                 picture [32, 32, 3] is (seed * 131 + i * i * 7 + i * 13) mod 251
"""
import sys

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

STEPS, WIDTH, DIM, SIDE, PATCH = 24, 16, 24, 32, 8
MEAN = np.array([0.48145466, 0.4578275, 0.40821073]) * 255
STD = np.array([0.26862954, 0.26130258, 0.27577711]) * 255


class Block(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.causal = causal

    def forward(self, x, mask):
        q, k, v = (p.reshape(p.shape[0], -1, 2, WIDTH // 2).transpose(1, 2)
                   for p in self.qkv(self.norm1(x)).split(WIDTH, -1))
        a = q @ k.transpose(-1, -2) / (WIDTH // 2) ** 0.5
        if mask is not None:
            a = torch.where(mask, a, torch.tensor(float("-inf")))
        a = (a.softmax(-1) @ v).transpose(1, 2)
        x = x + self.out(a.reshape(a.shape[0], -1, WIDTH))
        h = self.up(self.norm2(x))
        return x + self.down(h * torch.sigmoid(1.702 * h))


class Text(nn.Module):
    def __init__(self, n_tokens):
        super().__init__()
        self.table, self.place = nn.Embedding(n_tokens, WIDTH), nn.Parameter(torch.randn(STEPS, WIDTH) * .3)
        self.blocks = nn.ModuleList([Block(True), Block(True)])
        self.norm, self.project = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DIM, bias=False)

    def forward(self, input_ids, attention_mask):
        x = self.table(input_ids) + self.place
        ahead = torch.tril(torch.ones(STEPS, STEPS)).bool()
        mask = ahead & (attention_mask[:, None, None, :] > 0)
        for block in self.blocks:
            x = block(x, mask)
        # The state at the end of the text, whose id is the highest.
        return self.project(self.norm(x)[torch.arange(x.shape[0]), input_ids.argmax(-1)])


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.cls, self.place = nn.Parameter(torch.randn(1, 1, WIDTH)), nn.Parameter(torch.randn(17, WIDTH))
        self.blocks = nn.ModuleList([Block(False), Block(False)])
        self.first, self.norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project = nn.Linear(WIDTH, DIM, bias=False)

    def forward(self, pixel_values):
        x = self.patch(pixel_values).flatten(2).transpose(1, 2)
        x = self.first(torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.place)
        for block in self.blocks:
            x = block(x, None)
        return self.project(self.norm(x[:, 0]))


def export(folder, name, module, arguments, names, out):
    path = f"{folder}/{name}.onnx"
    free = {n: {0: "n"} for n in names + [out]}
    torch.onnx.export(module, arguments, path, input_names=names, output_names=[out], dynamic_axes=free,
                      opset_version=17, dynamo=False)
    onnx.checker.check_model(onnx.load(path))
    return onnxruntime.InferenceSession(path)


def unit(v):
    return " ".join(f"{x:.7g}" for x in (v / np.linalg.norm(v)).ravel())


def main(folder):
    torch.manual_seed(5)
    rows = [line.rstrip("\n").split("\t") for line in open(f"{folder}/clip.tsv")]
    merges = len(open(f"{folder}/clip.merges").read().strip().split("\n")) - 1
    start, end = 512 + merges, 513 + merges
    text, image = Text(514 + merges).eval(), Image().eval()
    ids = torch.zeros(2, STEPS, dtype=torch.int64)
    ids[:, 3] = end
    t = export(folder, "clip-text", text, (ids, torch.ones_like(ids)), ["input_ids", "attention_mask"],
               "text_embeds")
    i = export(folder, "clip-image", image, (torch.randn(2, 3, SIDE, SIDE),), ["pixel_values"], "image_embeds")
    with open(f"{folder}/clip-pair.tsv", "w") as f:
        for given, words in rows:
            if not given:
                continue
            tokens = [start] + [int(x) for x in given.split()][:STEPS - 2] + [end]
            ids, mask = np.zeros((1, STEPS), np.int64), np.zeros((1, STEPS), np.int64)
            ids[0, :len(tokens)], mask[0, :len(tokens)] = tokens, 1
            f.write(unit(t.run(None, {"input_ids": ids, "attention_mask": mask})[0]) + f"\ttext\t{words}\n")
        for seed in range(4):
            n = np.arange(SIDE * SIDE * 3, dtype=np.int64)
            pixels = ((seed * 131 + n * n * 7 + n * 13) % 251).reshape(SIDE, SIDE, 3)
            x = ((pixels - MEAN) / STD).transpose(2, 0, 1)[None].astype(np.float32)
            f.write(unit(i.run(None, {"pixel_values": x})[0]) + f"\timage\t{seed}\n")


main(sys.argv[1])
