"""Pictures: a file's bytes to upright uint8 [height, width, 3] RGB, and back to JPEG."""

from __future__ import annotations

from ctypes import byref, c_int32, c_size_t, c_void_p
from typing import Any, Optional, Tuple, Union

from doppel import _abi
from doppel._convert import ByteArray, PathLike, pixels, text, to_bytes, view
from doppel._native import call, lib, options, owned, take_bytes

Picture = Union["Image", ByteArray]
"""What functions take as a picture: an Image, or an array uint8 [height, width, 3] in RGB."""


class Image:
    """An upright picture. Its pixels are the library's memory, which lives as long as any array of it."""

    def __init__(self, c: _abi.dpl_image) -> None:
        self._c = owned(c, lib.dpl_image_clear)

    @staticmethod
    def decode(data: bytes, *, max_pixels: Optional[int] = None, max_bytes: Optional[int] = None,
               enough_px: Optional[int] = None) -> Image:
        """A photo's content, in any format that the library was built with.

        max_pixels and max_bytes bound what it may take; with enough_px a JPEG or WebP may come out at
        1/2, 1/4 or 1/8 as long as its larger side has so many pixels."""
        o = options(_abi.dpl_decode_options, max_pixels=max_pixels, max_bytes=max_bytes,
                    enough_px=enough_px)
        c = _abi.dpl_image()
        call(lib.dpl_image_decode, byref(c), bytes(data), len(data), byref(o))
        return Image(c)

    @staticmethod
    def open(path: PathLike, *, max_pixels: Optional[int] = None, max_bytes: Optional[int] = None,
             enough_px: Optional[int] = None) -> Image:
        """As decode, from a file."""
        o = options(_abi.dpl_decode_options, max_pixels=max_pixels, max_bytes=max_bytes,
                    enough_px=enough_px)
        c = _abi.dpl_image()
        call(lib.dpl_image_open, byref(c), to_bytes(path), byref(o))
        return Image(c)

    @staticmethod
    def from_array(picture: ByteArray) -> Image:
        array = pixels(picture)
        c = _abi.dpl_image()
        call(lib.dpl_image_from_rgb, byref(c), array.ctypes.data, array.shape[1], array.shape[0],
             array.strides[0])
        return Image(c)

    @property
    def pixels(self) -> ByteArray:
        """uint8 [height, width, 3], RGB, read only, without a copy."""
        return view(self._c.pixels, (self.height, self.width, 3), "|u1", self._c)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        array = self.pixels
        if dtype is not None:
            array = array.astype(dtype)
        return array.copy() if copy else array

    @property
    def width(self) -> int:
        return int(self._c.width_px)

    @property
    def height(self) -> int:
        return int(self._c.height_px)

    @property
    def full_size(self) -> Tuple[int, int]:
        """Width and height of the upright photo: larger than the pixels when it was decoded reduced."""
        return int(self._c.full_width_px), int(self._c.full_height_px)

    @property
    def exif_orientation(self) -> int:
        """As found, 1 to 8, and applied already."""
        return int(self._c.exif_orientation)

    @property
    def format(self) -> str:
        return text(self._c.format)

    @property
    def warning(self) -> str:
        """What is wrong with a photo that gave a picture all the same; "" when nothing is."""
        return text(self._c.warning)

    @property
    def taken(self) -> str:
        """When, by the camera's clock: "2024-05-01T12:34:56"; "" when it is not said."""
        return text(self._c.taken)

    def resize(self, width: int, height: int) -> Image:
        c = _abi.dpl_image()
        call(lib.dpl_image_resize, byref(c), byref(self._c), width, height)
        return Image(c)

    def to_jpeg(self, quality: int = 90) -> bytes:
        return to_jpeg(self, quality)

    def __repr__(self) -> str:
        return f"<doppel.Image {self.width}x{self.height} {self.format or 'pixels'}>"


def as_c(picture: Picture) -> Tuple[_abi.dpl_image, Any]:
    """A C image of a picture, without a copy where it lies right, and what keeps it alive."""
    if isinstance(picture, Image):
        return picture._c, picture
    array = pixels(picture)
    c = _abi.dpl_image()
    c.width_px = c.full_width_px = array.shape[1]
    c.height_px = c.full_height_px = array.shape[0]
    c.pixels = array.ctypes.data
    c.exif_orientation = 1
    return c, array


def to_jpeg(picture: Picture, quality: int = 90) -> bytes:
    c, keep = as_c(picture)
    out, n = c_void_p(), c_size_t()
    call(lib.dpl_image_to_jpeg, byref(out), byref(n), byref(c), quality)
    del keep
    return take_bytes(out.value, n.value)


def orientation(path: PathLike) -> int:
    """How a photo lies in its file, 1 to 8; of a JPEG only the beginning is read."""
    out = c_int32()
    call(lib.dpl_image_orientation, byref(out), to_bytes(path), None)
    return out.value


def is_picture(name: PathLike, head: bytes = b"") -> bool:
    """Whether a file is meant as a picture, by its name or its first bytes."""
    return bool(lib.dpl_image_is_meant(to_bytes(name), head, len(head)))
