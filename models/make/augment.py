"""Pictures spoilt as archives spoil them, on the device, a batch at a time.

Pictures are float tensors [n, 3, h, w] of 0 to 255. Each function takes the share of pictures that it
may change; the rest stay as they are. All chance is drawn on the device and all shapes are fixed, so that
a step of training can be captured as a CUDA graph: what is drawn by the host, or sent from it, would be
the same in each replay.
"""
import functools
import math

import torch
from torch.nn import functional as F

# The quantisation tables of JPEG's annex K.
LUMA = (16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99)
CHROMA = (17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
          47, 66, 99, 99, 99, 99, 99, 99) + (99,) * 32
YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@functools.lru_cache(maxsize=None)
def table(values, device):
    return torch.tensor(values, device=device)


def to_ycc(x):
    return torch.einsum("oc,nchw->nohw", table(YCC, x.device), x)


@functools.lru_cache(maxsize=None)
def back(device):
    return torch.linalg.inv(torch.tensor(YCC, dtype=torch.float64)).float().to(device)


def from_ycc(x):
    return torch.einsum("oc,nchw->nohw", back(x.device), x)


def order(n, like):
    """The numbers below n in a drawn order."""
    return torch.rand(n, device=like.device).argsort()


def uniform(n, low, high, like):
    return torch.rand(n, device=like.device) * (high - low) + low


def chosen(n, share, like):
    return torch.rand(n, device=like.device) < share


def pick(mask, changed, x):
    return torch.where(mask.view(-1, *[1] * (x.dim() - 1)), changed, x)


def sample(x, side, zoom, angle, shift, squeeze=None, lean=None, mode="bicubic", padding="border"):
    """side x side pictures about the middle of x: zoom is output pixels per input pixel, angle in
    radians, shift [n, 2] in input pixels; squeeze narrows across, lean narrows one half (as a turned
    head or a slanted photo does)."""
    n, size = len(x), x.shape[-1]
    p = torch.arange(side, device=x.device, dtype=torch.float32) - (side - 1) / 2
    v, u = torch.meshgrid(p, p, indexing="ij")
    u, v = u.expand(n, -1, -1), v.expand(n, -1, -1)

    def each(value):
        return value.view(-1, 1, 1)

    if squeeze is not None:
        u = u * each(squeeze)
    if lean is not None:
        u = u * (1 + each(lean) * u / side)
    cos, sin = each(torch.cos(angle) / zoom), each(torch.sin(angle) / zoom)
    gx = cos * u - sin * v + each(shift[:, 0])
    gy = sin * u + cos * v + each(shift[:, 1])
    grid = torch.stack([gx, gy], -1) * 2 / size
    return F.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=False).clamp(0, 255)


def mirror(x, share=0.5):
    return pick(chosen(len(x), share, x), x.flip(3), x)


def on_some(x, share, change):
    """change(part) on share of the pictures."""
    count = round(len(x) * share)
    if not count:
        return x
    part = order(len(x), x)[:count]
    return x.index_copy(0, part, change(x[part]).to(x.dtype))


@functools.lru_cache(maxsize=None)
def reductions(side, low, high, device):
    """[2 for each size, side, side]: matrices that reduce a row of side pixels to that size and enlarge it
    again, linearly and by cubic curves."""
    out = []
    for to in range(round(low), round(high) + 1):
        mode = dict(mode="area") if side % to == 0 else dict(mode="bilinear", antialias=True)
        small = F.interpolate(torch.eye(side)[None, None], size=(to, side), **mode)
        out += [F.interpolate(small, size=(side, side), mode=m)[0, 0] for m in ("bilinear", "bicubic")]
    return torch.stack(out).to(device)


def coarse(x, share, low, high):
    """Reduced to a side between low and high and enlarged again."""
    matrices = reductions(x.shape[-1], low, high, x.device)

    def change(part):
        n = len(part)
        size = torch.exp(uniform(n, math.log(round(low)), math.log(round(high) + 1), x)).floor()
        size = (size - round(low)).clamp(0, len(matrices) // 2 - 1).long()
        m = matrices[size * 2 + (torch.rand(n, device=x.device) < 0.5)]
        y = m[:, None] @ part.float() @ m.transpose(1, 2)[:, None]
        return y.clamp(0, 255)

    return on_some(x, share, change)


def blur(x, share, low, high, groups=4):
    """Out of focus (Gaussian) or moved (a line), in groups that have one kernel each."""
    r = math.ceil(2.5 * high)

    def change(part):
        at = torch.arange(-r, r + 1, device=x.device, dtype=torch.float32)
        out = []
        for some in part.chunk(groups):
            sigma, turn = uniform(1, low, high, x), uniform(1, 0, math.pi, x)
            row = torch.exp(-at * at / (2 * sigma * sigma))
            across = (at[:, None] * torch.cos(turn) - at[None] * torch.sin(turn)).abs()
            along = (at[:, None] * torch.sin(turn) + at[None] * torch.cos(turn)).abs()
            line = (1 - across).clamp_min(0) * (along <= 2 * sigma)
            kernel = torch.where(torch.rand(1, device=x.device) < 0.7, row[:, None] * row, line)
            kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1).contiguous()
            out.append(F.conv2d(F.pad(some, (r, r, r, r), mode="reflect"), kernel, groups=3))
        return torch.cat(out)

    return on_some(x, share, change)


def light(x, share, gain=(0.6, 1.4), gamma=(0.7, 1.4), contrast=(0.7, 1.3), tint=0.1):
    n = len(x)
    y = (x / 255).clamp(1e-4, 1) ** torch.exp(uniform(n, *map(math.log, gamma), x)).view(-1, 1, 1, 1)
    mean = y.mean((1, 2, 3), keepdim=True)
    y = (y - mean) * uniform(n, *contrast, x).view(-1, 1, 1, 1) + mean
    y = y * torch.exp(uniform(n, *map(math.log, gain), x)).view(-1, 1, 1, 1)
    y = y * (1 + tint * (2 * torch.rand(n, 3, 1, 1, device=x.device) - 1))
    return pick(chosen(n, share, x), (y * 255).clamp(0, 255), x)


def dark(x, share):
    """Too little light: down to a tenth of it, in whole steps, with its noise."""
    n = len(x)
    y = x * torch.exp(uniform(n, math.log(0.1), math.log(0.5), x)).view(-1, 1, 1, 1)
    y = (y + torch.randn_like(y) * uniform(n, 0, 3, x).view(-1, 1, 1, 1)).round().clamp(0, 255)
    return pick(chosen(n, share, x), y, x)


def grey(x, share):
    y = (x * table(YCC[0], x.device).view(1, 3, 1, 1)).sum(1, keepdim=True).expand_as(x)
    return pick(chosen(len(x), share, x), y, x)


def colours(x, share, most=0.5):
    """Hue turned and saturation changed, in the plane of chroma."""
    n = len(x)
    ycc = to_ycc(x)
    turn, scale = uniform(n, -most, most, x), uniform(n, 0.4, 1.6, x)
    c, s = (torch.cos(turn) * scale).view(-1, 1, 1), (torch.sin(turn) * scale).view(-1, 1, 1)
    cb, cr = ycc[:, 1] * c - ycc[:, 2] * s, ycc[:, 1] * s + ycc[:, 2] * c
    y = from_ycc(torch.stack([ycc[:, 0], cb, cr], 1))
    return pick(chosen(n, share, x), y.clamp(0, 255), x)


def noise(x, share, most):
    y = x + torch.randn_like(x) * uniform(len(x), 1, most, x).view(-1, 1, 1, 1)
    return pick(chosen(len(x), share, x), y.clamp(0, 255), x)


@functools.lru_cache(maxsize=None)
def cosines(device):
    k = torch.arange(8, dtype=torch.float32)
    dct = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    dct[0] *= math.sqrt(0.5)
    return dct.to(device)


def jpeg(x, share, low, high):
    """JPEG's loss: chroma halved, 8x8 cosine transforms, rounding by the tables of a quality."""
    side, dct = x.shape[-1], cosines(x.device)
    half = (side + 1) // 2

    def change(part):
        quality = uniform(len(part), low, high, x)
        scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
        ycc = to_ycc(part)

        def plane(p, steps):
            full = -(-p.shape[-1] // 8) * 8
            q = F.pad(p, (0, full - p.shape[-1], 0, full - p.shape[-1]), mode="replicate")
            m, c = q.shape[:2]
            blocks = q.view(m, c, full // 8, 8, full // 8, 8).permute(0, 1, 2, 4, 3, 5)
            step = (table(steps, x.device).view(8, 8) * scale.view(-1, 1, 1)).clamp(1, 255)
            step = step.view(m, 1, 1, 1, 8, 8)
            blocks = (dct @ blocks @ dct.T / step).round() * step
            blocks = (dct.T @ blocks @ dct).permute(0, 1, 2, 4, 3, 5).reshape(m, c, full, full)
            return blocks[:, :, :p.shape[-2], :p.shape[-1]]

        luma = plane(ycc[:, :1] - 128, LUMA)
        chroma = F.interpolate(ycc[:, 1:], size=(half, half), mode="bilinear", antialias=True)
        chroma = F.interpolate(plane(chroma, CHROMA), size=(side, side), mode="bilinear")
        return from_ycc(torch.cat([luma + 128, chroma], 1)).clamp(0, 255)

    return on_some(x, share, change)


def boxes(n, side, low, high, like):
    """Masks [n, 1, side, side] of rectangles with sides between low and high of the picture's."""
    h, w = uniform(n, low, high, like) * side, uniform(n, low, high, like) * side
    y, x = uniform(n, 0, 1, like) * (side - h), uniform(n, 0, 1, like) * (side - w)
    at = torch.arange(side, device=like.device)
    rows = (at >= y[:, None]) & (at < (y + h)[:, None])
    columns = (at >= x[:, None]) & (at < (x + w)[:, None])
    return (rows[:, :, None] & columns[:, None])[:, None]


def fillings(x):
    """What covers: one colour, noise or a piece of another picture."""
    n = len(x)
    colour = (torch.rand(n, 3, 1, 1, device=x.device) * 255).expand_as(x)
    other = x[order(n, x)].flip(2)
    kind = torch.rand(n, 1, 1, 1, device=x.device)
    return torch.where(kind < 0.5, colour, torch.where(kind < 0.7, torch.rand_like(x) * 255, other))


def cover_face(x, share):
    """Half of an aligned face covered (a mask, a scarf, a side), its eyes (dark glasses, glasses with
    a rim), or a rectangle."""
    n, side = len(x), x.shape[-1]
    at = torch.arange(side, device=x.device, dtype=torch.float32) / side
    v, u = torch.meshgrid(at, at, indexing="ij")
    v, u = v.expand(n, -1, -1), u.expand(n, -1, -1)
    below = v > uniform(n, 0.52, 0.75, x).view(-1, 1, 1)
    edge = uniform(n, 0.0, 0.4, x).view(-1, 1, 1)
    beside = torch.where(chosen(n, 0.5, x).view(-1, 1, 1), u < edge, u > 1 - edge)
    # Eyes lie at (0.33, 0.46) and (0.67, 0.46) of the chip.
    size = uniform(n, 0.10, 0.16, x).view(-1, 1, 1)
    eye = ((u - 0.33).abs() / 1.25).maximum(((v - 0.47).abs())) < size
    eye = eye | (((u - 0.67).abs() / 1.25).maximum((v - 0.47).abs()) < size)
    inner = ((u - 0.33).abs() / 1.25).maximum((v - 0.47).abs()) < size - 0.03
    inner = inner | (((u - 0.67).abs() / 1.25).maximum((v - 0.47).abs()) < size - 0.03)
    dark = eye | (((v - 0.45).abs() < 0.02) & (u > 0.3) & (u < 0.7))
    box = boxes(n, side, 0.15, 0.5, x)[:, 0]
    kind = torch.rand(n, 1, 1, device=x.device)
    mask = torch.where(kind < 0.25, below, torch.where(kind < 0.45, beside, torch.where(
        kind < 0.6, dark, torch.where(kind < 0.75, eye & ~inner, box))))[:, None]
    fill = torch.where(((kind >= 0.45) & (kind < 0.75))[:, None],
                       (torch.rand(n, 3, 1, 1, device=x.device) * 60).expand_as(x), fillings(x))
    return pick(chosen(n, share, x), torch.where(mask, fill, x), x)


def border(x, share):
    """Drawn smaller within a frame of one colour."""
    size = x.shape[-1]

    def change(y):
        m = len(y)
        zero = torch.zeros(m, device=x.device)
        zoom, wide = uniform(m, 0.7, 0.97, x), uniform(m, 1.0, 1.25, x)
        at = zoom, zero, zero[:, None].expand(-1, 2), wide
        ones = sample(torch.full_like(y[:, :1], 255), size, *at, mode="nearest", padding="zeros")
        small = sample(y, size, *at, mode="bilinear")
        colour = torch.where(torch.rand(m, 1, 1, 1, device=x.device) < 0.6,
                             (torch.rand(m, 1, 1, 1, device=x.device) < 0.5).float().expand(-1, 3, -1, -1),
                             torch.rand(m, 3, 1, 1, device=x.device)) * 255
        return torch.where(ones > 127, small, colour)

    return on_some(x, share, change)


def caption(x, share):
    """A band with marks like letters, at the top or the bottom or across."""
    n, side = len(x), x.shape[-1]
    at = torch.arange(side, device=x.device, dtype=torch.float32) / side
    height = uniform(n, 0.06, 0.2, x)[:, None]
    top = torch.rand(n, 1, device=x.device)
    top = torch.where(top < 0.4, 1 - height, torch.where(top < 0.7, torch.zeros_like(top), top * 0.8))
    band = ((at >= top) & (at < top + height))[:, None, :, None].expand(-1, 1, -1, side)
    cells = max(4, side // 4)
    marks = (torch.rand(n, 1, cells * 2, cells, device=x.device) < 0.45).float()
    marks = F.interpolate(marks, size=(side, side), mode="nearest") > 0.5
    line = ((at >= top + height * 0.25) & (at < top + height * 0.75))[:, None, :, None]
    ink = (torch.rand(n, 1, 1, 1, device=x.device) < 0.5).float() * 255
    paper = torch.where(torch.rand(n, 1, 1, 1, device=x.device) < 0.6, (255 - ink).expand_as(x), x)
    y = torch.where(band, paper, x)
    y = torch.where(band & line & marks, ink.expand_as(x), y)
    return pick(chosen(n, share, x), y, x)


def smooth(n, channels, side, cells, like):
    """[n, channels, side, side] of normal numbers at cells x cells places and smooth between."""
    x = torch.randn(n, channels, cells, cells, device=like.device)
    return F.interpolate(x, size=(side, side), mode="bicubic", align_corners=True)


def parts(n, side, like):
    """Masks [n, 1, side, side] with soft edges of a part of a face: below or above a line, an oval, or
    patches."""
    at = (torch.arange(side, device=like.device, dtype=torch.float32) + 0.5) / side

    def each(low, high):
        return uniform(n, low, high, like).view(-1, 1, 1, 1)

    v, u = at.view(1, 1, -1, 1), at.view(1, 1, 1, -1)
    soft, kind = each(0.02, 0.08), each(0, 1)
    line = torch.sigmoid((v - each(0.42, 0.7)) / soft).expand(n, 1, side, side)
    far = ((u - each(0.25, 0.75)) / each(0.12, 0.4)).square() + ((v - each(0.3, 0.8)) / each(0.1, 0.35)).square()
    patches = torch.sigmoid(4 * smooth(n, 1, side, 4, like))
    mask = torch.where(kind < 0.4, line, torch.where(kind < 0.7, torch.sigmoid((1 - far) / (4 * soft)), patches))
    return pick(chosen(n, 0.5, like), 1 - mask, mask)


def tinted(x, like):
    """x with the mean and the contrast of each of like's colours."""
    scale = (like.std((2, 3), keepdim=True) / x.std((2, 3), keepdim=True).clamp_min(1)).clamp(0.5, 2)
    return ((x - x.mean((2, 3), keepdim=True)) * scale + like.mean((2, 3), keepdim=True)).clamp(0, 255)


def warp(x, share, most):
    """Bent smoothly, by a deviation of up to `most` pixels."""
    n, side = len(x), x.shape[-1]
    by = uniform(n, 0.2, 1, x) * most * chosen(n, share, x)
    move = smooth(n, 2, side, 5, x) * by.view(-1, 1, 1, 1)
    p = torch.arange(side, device=x.device, dtype=torch.float32) - (side - 1) / 2
    grid = torch.stack([p.expand(side, side), p[:, None].expand(side, side)], -1) + move.permute(0, 2, 3, 1)
    return F.grid_sample(x, grid * 2 / side, mode="bicubic", padding_mode="border",
                         align_corners=False).clamp(0, 255)
