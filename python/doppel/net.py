"""The network engine: any supported ONNX file, run on arrays."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from ctypes import POINTER, byref, c_float, c_int64, c_void_p, cast
from typing import Any, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from doppel import _abi
from doppel._convert import FloatArray, PathLike, maybe_text, text, to_bytes
from doppel._native import Closable, Handle, call, lib, options, take, take_string
from doppel.records import Layout, Precision, Type


def net_options(max_file_bytes: Optional[int] = None, max_arena_bytes: Optional[int] = None,
                max_operations: Optional[float] = None,
                precision: Optional[Precision] = None) -> _abi.dpl_net_options:
    return options(_abi.dpl_net_options, max_file_bytes=max_file_bytes, max_arena_bytes=max_arena_bytes,
                   max_operations=max_operations, precision=precision)


def _shape(s: _abi.dpl_shape) -> Optional[Tuple[int, ...]]:
    return None if s.rank < 0 else tuple(s.dims[: s.rank])


class Net(Closable):
    """An ONNX model, loaded, checked and fused. Threads: any number at once; a run needs a Plan each."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @staticmethod
    def open(path: PathLike, *, precision: Optional[Precision] = None,
             max_file_bytes: Optional[int] = None, max_arena_bytes: Optional[int] = None,
             max_operations: Optional[float] = None) -> Net:
        o = net_options(max_file_bytes, max_arena_bytes, max_operations, precision)
        return Net(Handle("the net", take(lib.dpl_net_open, to_bytes(path), byref(o)),
                          lib.dpl_net_close))

    @staticmethod
    def load(data: bytes, *, precision: Optional[Precision] = None,
             max_file_bytes: Optional[int] = None, max_arena_bytes: Optional[int] = None,
             max_operations: Optional[float] = None) -> Net:
        """From memory."""
        o = net_options(max_file_bytes, max_arena_bytes, max_operations, precision)
        return Net(Handle("the net", take(lib.dpl_net_load, data, len(data), byref(o)),
                          lib.dpl_net_close))

    @staticmethod
    def _borrowed(pointer: int, owner: Handle) -> Net:
        return Net(Handle("the net", pointer, None, owner))

    def meta(self, key: str) -> Optional[str]:
        """A value of the model's metadata ("doppel.kind")."""
        with self._handle as p:
            return maybe_text(lib.dpl_net_meta(p, key.encode()))

    @property
    def precision(self) -> Precision:
        with self._handle as p:
            return Precision(lib.dpl_net_precision(p))

    @property
    def hash(self) -> str:
        """Of the file without its metadata."""
        with self._handle as p:
            return text(lib.dpl_net_hash(p))

    @property
    def file_hash(self) -> str:
        with self._handle as p:
            return text(lib.dpl_net_file_hash(p))

    @property
    def inputs(self) -> List[Tuple[str, Optional[Tuple[int, ...]], Type]]:
        """Name, shape (-1: free; None: not declared) and type of each."""
        with self._handle as p:
            return [(text(lib.dpl_net_input_name(p, i)), _shape(lib.dpl_net_input_shape(p, i)),
                     Type(lib.dpl_net_input_type(p, i))) for i in range(lib.dpl_net_n_inputs(p))]

    @property
    def outputs(self) -> List[Tuple[str, Optional[Tuple[int, ...]]]]:
        with self._handle as p:
            return [(text(lib.dpl_net_output_name(p, i)), _shape(lib.dpl_net_output_shape(p, i)))
                    for i in range(lib.dpl_net_n_outputs(p))]

    def plan(self, *shapes: Sequence[int], layout: Layout = Layout.NCHW, threads: int = 1) -> Plan:
        """Lay the net out for inputs of these shapes. threads: 0 is one a core."""
        c = (_abi.dpl_shape * max(1, len(shapes)))()
        with self._handle as p:
            if len(shapes) != lib.dpl_net_n_inputs(p):
                raise ValueError(f"the net has {lib.dpl_net_n_inputs(p)} inputs, not {len(shapes)}")
            for i, shape in enumerate(shapes):
                if len(shape) > _abi.MAX_RANK:
                    raise ValueError(f"a shape of {len(shape)} dimensions")
                c[i].rank = len(shape)
                for d, n in enumerate(shape):
                    c[i].dims[d] = n
            if threads == 1:
                made = take(lib.dpl_plan_new, p, c, layout)
            else:
                made = take(lib.dpl_plan_new_on, p, c, layout, threads)
            return Plan(Handle("the plan", made, lib.dpl_plan_free, self._handle), shapes, layout)

    def run(self, *inputs: Any) -> List[FloatArray]:
        """Outputs of one run, in ONNX's own layout. For many runs of one shape, make a plan."""
        arrays = [np.asarray(a) for a in inputs]
        with self.plan(*[a.shape for a in arrays]) as plan:
            return plan.run(*arrays)


class Plan(Closable):
    """A net laid out for one set of shapes. Threads: one run at a time, others wait."""

    def __init__(self, handle: Handle, shapes: Sequence[Sequence[int]], layout: Layout) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._shapes = [self._laid(tuple(s), layout) for s in shapes]
        self._layout = layout

    @staticmethod
    def _laid(shape: Tuple[int, ...], layout: Layout) -> Tuple[int, ...]:
        if layout == Layout.NHWC and len(shape) == 4:
            return shape[0], shape[2], shape[3], shape[1]
        return shape

    def run(self, *inputs: Any) -> List[FloatArray]:
        """Outputs, float32, in the plan's layout."""
        if len(inputs) != len(self._shapes):
            raise ValueError(f"the plan has {len(self._shapes)} inputs, not {len(inputs)}")
        with self._handle as p, self._lock:
            for i, (given, shape) in enumerate(zip(inputs, self._shapes)):
                integers = lib.dpl_plan_input_int64(p, i)
                array = np.ascontiguousarray(given, np.int64 if integers else np.float32)
                if array.shape != shape:
                    raise ValueError(f"input {i} has the shape {shape}, not {array.shape}")
                if integers:
                    _at(integers, shape, c_int64)[...] = array
                else:
                    _at(lib.dpl_plan_input(p, i), shape, c_float)[...] = array
            call(lib.dpl_plan_run, p)
            found = []
            for i in range(self._n_outputs(p)):
                declared = _shape(lib.dpl_plan_output_shape(p, i)) or ()
                shape = self._laid(declared, self._layout)
                found.append(np.array(_at(lib.dpl_plan_output(p, i), shape, c_float)))
            return found

    @staticmethod
    def _n_outputs(plan: int) -> int:
        n = 0
        while lib.dpl_plan_output(plan, n):
            n += 1
        return n

    @property
    def bytes(self) -> int:
        """Of memory that it works in."""
        with self._handle as p:
            return int(lib.dpl_plan_bytes(p))

    def describe(self, timed_runs: int = 0) -> str:
        """A line a step: operator, shapes, multiply-adds, and when timed milliseconds."""
        with self._handle as p, self._lock:
            return take_string(take(lib.dpl_plan_describe, p, timed_runs)) or ""


def _at(address: Optional[int], shape: Tuple[int, ...], kind: Any) -> NDArray[Any]:
    n = int(np.prod(shape))
    return np.ctypeslib.as_array(cast(c_void_p(address), POINTER(kind)), (max(1, n),))[:n].reshape(shape)


class Scratches:
    """Memory that models run in: one for each call that is under way, kept for the next."""

    def __init__(self, threads: int = 1) -> None:
        self._free: List[Handle] = []
        self._threads = threads

    @contextmanager
    def one(self) -> Iterator[int]:
        try:
            handle = self._free.pop()
        except IndexError:
            handle = Handle("the scratch", take(lib.dpl_scratch_new, 0), lib.dpl_scratch_free)
            if self._threads != 1:
                with handle as p:
                    call(lib.dpl_scratch_set_threads, p, self._threads)
        try:
            with handle as p:
                yield p
        finally:
            self._free.append(handle)
