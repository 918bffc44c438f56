"""The functions of the package face_recognition, by doppel: `from doppel import face_recognition`.

Same names, same order of arguments, same boxes (top, right, bottom, left). What differs:
- encodings are the model's vectors, scaled so that two of them that are 0.6 apart, the tolerance that
  programs have written down, are as alike as strangers come once in 10,000 pairs. For a decision that
  also knows how good the faces are, take doppel.Model.verify.
- landmarks are five: face_landmarks(…, model="small") has the eyes' and the nose's points; there is no
  "large" model, and asking for it is an error.
- `model` and `num_jitters` of face_locations and face_encodings are taken and have no effect.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from doppel import _abi
from doppel.errors import NoFaceError
from doppel.image import Image
from doppel.model import Model
from doppel.records import Face, HeadKind

Box = Tuple[int, int, int, int]
Encoding = NDArray[np.float64]

TOLERANCE = 0.6


@functools.lru_cache(maxsize=1)
def _model() -> Model:
    return Model.open()


@functools.lru_cache(maxsize=1)
def _scale() -> float:
    """What a unit vector is multiplied by, so that the distance of two at the default rate is 0.6."""
    model = _model()
    calibration = model.calibration
    if calibration is None or model.head.kind != HeadKind.COSINE:
        return 1.0
    wanted, _ = calibration.thresholds(_abi.DEFAULT_FMR)
    low, high = -1.0, 1.0
    for _ in range(60):  # evidence rises with the score; where the cohort does not hold it back
        middle = (low + high) / 2
        low, high = (low, middle) if calibration.evidence(middle, 1e6) >= wanted else (middle, high)
    return TOLERANCE / math.sqrt(max(1e-6, 2 - 2 * high))


def load_image_file(file: Any, mode: str = "RGB") -> NDArray[np.uint8]:
    """A path, or an open file, to uint8 [h, w, 3]; mode "L": [h, w]. Upright, as the camera held it."""
    if mode not in ("RGB", "L"):
        raise ValueError(f'a mode is "RGB" or "L", not "{mode}"')
    image = Image.decode(file.read()) if hasattr(file, "read") else Image.open(file)
    array = np.array(image.pixels)
    if mode == "L":
        return np.asarray((array @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8))
    return array


def _box(face: Face, shape: Sequence[int]) -> Box:
    height, width = shape[0], shape[1]
    return (max(0, round(face.y_px)), min(width, round(face.x_px + face.w_px)),
            min(height, round(face.y_px + face.h_px)), max(0, round(face.x_px)))


def _detect(img: Any, upsample: int) -> List[Face]:
    detector = _model().detector
    assert detector is not None  # Model.open() has one
    side = max(np.shape(img)[:2])
    # Upsampling there is for finding smaller faces: here the picture is looked at as large.
    return detector.detect(img, max_side_px=max(1280, side * (2 ** max(0, upsample - 1))))


def face_locations(img: Any, number_of_times_to_upsample: int = 1, model: str = "hog") -> List[Box]:
    """Boxes (top, right, bottom, left)."""
    return [_box(face, np.shape(img)) for face in _detect(img, number_of_times_to_upsample)]


def batch_face_locations(images: Sequence[Any], number_of_times_to_upsample: int = 1,
                         batch_size: int = 128) -> List[List[Box]]:
    return [face_locations(img, number_of_times_to_upsample) for img in images]


def _faces(img: Any, locations: Optional[Sequence[Box]]) -> List[Face]:
    if locations is None:
        return _detect(img, 1)
    return list(_model().photo_at(img, [(left, top, right - left, bottom - top)
                                        for top, right, bottom, left in locations]).faces)


def face_landmarks(face_image: Any, face_locations: Optional[Sequence[Box]] = None,
                   model: str = "small") -> List[Dict[str, List[Tuple[int, int]]]]:
    """The eyes' and the nose's points of each face, left as the package has it: the left of the
    picture is the person's right eye, which it calls right_eye."""
    if model != "small":
        raise ValueError(f'there are five landmarks of a face: model is "small", not "{model}"')
    found = []
    for face in _faces(face_image, face_locations):
        points = [(round(p.x_px), round(p.y_px)) for p in face.landmarks]
        found.append({"nose_tip": [points[2]], "left_eye": [points[0]], "right_eye": [points[1]]})
    return found


def face_encodings(face_image: Any, known_face_locations: Optional[Sequence[Box]] = None,
                   num_jitters: int = 1, model: str = "small") -> List[Encoding]:
    """A vector a face. NoFaceError when there is no face at a location that is given."""
    if known_face_locations is None:
        photo = _model().photo(face_image)
    elif not len(known_face_locations):
        return []
    else:
        photo = _model().photo_at(face_image, [(left, top, right - left, bottom - top)
                                               for top, right, bottom, left in known_face_locations])
    return [np.asarray(v, np.float64) * _scale() for v in photo.vectors]


def face_distance(face_encodings: Sequence[Any], face_to_compare: Any) -> NDArray[np.float64]:
    """Euclidean distances; 0.6 and less is the same person."""
    if len(face_encodings) == 0:
        return np.empty((0,))
    return np.asarray(np.linalg.norm(np.asarray(face_encodings) - face_to_compare, axis=1))


def compare_faces(known_face_encodings: Sequence[Any], face_encoding_to_check: Any,
                  tolerance: float = TOLERANCE) -> List[bool]:
    return [bool(d <= tolerance) for d in face_distance(known_face_encodings, face_encoding_to_check)]


__all__ = ["NoFaceError", "batch_face_locations", "compare_faces", "face_distance", "face_encodings",
           "face_landmarks", "face_locations", "load_image_file"]
