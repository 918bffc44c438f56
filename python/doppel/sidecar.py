"""Sidecars: the faces in an XMP file beside a photo. Gallery.write_sidecars and read_sidecars do whole
collections."""

from __future__ import annotations

from ctypes import byref, c_bool, c_int32, c_void_p
from typing import Any, List, Optional, Sequence, Tuple

from doppel import _abi
from doppel._convert import PathLike, to_bytes
from doppel._native import call, lib, options, take_string
from doppel.records import Region, Regions, SidecarReport


def is_built() -> bool:
    """Whether the library was built with XMP."""
    return bool(lib.dpl_xmp_is_built())


def find(photo: PathLike, to_write: bool = False) -> Tuple[str, bool]:
    """The path of a photo's sidecar, and whether it is there."""
    path, there = c_void_p(), c_bool()
    call(lib.dpl_sidecar_find, byref(path), byref(there), to_bytes(photo), to_write)
    return take_string(path.value) or "", there.value


def _shape(size: Tuple[int, int], orientation: int) -> _abi.dpl_photo_shape:
    return _abi.dpl_photo_shape(width_px=size[0], height_px=size[1], exif_orientation=orientation)


def read(path: PathLike, size: Tuple[int, int], orientation: int = 1) -> Regions:
    """size: width and height of the upright photo; orientation: doppel.image.orientation(photo)."""
    out = _abi.dpl_regions()
    call(lib.dpl_sidecar_read, byref(out), to_bytes(path), byref(_shape(size, orientation)))
    try:
        return Regions._of(out)
    finally:
        lib.dpl_regions_clear(byref(out))


def _regions(regions: Sequence[Region]) -> Tuple[Any, List[Any]]:
    kept = [to_bytes(r.name) for r in regions]
    array = (_abi.dpl_region * max(1, len(regions)))()
    for c, r, name in zip(array, regions, kept):
        c.name, c.x, c.y, c.w, c.h, c.is_own = name, r.x, r.y, r.w, r.h, r.is_own
    return array, kept


def write(path: PathLike, photo: PathLike, size: Tuple[int, int], faces: Sequence[Region],
          orientation: int = 1, *, overwrite: Optional[bool] = None,
          dry_run: Optional[bool] = None) -> SidecarReport:
    """Write named faces into a sidecar; what others have written stays."""
    o = options(_abi.dpl_sidecar_options, overwrite=overwrite, dry_run=dry_run)
    out = _abi.dpl_sidecar_report()
    array, kept = _regions(faces)
    call(lib.dpl_sidecar_write, byref(out), to_bytes(path), to_bytes(photo),
         byref(_shape(size, orientation)), array, len(faces), byref(o))
    del kept
    return SidecarReport._of(out)


def pair(a: Sequence[Region], b: Sequence[Region]) -> List[int]:
    """Which of b is of the same face as each of a; -1: none."""
    of = (c_int32 * max(1, len(a)))()
    left, kept_a = _regions(a)
    right, kept_b = _regions(b)
    call(lib.dpl_regions_pair, of, left, len(a), right, len(b))
    del kept_a, kept_b
    return list(of[: len(a)])
