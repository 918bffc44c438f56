"""Between Python's values and C's: strings, which are bytes of any kind, and arrays."""

from __future__ import annotations

import os
from ctypes import c_char_p, string_at
from typing import Any, Iterable, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]
PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


def text(value: Optional[bytes]) -> str:
    """Names and paths are bytes; what is not UTF-8 in them comes through as surrogates, as os.fsdecode
    has it, and goes back as it was."""
    return value.decode("utf-8", "surrogateescape") if value else ""


def maybe_text(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else text(value)


def to_bytes(value: PathLike) -> bytes:
    raw = os.fspath(value)
    raw = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise ValueError("embedded null byte")
    return raw


def maybe_bytes(value: Optional[PathLike]) -> Optional[bytes]:
    return None if value is None else to_bytes(value)


def strings(values: Iterable[PathLike]) -> Tuple[Any, int]:
    """A C array of strings and its length. One string is no list of its letters."""
    if isinstance(values, (str, bytes, os.PathLike)):
        values = [values]
    encoded = [to_bytes(v) for v in values]
    return (c_char_p * max(1, len(encoded)))(*encoded), len(encoded)


def floats(address: Optional[int], *shape: int) -> FloatArray:
    """A copy of float32 numbers at an address."""
    n = int(np.prod(shape))
    if not address or n == 0:
        return np.zeros(shape, np.float32)
    return np.frombuffer(string_at(address, 4 * n), np.float32).reshape(shape).copy()


def pixels(picture: Any, channels: str = "RGB") -> ByteArray:
    """A picture as uint8 [height, width, 3], RGB, rows without gaps."""
    array = np.asarray(picture)
    if array.dtype != np.uint8:
        raise TypeError(f"a picture is an array of uint8, not of {array.dtype}")
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"a picture has the shape (height, width, 3), not {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"a picture without pixels: {array.shape}")
    if channels == "BGR":
        array = array[:, :, ::-1]
    elif channels != "RGB":
        raise ValueError(f'channels are "RGB" or "BGR", not "{channels}"')
    return np.ascontiguousarray(array)


def vectors(values: Any, dim: int, what: str = "a vector") -> FloatArray:
    """float32 [n, dim], in C's order; one vector is n = 1."""
    array = np.ascontiguousarray(values, np.float32)
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2 or array.shape[1] != dim:
        raise ValueError(f"{what} has {dim} numbers, not the shape {np.shape(values)}")
    return array


class View:
    """Memory of C's as numpy sees it. `owner` lives as long as any array made of this."""

    def __init__(self, address: int, shape: Sequence[int], kind: str, owner: object) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (address, True), "shape": tuple(shape), "typestr": kind, "version": 3,
        }


def view(address: Optional[int], shape: Sequence[int], kind: str, owner: object) -> NDArray[Any]:
    """A read-only array of what lies there, without a copy."""
    if not address or 0 in shape:
        return np.zeros(tuple(shape), kind)
    return np.asarray(View(address, shape, kind, owner))
