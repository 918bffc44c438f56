"""The library: found, loaded, called. Statuses to exceptions, handles that are freed once, callbacks.

ctypes and not cffi: it comes with Python, so that a wheel of this package is the same file for every
Python and needs no compiler, and what cffi would add, declarations that are C's own, _abi.py has too,
made of the headers. ctypes lets go of the interpreter's lock during each call.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import threading
import weakref
from ctypes import byref, c_int, c_void_p, sizeof
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, List, Optional, Tuple, Type, TypeVar

from doppel import _abi
from doppel._convert import text
from doppel.errors import error_of
from doppel.records import Status

HERE = Path(__file__).resolve().parent
BUNDLE = HERE / "bundle"  # an installed prefix within the wheel, if it was built so
SONAME = f"libdoppel.so.{_abi.VERSION.split('.')[0]}" if sys.platform != "darwin" else "libdoppel.dylib"


def _candidates() -> List[str]:
    """Where the library may be, the first that is there counts. $DOPPEL_LIBRARY counts alone."""
    given = os.environ.get("DOPPEL_LIBRARY")
    if given:
        return [given]
    found = sorted(str(p) for p in BUNDLE.glob(f"lib*/**/{SONAME}"))
    try:
        found.append(importlib.import_module("doppel._built").LIBRARY)
    except ImportError:
        pass
    prefix = Path(sys.prefix)
    found += sorted(str(p) for p in [*prefix.glob(f"lib/{SONAME}"), *prefix.glob(f"lib/*/{SONAME}")])
    return [*found, SONAME]


def _load() -> Tuple[ctypes.CDLL, str]:
    tried = []
    for path in _candidates():
        if os.sep in path and not os.path.exists(path):
            tried.append(f'"{path}" is not there')
            continue
        try:
            return ctypes.CDLL(path), path
        except OSError as e:
            tried.append(str(e))
    raise ImportError("the doppel library is not found: " + "; ".join(tried) +
                      ". Install it, or set DOPPEL_LIBRARY to the path of libdoppel.so")


def _bind(lib: ctypes.CDLL, path: str) -> None:
    lib.dpl_version.restype = ctypes.c_char_p
    version = text(lib.dpl_version())
    # Before 1.0 a minor version may change what a struct looks like.
    if version.split(".")[:2] != _abi.VERSION.split(".")[:2]:
        raise ImportError(f'"{path}" is doppel {version}, and this package is for {_abi.VERSION}')
    for name, (returns, parameters) in _abi.FUNCTIONS.items():
        try:
            function = getattr(lib, name)
        except AttributeError:
            raise ImportError(f'"{path}" (doppel {version}) has no {name}: it is older than this '
                              "package") from None
        function.restype = returns
        function.argtypes = parameters


lib, library_path = _load()
_bind(lib, library_path)


def call(function: Callable[..., int], *arguments: Any) -> None:
    """Call what returns a status and takes an error last."""
    err = _abi.dpl_error()
    status = function(*arguments, byref(err))
    if status:
        raise error_of(status, err.message)


def take(function: Callable[..., int], *arguments: Any) -> int:
    """Call what gives out a pointer by its first parameter."""
    out = c_void_p()
    call(function, byref(out), *arguments)
    return out.value or 0


def take_string(address: Optional[int]) -> Optional[str]:
    """Text that the library has given out, freed."""
    if not address:
        return None
    try:
        return text(ctypes.string_at(address))
    finally:
        lib.dpl_bytes_free(address)


def take_bytes(address: Optional[int], n: int) -> bytes:
    try:
        return ctypes.string_at(address, n) if address and n else b""
    finally:
        lib.dpl_bytes_free(address)


Struct = TypeVar("Struct", bound=ctypes.Structure)


def owned(c: Struct, clear: Callable[[Any], Any]) -> Struct:
    """A struct that the library has filled in: cleared when nobody has it any more."""
    twin = type(c)()
    ctypes.memmove(byref(twin), byref(c), sizeof(c))
    weakref.finalize(c, clear, byref(twin)).atexit = False
    return c


Options = TypeVar("Options", bound=ctypes.Structure)


def options(kind: Type[Options], /, **given: Any) -> Options:
    """An options struct with the library's own defaults, and what is given over them. None: as it is."""
    made = kind()
    getattr(lib, kind.__name__ + "_init")(byref(made), sizeof(kind))
    for name, value in given.items():
        if value is not None:
            setattr(made, name, value)
            # ctypes cuts a number that is too large for its field, and says nothing.
            if isinstance(value, int) and getattr(made, name) != value:
                raise OverflowError(f"{name} is {value}")
    return made


class Handle:
    """A C object. Freed when it is closed and nobody is in a call with it; what it leans on is kept
    until then. Threads: any."""

    __slots__ = ("_pointer", "_free", "_keep", "_lock", "_users", "_closed", "_what", "_pid")

    def __init__(self, what: str, pointer: Optional[int], free: Optional[Callable[[int], Any]],
                 *keep: Handle) -> None:
        self._what, self._pointer, self._free, self._keep = what, pointer, free, keep
        self._lock = threading.Lock()
        self._users, self._closed = 0, False
        self._pid = os.getpid()
        for other in keep:
            other.__enter__()

    def __enter__(self) -> int:
        with self._lock:
            if self._closed:
                raise ValueError(f"{self._what} is closed")
            if self._pid != os.getpid():
                raise RuntimeError(f"{self._what} was opened by another process: open it after the fork")
            self._users += 1
            return self._pointer or 0

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            last = self._closed and self._users == 0
        if last:
            self._release()

    def close(self) -> None:
        with self._lock:
            last = not self._closed and self._users == 0
            self._closed = True
        if last:
            self._release()

    def abandon(self, free: Callable[[int], Any]) -> None:
        """Close by another function."""
        self._free = free
        self.close()

    def _release(self) -> None:
        pointer, self._pointer = self._pointer, None
        # A fork's child must not close what is its parent's.
        if pointer and self._free and self._pid == os.getpid():
            self._free(pointer)
        for other in self._keep:
            other.__exit__()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.close()

    @property
    def closed(self) -> bool:
        return self._closed


Self = TypeVar("Self", bound="Closable")


class Closable:
    """What has a handle. May be closed any number of times, from any thread; closes itself at last."""

    _handle: Handle

    def close(self) -> None:
        """Let go of it; a call that is under way ends first. Later calls raise ValueError."""
        self._handle.close()

    @property
    def closed(self) -> bool:
        return self._handle.closed

    def __enter__(self: Self) -> Self:
        with self._handle:
            return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()


class Cancel:
    """Stops calls that take long: give it to one as `cancel`, and from another thread or a signal
    handler call cancel(). It is raised for good."""

    def __init__(self) -> None:
        self.cancelled = False
        self._relays: weakref.WeakSet[Relay] = weakref.WeakSet()

    def cancel(self) -> None:
        self.cancelled = True
        for relay in list(self._relays):
            relay.stop()


class Relay:
    """Python functions for C to call, during one call. What they raise stops it and comes out of it."""

    def __init__(self, cancel: Optional[Cancel] = None) -> None:
        self._flag = c_int(0)
        self._raised: Optional[BaseException] = None
        self._kept: List[Any] = []
        if cancel is not None:
            cancel._relays.add(self)
            if cancel.cancelled:
                self.stop()

    def stop(self) -> None:
        lib.dpl_cancel(byref(self._flag))

    @property
    def flag(self) -> int:
        """For the options' member cancel."""
        return ctypes.addressof(self._flag)

    def function(self, kind: Any, handler: Callable[..., Any], failed: Any = None) -> Any:
        def relayed(_: Any, *arguments: Any) -> Any:
            if self._raised is not None:
                return failed
            try:
                return handler(*arguments)
            except BaseException as e:  # KeyboardInterrupt, too: it ends the call
                self._raised = e
                self.stop()
                return failed

        made = kind(relayed)
        self._kept.append(made)
        return made

    def walk(self, kind: Any, handler: Callable[..., Any]) -> Any:
        """A function that returns a status, and so can stop the walk by itself."""

        def handled(*arguments: Any) -> int:
            handler(*arguments)
            return int(Status.OK)

        return self.function(kind, handled, int(Status.CANCELLED))

    def call(self, function: Callable[..., int], *arguments: Any) -> None:
        err = _abi.dpl_error()
        status = function(*arguments, byref(err))
        if self._raised is not None:
            raise self._raised
        if status:
            raise error_of(status, err.message)


def member(struct: Type[ctypes.Structure], name: str) -> Any:
    """The type of a struct's member, to make a callback for it."""
    return dict((f[0], f[1]) for f in struct._fields_)[name]


def callback(function: str, nth: int) -> Any:
    """The type of a function's nth parameter."""
    return _abi.FUNCTIONS[function][1][nth]


def models_find(name: str) -> str:
    """The path of a model that comes with doppel: $DOPPEL_MODELS, this package's own, the library's."""
    if not os.environ.get("DOPPEL_MODELS"):
        own = BUNDLE / "share" / "doppel" / "models" / name
        if own.exists():
            return str(own)
    return take_string(take(lib.dpl_models_find, name.encode())) or ""


def version() -> str:
    """The version of the library that is loaded."""
    return text(lib.dpl_version())


def faiss_version() -> str:
    return text(lib.dpl_faiss_version())


def sqlite_version() -> str:
    return text(lib.dpl_sqlite_version())


def cpu_level() -> str:
    """What the kernels run at: "baseline", "avx2", "avx512"."""
    return text(lib.dpl_cpu_level())


def blas() -> str:
    """The BLAS library and the processor that it took this one for."""
    return f"{text(lib.dpl_blas_words())}, {text(lib.dpl_blas_core())}"


def blas_set_threads(n: int) -> None:
    """Let BLAS use n threads a call. The process's BLAS: numpy's, too, where both share one."""
    lib.dpl_blas_set_threads(n)
