"""What to train on and to measure with: pictures, sentences, vectors or codes, in classes or in pairs."""

from __future__ import annotations

from ctypes import POINTER, byref, c_int32, c_size_t, c_void_p, cast
from typing import List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from doppel import _abi
from doppel._convert import FloatArray, PathLike, floats, maybe_bytes, maybe_text, text, to_bytes
from doppel._native import Closable, Handle, call, lib, options, take, take_bytes
from doppel.image import Image
from doppel.records import GivenPair, ItemKind


class Dataset(Closable):
    """Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @staticmethod
    def open(path: PathLike, *, root: Optional[PathLike] = None, plain: Optional[bool] = None,
             min_items: Optional[int] = None, kinds: Optional[Tuple[int, int]] = None,
             scale: Optional[Tuple[float, float]] = None, split: Optional[str] = None,
             classes: Optional[PathLike] = None) -> Dataset:
        """A folder, a zip, a list, an array in .npy. scale: of the grades of pairs."""
        o = options(_abi.dpl_dataset_options, root=maybe_bytes(root), plain=plain, min_items=min_items,
                    split=maybe_bytes(split), classes=maybe_bytes(classes))
        if kinds is not None:
            o.kinds[0], o.kinds[1] = kinds
        if scale is not None:
            o.scale_low, o.scale_high = scale
        return Dataset(Handle("the data set", take(lib.dpl_dataset_open, to_bytes(path), byref(o)),
                              lib.dpl_dataset_close))

    def __len__(self) -> int:
        with self._handle as p:
            return int(lib.dpl_dataset_n_items(p))

    @property
    def kind(self) -> ItemKind:
        with self._handle as p:
            return ItemKind(lib.dpl_dataset_item_kind(p))

    @property
    def classes(self) -> List[str]:
        with self._handle as p:
            return [text(lib.dpl_dataset_class_name(p, i)) for i in range(lib.dpl_dataset_n_classes(p))]

    @property
    def groups(self) -> List[str]:
        with self._handle as p:
            return [text(lib.dpl_dataset_group_name(p, i)) for i in range(lib.dpl_dataset_n_groups(p))]

    def _check(self, p: int, i: int, n: int, what: str) -> int:
        if not 0 <= i < n:
            raise IndexError(f"{what} {i} of {n}")
        return i

    def _item(self, p: int, item: int) -> int:
        return self._check(p, item, lib.dpl_dataset_n_items(p), "item")

    def _class(self, p: int, cls: int) -> int:
        return self._check(p, cls, lib.dpl_dataset_n_classes(p), "class")

    def name(self, item: int) -> str:
        with self._handle as p:
            return text(lib.dpl_dataset_item_name(p, self._item(p, item)))

    def class_of(self, item: int) -> int:
        with self._handle as p:
            return int(lib.dpl_dataset_class_of(p, self._item(p, item)))

    def group_of(self, cls: int) -> int:
        with self._handle as p:
            return int(lib.dpl_dataset_group_of(p, self._class(p, cls)))

    def stratum_of(self, item: int) -> str:
        with self._handle as p:
            return text(lib.dpl_dataset_stratum_of(p, self._item(p, item)))

    def role_of(self, item: int) -> str:
        with self._handle as p:
            return text(lib.dpl_dataset_role_of(p, self._item(p, item)))

    def items_of(self, cls: int) -> range:
        n = c_int32()
        with self._handle as p:
            first = lib.dpl_dataset_class_items(p, self._class(p, cls), byref(n))
        return range(first, first + n.value)

    def find_class(self, name: str) -> int:
        """-1: there is none."""
        with self._handle as p:
            return int(lib.dpl_dataset_find_class(p, to_bytes(name)))

    def find_item(self, name: str) -> int:
        with self._handle as p:
            return int(lib.dpl_dataset_find_item(p, to_bytes(name)))

    def image(self, item: int) -> Image:
        c = _abi.dpl_image()
        with self._handle as p:
            call(lib.dpl_dataset_image, byref(c), p, self._item(p, item))
        return Image(c)

    def item_bytes(self, item: int) -> int:
        """Of its file, unpacked; 0: it cannot be told."""
        with self._handle as p:
            return int(lib.dpl_dataset_item_bytes(p, self._item(p, item)))

    def item_file(self, item: int, max_bytes: int = 1 << 30) -> bytes:
        """A picture's file as it is."""
        out, n = c_void_p(), c_size_t()
        with self._handle as p:
            call(lib.dpl_dataset_item_file, byref(out), byref(n), p, self._item(p, item), max_bytes)
        return take_bytes(out.value, n.value)

    def file(self, name: str) -> bytes:
        """A file in the zip or folder that is not a picture."""
        out, n = c_void_p(), c_size_t()
        with self._handle as p:
            call(lib.dpl_dataset_file, byref(out), byref(n), p, to_bytes(name))
        return take_bytes(out.value, n.value)

    def sentence(self, item: int) -> Optional[str]:
        with self._handle as p:
            return maybe_text(lib.dpl_dataset_sentence(p, self._item(p, item)))

    def vector(self, item: int) -> Optional[FloatArray]:
        with self._handle as p:
            found = lib.dpl_dataset_vector(p, self._item(p, item))
            first = c_int32()
            for side in (0, 1):
                begin = lib.dpl_dataset_side_items(p, side, byref(first))
                if begin <= item < begin + first.value:
                    return floats(found, lib.dpl_dataset_side_dim(p, side)) if found else None
            return None

    def codes(self, item: int) -> Optional[NDArray[np.int32]]:
        n = c_int32()
        with self._handle as p:
            found = lib.dpl_dataset_codes(p, self._item(p, item), byref(n))
            if not found:
                return None
            return np.array(cast(found, POINTER(c_int32))[: n.value], np.int32)

    # ------------------------------------------------------------ given pairs

    @property
    def pairs(self) -> List[GivenPair]:
        with self._handle as p:
            return [GivenPair._of(lib.dpl_dataset_pair(p, i)[0])
                    for i in range(lib.dpl_dataset_n_pairs(p))]

    @property
    def is_graded(self) -> bool:
        with self._handle as p:
            return bool(lib.dpl_dataset_is_graded(p))

    def side(self, side: int) -> Tuple[ItemKind, range, int, int]:
        """Of a pair's side, 0 or 1: what it is, its items, numbers of a vector, one more than the
        largest code."""
        n = c_int32()
        with self._handle as p:
            self._check(p, side, 2, "side")
            first = lib.dpl_dataset_side_items(p, side, byref(n))
            return (ItemKind(lib.dpl_dataset_side_kind(p, side)), range(first, first + n.value),
                    int(lib.dpl_dataset_side_dim(p, side)), int(lib.dpl_dataset_side_codes(p, side)))
