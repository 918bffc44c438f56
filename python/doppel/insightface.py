"""FaceAnalysis as the package insightface has it, by doppel: `from doppel.insightface import FaceAnalysis`.

    app = FaceAnalysis()
    app.prepare(ctx_id=0, det_size=(640, 640))
    faces = app.get(cv2.imread("photo.jpg"))     # BGR, as OpenCV reads it

A face has bbox (x1, y1, x2, y2), kps [5, 2], det_score, embedding and normed_embedding, as attributes
and as items. There is no age, no sex and no mesh of landmarks: those are None. `name`, `root`,
`providers` and ctx_id choose among insightface's models and devices, and have no effect here.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from doppel._convert import PathLike, pixels
from doppel.face import landmarks_of
from doppel.model import Model
from doppel.records import Quality


class Face(Dict[str, Any]):
    """A dict whose items are attributes, too; what is not there is None, as in insightface."""

    bbox: NDArray[np.float32]
    kps: NDArray[np.float32]
    det_score: float
    embedding: NDArray[np.float32]
    quality: Quality  # doppel's own: how fit the face is for comparison

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    @property
    def embedding_norm(self) -> Optional[float]:
        return None if self.embedding is None else float(np.linalg.norm(self.embedding))

    @property
    def normed_embedding(self) -> Optional[NDArray[np.float32]]:
        if self.embedding is None:
            return None
        return np.asarray(self.embedding / np.linalg.norm(self.embedding), np.float32)

    @property
    def sex(self) -> None:
        return None


class FaceAnalysis:
    """Threads: any number at once, after prepare."""

    def __init__(self, name: str = "doppel", root: str = "", allowed_modules: Optional[List[str]] = None,
                 *, encoder: Optional[PathLike] = None, detector: Optional[PathLike] = None,
                 preset: Optional[str] = None, threads: int = 1, **_: Any) -> None:
        self._encoder, self._detector, self._preset = encoder, detector, preset
        self._threads = threads
        self._only_detect = allowed_modules is not None and "recognition" not in allowed_modules
        self.model: Optional[Model] = None
        self.det_thresh = 0.5

    def prepare(self, ctx_id: int = 0, det_thresh: float = 0.5,
                det_size: Tuple[int, int] = (640, 640)) -> None:
        """det_size: a photo is brought down to its larger side for detection."""
        self.det_thresh, self.det_size = det_thresh, det_size
        self.model = Model.open(self._encoder, detector=self._detector, preset=self._preset,
                                min_score=det_thresh, max_side_px=max(det_size), threads=self._threads)

    def get(self, img: Any, max_num: int = 0, channels: str = "BGR") -> List[Face]:
        """Faces of uint8 [h, w, 3], BGR as OpenCV has it, or channels="RGB"; the strongest first, at
        most max_num, 0: all."""
        if self.model is None:
            raise RuntimeError("prepare() comes first")
        array = pixels(img, channels)
        if self._only_detect:
            detector = self.model.detector
            assert detector is not None
            found = detector.detect(array, min_score=self.det_thresh, max_side_px=max(self.det_size))
            vectors: List[Any] = [None] * len(found)
        else:
            photo = self.model.photo(array)
            found, vectors = list(photo.faces), list(np.array(photo.vectors))
        faces = [
            Face(bbox=np.array([f.x_px, f.y_px, f.x_px + f.w_px, f.y_px + f.h_px], np.float32),
                 kps=landmarks_of(f), det_score=f.score, embedding=v, quality=f.quality)
            for f, v in zip(found, vectors)
        ]
        return faces[:max_num] if max_num > 0 else faces

    @staticmethod
    def compute_sim(a: Any, b: Any) -> float:
        """The cosine of two embeddings."""
        left, right = np.ravel(a), np.ravel(b)
        return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))
