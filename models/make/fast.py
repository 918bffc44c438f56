"""Convolutions of one channel each, and batch norms with what follows them, in Triton, for a GPU.

Depthwise networks are bound by memory: what PyTorch's kernels for bfloat16 with channels last reach here
is a third of what the memory gives. Pictures are tensors [n, c, h, w] whose memory is [n, h, w, c]. Sums
are float32; the results have the input's type. run() computes a step of networks.Net; nothing else is
meant to be called, but for tests.
"""
import torch
import triton
import triton.language as tl
from torch.nn import functional as F

NONE, PRELU, RELU6, RELU = range(4)
KINDS = {"prelu": PRELU, "relu6": RELU6, "relu": RELU}
PROGRAMS = 1056  # eight on each of 132 multiprocessors


@triton.jit
def depthwise_kernel(x, w, y, h, width, c, to_h, to_w, top, left, tiles_w,
                     S: tl.constexpr, K: tl.constexpr, BH: tl.constexpr, BW: tl.constexpr, BC: tl.constexpr,
                     BACK: tl.constexpr):
    """y[n, i, j] = sum x[n, i S - top + a, j S - left + b] w[a, b]; BACK: the gradient of that, x being
    the outputs'."""
    tile, n, block = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    p = tl.arange(0, BH * BW)
    i = (tile // tiles_w) * BH + p // BW
    j = (tile % tiles_w) * BW + p % BW
    channel = block * BC + tl.arange(0, BC)
    there = channel < c
    total = tl.zeros([BH * BW, BC], tl.float32)
    for a in tl.static_range(K):
        for b in tl.static_range(K):
            if BACK:
                u, v = i + top - a, j + left - b
                inside = (u >= 0) & (v >= 0)
                if S > 1:
                    inside = inside & (u % S == 0) & (v % S == 0)
                    u, v = u // S, v // S
            else:
                u, v = i * S - top + a, j * S - left + b
                inside = (u >= 0) & (v >= 0)
            inside = inside & (u < h) & (v < width)
            at = ((n * h + u) * width + v)[:, None] * c + channel[None, :]
            value = tl.load(x + at, mask=inside[:, None] & there[None, :], other=0.0).to(tl.float32)
            weight = tl.load(w + (a * K + b) * c + channel, mask=there, other=0.0)
            total += value * weight[None, :]
    at = ((n * to_h + i) * to_w + j)[:, None] * c + channel[None, :]
    inside = (i < to_h) & (j < to_w)
    tl.store(y + at, total.to(y.dtype.element_ty), mask=inside[:, None] & there[None, :])


@triton.jit
def depthwise_weights_kernel(x, g, out, n_pixels, chunk, h, width, c, to_h, to_w, top, left,
                             S: tl.constexpr, K: tl.constexpr, BP: tl.constexpr, BC: tl.constexpr):
    """out[part, a, b] = sum over a part's outputs' pixels of g times x where w[a, b] met it."""
    a, block, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    channel = block * BC + tl.arange(0, BC)
    there = channel < c
    s0 = tl.zeros([BP, BC], tl.float32)
    s1 = tl.zeros([BP, BC], tl.float32)
    s2 = tl.zeros([BP, BC], tl.float32)
    s3 = tl.zeros([BP, BC], tl.float32)
    s4 = tl.zeros([BP, BC], tl.float32)
    for start in range(part * chunk, (part + 1) * chunk, BP):
        p = start + tl.arange(0, BP)
        known = p < n_pixels
        j, i, n = p % to_w, (p // to_w) % to_h, p // (to_w * to_h)
        slope = tl.load(g + p[:, None] * c + channel[None, :], mask=known[:, None] & there[None, :],
                        other=0.0).to(tl.float32)
        u, v = i * S - top + a, j * S - left
        known = known & (u >= 0) & (u < h)
        row = (n * h + u) * width
        for b in tl.static_range(K):
            inside = known & (v + b >= 0) & (v + b < width)
            value = tl.load(x + (row + v + b)[:, None] * c + channel[None, :],
                            mask=inside[:, None] & there[None, :], other=0.0).to(tl.float32) * slope
            if b == 0:
                s0 += value
            if b == 1:
                s1 += value
            if b == 2:
                s2 += value
            if b == 3:
                s3 += value
            if b == 4:
                s4 += value
    at = out + ((part * K + a) * K) * c + channel
    tl.store(at, tl.sum(s0, 0), mask=there)
    tl.store(at + c, tl.sum(s1, 0), mask=there)
    tl.store(at + 2 * c, tl.sum(s2, 0), mask=there)
    if K == 5:
        tl.store(at + 3 * c, tl.sum(s3, 0), mask=there)
        tl.store(at + 4 * c, tl.sum(s4, 0), mask=there)


@triton.jit
def moments_kernel(x, out, rows, chunk, c, parts, BM: tl.constexpr, BC: tl.constexpr):
    """out[0, part] and out[1, part]: sums and sums of squares by channel."""
    part, block = tl.program_id(0), tl.program_id(1)
    channel = block * BC + tl.arange(0, BC)
    there = channel < c
    s = tl.zeros([BM, BC], tl.float32)
    q = tl.zeros([BM, BC], tl.float32)
    for start in range(part * chunk, (part + 1) * chunk, BM):
        row = start + tl.arange(0, BM)
        value = tl.load(x + row[:, None] * c + channel[None, :], mask=(row < rows)[:, None] & there[None, :],
                        other=0.0).to(tl.float32)
        s += value
        q += value * value
    tl.store(out + part * c + channel, tl.sum(s, 0), mask=there)
    tl.store(out + (parts + part) * c + channel, tl.sum(q, 0), mask=there)


@triton.jit
def affine_kernel(x, y, scale, shift, slope, total, c, KIND: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    known = at < total
    channel = at % c
    z = tl.load(x + at, mask=known, other=0.0).to(tl.float32)
    z = z * tl.load(scale + channel) + tl.load(shift + channel)
    if KIND == 1:
        z = tl.where(z > 0, z, z * tl.load(slope + channel))
    if KIND == 2:
        z = tl.minimum(tl.maximum(z, 0.0), 6.0)
    if KIND == 3:
        z = tl.maximum(z, 0.0)
    tl.store(y + at, z.to(y.dtype.element_ty), mask=known)


@triton.jit
def norm_sums_kernel(x, g, out, mean, rstd, scale, shift, slope, rows, chunk, c, parts,
                     KIND: tl.constexpr, BM: tl.constexpr, BC: tl.constexpr):
    """out[0..2, part]: sums of the gradient before the activation, of it times the normalised input, and
    of the slopes' gradients."""
    part, block = tl.program_id(0), tl.program_id(1)
    channel = block * BC + tl.arange(0, BC)
    there = channel < c
    m = tl.load(mean + channel, mask=there, other=0.0)[None, :]
    r = tl.load(rstd + channel, mask=there, other=0.0)[None, :]
    ka = tl.load(scale + channel, mask=there, other=0.0)[None, :]
    kb = tl.load(shift + channel, mask=there, other=0.0)[None, :]
    ks = tl.load(slope + channel, mask=there, other=0.0)[None, :]
    s0 = tl.zeros([BM, BC], tl.float32)
    s1 = tl.zeros([BM, BC], tl.float32)
    s2 = tl.zeros([BM, BC], tl.float32)
    for start in range(part * chunk, (part + 1) * chunk, BM):
        row = start + tl.arange(0, BM)
        mask = (row < rows)[:, None] & there[None, :]
        at = row[:, None] * c + channel[None, :]
        value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32)
        d = tl.load(g + at, mask=mask, other=0.0).to(tl.float32)
        z = value * ka + kb
        if KIND == 1:
            s2 += tl.where(z > 0, 0.0, d * z)
            d = tl.where(z > 0, d, d * ks)
        if KIND == 2:
            d = tl.where((z > 0) & (z < 6), d, 0.0)
        if KIND == 3:
            d = tl.where(z > 0, d, 0.0)
        s0 += d
        s1 += d * ((value - m) * r)
    tl.store(out + part * c + channel, tl.sum(s0, 0), mask=there)
    tl.store(out + (parts + part) * c + channel, tl.sum(s1, 0), mask=there)
    tl.store(out + (2 * parts + part) * c + channel, tl.sum(s2, 0), mask=there)


@triton.jit
def norm_back_kernel(x, g, dx, mean, rstd, scale, shift, slope, about, along, total, c,
                     KIND: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    known = at < total
    channel = at % c
    value = tl.load(x + at, mask=known, other=0.0).to(tl.float32)
    d = tl.load(g + at, mask=known, other=0.0).to(tl.float32)
    ka = tl.load(scale + channel)
    z = value * ka + tl.load(shift + channel)
    if KIND == 1:
        d = tl.where(z > 0, d, d * tl.load(slope + channel))
    if KIND == 2:
        d = tl.where((z > 0) & (z < 6), d, 0.0)
    if KIND == 3:
        d = tl.where(z > 0, d, 0.0)
    normal = (value - tl.load(mean + channel)) * tl.load(rstd + channel)
    d = ka * (d - tl.load(about + channel) - normal * tl.load(along + channel))
    tl.store(dx + at, d.to(dx.dtype.element_ty), mask=known)


def rows_of(x):
    """[n, h, w, c] in memory's order."""
    return x.permute(0, 2, 3, 1).contiguous()


def width_of(c):
    return min(64, triton.next_power_of_2(c))


def parts_of(rows, blocks, size):
    """(parts, rows of a part): as many as keep the GPU busy."""
    parts = max(1, min(triton.cdiv(rows, size), PROGRAMS // blocks))
    return parts, triton.cdiv(triton.cdiv(rows, parts), size) * size


def slide(x, w, to, stride, top, left, kernel, back):
    n, h, width, c = x.shape
    y = x.new_empty(n, *to, c)
    bw = 8 if to[1] > 4 else 4
    bh, bc = 32 // bw, width_of(c)
    tiles_w = triton.cdiv(to[1], bw)
    depthwise_kernel[(triton.cdiv(to[0], bh) * tiles_w, n, triton.cdiv(c, bc))](
        x, w, y, h, width, c, *to, top, left, tiles_w, S=stride, K=kernel, BH=bh, BW=bw, BC=bc, BACK=back)
    return y


class Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, stride, pads):
        x, kernel = rows_of(x), weight.shape[2]
        top, left, bottom, right = pads
        to = ((x.shape[1] + top + bottom - kernel) // stride + 1,
              (x.shape[2] + left + right - kernel) // stride + 1)
        w = weight.float().view(len(weight), -1).T.contiguous()
        ctx.save_for_backward(x, w)
        ctx.more = stride, top, left, kernel, weight.shape
        return slide(x, w, to, stride, top, left, kernel, False).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        stride, top, left, kernel, shape = ctx.more
        g = rows_of(g)
        dx = dw = None
        if ctx.needs_input_grad[0]:
            dx = slide(g, w, x.shape[1:3], stride, top, left, kernel, True).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[1]:
            n, h, width, c = x.shape
            bc, pixels = width_of(c), g.shape[0] * g.shape[1] * g.shape[2]
            blocks = triton.cdiv(c, bc)
            parts, chunk = parts_of(pixels, blocks * kernel, 32)
            out = torch.empty(parts, kernel * kernel, c, device=x.device)
            depthwise_weights_kernel[(kernel, blocks, parts)](
                x, g, out, pixels, chunk, h, width, c, g.shape[1], g.shape[2], top, left,
                S=stride, K=kernel, BP=32, BC=bc)
            dw = out.sum(0).T.reshape(shape)
        return dx, dw, None, None


def affine(x, scale, shift, slope, kind):
    """x in memory's order."""
    y = torch.empty_like(x)
    affine_kernel[(triton.cdiv(x.numel(), 2048),)](x, y, scale, shift, slope, x.numel(), x.shape[3],
                                                  KIND=kind, B=2048)
    return y


class NormAct(torch.autograd.Function):
    """Batch norm and an activation: by this batch's statistics or, where constant, by the running ones."""

    @staticmethod
    def forward(ctx, x, weight, bias, slope, running_mean, running_var, eps, momentum, kind,
                constant=False):
        x = rows_of(x)
        c = x.shape[3]
        rows, bc = x.numel() // c, width_of(c)
        blocks = triton.cdiv(c, bc)
        parts, chunk = parts_of(rows, blocks, 32)
        if constant:
            mean, var = running_mean, running_var
        else:
            sums = torch.empty(2, parts, c, device=x.device)
            moments_kernel[(parts, blocks)](x, sums, rows, chunk, c, parts, BM=32, BC=bc)
            mean, square = sums.sum(1) / rows
            var = (square - mean * mean).clamp_min(0)
            running_mean.lerp_(mean, momentum)
            running_var.lerp_(var * (rows / max(1, rows - 1)), momentum)
        rstd = torch.rsqrt(var + eps)
        scale = weight * rstd
        shift = bias - mean * scale
        ctx.save_for_backward(x, mean, rstd, scale, shift, slope)
        ctx.more = rows, chunk, parts, blocks, bc, kind, constant
        return affine(x, scale, shift, slope, kind).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, g):
        x, mean, rstd, scale, shift, slope = ctx.saved_tensors
        rows, chunk, parts, blocks, bc, kind, constant = ctx.more
        g, c = rows_of(g), x.shape[3]
        sums = torch.empty(3, parts, c, device=x.device)
        norm_sums_kernel[(parts, blocks)](x, g, sums, mean, rstd, scale, shift, slope, rows, chunk, c, parts,
                                          KIND=kind, BM=32, BC=bc)
        about, along, slopes = sums.sum(1)
        dx = torch.empty_like(x)
        through = torch.zeros(2, c, device=x.device) if constant else torch.stack([about, along]) / rows
        norm_back_kernel[(triton.cdiv(x.numel(), 2048),)](
            x, g, dx, mean, rstd, scale, shift, slope, *through, x.numel(), c, KIND=kind, B=2048)
        return (dx.permute(0, 3, 1, 2), along, about, slopes if kind == PRELU else None,
                None, None, None, None, None, None)


def convolve(conv, x):
    """The convolution alone, without bias and norm."""
    weight, (top, left, bottom, right) = conv.weight, conv.pads
    kernel = weight.shape[2]
    if conv.groups > 1:
        assert weight.shape[1] == 1 and conv.groups == len(weight)
        if kernel in (3, 5):
            return Depthwise.apply(x, weight, conv.stride, conv.pads)
        assert x.shape[2:] == weight.shape[2:] and not any(conv.pads)
        return (x.float() * weight[:, 0]).sum((2, 3), keepdim=True).to(x.dtype)
    if kernel == 1 and conv.stride == 1:
        return F.linear(rows_of(x), weight.flatten(1)).permute(0, 3, 1, 2)
    if x.shape[1] == 3:  # matrix units take eight channels
        x, weight = F.pad(x, (0, 0, 0, 0, 0, 5)), F.pad(weight, (0, 0, 0, 0, 0, 5))
        x = x.contiguous(memory_format=torch.channels_last)
    if (top, left) != (bottom, right):
        x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
    return F.conv2d(x, weight, None, conv.stride, (top, left))


def run(conv, x, act=None, slope=None):
    """A convolution, its norm or bias, and the activation that follows."""
    y = convolve(conv, x)
    kind, none = KINDS.get(act, NONE), y.new_zeros(y.shape[1], dtype=torch.float32)
    if slope is not None and slope.numel() == 1:
        slope = slope.expand(y.shape[1]).contiguous()
    norm = conv.norm
    if norm and (norm.training or torch.is_grad_enabled() and norm.weight.requires_grad):
        return NormAct.apply(y, norm.weight, norm.bias, none if slope is None else slope, norm.running_mean,
                             norm.running_var, norm.eps, norm.momentum, kind, not norm.training)
    if conv.norm:
        scale = conv.norm.weight * torch.rsqrt(conv.norm.running_var + conv.norm.eps)
        shift = conv.norm.bias - conv.norm.running_mean * scale
    else:
        scale, shift = torch.ones_like(none), conv.bias
    slope = none if slope is None else slope
    if torch.is_grad_enabled() and (y.requires_grad or shift.requires_grad):
        return NormAct.apply(y, scale, shift, slope, none, torch.ones_like(none), 0.0, 0.0, kind, True)
    return affine(rows_of(y), scale, shift, slope, kind).permute(0, 3, 1, 2)
