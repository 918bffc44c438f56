"""A Net's forward pass for training on a CPU with bfloat16 (AMX).

Three things that PyTorch's CPU kernels do slowly forwards or backwards are done otherwise, to the same
numbers: a depthwise convolution of stride 2 is one of stride 1 of which every second row and column is
kept, a depthwise window as large as the picture is a sum of products, and a PReLU is a choice between two
products, which torch.compile joins with what stands beside it.
"""
import torch
from torch import nn
from torch.nn import functional as F


def depthwise_whole(conv, x):
    """Each channel's window is the picture."""
    return (x * conv.weight[:, 0][None]).sum((2, 3), keepdim=True) + conv.bias[None, :, None, None]


def depthwise_halved(conv, x):
    """3x3 windows in steps of 2, out of all of them."""
    side, (top, _, bottom, _) = x.shape[2], conv.pads
    count = (side + top + bottom - 3) // 2 + 1
    first = 1 - top
    beyond = first + 2 * (count - 1) - (side - 1)  # the last window's middle may lie outside
    if beyond > 0:
        x = F.pad(x, (0, beyond, 0, beyond))
    y = F.conv2d(x, conv.weight, conv.bias, 1, 1, 1, conv.groups)
    return y[:, :, first::2, first::2].contiguous(memory_format=torch.channels_last)


class Quick(nn.Module):
    """The net of networks.py, with its parameters and without batch norms, channels last."""

    def __init__(self, net):
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)

    def conv(self, conv, x):
        assert conv.norm is None
        if conv.groups > 1 and conv.pads == (0, 0, 0, 0) and conv.weight.shape[2] == x.shape[2]:
            return depthwise_whole(conv, x)
        if conv.groups > 1 and conv.stride == 2:
            return depthwise_halved(conv, x)
        return conv(x)

    def forward(self, x):
        values = {"input": x}
        for kind, inputs, name, _ in self.net.steps:
            a = values[inputs[0]]
            if kind == "conv":
                y = self.conv(self.net.mods[name], a)
            elif kind == "prelu":
                y = torch.where(a > 0, a, a * self.net.mods[name].weight.view(1, -1, 1, 1).to(a.dtype))
            elif kind == "add":
                y = a + values[inputs[1]]
            else:
                assert kind == "flatten", kind
                y = a.flatten(1)
            values[name] = y
        return values[self.net.output]
