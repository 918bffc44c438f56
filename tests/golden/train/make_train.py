#!/usr/bin/env python3
"""Write steps.txt and runs.txt beside this script: training steps as PyTorch takes them.

    python3 -m venv v && v/bin/pip install torch numpy
    v/bin/python tests/golden/train/make_train.py          # some minutes, several GB
    v/bin/python tests/golden/train/make_train.py malstm   # these cases only; the others stay

Koch's network has 38,947,648 parameters: neither they nor the pictures are stored. Both sides make
them from an index by the formulas below, to the same float32 bits, and what is stored of a parameter's
gradient is its norm, products with vectors of signs and some entries. The networks are written here
from the papers, not from doppel's graphs.

    hash(seed, i) for i = 0, 1, ...     32 bits, see mix()
    a parameter          offset + scale * u, u in [-1, 1) by 24 bits of hash(fnv1a(its name) +
                         0x9E3779B9 * its row's salt, i) over the row-major tensor in PyTorch's (and
                         ONNX's) order; scale is a power of two
    pictures             [rows, side, side, channels], see pictures(); pairs are rows 2k and 2k + 1,
                         the same where k is odd, in steps (not in runs) also to look at; all weigh
                         the same
    sentences            CHANNELS is 0, SIDE the steps: ids [rows, steps] below WORDS, see sentences();
                         of two towers the second has the odd rows, and its own parameters "b/" before
                         their names
    vectors              of a loss across, [rows, dim], what sentences shall come to lie at, see
                         picture_of(): rows 4k + 2 and 4k + 3 are of one picture
    signs d = 0 .. 5     the top bit of hash(1000 + d, i), 0 for +1

steps.txt, one training step a case:

    case NAME ARCH CHANNELS DIM SIDE ROWS LOSS MARGIN
    loss VALUE TORCH32
    salt NAME DIGITS     of its rows, base 36; 0 for a parameter that is not named
    grad NAME N OFFSET SCALE NORM TORCH32 PRODUCT... n (INDEX VALUE)...
    after ...            the same of a running average: of its change by the step
    end

Values are float64's; TORCH32 is by how much PyTorch's own float32 is off: |loss - loss64| / loss64, and
the norm of the difference over NORM. It is there to judge tolerances by.

runs.txt, 100 steps on 4 batches in turn (pictures of batch b have hash seeds 10 + b):

    run NAME ARCH CHANNELS DIM SIDE ROWS LOSS MARGIN OPTIMIZER RATE
    step VALUE TORCH32   100 lines
    after ...            of each parameter's change over all steps
    end
"""
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
N_SIGNS, N_ENTRIES, CELL, N_BATCHES, N_STEPS = 6, 4, 8, 4, 100
WORDS, WIDTH = 50, 12  # of the table of words
CLOSE = 2e-5  # of a layer's root mean square


# ---------------------------------------------------------------- formulas


def mix(seed, index):
    """uint32 index: a hash whose bits look like chance."""
    h = index.astype(np.uint32) * np.uint32(2654435761) + np.asarray(seed, np.uint32)
    for shift, factor in ((15, 2246822519), (13, 3266489917)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    return h ^ (h >> np.uint32(16))


def fnv1a(name):
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 % 2**32
    return h


def fill(name, shape, offset, scale, salts):
    """float32 [shape]; salts: one of each row, or 0."""
    n = math.prod(shape)
    seeds = np.uint32(fnv1a(name)) + np.asarray(salts, np.uint32) * np.uint32(0x9E3779B9)
    h = mix(np.broadcast_to(seeds, shape[0])[:, None], np.arange(n).reshape(shape[0], -1))
    u = (h >> np.uint32(8)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return (np.float32(offset) + np.float32(scale) * u).reshape(shape)


def pictures(seed, rows, side, channels, alike):
    """Cells of 8 pixels in one colour, a quarter of the amplitude in noise on top. A row's cells are
    those of the row before where the two are alike and of the same thing."""
    cells = -(-side // CELL)
    row = np.arange(rows)
    thing = np.where((row % 4 == 3) & alike, row - 1, row)
    y, x, c = np.arange(side), np.arange(side), np.arange(channels)
    cell = (((thing[:, None] * cells + y // CELL)[:, :, None] * cells + x // CELL)[..., None] * channels
            + c)
    pixel = np.arange(rows * side * side * channels).reshape(rows, side, side, channels)
    coarse, fine = mix(seed, cell) >> np.uint32(8), mix(seed + 100, pixel) >> np.uint32(8)
    return ((3 * coarse + fine) >> np.uint32(2)).astype(np.float32) / np.float32(2**24)


def sentences(seed, rows, steps):
    """Of 1 to all steps, the first row full; 0 behind the end."""
    row, step = np.arange(rows)[:, None], np.arange(steps)
    lengths = np.where(row == 0, steps, 1 + mix(seed, row) % np.uint32(steps))
    ids = 1 + mix(seed + 100, row * steps + step) % np.uint32(WORDS - 1)
    return np.where(step < lengths, ids, 0).astype(np.int64)


def picture_of(rows):
    """The picture that each row is of."""
    row = np.arange(rows)
    return np.where(row % 4 == 3, row - 1, row)


def picture_vectors(seed, rows, dim):
    h = mix(seed + 200, picture_of(rows)[:, None] * dim + np.arange(dim))
    return (h >> np.uint32(8)).astype(np.float32) / np.float32(2**23) - np.float32(1)


def sign_products(x):
    x = x.reshape(-1)
    index = np.arange(x.size)
    return [float(np.where(mix(1000 + d, index) >> np.uint32(31), -x, x).sum())
            for d in range(N_SIGNS)]


# ---------------------------------------------------------------- networks


class Net:
    """Parameters by name, made when they are first asked for; a network is a function that asks.

    The gradient jumps where an activation is 0, and where two numbers that a pool chooses from are
    equal: if rounding decides which side a number is on, one of a million, gradients differ by parts
    in a thousand, whoever is right. So each output channel has a salt, the first with which none of
    its numbers is that close: choose=True finds them, layer by layer, in float64."""

    def __init__(self, dtype, salts=None, choose=False):
        self.dtype, self.salts, self.choose = dtype, {} if salts is None else salts, choose
        self.values, self.formulas, self.running = {}, {}, set()

    def start(self, name, shape):
        return fill(name, shape, *self.formulas[name], self.salts.get(name, 0))

    def get(self, name, shape, offset, scale, trained=True):
        if name not in self.values:
            self.formulas[name] = (offset, scale)
            self.values[name] = torch.tensor(self.start(name, shape), dtype=self.dtype,
                                             requires_grad=trained)
            if not trained:
                self.running.add(name)
        return self.values[name]

    def weight(self, name, shape):
        """Variance near 2 / fan_in: activations keep their size."""
        scale = 2.0 ** round(math.log2(math.sqrt(6 / math.prod(shape[1:]))))
        return self.get(name, shape, 0, scale)

    def layer(self, name, x, shape, run, gaps=None, bias=False, norm=True):
        """Weights of this shape, given to run(x, weight, bias), and batch norm. gaps(z): how close
        to a jump each number is."""
        weight = self.weight(name + ".weight", shape)
        c = shape[:1]
        b = self.get(name + ".bias", c, 0, 0.25) if bias else None
        if norm:
            scale, shift = (self.get(f"{name}/bn.{what}", c, offset, 0.25)
                            for what, offset in (("scale", 1), ("shift", 0)))
            mean, variance = (self.get(f"{name}/bn.{what}", c, offset, 0.25, trained=False)
                              for what, offset in (("mean", 0), ("variance", 1)))
        if self.choose and gaps:
            salts = self.salts.setdefault(name + ".weight", np.zeros(shape[0], np.int64))
            bad, limit = torch.arange(shape[0]), None
            while len(bad):
                depthwise = len(shape) == 4 and shape[1] == 1 and x.shape[1] == shape[0]
                z = run(x[:, bad] if depthwise else x, weight[bad], b[bad] if bias else None)
                z = F.batch_norm(z, None, None, scale[bad], shift[bad], True) if norm else z
                gap = gaps(z)
                limit = CLOSE * float((z**2).mean().sqrt()) if limit is None else limit
                bad = bad[gap.transpose(0, 1).flatten(1).min(1)[0] < limit]
                salts[bad] += 1
                fresh = torch.tensor(self.start(name + ".weight", shape), dtype=self.dtype)
                weight[bad] = fresh[bad]
        x = run(x, weight, b)
        return F.batch_norm(x, mean, variance, scale, shift, True, 0.1, 1e-5) if norm else x

    def conv(self, name, x, out_c, kernel, stride=1, pad=0, depthwise=False, **keywords):
        shape = (out_c, 1 if depthwise else x.shape[1], kernel, kernel)
        return self.layer(name, x, shape, lambda x, w, b: F.conv2d(
            x, w, b, stride, pad, 1, x.shape[1] if depthwise else 1), **keywords)

    def prelu(self, name, x):
        slope = self.get(f"{name}/prelu.slope", (x.shape[1], 1, 1), 0.25, 0.125)
        return F.prelu(x, slope.reshape(-1))


def pool_gaps(z):
    """Of a pool of 2 by 2 behind a Relu: of the largest to 0, or to the next."""
    n, c, h, w = (*z.shape[:2], z.shape[2] // 2, z.shape[3] // 2)
    z = z[:, :, :2 * h, :2 * w].reshape(n, c, h, 2, w, 2).transpose(3, 4).reshape(n, c, h, w, 4)
    first, second = z.topk(2)[0].unbind(-1)
    return torch.where(first > 0, first - F.relu(second), -first)


def pair_gaps(z):
    """Of vectors whose differences' signs count."""
    return (torch.sigmoid(z[0::2]) - torch.sigmoid(z[1::2])).abs()


def koch(net, x, dim, norm):
    """Koch, Zemel, Salakhutdinov 2015, figure 4; with batch norm, also in the place of the sigmoid."""
    for i, (out_c, kernel, pool) in enumerate(((64, 10, 1), (128, 7, 1), (128, 4, 1), (256, 4, 0))):
        x = F.relu(net.conv(f"conv{i + 1}", x, out_c, kernel, bias=not norm, norm=norm,
                            gaps=pool_gaps if pool else torch.abs))
        x = F.max_pool2d(x, 2) if pool else x
    x = x.flatten(1)
    x = net.layer("fc", x, (dim, x.shape[1]), F.linear, bias=not norm, norm=norm,
                  gaps=None if norm else pair_gaps)
    return x if norm else torch.sigmoid(x)


def mobilefacenet(net, x, dim):
    """Chen, Liu, Gao, Han 2018, table 1."""
    def layer(name, x, *args, **keywords):
        return net.prelu(name, net.conv(name, x, *args, gaps=torch.abs, **keywords))

    x = layer("conv1", x, 64, 3, 2, 1)
    x = layer("conv2", x, 64, 3, 1, 1, depthwise=True)
    table = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
    for i, (widen, out_c, n, first) in enumerate(table):
        for k in range(n):
            name, inside, stride = f"stage{i + 1}/block{k + 1}", widen * x.shape[1], 1 if k else first
            y = layer(name + "/widen", x, inside, 1)
            y = layer(name + "/depthwise", y, inside, 3, stride, 1, depthwise=True)
            y = net.conv(name + "/narrow", y, out_c, 1)
            x = y + x if y.shape == x.shape and stride == 1 else y
    x = layer("conv3", x, 512, 1)
    x = net.conv("global", x, 512, x.shape[2], depthwise=True)
    return net.conv("fc", x, dim, 1).flatten(1)


def words(net, ids, prefix):
    return net.get(prefix + "words.weight", (WORDS, WIDTH), 0, 0.5)[ids]


def bilstm(net, name, x, lengths, hidden):
    """ONNX's LSTM in both directions, gates i, o, f, c: all states [n, steps, 2 hidden], 0 behind the
    end, and the last of each direction [n, 2 hidden]."""
    n, steps, width = x.shape
    w = net.get(name + ".weight", (2, 4 * hidden, width), 0, 0.125)
    r = net.get(name + ".state", (2, 4 * hidden, hidden), 0, 0.125)
    b = net.get(name + ".bias", (2, 8 * hidden), 0, 0.25)
    states, last = [], []
    for d in range(2):
        h = c = torch.zeros(n, hidden, dtype=net.dtype)
        at = [None] * steps
        for t in range(steps) if d == 0 else reversed(range(steps)):
            here = (t < lengths)[:, None]
            gates = (x[:, t] @ w[d].T + h @ r[d].T + b[d, :4 * hidden] + b[d, 4 * hidden:])
            i, o, f, g = gates.chunk(4, 1)
            new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.where(here, torch.sigmoid(o) * torch.tanh(new), h)
            c = torch.where(here, new, c)
            at[t] = torch.where(here, h, torch.zeros_like(h))
        states.append(torch.stack(at, 1))
        last.append(h)
    return torch.cat(states, 2), torch.cat(last, 1)


def bilstm_l1(net, ids, dim, prefix):
    """The layer is shared, the tables are not."""
    return bilstm(net, "bilstm", words(net, ids, prefix), (ids > 0).sum(1), dim // 2)[1]


def malstm(net, ids, dim, prefix):
    """Without dropout, which is drawn."""
    lengths = (ids > 0).sum(1)
    x = bilstm(net, prefix + "bilstm1", words(net, ids, prefix), lengths, 128)[0]
    return bilstm(net, prefix + "bilstm2", x, lengths, dim // 2)[1]


def dense_relu(net, name, x, dim):
    weight = net.weight(name + ".weight", (dim, x.shape[1]))
    return F.relu(F.linear(x, weight, net.get(name + ".bias", (dim,), 0, 0.25)))


def mean_embedding(net, ids, dim, prefix):
    x = dense_relu(net, prefix + "fc1", words(net, ids, prefix).mean(1), 32)
    return dense_relu(net, prefix + "fc2", x, dim)


def mean_words(net, ids, dim, prefix):
    """Of the words that there are."""
    there = (ids > 0).to(net.dtype)[:, :, None]
    x = (words(net, ids, prefix) * there).sum(1) / there.sum(1)
    return F.linear(x, net.weight(prefix + "fc.weight", (dim, WIDTH)),
                    net.get(prefix + "fc.bias", (dim,), 0, 0.25))


def two_inputs(net, ids, dim, prefix):
    """The second side has three words."""
    return dense_relu(net, prefix + "fc", words(net, ids[:, :3] if prefix else ids, prefix).mean(1),
                      dim)


TEXTS = {"bilstm-l1": (bilstm_l1, 2), "malstm": (malstm, 1), "mean-embedding": (mean_embedding, 1),
         "mean-words": (mean_words, 1), "two-inputs": (two_inputs, 2)}
ACROSS = ("info-nce", "ranking")
ARCHS = {"koch2015": lambda net, x, dim: koch(net, x, dim, False),
         "koch2015-bn": lambda net, x, dim: koch(net, x, dim, True),
         "mobilefacenet": mobilefacenet}


def loss_of(net, kind, embeddings, margin):
    a, b = embeddings[0::2], embeddings[1::2]
    same = torch.tensor([float(k % 2) for k in range(len(a))], dtype=net.dtype)
    if kind == "l1-sigmoid":
        w = net.get("loss.weights", (1, a.shape[1]), 0, 2.0 ** -round(math.log2(a.shape[1]) / 3))
        z = ((a - b).abs() * w).sum(1) + net.get("loss.bias", (1, 1), 0, 0.25).reshape(())
        return F.binary_cross_entropy_with_logits(z, same)
    if kind == "l1-similarity":
        w = net.get("loss.weights", (1, a.shape[1]), 0, 2.0 ** -round(math.log2(a.shape[1]) / 3))
        z = ((1 - (a - b).abs()) * w).sum(1) + net.get("loss.bias", (1, 1), 0, 0.25).reshape(())
        return F.binary_cross_entropy_with_logits(z, same)
    if kind == "manhattan-ce":
        d = (a - b).abs().sum(1)
        return (same * d - (1 - same) * torch.log(-torch.expm1(-d))).mean()
    if kind == "distance-sigmoid":
        d = ((a - b) ** 2).sum(1).clamp_min(1e-7).sqrt()
        z = d * net.get("loss.weights", (1, 1), -2, 0.25).reshape(())
        z = z + net.get("loss.bias", (1, 1), 1, 0.25).reshape(())
        return F.binary_cross_entropy_with_logits(z, same)
    if kind == "cosine":
        cosine = F.cosine_similarity(a, b)
        return (same * (1 - cosine) + (1 - same) * F.relu(cosine - margin)).mean()
    distance = ((a - b) ** 2).sum(1).clamp_min(1e-7).sqrt()
    return (same * distance**2 + (1 - same) * F.relu(margin - distance) ** 2).mean() / 2


def semi_hard(cosine, together, margin):
    """The margin before the nearest rival that is further than one's own; of none, the furthest."""
    own = cosine.diagonal()
    rivals = cosine.masked_fill(together, -2)
    nearest = rivals.masked_fill(rivals >= own[:, None], -2).max(1)[0]
    furthest = cosine.masked_fill(together, 2).min(1)[0]
    return F.relu(margin - own + torch.where(nearest > -2, nearest, furthest)).mean()


def loss_across(net, kind, embeddings, margin, seed):
    rows, dim = embeddings.shape
    cosine = F.normalize(embeddings) @ F.normalize(
        torch.tensor(picture_vectors(seed, rows, dim), dtype=net.dtype)).T
    picture = torch.tensor(picture_of(rows))
    together = picture[:, None] == picture
    if kind == "ranking":
        return semi_hard(cosine, together, margin) + semi_hard(cosine.T, together, margin)
    logits = cosine * net.get("loss.scale", (1, 1), 2.5, 0.25).reshape(()).exp().clamp_max(100)
    wanted = together.to(net.dtype) / together.sum(1, keepdim=True)
    return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2


def loss_at(net, arch, channels, dim, side, rows, kind, margin, seed, alike):
    if channels == 0:
        network, n_towers = TEXTS[arch]
        ids = torch.tensor(sentences(seed, rows, side))
        out = [network(net, ids[k::n_towers], dim, "b/" * k) for k in range(n_towers)]
        if kind in ACROSS:
            return loss_across(net, kind, out[0], margin, seed)
        return loss_of(net, kind, torch.stack(out, 1).flatten(0, 1), margin)
    x = torch.tensor(pictures(seed, rows, side, channels, alike)).permute(0, 3, 1, 2).to(net.dtype)
    return loss_of(net, kind, ARCHS[arch](net, x.contiguous(), dim), margin)


# ---------------------------------------------------------------- what is stored


def figures(word, name, formula, want, near, norm):
    """A parameter's line: want in float64, near the same by float32."""
    want = want.astype(np.float64).reshape(-1)
    off = float(np.linalg.norm(near.reshape(-1).astype(np.float64) - want)) / norm
    index = np.arange(min(want.size, N_ENTRIES))
    if want.size > N_ENTRIES:
        index = np.unique(mix(fnv1a(name) + 1, index) % np.uint32(want.size))
    entries = " ".join(f"{i} {want[i]:.7g}" for i in index)
    products = " ".join(f"{v:.7g}" for v in sign_products(want))
    return (f"{word} {name} {want.size} {formula[0]:.9g} {formula[1]:.9g} {norm:.9g} {off:.2g} "
            f"{products} {len(index)} {entries}\n"), off


def changes(net):
    return {name: value.detach().numpy().astype(np.float64) - net.start(name, tuple(value.shape))
            for name, value in net.values.items()}


def norm_of(name, results):
    """A shift that a later batch norm takes off again, or a loss of differences, has no gradient but
    by rounding: what that is measured by is its scale's."""
    norm = float(np.linalg.norm(results[name]))
    scale = name.replace(".shift", ".scale")
    other = float(np.linalg.norm(results[scale]))
    return norm if norm > 1e-9 * other else other


def step_text(case):
    chosen = Net(torch.float64, choose=True)
    with torch.no_grad():
        loss_at(chosen, *case[1:], seed=10, alike=True)
    nets = [Net(dtype, chosen.salts) for dtype in (torch.float64, torch.float32)]
    losses = []
    for net in nets:
        loss = loss_at(net, *case[1:], seed=10, alike=True)
        loss.backward()
        losses.append(loss.item())
    text = "case " + " ".join(str(word) for word in case) + "\n"
    text += f"loss {losses[0]:.12g} {abs(losses[1] / losses[0] - 1):.2g}\n"
    for name, salts in chosen.salts.items():
        text += f"salt {name} {''.join(np.base_repr(salt, 36) for salt in salts)}\n"
    results = [changes(net) for net in nets]
    for net, result in zip(nets, results):
        result.update((k, v.grad.numpy()) for k, v in net.values.items() if k not in net.running)
    worst = 0
    for name in sorted(results[0]):
        line, off = figures("after" if name in nets[0].running else "grad", name,
                            nets[0].formulas[name], results[0][name], results[1][name],
                            norm_of(name, results[0]))
        text, worst = text + line, max(worst, off)
    n = sum(v.numel() for v in nets[0].values.values())
    most = max((int(salts.max()) for salts in chosen.salts.values()), default=0)
    print(f"{case[0]}: {n} parameters, salts to {most}, loss {losses[0]:.6g}, float32 off by "
          f"{worst:.2g} at most")
    return text + "end\n"


OPTIMIZERS = {"nadam": lambda w, rate: torch.optim.NAdam(w, lr=rate),
              "sgd": lambda w, rate: torch.optim.SGD(w, lr=rate, momentum=0.9),
              "adam": lambda w, rate: torch.optim.Adam(w, lr=rate)}


def run_text(run):
    *case, optimizer_name, rate = run
    nets = [Net(dtype) for dtype in (torch.float64, torch.float32)]
    losses = []
    for net in nets:
        loss_at(net, *case[1:], seed=10, alike=True)
        optimizer = OPTIMIZERS[optimizer_name]([net.values[k] for k in sorted(net.values)], rate)
        losses.append([])
        for t in range(N_STEPS):
            optimizer.zero_grad()
            loss = loss_at(net, *case[1:], seed=10 + t % N_BATCHES, alike=False)
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    text = "run " + " ".join(str(word) for word in run) + "\n"
    off = [abs(b / a - 1) for a, b in zip(*losses)]
    text += "".join(f"step {a:.9g} {o:.2g}\n" for a, o in zip(losses[0], off))
    moved, worst = [changes(net) for net in nets], 0
    for name in sorted(nets[0].values):
        line, o = figures("after", name, nets[0].formulas[name], *(m[name] for m in moved),
                          float(np.linalg.norm(moved[0][name])))
        text, worst = text + line, max(worst, o)
    print(f"{case[0]}: loss {losses[0][0]:.4g} to {losses[0][-1]:.4g}; float32 drifts by {max(off):.2g} "
          f"in the loss, {worst:.2g} in a parameter's way")
    return text + "end\n"


STEPS = [
    ("koch2015_l1", "koch2015", 1, 4096, 105, 4, "l1-sigmoid", 1),
    ("koch2015_contrastive", "koch2015", 1, 4096, 105, 4, "contrastive", 16),
    ("koch2015_bn", "koch2015-bn", 1, 256, 105, 8, "cosine", -0.5),
    ("mobilefacenet", "mobilefacenet", 3, 128, 105, 8, "cosine", -0.5),
    ("bilstm_l1", "bilstm-l1", 0, 64, 11, 16, "l1-similarity", 1),
    ("malstm", "malstm", 0, 64, 11, 16, "manhattan-ce", 1),
    ("mean_embedding", "mean-embedding", 0, 16, 15, 16, "contrastive", 1),
    ("mean_embedding_sigmoid", "mean-embedding", 0, 16, 15, 16, "distance-sigmoid", 1),
    ("two_inputs", "two-inputs", 0, 32, 15, 16, "contrastive", 1),
    ("mean_words_info_nce", "mean-words", 0, 24, 11, 18, "info-nce", 0),
    ("mean_words_ranking", "mean-words", 0, 24, 11, 18, "ranking", 0.2),
]
RUNS = [
    ("sgd", "koch2015", 1, 32, 65, 8, "l1-sigmoid", 1, "sgd", 0.001),
    ("adam", "koch2015", 1, 32, 65, 8, "contrastive", 1, "adam", 0.000004),
    ("bilstm_l1_adam", "bilstm-l1", 0, 64, 11, 16, "l1-similarity", 1, "adam", 0.001),
    ("malstm_nadam", "malstm", 0, 64, 11, 16, "manhattan-ce", 1, "nadam", 0.002),
    ("mean_embedding_adam", "mean-embedding", 0, 16, 15, 16, "contrastive", 1, "adam", 0.001),
    ("two_inputs_adam", "two-inputs", 0, 32, 15, 16, "contrastive", 1, "adam", 0.001),
    ("mean_words_adam", "mean-words", 0, 24, 11, 18, "info-nce", 0, "adam", 0.001),
]


def main():
    for name, cases, write in (("steps.txt", STEPS, step_text), ("runs.txt", RUNS, run_text)):
        only = sys.argv[1:]
        text = "".join(write(case) for case in cases if not only or case[0] in only)
        path = os.path.join(HERE, name)
        if only and os.path.exists(path):  # the others stay as they are
            with open(path, encoding="ascii") as file:
                parts = [part + "end\n" for part in file.read().split("end\n") if part]
            text = "".join(part for part in parts if part.split()[1] not in only) + text
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


if __name__ == "__main__":
    main()
