"""Copies: photos that show the same picture, and those taken in a burst."""

from __future__ import annotations

from contextlib import nullcontext
from ctypes import POINTER, addressof, byref, cast, sizeof
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, Optional, Tuple

import numpy as np

from doppel import _abi
from doppel._convert import ByteArray, PathLike, strings
from doppel._native import Cancel, Relay, call, lib, member, options
from doppel.gallery import Gallery
from doppel.image import Picture, as_c
from doppel.model import Model
from doppel.records import CopiesReport, Copy, Overlay, Rate


class Sketch:
    """What is kept of a picture to tell its copies: small, grey and upright."""

    def __init__(self, picture: Picture) -> None:
        self._c = _abi.dpl_sketch()
        c, keep = as_c(picture)
        call(lib.dpl_sketch_make, byref(self._c), byref(c))
        del keep

    @property
    def grey(self) -> ByteArray:
        """uint8 [height, width]; the larger is 64."""
        n = self._c.height_px * self._c.width_px
        return np.array(self._c.grey[:n], np.uint8).reshape(self._c.height_px, self._c.width_px)

    @property
    def sharpness(self) -> float:
        return float(self._c.sharpness)

    def compare(self, other: Sketch) -> Laid:
        """Lay the other over this one where they agree best."""
        out = _abi.dpl_overlay()
        lib.dpl_sketch_compare(byref(out), byref(self._c), byref(other._c))
        return Laid(Overlay._of(out), bool(lib.dpl_overlay_is_copy(byref(out))),
                    Rate._of(lib.dpl_copy_rate(byref(out))))


@dataclass(frozen=True)
class Laid:
    overlay: Overlay
    is_copy: bool
    rate: Rate  # how often two different photos are taken for one


def find_copies(model: Model, paths: Iterable[PathLike], *, burst_s: Optional[float] = None,
                follow_links: Optional[bool] = None, threads: Optional[int] = None,
                gallery: Optional[Gallery] = None,
                on_compared: Optional[Callable[[int, int], Any]] = None,
                on_pair: Optional[Callable[[str, str, float, Overlay], Any]] = None,
                cancel: Optional[Cancel] = None) -> Tuple[CopiesReport, List[Tuple[Copy, ...]]]:
    """Groups of copies and bursts; of each, the first is the one to keep. Nothing is removed.

    model: with an encoder of whole pictures: Model.open(detector=False, encoder=…) or image=True.
    gallery: whose vectors of whole pictures are taken for the photos that are its."""
    groups: List[Tuple[Copy, ...]] = []
    relay = Relay(cancel)
    kind = _abi.dpl_copies_options
    o = options(kind, burst_s=burst_s, follow_links=follow_links, n_threads=threads)
    o.cancel = relay.flag

    def group(first: Any, n: int) -> None:
        at = addressof(first[0])
        rows = [cast(at + i * sizeof(_abi.dpl_copy), POINTER(_abi.dpl_copy))[0] for i in range(n)]
        groups.append(tuple(Copy._of(row) for row in rows))

    o.on_group = relay.function(member(kind, "on_group"), group)
    o.on_photo = relay.function(member(kind, "on_photo"), lambda _: None)
    o.on_compared = relay.function(member(kind, "on_compared"),
                                   lambda done, total: on_compared(done, total) if on_compared else None)
    if on_pair is not None:
        told = on_pair
        o.on_pair = relay.function(
            member(kind, "on_pair"),
            lambda a, b, alike, over: told(a.decode("utf-8", "surrogateescape"),
                                           b.decode("utf-8", "surrogateescape"), alike,
                                           Overlay._of(over[0])))
    out = _abi.dpl_copies_report()
    array, n = strings(paths)
    with gallery._use() if gallery else nullcontext() as g, model._handle as p:
        o.gallery = g
        relay.call(lib.dpl_find_copies, byref(out), p, array, n, byref(o))
    return CopiesReport._of(out), groups
