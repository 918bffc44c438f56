"""Small steps for refining a trained network: each is a share of the weights that it changes.

Adam's direction, scaled by the weights' own size, so that one rate serves layers of every scale. The mean of
the steps is kept, and mixtures of the start and of that mean can be looked at and written.
"""
import contextlib

import torch

BETAS = 0.9, 0.98


def sizes(parameters):
    """What a step is a share of: the root mean square of an output channel's weights, but no less than a fifth
    of the layer's mean of it; half of that of all biases or slopes."""
    out = []
    for p in (p.detach() for p in parameters):
        if p.dim() == 4:
            size = p.square().mean((1, 2, 3), keepdim=True).sqrt()
            out.append(size.maximum(0.2 * size.mean()))
        else:
            out.append(p.square().mean().sqrt() * 0.5 + 1e-4)
    return out


class Steps:
    """Of the parameters, from where they are now. decay is of the mean of the steps, which forgets sooner at
    the beginning."""

    def __init__(self, parameters, betas=BETAS, decay=0.99):
        self.parameters = list(parameters)
        self.betas, self.decay, self.count = betas, decay, 0
        with torch.no_grad():
            self.sizes = [torch.zeros_like(p).add_(s) for p, s in zip(self.parameters, sizes(self.parameters))]
            self.start, self.mean = ([p.detach().clone() for p in self.parameters] for _ in range(2))
            self.first, self.second = ([torch.zeros_like(p) for p in self.parameters] for _ in range(2))

    @torch.no_grad()
    def step(self, gradients, rate):
        """Down these gradients by about this share of the weights."""
        self.count += 1
        gradients = list(gradients)
        torch._foreach_lerp_(self.first, gradients, 1 - self.betas[0])
        torch._foreach_mul_(self.second, self.betas[1])
        torch._foreach_addcmul_(self.second, gradients, gradients, 1 - self.betas[1])
        # Both moments begin at nothing, which is made up for here.
        full = [1 - beta ** self.count for beta in self.betas]
        root = torch._foreach_sqrt(self.second)
        torch._foreach_add_(root, 1e-12 * full[1] ** 0.5)
        by = torch._foreach_mul(self.first, self.sizes)
        torch._foreach_div_(by, root)
        torch._foreach_add_(self.parameters, by, alpha=-rate * full[1] ** 0.5 / full[0])
        keep = min(self.decay, self.count / (10 + self.count))
        torch._foreach_lerp_(self.mean, self.parameters, 1 - keep)

    def state(self):
        return {"step": self.count, "net": [p.detach() for p in self.parameters], "start": self.start,
                "average": self.mean, "first": self.first, "second": self.second}

    @torch.no_grad()
    def load(self, state):
        """Go on from what state() said, perhaps on another device."""
        self.count = state["step"]
        for key, tensors in (("net", self.parameters), ("start", self.start), ("average", self.mean),
                             ("first", self.first), ("second", self.second)):
            for p, q in zip(tensors, state[key]):
                p.copy_(q)

    @contextlib.contextmanager
    def at(self, way):
        """Within, the parameters lie this part of the way from the start to the mean of the steps."""
        with torch.no_grad():
            now = [p.detach().clone() for p in self.parameters]
            for p, a, b in zip(self.parameters, self.start, self.mean):
                p.copy_(a.lerp(b, way))
            try:
                yield
            finally:
                for p, q in zip(self.parameters, now):
                    p.copy_(q)
