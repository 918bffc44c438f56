"""Training: pictures, sentences, codes or vectors to an encoder, on the CPU."""

from __future__ import annotations

from ctypes import POINTER, byref, c_char_p, cast
from dataclasses import dataclass
from typing import Any, Callable, Optional

from doppel import _abi
from doppel._convert import PathLike, text, to_bytes
from doppel._native import Cancel, Relay, lib, member, options
from doppel.records import TrainEventKind, TrainFigures, TrainPlan, TrainReport

_HEAD = ("struct_size", "run", "resume", "cancel", "on_event", "ctx")
SETTINGS = {f[0]: f[1] for f in _abi.dpl_train_options._fields_ if f[0] not in _HEAD}
"""The names that train() takes, as `doppel help train` and include/doppel/train.h explain them."""


@dataclass(frozen=True)
class TrainEvent:
    kind: TrainEventKind
    plan: Optional[TrainPlan]
    step: int
    epoch: float
    loss: float
    correct: float
    rate: float
    grad_norm: float
    images_per_s: float
    eta_s: float
    figures: TrainFigures
    is_best: bool
    text: str


def _event(c: Any) -> TrainEvent:
    return TrainEvent(
        TrainEventKind(c.kind), TrainPlan._of(c.plan[0]) if c.plan else None, c.step, c.epoch, c.loss,
        c.correct, c.rate, c.grad_norm, c.images_per_s, c.eta_s, TrainFigures._of(c.figures), c.is_best,
        text(c.text))


def train(run: PathLike, *, resume: bool = False, on_event: Optional[Callable[[TrainEvent], Any]] = None,
          cancel: Optional[Cancel] = None, **settings: Any) -> TrainReport:
    """Train in the folder `run`, which gets best.onnx. settings: those of SETTINGS, such as data=…,
    arch="koch2015", loss="triplet", epochs=10; None takes the default. CancelledError when it was
    stopped on request: the checkpoint holds the last step, and resume goes on."""
    relay = Relay(cancel)
    kind = _abi.dpl_train_options
    o = options(kind, resume=resume)
    o.run = to_bytes(run)
    o.cancel = relay.flag
    o.on_event = relay.function(member(kind, "on_event"),
                                lambda e: on_event(_event(e[0])) if on_event else None)
    for name, value in settings.items():
        if name not in SETTINGS:
            raise TypeError(f"train() has no setting {name!r}")
        if value is None:
            continue
        if SETTINGS[name] is c_char_p:
            value = to_bytes(value)
        elif not isinstance(value, (int, float)):
            words = [to_bytes(v) for v in value]
            value = cast((c_char_p * (len(words) + 1))(*words, None), POINTER(c_char_p))
        setattr(o, name, value)
    report = _abi.dpl_train_report()
    relay.call(lib.dpl_train, byref(report), byref(o))
    return TrainReport._of(report)
