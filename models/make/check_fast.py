#!/usr/bin/env python3
"""Compare fast.py's kernels and their gradients with PyTorch's, in Triton's interpreter: no GPU is needed.

    python models/make/check_fast.py
"""
import os

os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported

import torch
from torch import nn
from torch.nn import functional as F

import fast

# Sums of at most some hundred float32 products of numbers about 1.
TOLERANCE = 1e-4


def compare(what, made, wanted):
    worst = max((a - b).abs().max().item() for a, b in zip(made, wanted))
    print(f"{what}: {worst:.1e}")
    if not worst < TOLERANCE:  # NaN, too
        raise SystemExit(f"{what} differs by {worst}")


def main():
    torch.manual_seed(0)
    for c, h, w, kernel, stride, pads in ((3, 9, 7, 3, 1, (1, 1, 1, 1)), (70, 11, 13, 3, 2, (1, 1, 1, 1)),
                                          (16, 10, 10, 5, 2, (1, 1, 2, 2)), (24, 7, 7, 5, 1, (2, 2, 2, 2)),
                                          (20, 11, 9, 3, 2, (0, 0, 2, 2))):
        x, weight = torch.randn(2, c, h, w, requires_grad=True), torch.randn(c, 1, kernel, kernel)
        weight.requires_grad_()
        y = fast.Depthwise.apply(x, weight, stride, pads)
        wanted = F.conv2d(F.pad(x, (pads[1], pads[3], pads[0], pads[2])), weight, None, stride, 0, 1, c)
        g = torch.randn_like(wanted)
        compare(f"depthwise {kernel}x{kernel}, stride {stride}, {c} channels",
                (y, *torch.autograd.grad(y, (x, weight), g)),
                (wanted, *torch.autograd.grad(wanted, (x, weight), g)))
    for act, constant in ((None, False), ("prelu", False), ("relu6", False), ("relu", False), ("prelu", True)):
        x = (torch.randn(3, 70, 6, 5) * 2 + 1).requires_grad_()
        norm, other, slope = nn.BatchNorm2d(70), nn.BatchNorm2d(70), torch.rand(70, requires_grad=True)
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 1, 2)
        nn.init.normal_(norm.running_mean, 1, 1)
        nn.init.uniform_(norm.running_var, 1, 3)
        other.load_state_dict(norm.state_dict())
        y = fast.NormAct.apply(x, norm.weight, norm.bias, slope, norm.running_mean, norm.running_var, norm.eps,
                               norm.momentum, fast.KINDS.get(act, fast.NONE), constant)
        z = other.train(not constant)(x)
        wanted = {None: lambda: z, "prelu": lambda: F.prelu(z, slope), "relu6": lambda: F.relu6(z),
                  "relu": lambda: F.relu(z)}[act]()
        g = torch.randn_like(wanted)
        more = (slope,) if act == "prelu" else ()
        compare(f"norm{' of constant statistics' * constant} and {act}",
                (y, norm.running_mean, norm.running_var,
                 *torch.autograd.grad(y, (x, norm.weight, norm.bias, *more), g)),
                (wanted, other.running_mean, other.running_var,
                 *torch.autograd.grad(wanted, (x, other.weight, other.bias, *more), g)))


if __name__ == "__main__":
    main()
