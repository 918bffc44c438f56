"""How good an encoder is: vectors of many pictures, pairs to ROC and accuracy, trials to one-shot."""

from __future__ import annotations

from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_size_t, c_void_p, cast
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from doppel import _abi
from doppel._convert import FloatArray, PathLike, strings, text, to_bytes, view
from doppel._native import Cancel, Handle, Relay, call, lib, member, options, owned, take_bytes
from doppel.dataset import Dataset
from doppel.model import Model
from doppel.net import Net
from doppel.records import Agreement, Face, Folds, Metrics, Pair, Share, Trial
from doppel.score import Head
from doppel.text import TextEncoder

# ---------------------------------------------------------------- figures


def share(n: int, of: int) -> Share:
    """A count out of a number, as a rate with its bounds of 95 % (Clopper and Pearson)."""
    return Share._of(lib.dpl_share_of(n, of))


def _scored(scores: Any, same: Any) -> Tuple[FloatArray, NDArray[np.uint8]]:
    s = np.ascontiguousarray(scores, np.float32).reshape(-1)
    y = np.ascontiguousarray(np.asarray(same).astype(bool), np.uint8).reshape(-1)
    if s.size != y.size:
        raise ValueError(f"{s.size} scores, and {y.size} pairs")
    return s, y


def metrics(scores: Any, same: Any, seed: int = 1) -> Metrics:
    """AUC, EER, TAR at FAR and the ROC of scored pairs; same: 1 of one, 0 of two."""
    s, y = _scored(scores, same)
    out = _abi.dpl_metrics()
    call(lib.dpl_metrics_make, byref(out), s.ctypes.data, y.ctypes.data, s.size, seed)
    try:
        return Metrics._of(out)
    finally:
        lib.dpl_metrics_clear(byref(out))


def accuracy_at(scores: Any, same: Any, threshold: float) -> Share:
    s, y = _scored(scores, same)
    return Share._of(lib.dpl_accuracy_at(s.ctypes.data, y.ctypes.data, s.size, threshold))


def best_threshold(scores: Any, same: Any) -> float:
    s, y = _scored(scores, same)
    out = c_double()
    call(lib.dpl_best_threshold, byref(out), s.ctypes.data, y.ctypes.data, s.size)
    return out.value


def folds(scores: Any, same: Any, fold_of: Any, n_folds: int = 10) -> Folds:
    """Accuracy as LFW reports it: each fold at the threshold that is best on all others."""
    s, y = _scored(scores, same)
    f = np.ascontiguousarray(fold_of, np.int32).reshape(-1)
    if f.size != s.size:
        raise ValueError(f"{s.size} scores, and {f.size} folds")
    out = _abi.dpl_folds()
    call(lib.dpl_folds_make, byref(out), s.ctypes.data, y.ctypes.data, f.ctypes.data, s.size, n_folds)
    return Folds._of(out)


def _graded(scores: Any, grades: Any) -> Tuple[FloatArray, NDArray[np.float64]]:
    s = np.ascontiguousarray(scores, np.float32).reshape(-1)
    g = np.ascontiguousarray(grades, np.float64).reshape(-1)
    if s.size != g.size:
        raise ValueError(f"{s.size} scores, and {g.size} grades")
    return s, g


def agreement(scores: Any, grades: Any) -> Agreement:
    """Pearson's and Spearman's correlation of scores with the grades of the same pairs."""
    s, g = _graded(scores, grades)
    out = _abi.dpl_agreement()
    call(lib.dpl_agreement_make, byref(out), s.ctypes.data, g.ctypes.data, s.size)
    return Agreement._of(out)


def squared_error(scores: Any, grades: Any, slope: float = 1.0, intercept: float = 0.0) -> float:
    s, g = _graded(scores, grades)
    return float(lib.dpl_squared_error(s.ctypes.data, g.ctypes.data, s.size, slope, intercept))


# ---------------------------------------------------------------- vectors

Progress = Optional[Callable[[int, int], Any]]


class Embeddings:
    """Vectors of many pictures: of one that failed there is none, and its error says why."""

    def __init__(self, c: _abi.dpl_embeddings) -> None:
        self._c = owned(c, lib.dpl_embeddings_clear)

    def __len__(self) -> int:
        return int(self._c.n)

    @property
    def n_failed(self) -> int:
        return int(self._c.n_failed)

    @property
    def vectors(self) -> FloatArray:
        """float32 [n, dim]; of a picture that failed not a number."""
        return view(self._c.vectors, (self._c.n, self._c.dim), "<f4", self._c)

    @property
    def faces(self) -> List[Face]:
        return [Face._of(self._c.faces[i]) for i in range(self._c.n)] if self._c.faces else []

    @property
    def errors(self) -> List[Optional[str]]:
        if not self._c.errors:
            return [None] * len(self)
        found: List[Optional[str]] = []
        for i in range(self._c.n):
            at = self._c.errors[i]
            found.append(text(cast(at, POINTER(_abi.dpl_error))[0].message) if at else None)
        return found


def _embed_options(threads: Optional[int], on_progress: Progress,
                   cancel: Optional[Cancel]) -> Tuple[Relay, Any]:
    relay = Relay(cancel)
    o = options(_abi.dpl_embed_options, n_threads=threads)
    o.cancel = relay.flag
    o.on_progress = relay.function(member(_abi.dpl_embed_options, "on_progress"),
                                   lambda done, total: on_progress(done, total) if on_progress else None)
    return relay, o


def _pictures(files: Any, folder: Optional[PathLike]) -> Tuple[_abi.dpl_pictures, Any]:
    c = _abi.dpl_pictures()
    if isinstance(files, tuple) and len(files) == 2 and isinstance(files[0], Dataset):
        dataset, chosen = files
        items = np.ascontiguousarray(range(len(dataset)) if chosen is None else chosen, np.int32)
        _check_items(items, len(dataset))
        c.n, c.items = items.size, items.ctypes.data
        return c, (dataset, items)
    array, n = strings(files)
    c.n, c.names = n, cast(array, POINTER(c_char_p))
    if folder is not None:
        c.dir = to_bytes(folder)
    return c, (None, array)


def _check_items(items: NDArray[np.int32], n: int) -> None:
    if items.size and not (0 <= int(items.min()) and int(items.max()) < n):
        raise IndexError(f"items are 0 to {n - 1}")


Pictures = Union[Iterable[PathLike], Tuple[Dataset, Optional[Sequence[int]]]]
"""Files, or a data set and which of its items (None: all)."""


def embed(model: Model, pictures: Pictures, *, folder: Optional[PathLike] = None,
          threads: Optional[int] = None, on_progress: Progress = None,
          cancel: Optional[Cancel] = None) -> Embeddings:
    """Every picture once: its main face, or without a detector the whole."""
    c, (dataset, keep) = _pictures(pictures, folder)
    relay, o = _embed_options(threads, on_progress, cancel)
    out = _abi.dpl_embeddings()
    with model._handle as p, (dataset._handle if dataset else Handle("", None, None)) as d:
        c.dataset = d or None
        relay.call(lib.dpl_embed, byref(out), p, byref(c), byref(o))
    del keep
    return Embeddings(out)


def picture_thumb(model: Model, pictures: Pictures, i: int, *,
                  folder: Optional[PathLike] = None) -> Tuple[str, bytes]:
    """What picture i is called, and as the encoder sees it, a JPEG."""
    c, (dataset, keep) = _pictures(pictures, folder)
    if not 0 <= i < c.n:
        raise IndexError(f"picture {i} of {c.n}")
    out, n = c_void_p(), c_size_t()
    with model._handle as p, (dataset._handle if dataset else Handle("", None, None)) as d, \
            model._scratches.one() as scratch:
        c.dataset = d or None
        name = text(lib.dpl_picture_name(byref(c), i))
        call(lib.dpl_picture_thumb, byref(out), byref(n), p, scratch, byref(c), i)
    del keep
    return name, take_bytes(out.value, n.value)


ItemModel = Union[Model, TextEncoder, Net, None]
"""What makes vectors of items: of pictures, of sentences, of vectors and codes; None: vectors stay."""


def _item_model(model: ItemModel, p: int) -> _abi.dpl_item_model:
    c = _abi.dpl_item_model()
    if isinstance(model, Model):
        c.pictures = p
    elif isinstance(model, TextEncoder):
        c.sentences = p
    elif model is not None:
        c.numbers = p
    return c


def _handle(model: ItemModel) -> Handle:
    return Handle("", None, None) if model is None else model._handle


def embed_items(model: ItemModel, dataset: Dataset, items: Optional[Sequence[int]] = None, *,
                threads: Optional[int] = None, on_progress: Progress = None,
                cancel: Optional[Cancel] = None) -> Embeddings:
    """Items of any kind, all of one; None: all."""
    chosen = np.ascontiguousarray(range(len(dataset)) if items is None else items, np.int32)
    _check_items(chosen, len(dataset))
    relay, o = _embed_options(threads, on_progress, cancel)
    out = _abi.dpl_embeddings()
    with _handle(model) as p, dataset._handle as d:
        m = _item_model(model, p)
        relay.call(lib.dpl_embed_items, byref(out), d, chosen.ctypes.data, chosen.size, byref(m), byref(o))
    return Embeddings(out)


# ---------------------------------------------------------------- pairs


class Pairs:
    """Pairs of pictures, or of a data set's items."""

    def __init__(self, c: _abi.dpl_pairs, dataset: Optional[Dataset] = None) -> None:
        self._c = owned(c, lib.dpl_pairs_clear)
        self._dataset = dataset

    @staticmethod
    def read(path: PathLike, folder: PathLike) -> Pairs:
        """LFW's lists, or CSV, of pictures below a folder."""
        c = _abi.dpl_pairs()
        call(lib.dpl_pairs_read, byref(c), to_bytes(path), to_bytes(folder))
        return Pairs(c)

    @staticmethod
    def draw(dataset: Dataset, n: int, *, within_group: bool = False, seed: int = 1) -> Pairs:
        """So many at random, half of them of one class."""
        c = _abi.dpl_pairs()
        with dataset._handle as p:
            call(lib.dpl_pairs_draw, byref(c), p, n, within_group, seed)
        return Pairs(c, dataset)

    @staticmethod
    def given(dataset: Dataset, apart: bool = False) -> Pairs:
        """Those that a data set gives; apart: each side has a model of its own."""
        c = _abi.dpl_pairs()
        with dataset._handle as p:
            call(lib.dpl_pairs_given, byref(c), p, apart)
        return Pairs(c, dataset)

    def __len__(self) -> int:
        return int(self._c.n)

    @property
    def pairs(self) -> List[Pair]:
        return [Pair._of(self._c.pairs[i]) for i in range(self._c.n)]

    @property
    def same(self) -> NDArray[np.uint8]:
        return np.array([self._c.pairs[i].same for i in range(self._c.n)], np.uint8)

    @property
    def fold_of(self) -> NDArray[np.int32]:
        return np.array([self._c.pairs[i].fold for i in range(self._c.n)], np.int32)

    @property
    def n_folds(self) -> int:
        return int(self._c.n_folds)

    @property
    def names(self) -> List[str]:
        """Of the pictures, when they were read."""
        if not self._c.names:
            return []
        return [text(cast(self._c.names[i], c_char_p).value) for i in range(self._c.n_pictures)]

    @property
    def items(self) -> List[int]:
        """Of the pictures, when they are of a data set."""
        if not self._c.items:
            return []
        return list(cast(self._c.items, POINTER(c_int32))[: self._c.n_pictures])

    def embed(self, a: ItemModel, b: ItemModel = None, *, threads: Optional[int] = None,
              on_progress: Progress = None, cancel: Optional[Cancel] = None) -> Embeddings:
        """Of pairs that a data set gives or that were drawn of it; b: the second side's, None: the same."""
        if self._dataset is None:
            raise ValueError("the pairs are of no data set: embed(model, pairs.names, folder=…)")
        other = a if b is None else b
        relay, o = _embed_options(threads, on_progress, cancel)
        out = _abi.dpl_embeddings()
        with _handle(a) as p, _handle(other) as q, self._dataset._handle as d:
            both = (_abi.dpl_item_model * 2)(_item_model(a, p), _item_model(other, q))
            relay.call(lib.dpl_embed_pairs, byref(out), byref(self._c), d,
                       cast(both, POINTER(_abi.dpl_item_model)), byref(o))
        return Embeddings(out)

    def score(self, head: Head, embeddings: Embeddings) -> FloatArray:
        """NaN where a picture failed."""
        if len(embeddings) != self._c.n_pictures:
            raise ValueError(f"{self._c.n_pictures} pictures, and {len(embeddings)} vectors")
        _check_dim(head, embeddings)
        out = np.empty(len(self), np.float32)
        with head._handle as h:
            lib.dpl_pairs_score(out.ctypes.data, byref(self._c), h, byref(embeddings._c))
        return out


def _check_dim(head: Head, embeddings: Embeddings) -> None:
    if len(embeddings) and embeddings._c.dim != head.dim:
        raise ValueError(f"the head compares {head.dim} numbers, the vectors have {embeddings._c.dim}")


@dataclass(frozen=True)
class Retrieval:
    n: int
    n_candidates: int
    n_failed: int
    items: Tuple[int, ...]
    ranks: Tuple[int, ...]  # from 1; 0: failed
    recall: Tuple[Tuple[int, Share], ...]  # at 1, 5, 10
    median_rank: float
    mean_rank: float


def retrieval(dataset: Dataset, asked_side: int, head: Head, asked: Embeddings, answers: Embeddings, *,
              threads: Optional[int] = None) -> Retrieval:
    """Ask with each item of one side for its partners among all of the other."""
    sides = [len(dataset.side(s)[1]) for s in (asked_side, 1 - asked_side)]
    if [len(asked), len(answers)] != sides:
        raise ValueError(f"the sides have {sides} items, the vectors are {[len(asked), len(answers)]}")
    for one in (asked, answers):
        _check_dim(head, one)
    _, o = _embed_options(threads, None, None)
    out = _abi.dpl_retrieval()
    with dataset._handle as d, head._handle as h:
        call(lib.dpl_retrieval_make, byref(out), d, asked_side, h, byref(asked._c), byref(answers._c),
             byref(o))
    try:
        ints = POINTER(c_int32)
        return Retrieval(
            out.n, out.n_candidates, out.n_failed, tuple(cast(out.items, ints)[: out.n]),
            tuple(cast(out.ranks, ints)[: out.n]),
            tuple((at, Share._of(r)) for at, r in zip(out.at, out.recall)), out.median_rank, out.mean_rank)
    finally:
        lib.dpl_retrieval_clear(byref(out))


# ---------------------------------------------------------------- trials


@dataclass(frozen=True)
class Oneshot:
    accuracy: Share
    n_failed: int
    n_tied: int
    chosen: Tuple[int, ...]  # of each trial which candidate; -1: a picture failed
    runs: Tuple[Share, ...]
    mean: float
    standard_error: float


class Trials:
    """N-way trials: one picture, and which of some candidates is of its class."""

    def __init__(self, c: _abi.dpl_trials) -> None:
        self._c = owned(c, lib.dpl_trials_clear)

    @staticmethod
    def read(dataset: Dataset) -> Trials:
        """As Lake, Salakhutdinov and Tenenbaum give them out."""
        c = _abi.dpl_trials()
        with dataset._handle as p:
            call(lib.dpl_trials_read, byref(c), p)
        return Trials(c)

    @staticmethod
    def draw(dataset: Dataset, way: int = 20, n: int = 400, *, within_group: bool = False,
             seed: int = 1) -> Trials:
        c = _abi.dpl_trials()
        with dataset._handle as p:
            call(lib.dpl_trials_draw, byref(c), p, way, n, within_group, seed)
        return Trials(c)

    def __len__(self) -> int:
        return int(self._c.n)

    @property
    def trials(self) -> List[Trial]:
        return [Trial._of(self._c.trials[i]) for i in range(self._c.n)]

    @property
    def candidates(self) -> List[int]:
        return list(cast(self._c.candidates, POINTER(c_int32))[: self._c.n_candidates])

    @property
    def items(self) -> List[int]:
        """Of the data set, to be embedded in this order."""
        return list(cast(self._c.items, POINTER(c_int32))[: self._c.n_pictures])

    def score(self, head: Head, embeddings: Embeddings) -> Oneshot:
        if len(embeddings) != self._c.n_pictures:
            raise ValueError(f"{self._c.n_pictures} pictures, and {len(embeddings)} vectors")
        _check_dim(head, embeddings)
        out = _abi.dpl_oneshot()
        with head._handle as h:
            call(lib.dpl_trials_score, byref(out), byref(self._c), h, byref(embeddings._c))
        try:
            return Oneshot(
                Share._of(out.accuracy), out.n_failed, out.n_tied,
                tuple(cast(out.chosen, POINTER(c_int32))[: self._c.n]),
                tuple(Share._of(out.runs[i]) for i in range(self._c.n_runs)), out.mean, out.standard_error)
        finally:
            lib.dpl_oneshot_clear(byref(out))
