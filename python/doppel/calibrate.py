"""Calibration: from vectors of known people to the tables that decisions are made by."""

from __future__ import annotations

from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_size_t, c_void_p, cast
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from doppel import _abi
from doppel._convert import PathLike, maybe_bytes, strings, text, to_bytes
from doppel._native import Cancel, Relay, call, lib, member, options, take_string
from doppel.face import face_to_c
from doppel.records import Calibrated, Face, Range
from doppel.score import Head


class Samples:
    """Faces, or whole pictures, whose people are known.

    vectors [n, dim]; people [n], 0 and up; faces [n], for their quality; strata [n], bit k: it is in
    stratum k; judged [m, 2]: people found to be two, whom nobody needs to look at again."""

    def __init__(self, values: Any, people: Sequence[int], *, faces: Optional[Sequence[Face]] = None,
                 strata: Optional[Sequence[int]] = None, names: Optional[Sequence[str]] = None,
                 people_names: Optional[Sequence[str]] = None,
                 strata_names: Optional[Sequence[str]] = None,
                 judged: Optional[Sequence[Tuple[int, int]]] = None) -> None:
        array = np.ascontiguousarray(values, np.float32)
        if array.ndim != 2:
            raise ValueError(f"vectors have the shape (n, dim), not {array.shape}")
        n = array.shape[0]
        whose = np.ascontiguousarray(people, np.int32)
        if whose.shape != (n,) or (n and int(whose.min()) < 0):
            raise ValueError(f"people are {n} numbers from 0")
        n_people = int(whose.max()) + 1 if n else 0
        c = _abi.dpl_samples()
        c.n, c.dim, c.n_people = n, array.shape[1], n_people
        c.vectors, c.people = array.ctypes.data, whose.ctypes.data
        self._kept: List[Any] = [array, whose]
        self.people = whose

        def listed(values: Optional[Sequence[str]], wanted: int, kind: str) -> Any:
            if values is None:
                values = [f"{kind} {i}" for i in range(wanted)]
            if len(values) < wanted:
                raise ValueError(f"{len(values)} names of {kind}s, {wanted} are needed")
            made, _ = strings(values)
            self._kept.append(made)
            return cast(made, POINTER(c_char_p))

        c.names = listed(names, n, "picture")
        c.people_names = listed(people_names, n_people, "person")
        if faces is not None:
            if len(faces) != n:
                raise ValueError(f"{len(faces)} faces of {n} vectors")
            quality = (_abi.dpl_quality * max(1, n))(*[face_to_c(f).quality for f in faces])
            self._kept.append(quality)
            c.quality = cast(quality, POINTER(_abi.dpl_quality))
        if strata is not None:
            bits = np.ascontiguousarray(strata, np.uint64)
            if bits.shape != (n,):
                raise ValueError(f"strata are {n} numbers")
            c.n_strata = len(strata_names) if strata_names is not None else int(bits.max()).bit_length()
            c.strata = bits.ctypes.data
            self._kept.append(bits)
            c.strata_names = listed(strata_names, c.n_strata, "stratum")
        if judged is not None and len(judged):
            both = np.ascontiguousarray(judged, np.int32).reshape(-1, 2)
            self._kept.append(both)
            c.judged, c.n_judged = both.ctypes.data, both.shape[0]
        self._c = c


def _check(head: Head, samples: Samples) -> None:
    if head.dim != samples._c.dim:
        raise ValueError(f"the head compares {head.dim} numbers, the vectors have {samples._c.dim}")


def calibrate(samples: Samples, head: Head, *, fmr: Optional[float] = None, range: Optional[Range] = None,
              strata_within: Optional[float] = None, source: Optional[str] = None,
              model: Optional[str] = None, cohort: Optional[str] = None, cohort_top: Optional[int] = None,
              seed: Optional[int] = None, threads: Optional[int] = None,
              on_progress: Optional[Callable[[int, int], Any]] = None,
              cancel: Optional[Cancel] = None) -> Calibrated:
    """All pairs of strangers are scored. Its `json` is what Calibration.parse reads."""
    _check(head, samples)
    relay = Relay(cancel)
    kind = _abi.dpl_calibrate_options
    o = options(kind, fmr=fmr, strata_within=strata_within, source=maybe_bytes(source),
                model=maybe_bytes(model), cohort=maybe_bytes(cohort), cohort_top=cohort_top, seed=seed,
                n_threads=threads)
    if range is not None:
        o.range.quality, o.range.yaw_deg, o.range.too_poor = range.quality, range.yaw_deg, range.too_poor
    o.cancel = relay.flag
    o.on_progress = relay.function(member(kind, "on_progress"),
                                   lambda done, total: on_progress(done, total) if on_progress else None)
    out = _abi.dpl_calibrated()
    with head._handle as h:
        relay.call(lib.dpl_calibrate, byref(out), byref(samples._c), h, byref(o))
    try:
        return Calibrated._of(out)
    finally:
        lib.dpl_calibrated_clear(byref(out))


def calibrate_pairs(scores: Any, same: Any, head: Head, *, fmr: float = _abi.DEFAULT_FMR,
                    source: Optional[str] = None) -> Tuple[str, float]:
    """Of given pairs, as of sentences: the calibration, and the lowest rate that it supports."""
    s = np.ascontiguousarray(scores, np.float32).reshape(-1)
    y = np.ascontiguousarray(np.asarray(same).astype(bool)).reshape(-1)
    if s.size != y.size:
        raise ValueError(f"{s.size} scores, and {y.size} pairs")
    out = _abi.dpl_calibrated_pairs()
    with head._handle as h:
        call(lib.dpl_calibrate_pairs, byref(out), s.ctypes.data, y.ctypes.data, s.size, h, fmr,
             maybe_bytes(source))
    try:
        return text(out.json), float(out.lowest_fmr)
    finally:
        lib.dpl_calibrated_pairs_clear(byref(out))


def make_cohort(samples: Samples, head: Head, n_seeds: Sequence[int], *, seed: int = 1,
                threads: int = 0) -> Tuple[str, int]:
    """Centres by which scores are normalised, of people who are not calibrated with: the fact
    "doppel.cohort" and how many there are. n_seeds: one a stratum, or one."""
    _check(head, samples)
    wanted = np.ascontiguousarray(n_seeds, np.int32)
    if wanted.shape != (max(1, samples._c.n_strata),):
        raise ValueError(f"n_seeds are {max(1, samples._c.n_strata)} numbers")
    out, n = c_void_p(), c_int64()
    with head._handle as h:
        call(lib.dpl_cohort_make, byref(out), byref(n), byref(samples._c), h, wanted.ctypes.data, seed,
             threads)
    return take_string(out.value) or "", n.value


def apply_review(people: Sequence[int], people_names: Sequence[str],
                 path: PathLike) -> Tuple[NDArray[np.int32], int, List[Tuple[int, int]]]:
    """What somebody has found on looking at probable double entries: people renumbered, how many went
    into another, and pairs found to be two."""
    whose = np.array(people, np.int32)
    if whose.size and not (0 <= int(whose.min()) and int(whose.max()) < len(people_names)):
        raise ValueError(f"people are 0 to {len(people_names) - 1}")
    names, n_names = strings(people_names)
    merged, judged, n = c_int64(), c_void_p(), c_size_t()
    call(lib.dpl_review_apply, whose.ctypes.data, whose.size, names, n_names, to_bytes(path),
         byref(merged), byref(judged), byref(n))
    try:
        flat = cast(judged, POINTER(c_int32))[: 2 * n.value] if n.value else []
    finally:
        lib.dpl_bytes_free(judged)
    return whose, merged.value, list(zip(flat[::2], flat[1::2]))


def into_model(path: PathLike, json: str, cohort: Optional[str] = None) -> None:
    """Write a calibration into an ONNX file's metadata."""
    call(lib.dpl_calibration_into_model, to_bytes(path), json.encode(), maybe_bytes(cohort))
