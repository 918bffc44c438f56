"""Model: photo in, faces with their vectors out, and two photos compared."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, addressof, byref, cast, sizeof
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, Union

from doppel import _abi
from doppel._convert import (
    ByteArray, FloatArray, PathLike, maybe_text, pixels, strings, text, to_bytes, vectors, view,
)
from doppel._native import (
    Cancel, Closable, Handle, Relay, call, lib, member, models_find, options, owned, take,
)
from doppel.errors import Error, error_of
from doppel.face import Detector, Encoder, face_to_c
from doppel.image import Picture
from doppel.net import Scratches, net_options
from doppel.records import Comparison, Face, PhotosEvent, PhotosReport, Precision, Status, Verdict
from doppel.score import Calibration, Head, Policy

Source = Union[PathLike, "Photo", Picture]
"""A photo: its path, an opened one, an Image, or an array uint8 [height, width, 3] in RGB.
A file's content goes through Model.decode."""


@dataclass(frozen=True)
class Kind:
    """What a model makes of a photo. Photos of another kind are not for the same model."""

    hash: str
    dim: int
    chip_shape: Tuple[int, int, int]
    image_hash: str
    image_dim: int


class Photo:
    """A photo after a model: its faces, strongest first, each with its chip and its vector.

    Arrays are read only and without a copy; the memory lives as long as the photo or any of them."""

    def __init__(self, c: _abi.dpl_photo, kind: Kind) -> None:
        self._c = c
        self._kind = kind

    @staticmethod
    def _owning(c: _abi.dpl_photo, kind: Kind) -> Photo:
        """Of what the library has filled in, and is to be cleared by it."""
        return Photo(owned(c, lib.dpl_photo_clear), kind)

    @staticmethod
    def _copied(lent: _abi.dpl_photo, kind: Kind) -> Photo:
        """Of what is lent to a callback."""
        c = _abi.dpl_photo()
        ctypes.memmove(byref(c), byref(lent), sizeof(c))
        kept = []

        def keep(address: Optional[int], n_bytes: int) -> Optional[int]:
            if not address or not n_bytes:
                return None
            kept.append(ctypes.create_string_buffer(ctypes.string_at(address, n_bytes), n_bytes))
            return addressof(kept[-1])

        n = c.n_faces
        height, width, _ = kind.chip_shape
        c.name = lent.name
        c.image.pixels = keep(lent.image.pixels, lent.image.width_px * lent.image.height_px * 3)
        faces = keep(cast(lent.faces, ctypes.c_void_p).value, n * sizeof(_abi.dpl_face))
        c.faces = cast(ctypes.c_void_p(faces), POINTER(_abi.dpl_face))
        c.chips = keep(lent.chips, n * height * width * 3)
        c.vectors = keep(lent.vectors, n * kind.dim * 4)
        c.image_vector = keep(lent.image_vector, kind.image_dim * 4)
        c.kept = kept
        return Photo(c, kind)

    @property
    def name(self) -> Optional[str]:
        return maybe_text(self._c.name)

    @property
    def sha256(self) -> str:
        """Of the file's content; "" when the photo came as pixels."""
        return text(self._c.sha256)

    @property
    def n_bytes(self) -> int:
        """Of the file's content; 0 when the photo came as pixels."""
        return int(self._c.n_bytes)

    @property
    def faces(self) -> Tuple[Face, ...]:
        """Where they are, in pixels of the upright photo at its full size, and how good."""
        return tuple(Face._of(self._c.faces[i]) for i in range(self._c.n_faces))

    @property
    def vectors(self) -> FloatArray:
        """float32 [faces, dim], of unit length."""
        return view(self._c.vectors, (self._c.n_faces, self._kind.dim), "<f4", self._c)

    @property
    def chips(self) -> ByteArray:
        """uint8 [faces, height, width, 3], RGB: the faces cut out upright, as the encoder saw them."""
        return view(self._c.chips, (self._c.n_faces, *self._kind.chip_shape), "|u1", self._c)

    @property
    def image_vector(self) -> Optional[FloatArray]:
        """Of the whole picture, [dim] of the image encoder; None where the model has none."""
        if not self._c.image_vector:
            return None
        return view(self._c.image_vector, (self._kind.image_dim,), "<f4", self._c)

    @property
    def pixels(self) -> ByteArray:
        """uint8 [height, width, 3], RGB, as it was decoded: perhaps reduced."""
        i = self._c.image
        return view(i.pixels, (i.height_px, i.width_px, 3), "|u1", self._c)

    @property
    def size(self) -> Tuple[int, int]:
        """Width and height of the upright photo, which the faces' coordinates are of."""
        return int(self._c.image.full_width_px), int(self._c.image.full_height_px)

    @property
    def warning(self) -> str:
        return text(self._c.image.warning)

    @property
    def taken(self) -> str:
        return text(self._c.image.taken)

    @property
    def main_face(self) -> int:
        """Which face the photo is of; 0 when there is none or one."""
        return int(lib.dpl_main_face(self._c.faces, self._c.n_faces, byref(self._c.image)))

    def __len__(self) -> int:
        return int(self._c.n_faces)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<doppel.Photo {self.name or 'without a name'}, {len(self)} faces>"


@dataclass(frozen=True)
class Seen:
    """One of many photos that were looked at: its photo, or why there is none."""

    path: str
    photo: Optional[Photo]
    error: Optional[Error]
    passed_over: bool  # no picture: only counted
    n_done: int
    n_total: int


class Model(Closable):
    """Detector, encoders and limits: everything that turns a photo into vectors, and what they are
    judged by. Threads: any number at once; each call works on its own, the interpreter's lock let go."""

    def __init__(self, handle: Handle, threads: int = 1) -> None:
        self._handle = handle
        self._scratches = Scratches(threads)
        with handle as p:
            self.encoder = Encoder(Handle("the encoder", lib.dpl_pipeline_encoder(p), None, handle))
            image = lib.dpl_pipeline_image_encoder(p)
            self.image_encoder = (
                Encoder(Handle("the image encoder", image, None, handle)) if image else None)
            detector = lib.dpl_pipeline_detector(p)
            self.detector = (
                Detector(Handle("the detector", detector, None, handle)) if detector else None)
            self.head = Head(Handle("the head", lib.dpl_pipeline_head(p), None, handle))
            self.calibration = Calibration._borrowed(lib.dpl_pipeline_calibration(p), handle)
            self.image_calibration = Calibration._borrowed(lib.dpl_pipeline_image_calibration(p), handle)
        of = self.image_encoder
        self._kind = Kind(self.encoder.hash, self.encoder.dim, self.encoder.chip_shape,
                          of.hash if of else "", of.dim if of else 0)

    @staticmethod
    def open(encoder: Optional[PathLike] = None, *, detector: Union[PathLike, bool, None] = None,
             preset: Optional[str] = None, image: Union[PathLike, bool, None] = None,
             image_preset: Optional[str] = None, calibration: Optional[PathLike] = None,
             min_quality: Optional[float] = None, precision: Optional[Precision] = None,
             max_pixels: Optional[int] = None, max_bytes: Optional[int] = None,
             min_score: Optional[float] = None, max_overlap: Optional[float] = None,
             max_side_px: Optional[int] = None, min_face_px: Optional[float] = None,
             max_faces: Optional[int] = None, threads: int = 1) -> Model:
        """The models that come with doppel, or others.

        encoder      an ONNX file; None: the bundled one of faces
        detector     an ONNX file; None or True: the bundled one; False: none, whole pictures are compared
        image        an encoder of whole pictures, True: the bundled one; None: none
        preset       facts of an encoder that does not carry them (doppel.face.encoder_presets())
        calibration  a file that decides in the place of the encoder's own
        max_pixels, max_bytes                  of a photo, and of memory that decoding may take
        min_score … max_faces                  of the detector
        threads      that one photo is shared out among: for one that somebody waits for. Many photos
                     are faster with a Python thread each
        """
        o = options(_abi.dpl_pipeline_options, min_quality=min_quality)
        o.encoder_path = to_bytes(models_find(_abi.MODEL_ENCODER) if encoder is None else encoder)
        if detector is None or detector is True:
            o.detector_path = to_bytes(models_find(_abi.MODEL_DETECTOR))
        elif detector is not False:
            o.detector_path = to_bytes(detector)
        if image is True:
            o.image_path = to_bytes(models_find(_abi.MODEL_IMAGE))
        elif image is not None and image is not False:
            o.image_path = to_bytes(image)
        for name, value in (("preset", preset), ("image_preset", image_preset)):
            if value is not None:
                setattr(o, name, value.encode())
        if calibration is not None:
            o.calibration_path = to_bytes(calibration)
        o.net = net_options(precision=precision)
        o.decode = options(_abi.dpl_decode_options, max_pixels=max_pixels, max_bytes=max_bytes)
        o.detect = options(_abi.dpl_detect_options, min_score=min_score, max_overlap=max_overlap,
                           max_side_px=max_side_px, min_face_px=min_face_px, max_faces=max_faces)
        made = take(lib.dpl_pipeline_open, byref(o))
        return Model(Handle("the model", made, lib.dpl_pipeline_close), threads)

    @property
    def calibration_is_given(self) -> bool:
        """Whether it came from the file given, not from the encoder."""
        with self._handle as p:
            return bool(lib.dpl_pipeline_calibration_is_given(p))

    # ------------------------------------------------------------ one photo

    def photo(self, source: Source) -> Photo:
        """All of the pipeline on a photo: a path, an Image, or an array uint8 [h, w, 3] in RGB. No face
        is no failure."""
        if isinstance(source, Photo):
            if source._kind != self._kind:
                raise ValueError("the photo was opened by another model")
            return source
        c = _abi.dpl_photo()
        with self._handle as p, self._scratches.one() as scratch:
            if isinstance(source, (str, bytes, os.PathLike)):
                call(lib.dpl_photo_open, byref(c), p, scratch, to_bytes(source))
            else:
                array = pixels(source)
                call(lib.dpl_photo_from_rgb, byref(c), p, scratch, None, array.ctypes.data,
                     array.shape[1], array.shape[0], array.strides[0])
            return Photo._owning(c, self._kind)

    def decode(self, data: bytes, name: Optional[str] = None) -> Photo:
        """The same of a file's content. name: what messages call it."""
        c = _abi.dpl_photo()
        called = None if name is None else to_bytes(name)
        with self._handle as p, self._scratches.one() as scratch:
            call(lib.dpl_photo_from_bytes, byref(c), p, scratch, called, data, len(data))
            return Photo._owning(c, self._kind)

    def photo_at(self, picture: Picture, boxes: Sequence[Tuple[float, float, float, float]]) -> Photo:
        """Of faces that were found by other means: one in each box (x, y, width, height), in their
        order. NoFaceError when a box shows none."""
        array = pixels(picture)
        c = _abi.dpl_photo()
        b = (_abi.dpl_box * max(1, len(boxes)))(*[_abi.dpl_box(*box) for box in boxes])
        with self._handle as p, self._scratches.one() as scratch:
            call(lib.dpl_photo_from_rgb_at, byref(c), p, scratch, None, array.ctypes.data,
                 array.shape[1], array.shape[0], array.strides[0], b, len(boxes))
            return Photo._owning(c, self._kind)

    def detect(self, picture: Picture, **limits: Any) -> List[Face]:
        """Faces only, without their vectors: as Detector.detect."""
        if self.detector is None:
            raise ValueError("the model has no detector")
        return self.detector.detect(picture, **limits)

    def photos(self, paths: Iterable[PathLike], fn: Callable[[Seen], Any], *,
               follow_links: Optional[bool] = None, threads: Optional[int] = None,
               preview_px: Optional[int] = None, cancel: Optional[Cancel] = None) -> PhotosReport:
        """Files and folders, several at a time; fn gets each in order, here in this thread.

        preview_px: the larger side that pixels are kept with; 0 and None: none are kept."""
        relay = Relay(cancel)

        def told(event: Any) -> None:
            e = event[0]
            record = PhotosEvent._of(e)
            failed = None
            if record.status != Status.OK:
                failed = error_of(record.status, e.message or b"")
            fn(Seen(record.path, Photo._copied(e.photo[0], self._kind) if e.photo else None, failed,
                    record.passed_over, record.n_done, record.n_total))

        o = options(_abi.dpl_photos_options, follow_links=follow_links, n_threads=threads,
                    preview_px=preview_px)
        o.on_photo = relay.function(member(_abi.dpl_photos_options, "on_photo"), told)
        o.cancel = relay.flag
        report = _abi.dpl_photos_report()
        array, n = strings(paths)
        with self._handle as p:
            relay.call(lib.dpl_photos_each, byref(report), p, array, n, byref(o))
        return PhotosReport._of(report)

    # ------------------------------------------------------------ comparing

    def policy(self, *, fmr: Optional[float] = None, threshold: Optional[float] = None) -> Policy:
        """How this model's comparisons are judged: strangers match at most at the rate fmr (1e-4), or
        what scores at least threshold matches."""
        return Policy.make(self.calibration, fmr=fmr, threshold=threshold)

    def verify(self, a: Source, b: Source, *, policy: Optional[Policy] = None,
               fmr: Optional[float] = None, threshold: Optional[float] = None,
               face_a: int = -1, face_b: int = -1) -> Verdict:
        """Do two photos show the same person? face_a, face_b: which of their faces, -1: the main one."""
        judged = policy or self.policy(fmr=fmr, threshold=threshold)
        left, right = self.photo(a), self.photo(b)
        o = options(_abi.dpl_verify_options, face_a=face_a, face_b=face_b)
        out = _abi.dpl_verdict()
        with self._handle as p:
            call(lib.dpl_verify, byref(out), p, byref(judged._c), byref(left._c), byref(right._c),
                 byref(o))
        return Verdict._of(out)

    def compare(self, a: Any, b: Any, *, face_a: Optional[Face] = None, face_b: Optional[Face] = None,
                policy: Optional[Policy] = None, fmr: Optional[float] = None,
                threshold: Optional[float] = None) -> Comparison:
        """Two vectors [dim] that were kept, judged as verify judges those of two photos. A face says how
        good it is; without it counts as fair."""
        judged = policy or self.policy(fmr=fmr, threshold=threshold)
        left, right = vectors(a, self._kind.dim), vectors(b, self._kind.dim)
        of_a = None if face_a is None else byref(face_to_c(face_a))
        of_b = None if face_b is None else byref(face_to_c(face_b))
        out = _abi.dpl_comparison()
        with self._handle as p:
            call(lib.dpl_compare_vectors, byref(out), p, byref(judged._c), left.ctypes.data,
                 right.ctypes.data, of_a, of_b)
        return Comparison._of(out)
