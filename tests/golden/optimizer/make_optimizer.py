#!/usr/bin/env python3
"""Write trajectories.txt beside this script: what torch.optim makes of given gradients.

    python3 -m venv v && v/bin/pip install torch
    v/bin/python tests/golden/optimizer/make_optimizer.py

A line is NAME STEP and seven numbers. "start" is the parameter at first, "gradient" t what step t is
given, and each other name an optimizer's parameter after step t, computed in float64. Options are the
arguments below; the test (tests/train/test_optimizer.c) has the same under the same names.
"""
import os

import torch

N, STEPS = 7, 10
CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.05)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.1)),
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adam_l2": (torch.optim.Adam, dict(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "nadam": (torch.optim.NAdam, dict(lr=0.01)),
    "nadam_l2": (torch.optim.NAdam, dict(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, weight_decay=0.1)),
    "adamw_clipped": (torch.optim.AdamW, dict(lr=0.01, weight_decay=0.1)),
}
CLIP = 1.5


def line(name, step, x):
    return f"{name} {step} " + " ".join(f"{v:.12g}" for v in x.tolist()) + "\n"


def main():
    rng = torch.Generator().manual_seed(20150)
    start = torch.randn(N, generator=rng).double()
    # Sizes differ from element to element and from step to step, as those of layers do.
    gradients = torch.randn(STEPS, N, generator=rng).double() * torch.logspace(-3, 0.5, N).double()
    gradients *= torch.linspace(0.5, 2, STEPS).double()[:, None]
    # What the reader gets is float32: so is what torch is given.
    start, gradients = start.float().double(), gradients.float().double()
    text = line("start", 0, start)
    text += "".join(line("gradient", t + 1, g) for t, g in enumerate(gradients))
    for name, (make, options) in CASES.items():
        w = torch.nn.Parameter(start.clone())
        optimizer = make([w], **options)
        for t, g in enumerate(gradients):
            w.grad = g.clone()
            if name.endswith("_clipped"):
                torch.nn.utils.clip_grad_norm_([w], CLIP)
            optimizer.step()
            text += line(name, t + 1, w.detach())
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trajectories.txt")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


if __name__ == "__main__":
    main()
