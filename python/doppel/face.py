"""Faces: find them, align them, encode them, each step by itself. Model does all of them at once."""

from __future__ import annotations

from ctypes import POINTER, byref, c_size_t, cast
from typing import List, Optional, Sequence, Tuple, Union

import numpy as np

from doppel import _abi
from doppel._convert import ByteArray, FloatArray, PathLike, maybe_text, text, to_bytes
from doppel._native import Closable, Handle, call, lib, models_find, options, take
from doppel.image import Image, Picture, as_c
from doppel.net import Net, Scratches, net_options
from doppel.records import Face, Precision


def face_to_c(face: Face) -> _abi.dpl_face:
    c = _abi.dpl_face()
    c.x_px, c.y_px, c.w_px, c.h_px, c.score = face.x_px, face.y_px, face.w_px, face.h_px, face.score
    for to, point in zip(c.landmarks, face.landmarks):
        to.x_px, to.y_px = point.x_px, point.y_px
    q = face.quality
    for name in ("overall", "size_px", "sharpness", "brightness", "contrast", "yaw_deg", "pitch_deg",
                 "roll_deg", "detector"):
        setattr(c.quality, name, getattr(q, name))
    c.quality.weakest = q.weakest.encode()
    return c


def landmarks_of(face: Face) -> FloatArray:
    """float32 [5, 2]: eyes, nose, corners of the mouth, left first as one looks at an upright face."""
    return np.array([(p.x_px, p.y_px) for p in face.landmarks], np.float32)


def main_face(faces: Sequence[Face], picture: Picture) -> int:
    """Which face a picture is of: large, and near the middle."""
    c, keep = as_c(picture)
    array = (_abi.dpl_face * max(1, len(faces)))(*[face_to_c(f) for f in faces])
    found = int(lib.dpl_main_face(array, len(faces), byref(c)))
    del keep
    return found


class Detector(Closable):
    """Finds faces. Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._scratches = Scratches()

    @staticmethod
    def open(path: Optional[PathLike] = None, *, precision: Optional[Precision] = None,
             max_arena_bytes: Optional[int] = None) -> Detector:
        """The one that comes with doppel, or another of its kind."""
        where = to_bytes(models_find(_abi.MODEL_DETECTOR) if path is None else path)
        if precision is None and max_arena_bytes is None:
            made = take(lib.dpl_detector_open, where)
        else:
            o = net_options(max_arena_bytes=max_arena_bytes, precision=precision)
            made = take(lib.dpl_detector_open_with, where, byref(o))
        return Detector(Handle("the detector", made, lib.dpl_detector_close))

    @property
    def net(self) -> Net:
        with self._handle as p:
            return Net._borrowed(lib.dpl_detector_net(p), self._handle)

    def detect(self, picture: Picture, *, min_score: Optional[float] = None,
               max_overlap: Optional[float] = None, max_side_px: Optional[int] = None,
               min_face_px: Optional[float] = None, max_faces: Optional[int] = None) -> List[Face]:
        """Faces, the strongest first, in pixels of the picture; their quality is not known yet."""
        o = options(_abi.dpl_detect_options, min_score=min_score, max_overlap=max_overlap,
                    max_side_px=max_side_px, min_face_px=min_face_px, max_faces=max_faces)
        c, keep = as_c(picture)
        n = c_size_t()
        with self._handle as p, self._scratches.one() as scratch:
            found = take(lib.dpl_detect, byref(n), p, scratch, byref(c), byref(o))
        del keep
        return take_faces(found, n.value)


def take_faces(address: int, n: int) -> List[Face]:
    faces = cast(address, POINTER(_abi.dpl_face))
    try:
        return [Face._of(faces[i]) for i in range(n)]
    finally:
        lib.dpl_faces_free(faces)


def encoder_presets() -> List[str]:
    """Facts that are known of models that do not carry them."""
    names: List[str] = []
    while True:
        name = lib.dpl_encoder_preset_name(len(names))
        if name is None:
            return names
        names.append(text(name))


class Encoder(Closable):
    """Chips to vectors. Threads: any number at once."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._scratches = Scratches()

    @staticmethod
    def open(path: Optional[PathLike] = None, *, preset: Optional[str] = None,
             precision: Optional[Precision] = None, max_arena_bytes: Optional[int] = None) -> Encoder:
        where = to_bytes(models_find(_abi.MODEL_ENCODER) if path is None else path)
        facts = None if preset is None else preset.encode()
        if precision is None and max_arena_bytes is None:
            made = take(lib.dpl_encoder_open, where, facts)
        else:
            o = net_options(max_arena_bytes=max_arena_bytes, precision=precision)
            made = take(lib.dpl_encoder_open_with, where, facts, byref(o))
        return Encoder(Handle("the encoder", made, lib.dpl_encoder_close))

    @property
    def net(self) -> Net:
        with self._handle as p:
            return Net._borrowed(lib.dpl_encoder_net(p), self._handle)

    @property
    def path(self) -> str:
        with self._handle as p:
            return text(lib.dpl_encoder_path(p))

    @property
    def preset(self) -> Optional[str]:
        with self._handle as p:
            return maybe_text(lib.dpl_encoder_preset(p))

    @property
    def chip_shape(self) -> Tuple[int, int, int]:
        """Height, width, 3."""
        with self._handle as p:
            return int(lib.dpl_encoder_height_px(p)), int(lib.dpl_encoder_width_px(p)), 3

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        with self._handle as p:
            return int(lib.dpl_encoder_dim(p))

    @property
    def space(self) -> str:
        """"face" or "image"."""
        with self._handle as p:
            return text(lib.dpl_encoder_space(p))

    @property
    def hash(self) -> str:
        """What its vectors carry: vectors of another hash are not to be compared with them."""
        with self._handle as p:
            return text(lib.dpl_encoder_hash(p))

    def fact(self, name: str) -> Optional[str]:
        with self._handle as p:
            return maybe_text(lib.dpl_encoder_fact(p, name.encode()))

    def align(self, picture: Picture, face: Face) -> Tuple[ByteArray, Face]:
        """The face cut out upright, uint8 [height, width, 3], and the face with its quality."""
        c, keep = as_c(picture)
        of = face_to_c(face)
        chip = np.empty(self.chip_shape, np.uint8)
        with self._handle as p:
            call(lib.dpl_align, chip.ctypes.data, byref(of), p, byref(c))
        del keep
        return chip, Face._of(of)

    def whole_chip(self, picture: Picture) -> ByteArray:
        """The picture's largest centred part of the chip's proportions."""
        c, keep = as_c(picture)
        chip = np.empty(self.chip_shape, np.uint8)
        with self._handle as p:
            call(lib.dpl_whole_chip, chip.ctypes.data, p, byref(c))
        del keep
        return chip

    def encode(self, chips: Union[ByteArray, Sequence[ByteArray]]) -> FloatArray:
        """uint8 [n, height, width, 3] to float32 [n, dim]; one chip to [dim]."""
        array = np.asarray(chips)
        if array.dtype != np.uint8:
            raise TypeError(f"chips are arrays of uint8, not of {array.dtype}")
        one = array.ndim == 3
        array = np.ascontiguousarray(array[None] if one else array)
        if array.shape[1:] != self.chip_shape:
            raise ValueError(f"a chip has the shape {self.chip_shape}, not {array.shape[1:]}")
        out = np.empty((array.shape[0], self.dim), np.float32)
        if array.shape[0]:
            with self._handle as p, self._scratches.one() as scratch:
                call(lib.dpl_encode, out.ctypes.data, p, scratch, array.ctypes.data, array.shape[0])
        return out.reshape(-1) if one else out


def portrait(picture: Picture, face: Face, width_px: int = 200) -> Image:
    """A face for people to look at: upright, with hair, ears and chin."""
    c, keep = as_c(picture)
    out = _abi.dpl_image()
    of = face_to_c(face)
    call(lib.dpl_portrait, byref(out), byref(c), byref(of), width_px)
    del keep
    return Image(out)
