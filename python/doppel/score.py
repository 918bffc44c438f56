"""Two vectors to a score, a score to a rate, a rate to a decision."""

from __future__ import annotations

import math
from ctypes import byref, c_float
from typing import Any, List, Optional, Tuple, Union

import numpy as np

from doppel import _abi
from doppel._convert import FloatArray, text, vectors
from doppel._native import Closable, Handle, call, lib, take
from doppel.face import Encoder, face_to_c
from doppel.net import Net
from doppel.records import Decision, Face, Fitness, HeadKind, Range, Rate, Stratum


class Head(Closable):
    """How two vectors are compared: higher is more alike. Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @staticmethod
    def make(kind: HeadKind, dim: int, weights: Any = None, bias: float = 0.0) -> Head:
        """weights [dim] and bias: of HeadKind.L1_SIGMOID only."""
        w = None if weights is None else vectors(weights, dim, "the weights")
        made = take(lib.dpl_head_new, kind, dim, None if w is None else w.ctypes.data, bias)
        return Head(Handle("the head", made, lib.dpl_head_free))

    @staticmethod
    def of(encoder: Encoder) -> Head:
        """That which an encoder's facts name."""
        with encoder._handle as p:
            return Head(Handle("the head", take(lib.dpl_head_open, p), lib.dpl_head_free))

    @staticmethod
    def of_net(net: Net, dim: int) -> Head:
        with net._handle as p:
            return Head(Handle("the head", take(lib.dpl_head_open_net, p, dim), lib.dpl_head_free))

    @property
    def kind(self) -> HeadKind:
        with self._handle as p:
            return HeadKind(lib.dpl_head_get_kind(p))

    @property
    def name(self) -> str:
        with self._handle as p:
            return text(lib.dpl_head_name(p))

    @property
    def dim(self) -> int:
        with self._handle as p:
            return int(lib.dpl_head_dim(p))

    def score(self, a: Any, b: Any) -> float:
        """Of two vectors [dim]; NaN when one of them is not finite."""
        with self._handle as p:
            dim = lib.dpl_head_dim(p)
            left, right = vectors(a, dim), vectors(b, dim)
            return float(lib.dpl_head_score(p, left.ctypes.data, right.ctypes.data))

    def scores(self, probe: Any, rows: Any) -> FloatArray:
        """Of one vector [dim] and each of rows [n, dim]."""
        with self._handle as p:
            dim = lib.dpl_head_dim(p)
            one, many = vectors(probe, dim), vectors(rows, dim, "each row")
            out = np.empty(many.shape[0], np.float32)
            lib.dpl_head_scores(out.ctypes.data, p, one.ctypes.data, many.ctypes.data, many.shape[0])
            return out


class Calibration(Closable):
    """Tables, measured on strangers, from a score to how often strangers come so far."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @staticmethod
    def parse(json: Union[str, bytes]) -> Calibration:
        raw = json.encode() if isinstance(json, str) else json
        return Calibration(Handle("the calibration", take(lib.dpl_calibration_parse, raw),
                                  lib.dpl_calibration_free))

    @staticmethod
    def _borrowed(pointer: Optional[int], owner: Handle) -> Optional[Calibration]:
        return Calibration(Handle("the calibration", pointer, None, owner)) if pointer else None

    @property
    def version(self) -> int:
        """Of its format."""
        with self._handle as p:
            return int(lib.dpl_calibration_version(p))

    @property
    def source(self) -> str:
        with self._handle as p:
            return text(lib.dpl_calibration_source(p))

    @property
    def counts(self) -> Tuple[int, int, int]:
        """Pairs of strangers, people and genuine pairs that it was measured on; 0: it does not say."""
        with self._handle as p:
            return (int(lib.dpl_calibration_pairs(p)), int(lib.dpl_calibration_people(p)),
                    int(lib.dpl_calibration_genuine_pairs(p)))

    @property
    def has_cohort(self) -> bool:
        with self._handle as p:
            return bool(lib.dpl_calibration_has_cohort(p))

    @property
    def has_poor(self) -> bool:
        with self._handle as p:
            return bool(lib.dpl_calibration_has_poor(p))

    @property
    def range(self) -> Optional[Range]:
        """Which faces it is of; None when it does not say."""
        out = _abi.dpl_range()
        with self._handle as p:
            return Range._of(out) if lib.dpl_calibration_range(byref(out), p) else None

    @property
    def mean_factor(self) -> float:
        with self._handle as p:
            return float(lib.dpl_calibration_mean_factor(p))

    @property
    def strata(self) -> List[Stratum]:
        with self._handle as p:
            return [Stratum._of(lib.dpl_calibration_stratum(p, i)[0])
                    for i in range(lib.dpl_calibration_n_strata(p))]

    def evidence(self, score: float, normalised: float = math.nan) -> float:
        """How much speaks against two strangers; normalised is needed where there is a cohort."""
        with self._handle as p:
            return float(lib.dpl_calibration_evidence(p, score, normalised))

    @property
    def ends(self) -> Tuple[float, float]:
        """The least and the most evidence in its table."""
        low, high = c_float(), c_float()
        with self._handle as p:
            lib.dpl_calibration_ends(byref(low), byref(high), p)
        return low.value, high.value

    @property
    def lowest_fmr(self) -> float:
        with self._handle as p:
            return float(lib.dpl_calibration_lowest_fmr(p))

    def fitness(self, face: Face) -> Fitness:
        c = face_to_c(face)
        with self._handle as p:
            return Fitness(lib.dpl_calibration_fitness(p, byref(c)))

    def fmr(self, evidence: float, poor: bool = False) -> Rate:
        """How often two strangers come to at least this evidence; poor: one with a poor face."""
        with self._handle as p:
            of = lib.dpl_calibration_poor_fmr if poor else lib.dpl_calibration_fmr
            return Rate._of(of(p, evidence))

    def fnmr(self, evidence: float) -> float:
        """How often two photos of one person come to no more."""
        with self._handle as p:
            return float(lib.dpl_calibration_fnmr(p, evidence))

    def thresholds(self, fmr: float) -> Tuple[float, float]:
        """Evidence from which on it is a match, and up to which it is none."""
        accept, reject = c_float(), c_float()
        with self._handle as p:
            call(lib.dpl_calibration_threshold, byref(accept), byref(reject), p, fmr)
        return accept.value, reject.value


def _or_nan(value: Optional[float]) -> float:
    return math.nan if value is None else value


class Policy:
    """How comparisons are judged: by a rate, or by a threshold. Threads: any number at once."""

    def __init__(self, c: _abi.dpl_policy, calibration: Optional[Calibration]) -> None:
        self._c = c
        self._calibration = calibration
        self._handle = Handle("the policy", None, None,
                              *([calibration._handle] if calibration else []))

    @staticmethod
    def make(calibration: Optional[Calibration] = None, *, fmr: Optional[float] = None,
             threshold: Optional[float] = None) -> Policy:
        """fmr: strangers match at most so often; threshold: a score of one's own. With neither it is
        the default rate where there is a calibration, and else nothing is decided."""
        c = _abi.dpl_policy()
        if calibration is None:
            call(lib.dpl_policy_make, byref(c), None, _or_nan(fmr), _or_nan(threshold))
        else:
            with calibration._handle as p:
                call(lib.dpl_policy_make, byref(c), p, _or_nan(fmr), _or_nan(threshold))
        return Policy(c, calibration)

    @staticmethod
    def for_search(calibration: Optional[Calibration], n_persons: int,
                   fpir: float = _abi.DEFAULT_FPIR) -> Policy:
        """For asking a gallery of so many people: a stranger is named at most at the rate fpir."""
        c = _abi.dpl_policy()
        if calibration is None:
            call(lib.dpl_policy_for_search, byref(c), None, fpir, n_persons)
        else:
            with calibration._handle as p:
                call(lib.dpl_policy_for_search, byref(c), p, fpir, n_persons)
        return Policy(c, calibration)

    @property
    def decides(self) -> bool:
        return bool(self._c.decides)

    @property
    def threshold(self) -> float:
        """Of evidence when it goes by a rate, else of the score."""
        return float(self._c.threshold)

    @property
    def reject(self) -> float:
        return float(self._c.reject)

    @property
    def poor_threshold(self) -> float:
        return float(self._c.poor_threshold)

    @property
    def fmr(self) -> float:
        """NaN when it goes by a threshold."""
        return float(self._c.fmr)

    def decide(self, score: float, fitness: Optional[Fitness] = None) -> Decision:
        """Of evidence by a rate, of the score by a threshold."""
        if fitness is None:
            return Decision(lib.dpl_decide(byref(self._c), score))
        return Decision(lib.dpl_decide_faces(byref(self._c), fitness, score))


def accepts(score: float, threshold: float) -> bool:
    """Whether a score reaches a threshold; what is not a number never does."""
    return bool(lib.dpl_accepts(score, threshold))


def words(value: Union[Decision, Fitness]) -> str:
    """"match", "no match", "inconclusive"; "fair", "poor", "too poor"."""
    of = lib.dpl_decision_words if isinstance(value, Decision) else lib.dpl_fitness_words
    return text(of(value))
