"""Failures as exceptions. Each carries the library's status and its message.

A status that Python has a word for is that, too: DPL_E_ARGUMENT is a ValueError, what is not found is a
LookupError, and so on. What is wrong before C is called (a closed object, an array of another type) is a
plain ValueError or TypeError.
"""

from __future__ import annotations

from typing import Dict, Type

from doppel._convert import text
from doppel.records import Status


class Error(Exception):
    """What the library could not do: `status` says what to do, `message` what to tell."""

    status: Status
    message: str

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def __reduce__(self) -> object:  # type: ignore[override]
        return type(self), (self.status, self.message)


class ArgumentError(Error, ValueError):
    pass


class InputError(Error):
    """A photo, a list or a file is not usable."""


class LimitError(InputError):
    pass


class NoFaceError(InputError):
    pass


class ManyFacesError(InputError):
    pass


class QualityError(InputError):
    pass


class NumericError(Error, ArithmeticError):
    pass


class ModelError(Error):
    pass


class GalleryError(Error):
    pass


class LockedError(GalleryError):
    pass


class MismatchError(Error):
    """Model and gallery do not belong together."""


class NotFoundError(Error, LookupError):
    pass


class NoPersonError(NotFoundError):
    pass


class OutOfMemoryError(Error, MemoryError):
    pass


class SystemFailure(Error, OSError):
    def __str__(self) -> str:
        return self.message


class CancelledError(Error):
    """Stopped on request; what was done is kept."""


class InternalError(Error):
    pass


CLASSES: Dict[Status, Type[Error]] = {
    Status.ARGUMENT: ArgumentError, Status.INPUT: InputError, Status.LIMIT: LimitError,
    Status.NO_FACE: NoFaceError, Status.MANY_FACES: ManyFacesError, Status.QUALITY: QualityError,
    Status.NUMERIC: NumericError, Status.MODEL: ModelError, Status.GALLERY: GalleryError,
    Status.LOCKED: LockedError, Status.MISMATCH: MismatchError, Status.NOT_FOUND: NotFoundError,
    Status.MEMORY: OutOfMemoryError, Status.SYSTEM: SystemFailure, Status.CANCELLED: CancelledError,
    Status.BUG: InternalError, Status.NO_PERSON: NoPersonError,
}


def error_of(status: int, message: bytes) -> Error:
    known = Status(status)
    return CLASSES.get(known, Error)(known, text(message))
