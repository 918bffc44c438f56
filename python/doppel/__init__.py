"""doppel: whether two photos show the same person, and the photos most like a given one.

    import doppel

    model = doppel.Model.open()
    print(model.verify("a.jpg", "b.jpg").decision)

Pictures are paths, or numpy arrays uint8 [height, width, 3] in RGB; vectors are float32. What fails
raises doppel.Error, which carries the library's status and message. Calls let other threads run.
"""

from doppel import (
    calibrate, copies, dataset, errors, evaluate, face, image, net, records, score, sidecar, text, training,
)
from doppel._native import (
    Cancel, blas, blas_set_threads, cpu_level, faiss_version, library_path, models_find, sqlite_version,
    version,
)
from doppel.copies import find_copies
from doppel.errors import (
    ArgumentError, CancelledError, Error, GalleryError, InputError, InternalError, LimitError, LockedError,
    ManyFacesError, MismatchError, ModelError, NoFaceError, NoPersonError, NotFoundError, NumericError,
    OutOfMemoryError, QualityError, SystemFailure,
)
from doppel.face import Detector, Encoder
from doppel.gallery import Gallery
from doppel.image import Image
from doppel.model import Model, Photo
from doppel.net import Net, Plan
from doppel.records import (
    Decision, DoubtKind, FacesPolicy, Fitness, HeadKind, Outcome, Precision, QueryBy, Status, TextBy,
)
from doppel.score import Calibration, Head, Policy
from doppel.text import TextEncoder, TextModel, Tokenizer
from doppel.training import train

__version__ = version()

__all__ = [
    "ArgumentError", "Calibration", "Cancel", "CancelledError", "Decision", "Detector", "DoubtKind",
    "Encoder", "Error", "FacesPolicy", "Fitness", "Gallery", "GalleryError", "Head", "HeadKind", "Image",
    "InputError", "InternalError", "LimitError", "LockedError", "ManyFacesError", "MismatchError", "Model",
    "ModelError", "Net", "NoFaceError", "NoPersonError", "NotFoundError", "NumericError",
    "OutOfMemoryError", "Outcome", "Photo", "Plan", "Policy", "Precision", "QualityError", "QueryBy",
    "Status", "SystemFailure", "TextBy", "TextEncoder", "TextModel", "Tokenizer", "blas",
    "blas_set_threads", "calibrate", "copies", "cpu_level", "dataset", "errors", "evaluate", "face",
    "faiss_version", "find_copies", "image", "library_path", "models_find", "net", "records", "score",
    "sidecar", "sqlite_version", "text", "train", "training", "version",
]
