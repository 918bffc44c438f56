"""Gallery: people, their photos and templates, in a folder."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from ctypes import (
    POINTER, byref, c_bool, c_char_p, c_int, c_int64, c_size_t, c_void_p, cast, create_string_buffer,
    memset, sizeof,
)
from dataclasses import fields
from typing import Any, Callable, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from doppel import _abi
from doppel._convert import (
    FloatArray, PathLike, maybe_bytes, maybe_text, strings, text, to_bytes, vectors,
)
from doppel._native import (
    Cancel, Closable, Handle, Relay, call, callback, lib, member, options, take, take_string,
)
from doppel.face import Encoder, face_to_c
from doppel.model import Model, Source
from doppel.records import (
    Answer, AuditLine, AuditReport, Change, CheckReport, Comparison, Damage, Doubt, DoubtsReport,
    Encryption, EnrollEvent, EnrollProgress, EnrollReport, Face, FacesPolicy, ForgetReport, GalleryCounts,
    GalleryMode, GroupReport, GroupRow, Hit, IndexInfo,
    MergeReport, MigrateChange, MigrateEvent, MigrateReport, NameReport, NearInfo, Person, PhotoRow, QueryBy,
    Refusal, RepairEvent, RepairReport, SearchInfo, TemplateRow, TextAnswer, TextBy, Verdict, XmpEvent,
    XmpReport,
)
from doppel.score import Head, Policy
from doppel.text import TextEncoder, TextModel

@contextmanager
def _key(key_file: Optional[PathLike], passphrase: Union[str, bytes, None]) -> Iterator[Any]:
    """A key for the library. Its copy of the passphrase is wiped; the caller's own is Python's."""
    secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
    room = create_string_buffer(secret, len(secret)) if secret is not None else None
    try:
        yield options(_abi.dpl_key_options, key_file=None if key_file is None else to_bytes(key_file),
                      secret=None if room is None else cast(room, c_void_p),
                      n_secret=None if secret is None else len(secret))
    finally:
        if room is not None:
            memset(room, 0, sizeof(room))


EventFn = Optional[Callable[[EnrollEvent], Any]]


class Gallery(Closable):
    """Many readers or one writer. One object is used by one thread at a time, others wait; again()
    gives a thread its own, which shares the search index."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._lock = threading.RLock()

    @staticmethod
    def open(folder: PathLike, mode: str = "r", key_file: Optional[PathLike] = None,
             passphrase: Union[str, bytes, None] = None) -> Gallery:
        """mode: "r" to read, "w" to change, "c" to change and made when missing, "m" to change, and a
        database's tables made or brought up to date. folder: or postgresql://user@host/database.
        key_file and passphrase open a gallery that is encrypted, and are not looked at for any other."""
        modes = {"r": GalleryMode.READ, "w": GalleryMode.WRITE, "c": GalleryMode.CREATE,
                 "m": GalleryMode.MIGRATE}
        if mode not in modes:
            raise ValueError(f'a mode is "r", "w", "c" or "m", not "{mode}"')
        if key_file is None and passphrase is None:
            return Gallery(Handle("the gallery",
                                  take(lib.dpl_gallery_open, to_bytes(folder), modes[mode]),
                                  lib.dpl_gallery_close))
        with _key(key_file, passphrase) as key:
            return Gallery(Handle("the gallery", take(lib.dpl_gallery_open_with_key, to_bytes(folder),
                                                      modes[mode], byref(key)),
                                  lib.dpl_gallery_close))

    def again(self) -> Gallery:
        """The same gallery once more, for reading by another thread. Either may be closed first."""
        with self._use() as p:
            return Gallery(Handle("the gallery", take(lib.dpl_gallery_open_again, p),
                                  lib.dpl_gallery_close))

    def abandon(self) -> None:
        """Close it, and if opening it has made it, remove it again."""
        self._handle.abandon(lib.dpl_gallery_abandon)

    @contextmanager
    def _use(self) -> Iterator[int]:
        with self._handle as p, self._lock:
            yield p

    # ------------------------------------------------------------ encryption

    @property
    def encryption(self) -> Encryption:
        """Whether it is encrypted, and by what it was opened."""
        out = _abi.dpl_encryption()
        with self._use() as p:
            lib.dpl_gallery_encryption(byref(out), p)
            return Encryption._of(out)

    def encrypt(self, key_file: Optional[PathLike] = None,
                passphrase: Union[str, bytes, None] = None) -> None:
        """From now on nobody reads it without this: a key file, which is made, a passphrase, or
        both. GalleryError when the key file is there already."""
        with self._use() as p, _key(key_file, passphrase) as key:
            call(lib.dpl_gallery_encrypt, p, byref(key))

    def rekey(self, key_file: Optional[PathLike] = None,
              passphrase: Union[str, bytes, None] = None) -> None:
        """Another key for an encrypted gallery; all of it is sealed anew."""
        with self._use() as p, _key(key_file, passphrase) as key:
            call(lib.dpl_gallery_rekey, p, byref(key))

    def decrypt(self) -> None:
        """Plain again. A key file of its own is left where it is."""
        with self._use() as p:
            call(lib.dpl_gallery_decrypt, p)

    # ------------------------------------------------------------ about

    @property
    def address(self) -> str:
        """The folder, or the database's address without its password."""
        with self._use() as p:
            return text(lib.dpl_gallery_dir(p))

    @property
    def folder(self) -> str:
        """Where what is derived from the gallery lies on this machine: its folder, or for a database
        one in the user's cache."""
        with self._use() as p:
            return text(lib.dpl_gallery_folder(p))

    @property
    def notice(self) -> str:
        """A note about the last open or search ("index was stale and has been rebuilt"); ""."""
        with self._use() as p:
            return text(lib.dpl_gallery_notice(p))

    def wait(self, timeout_s: float) -> bool:
        """Wait until templates, or whose they are, have changed since the last call; whether they
        have. The first call returns at once."""
        changed = c_bool()
        with self._use() as p:
            call(lib.dpl_gallery_wait, byref(changed), p, round(1000 * timeout_s))
        return changed.value

    def setting(self, key: str) -> Optional[str]:
        out = c_char_p()
        with self._use() as p:
            call(lib.dpl_gallery_setting, byref(out), p, key.encode())
            return maybe_text(out.value)

    def remember(self, key: str, value: str) -> None:
        """Set a setting; MismatchError when another was set and there are templates."""
        with self._use() as p:
            call(lib.dpl_gallery_remember, p, key.encode(), to_bytes(value))

    @property
    def calibration_path(self) -> Optional[str]:
        """Of the calibration beside the gallery, which decides in the place of the model's."""
        with self._use() as p:
            return take_string(take(lib.dpl_gallery_calibration, p))

    def set_calibration(self, json: str) -> None:
        with self._use() as p:
            call(lib.dpl_calibration_beside, p, json.encode())

    @property
    def counts(self) -> GalleryCounts:
        out = _abi.dpl_gallery_counts()
        with self._use() as p:
            call(lib.dpl_gallery_count, byref(out), p)
        return GalleryCounts._of(out)

    def count_people(self) -> int:
        """How many people there are: counts.n_persons, without looking at all photos."""
        n = c_int64()
        with self._use() as p:
            call(lib.dpl_gallery_count_people, byref(n), p)
        return n.value

    def index(self, space: str = "face") -> IndexInfo:
        """What a search of "face" or "image" goes by; NotFoundError before the first one."""
        out = _abi.dpl_index_info()
        with self._use() as p:
            call(lib.dpl_gallery_index, byref(out), p, space.encode())
        return IndexInfo._of(out)

    def near(self, space: str = "face") -> NearInfo:
        """What the gallery's database itself can find by."""
        out = _abi.dpl_near_info()
        with self._use() as p:
            call(lib.dpl_gallery_near, byref(out), p, space.encode())
        return NearInfo._of(out)

    def set_index_memory(self, max_bytes: int) -> None:
        """Above this a search is left to the gallery's database, where that has pgvector; 0: no
        limit."""
        with self._use() as p:
            lib.dpl_gallery_set_index_memory(p, max_bytes)

    # ------------------------------------------------------------ rows

    def _rows(self, function: Any, nth: int, row: Any, *filters: Any,
              fn: Optional[Callable[[Any], Any]] = None) -> List[Any]:
        found: List[Any] = []
        relay = Relay()
        handler = fn or found.append
        name = function.__name__
        step = relay.walk(callback(name, nth), lambda r: handler(row._of(r[0])))
        with self._use() as p:
            relay.call(function, p, *filters, step, None)
        return found

    def people(self) -> List[Person]:
        """By name."""
        return self._rows(lib.dpl_gallery_each_person, 1, Person)

    def photos(self, person: Optional[str] = None) -> List[PhotoRow]:
        """Every file that enrolment has looked at: of a person, or all."""
        return self._rows(lib.dpl_gallery_each_photo, 2, PhotoRow, maybe_bytes(person))

    def templates(self, person: Optional[str] = None, space: Optional[str] = None,
                  fn: Optional[Callable[[TemplateRow], Any]] = None) -> List[TemplateRow]:
        """Vectors and what they are of. With fn each goes to it, and none is kept."""
        return self._rows(lib.dpl_gallery_each_template, 3, TemplateRow, maybe_bytes(person),
                          maybe_bytes(space), fn=fn)

    def templates_of(self, photo_id: int) -> List[TemplateRow]:
        return self._rows(lib.dpl_gallery_each_template_of, 2, TemplateRow, photo_id)

    def template(self, template_id: int) -> TemplateRow:
        one: TemplateRow = self._rows(lib.dpl_gallery_get_template, 2, TemplateRow, template_id)[0]
        return one

    def find_photo(self, path: Optional[PathLike] = None, sha256: Optional[str] = None) -> List[PhotoRow]:
        """By absolute path, or all photos of that content."""
        rows: List[PhotoRow] = []
        relay = Relay()
        step = relay.walk(callback("dpl_gallery_find_photo", 3),
                          lambda r: rows.append(PhotoRow._of(r[0])))
        found = c_int()
        with self._use() as p:
            relay.call(lib.dpl_gallery_find_photo, p, maybe_bytes(path), maybe_bytes(sha256), step, None,
                       byref(found))
        return rows

    def refusals(self, template_id: int = 0) -> List[Refusal]:
        """What somebody has said that a face is not; 0: of any."""
        return self._rows(lib.dpl_gallery_each_refusal, 2, Refusal, template_id)

    # ------------------------------------------------------------ enrolling

    def bind(self, encoder: Encoder) -> None:
        """Bind the gallery to an encoder's space, or check that it is; enrolling does it by itself."""
        with self._use() as p, encoder._handle as e:
            call(lib.dpl_gallery_bind, p, e)

    def bind_text(self, encoder: TextEncoder) -> None:
        with self._use() as p, encoder._handle as e:
            call(lib.dpl_gallery_bind_text, p, e)

    def enroll(self, model: Model, paths: Iterable[PathLike], *, name: Optional[str] = None,
               faces: Optional[FacesPolicy] = None, prune: Optional[bool] = None,
               prune_absent: Optional[bool] = None, follow_links: Optional[bool] = None,
               force: Optional[bool] = None, threads: Optional[int] = None,
               dry_run: Optional[bool] = None, nobodys: Optional[bool] = None,
               text: Optional[TextEncoder] = None, captions: Optional[PathLike] = None,
               may_rename: Optional[Callable[[str, int, Optional[str], bool], bool]] = None,
               on_event: EventFn = None, on_progress: Optional[Callable[[EnrollProgress], Any]] = None,
               cancel: Optional[Cancel] = None) -> EnrollReport:
        """Enrol files and folders: a folder per person, or one file per person, or all as `name`.

        faces        which of several; FacesPolicy.REFUSE where none dominates
        nobodys      whose the photos are is not asked: for grouping later (`doppel scan`)
        text         captions are kept as well; captions: a list of them
        may_rename   whether n photos of a person, or of several, may become name's
        on_event     gets each file; what it raises stops the run, with what was done committed

        A file's own failure is in its event and in the report's `worst`, and is not raised."""
        relay = Relay(cancel)
        o = options(_abi.dpl_enroll_options, name=maybe_bytes(name), faces=faces, prune=prune,
                    prune_absent=prune_absent, follow_links=follow_links, force=force, n_threads=threads,
                    dry_run=dry_run, nobodys=nobodys, captions=maybe_bytes(captions))
        kind = _abi.dpl_enroll_options
        o.cancel = relay.flag
        if on_event is not None:
            told = on_event
            o.on_event = relay.function(member(kind, "on_event"), lambda e: told(EnrollEvent._of(e[0])))
        # Always, so that an interrupt from the keyboard is met soon.
        o.on_progress = relay.function(
            member(kind, "on_progress"),
            lambda e: on_progress(EnrollProgress._of(e[0])) if on_progress else None)
        if may_rename is not None:
            asked = may_rename
            o.may_rename = relay.function(
                member(kind, "may_rename"),
                lambda new, n, old, several: bool(asked(_text(new), n, maybe_text(old), several)), False)
        report = _abi.dpl_enroll_report()
        array, n = strings(paths)
        with self._use() as p, model._handle as m:
            if text is None:
                relay.call(lib.dpl_enroll, byref(report), p, m, array, n, byref(o))
            else:
                with text._handle as t:
                    o.text = t
                    relay.call(lib.dpl_enroll, byref(report), p, m, array, n, byref(o))
        return EnrollReport._of(report)

    def enroll_photo(self, model: Model, photo: Source, source: str, *, name: Optional[str] = None,
                     faces: Optional[FacesPolicy] = None) -> None:
        """Enrol a photo wherever it came from. source: an absolute path, or a URI, by which the gallery
        is to know it; name: whose it is, None: nobody's."""
        opened = model.photo(photo)
        o = options(_abi.dpl_enroll_options, name=maybe_bytes(name), faces=faces)
        with self._use() as p, model._handle as m:
            call(lib.dpl_enroll_photo, p, m, byref(opened._c), to_bytes(source), byref(o))

    def put(self, path: str, templates: Sequence[Tuple[str, Any]], *, person: Optional[str] = None,
            faces: Optional[Sequence[Face]] = None, thumbs: Optional[Sequence[Optional[bytes]]] = None,
            sha256: str = "", size_bytes: int = 0, mtime_ns: int = 0, width_px: int = 0,
            height_px: int = 0) -> None:
        """Record vectors that were made elsewhere, by the model that is bound: (space, vector) each, of
        one source, in one transaction. It replaces what was known of the same path."""
        rows = (_abi.dpl_new_template * max(1, len(templates)))()
        kept: List[Any] = []
        for i, (space, vector) in enumerate(templates):
            array = np.ascontiguousarray(vector, np.float32).reshape(-1)
            kept.append(array)
            rows[i].space = space.encode()
            rows[i].vector = array.ctypes.data
            rows[i].dim = array.size
            if faces is not None:
                rows[i].face = face_to_c(faces[i])
            thumb = thumbs[i] if thumbs is not None else None
            if thumb:
                kept.append(np.frombuffer(thumb, np.uint8))
                rows[i].thumb = kept[-1].ctypes.data
                rows[i].n_thumb = len(thumb)
        photo = _abi.dpl_new_photo()
        photo.templates = cast(rows, POINTER(_abi.dpl_new_template))
        photo.n_templates = len(templates)
        r = photo.row
        r.path, r.person, r.sha256 = to_bytes(path), maybe_bytes(person), sha256.encode()
        r.reason, r.options = b"", b""
        r.size_bytes, r.mtime_ns, r.width_px, r.height_px = size_bytes, mtime_ns, width_px, height_px
        r.n_faces = sum(1 for space, _ in templates if space == "face")
        with self._use() as p:
            call(lib.dpl_gallery_put, p, byref(photo), 1)

    def move_photo(self, photo_id: int, path: PathLike, mtime_ns: int) -> None:
        with self._use() as p:
            call(lib.dpl_gallery_move_photo, p, photo_id, to_bytes(path), mtime_ns)

    # ------------------------------------------------------------ changing

    def forget(self, person: Optional[str] = None, *, paths: Iterable[PathLike] = (),
               dry_run: bool = False) -> ForgetReport:
        """Forget a person, or photos by absolute path, and prove that nothing is left: n_left and
        n_strings_left are 0."""
        out = _abi.dpl_forget_report()
        array, n = strings(paths)
        with self._use() as p:
            call(lib.dpl_gallery_forget, byref(out), p, maybe_bytes(person), array, n, dry_run)
        return ForgetReport._of(out)

    def receipt(self, report: ForgetReport, person: Optional[str] = None, *,
                paths: Iterable[PathLike] = ()) -> str:
        """JSON for somebody who was forgotten: what forget has said of this person, or of these paths."""
        c = _abi.dpl_forget_report()
        for field in fields(report):
            value = getattr(report, field.name)
            setattr(c, field.name, value.encode() if isinstance(value, str) else value)
        array, n = strings(paths)
        with self._use() as p:
            return take_string(take(lib.dpl_forget_receipt, p, byref(c), maybe_bytes(person), array, n)) or ""

    def check_receipt(self, receipt: str) -> str:
        """"" when a receipt is of this gallery's audit, else why it is not."""
        why = create_string_buffer(256)
        raw = receipt.encode()
        with self._use() as p:
            call(lib.dpl_gallery_check_receipt, why, p, raw, len(raw))
        return text(why.value)

    def audit(self) -> Tuple[AuditReport, List[AuditLine]]:
        """Who changed what, and when; and whether that is unbroken."""
        lines: List[AuditLine] = []
        relay = Relay()
        step = relay.walk(callback("dpl_gallery_audit", 2), lambda a: lines.append(AuditLine._of(a[0])))
        out = _abi.dpl_audit_report()
        with self._use() as p:
            relay.call(lib.dpl_gallery_audit, byref(out), p, step, None)
        return AuditReport._of(out), lines

    def audit_query(self, what: str, n_asked: int = 1) -> None:
        """Write a line of a query: "query", "verify"."""
        with self._use() as p:
            call(lib.dpl_gallery_audit_query, p, what.encode(), n_asked)

    def set_user(self, user: str) -> None:
        """Who makes the changes from here on, as the audit names them."""
        with self._use() as p:
            call(lib.dpl_gallery_set_user, p, to_bytes(user))

    def rename(self, name: str, to: str) -> None:
        with self._use() as p:
            call(lib.dpl_gallery_rename, p, to_bytes(name), to_bytes(to))

    def assign(self, template_id: int, name: str) -> None:
        """A face is a person's, because somebody says so."""
        with self._use() as p:
            call(lib.dpl_gallery_assign, p, template_id, to_bytes(name))

    def reject(self, template_id: int, name: str) -> None:
        """A face is not a person's."""
        with self._use() as p:
            call(lib.dpl_gallery_reject, p, template_id, to_bytes(name))

    def merge(self, name: str, into: str) -> MergeReport:
        out = _abi.dpl_merge_report()
        with self._use() as p:
            call(lib.dpl_gallery_merge, byref(out), p, to_bytes(name), to_bytes(into))
        return MergeReport._of(out)

    def set_apart(self, a: str, b: str) -> None:
        """Two people are two, however alike."""
        with self._use() as p:
            call(lib.dpl_gallery_set_apart, p, to_bytes(a), to_bytes(b))

    def export(self, path: PathLike, passphrase: Union[str, bytes, None] = None) -> None:
        """All of it as JSON lines; with a passphrase sealed by it."""
        if passphrase is None:
            with self._use() as p:
                call(lib.dpl_gallery_export, p, to_bytes(path))
            return
        with self._use() as p, _key(None, passphrase) as key:
            call(lib.dpl_gallery_export_sealed, p, to_bytes(path), byref(key))

    def import_(self, path: PathLike, passphrase: Union[str, bytes, None] = None) -> Tuple[int, int]:
        """Read an export, which may be sealed; how many photos and templates it had."""
        photos, templates = c_int64(), c_int64()
        if passphrase is None:
            with self._use() as p:
                call(lib.dpl_gallery_import, p, to_bytes(path), byref(photos), byref(templates))
        else:
            with self._use() as p, _key(None, passphrase) as key:
                call(lib.dpl_gallery_import_sealed, p, to_bytes(path), byref(key), byref(photos),
                     byref(templates))
        return photos.value, templates.value

    def copy_to(self, other: "Gallery") -> Tuple[int, int]:
        """All of it into a gallery, open for writing, that never held a photo; how many photos and
        templates."""
        photos, templates = c_int64(), c_int64()
        with self._use() as p, other._use() as q:
            call(lib.dpl_gallery_copy, byref(photos), byref(templates), q, p)
        return photos.value, templates.value

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is changed meanwhile is checked, told of, and taken back."""
        with self._use() as p:
            lib.dpl_gallery_rehearse(p, True)
            try:
                yield
            finally:
                lib.dpl_gallery_rehearse(p, False)

    @contextmanager
    def change(self, what: str) -> Iterator[None]:
        """All that is changed meanwhile is one change, which undo takes back at once."""
        with self._use() as p:
            call(lib.dpl_gallery_begin_change, p, to_bytes(what))
            try:
                yield
            finally:
                lib.dpl_gallery_end_change(p)

    def last_change(self) -> Change:
        one: Change = self._rows(lib.dpl_gallery_last_change, 1, Change)[0]
        return one

    def undo(self) -> None:
        """Take the last change back; again: bring it back."""
        with self._use() as p:
            call(lib.dpl_gallery_undo, p)

    # ------------------------------------------------------------ damage and doubts

    def check(self) -> Tuple[CheckReport, List[Damage]]:
        """Read all of it; what is found is no failure."""
        found: List[Damage] = []
        relay = Relay()
        step = relay.walk(callback("dpl_gallery_check", 2), lambda d: found.append(Damage._of(d[0])))
        out = _abi.dpl_check_report()
        with self._use() as p:
            relay.call(lib.dpl_gallery_check, byref(out), p, step, None)
        return CheckReport._of(out), found

    def repair(self, model: Model, drop: bool = False) -> Tuple[RepairReport, List[RepairEvent]]:
        """Mend what check finds from the photos; drop: forget what cannot be had again."""
        found: List[RepairEvent] = []
        relay = Relay()
        step = relay.function(callback("dpl_gallery_repair", 4),
                              lambda e: found.append(RepairEvent._of(e[0])))
        out = _abi.dpl_repair_report()
        with self._use() as p, model._handle as m:
            relay.call(lib.dpl_gallery_repair, byref(out), p, m, drop, step, None)
        return RepairReport._of(out), found

    def doubts(self, model: Model, person: Optional[str] = None,
               threads: int = 0) -> Tuple[Optional[DoubtsReport], List[Doubt]]:
        """References that may be somebody else's: of a person, or of everybody beside all others, then
        with a report."""
        found: List[Doubt] = []
        relay = Relay()
        step = relay.function(callback("dpl_gallery_doubts", 3), lambda d: found.append(Doubt._of(d[0])))
        with self._use() as p, model._handle as m:
            if person is not None:
                relay.call(lib.dpl_gallery_doubts, p, m, to_bytes(person), step, None)
                return None, found
            out = _abi.dpl_doubts_report()
            relay.call(lib.dpl_gallery_all_doubts, byref(out), p, m, threads, step, None)
            return DoubtsReport._of(out), found

    # ------------------------------------------------------------ asking

    def policy(self, model: Model, fpir: float = _abi.DEFAULT_FPIR) -> Policy:
        """For asking this gallery: a stranger is named at most at the rate fpir. Where the model has no
        calibration nothing is decided."""
        if model.calibration is None:
            return Policy.make()
        return Policy.for_search(model.calibration, max(1, self.counts.n_persons), fpir)

    def query(self, model: Model, photo: Source, *, policy: Optional[Policy] = None,
              by: QueryBy = QueryBy.AUTO, k: Optional[int] = None, exact_up_to: Optional[int] = None,
              min_recall: Optional[float] = None) -> List[Answer]:
        """Who is it, and what looks like it? An answer a face, strongest first; or one for the whole
        picture. An answer's person is None when it is a stranger."""
        opened = model.photo(photo)
        judged = policy or self.policy(model)
        o = options(_abi.dpl_search_options, k=k, exact_up_to=exact_up_to, min_recall=min_recall)
        n = c_size_t()
        with self._use() as p, model._handle as m:
            found = take(lib.dpl_query, byref(n), p, m, byref(judged._c), byref(opened._c), by, byref(o))
        answers = cast(found, POINTER(_abi.dpl_answer))
        try:
            return [Answer._of(answers[i]) for i in range(n.value)]
        finally:
            lib.dpl_answers_free(answers, n.value)

    def verify(self, model: Model, photo: Source, person: str, *, policy: Optional[Policy] = None,
               fmr: Optional[float] = None, threshold: Optional[float] = None,
               face: int = -1) -> Verdict:
        """Is it who is claimed? NoPersonError when the gallery holds nothing of them."""
        opened = model.photo(photo)
        judged = policy or model.policy(fmr=fmr, threshold=threshold)
        o = options(_abi.dpl_verify_options, face_a=face)
        out = _abi.dpl_verdict()
        with self._use() as p, model._handle as m:
            call(lib.dpl_verify_claim, byref(out), p, m, byref(judged._c), byref(opened._c),
                 to_bytes(person), byref(o))
        return Verdict._of(out)

    def compare_people(self, model: Model, a: str, b: str, *, policy: Optional[Policy] = None) -> Comparison:
        judged = policy or model.policy()
        out = _abi.dpl_comparison()
        with self._use() as p, model._handle as m:
            call(lib.dpl_compare_people, byref(out), p, m, byref(judged._c), to_bytes(a), to_bytes(b))
        return Comparison._of(out)

    def search(self, head: Head, probes: Any, *, space: str = "face", k: Optional[int] = None,
               exact_up_to: Optional[int] = None,
               min_recall: Optional[float] = None) -> Tuple[List[List[Hit]], SearchInfo]:
        """The templates most like each probe, float32 [n, dim], best first."""
        array: FloatArray = vectors(probes, head.dim, "each probe")
        o = options(_abi.dpl_search_options, k=k, exact_up_to=exact_up_to, min_recall=min_recall)
        hits = (_abi.dpl_hit * max(1, array.shape[0] * max(1, o.k)))()
        info = _abi.dpl_search_info()
        with self._use() as p, head._handle as h:
            call(lib.dpl_gallery_search, hits, p, h, space.encode(), array.ctypes.data, array.shape[0],
                 array.shape[1], byref(o), byref(info))
        rows = [[Hit._of(hits[i * o.k + j]) for j in range(o.k) if hits[i * o.k + j].template_id >= 0]
                for i in range(array.shape[0])]
        return rows, SearchInfo._of(info)

    def query_text(self, model: TextModel, sentence: str, *, by: TextBy = TextBy.ALL,
                   is_pair: bool = False, policy: Optional[Policy] = None,
                   k: Optional[int] = None) -> TextAnswer:
        """Photos by what they show. is_pair: model and the gallery's pictures belong together though
        the model does not say so."""
        o = options(_abi.dpl_search_options, k=k)
        out = _abi.dpl_text_answer()
        with self._use() as p, model._handle as m:
            call(lib.dpl_query_text, byref(out), p, m, by, is_pair,
                 byref(policy._c) if policy else None, to_bytes(sentence), byref(o))
        try:
            return TextAnswer._of(out)
        finally:
            lib.dpl_text_answer_clear(byref(out))

    # ------------------------------------------------------------ groups

    def group(self, model: Model, *, precision: Optional[float] = None,
              exact_up_to: Optional[int] = None, threads: Optional[int] = None,
              min_faces: Optional[int] = None, limit: Optional[int] = None,
              on_progress: Optional[Callable[[int, int], Any]] = None,
              cancel: Optional[Cancel] = None) -> Tuple[GroupReport, List[GroupRow]]:
        """Put nobody's faces into groups of one person each."""
        rows: List[GroupRow] = []
        relay = Relay(cancel)
        kind = _abi.dpl_group_options
        o = options(kind, precision=precision, exact_up_to=exact_up_to, n_threads=threads,
                    min_faces=min_faces, limit=limit)
        o.cancel = relay.flag
        o.on_progress = relay.function(member(kind, "on_progress"),
                                       lambda done, total: on_progress(done, total) if on_progress else None)
        o.on_group = relay.walk(member(kind, "on_group"), lambda g: rows.append(GroupRow._of(g[0])))
        out = _abi.dpl_group_report()
        with self._use() as p, model._handle as m:
            relay.call(lib.dpl_group, byref(out), p, m, byref(o))
        return GroupReport._of(out), rows

    def groups(self, model: Optional[Model] = None, *, number: Optional[int] = None,
               min_faces: Optional[int] = None, limit: Optional[int] = None,
               person: Optional[str] = None) -> List[GroupRow]:
        """The groups as they were made last; with a model each is compared with the people known."""
        rows: List[GroupRow] = []
        relay = Relay()
        o = options(_abi.dpl_groups_options, number=number, min_faces=min_faces, limit=limit,
                    person=maybe_bytes(person))
        step = relay.walk(callback("dpl_gallery_each_group", 4), lambda g: rows.append(GroupRow._of(g[0])))
        n = c_int64()
        with self._use() as p:
            if model is None:
                relay.call(lib.dpl_gallery_each_group, p, None, byref(o), byref(n), step, None)
            else:
                with model._handle as m:
                    relay.call(lib.dpl_gallery_each_group, p, m, byref(o), byref(n), step, None)
        return rows

    def name_group(self, number: int, name: str) -> NameReport:
        out = _abi.dpl_name_report()
        with self._use() as p:
            call(lib.dpl_gallery_name_group, byref(out), p, number, to_bytes(name))
        return NameReport._of(out)

    def reject_from_group(self, template_id: int) -> int:
        """A face is not who the others of its group are; the group's number."""
        out = c_int64()
        with self._use() as p:
            call(lib.dpl_gallery_reject_from_group, p, template_id, byref(out))
        return out.value

    # ------------------------------------------------------------ another model

    def migrate(self, model: Model, *, before: Optional[Model] = None, threads: Optional[int] = None,
                dry_run: Optional[bool] = None, drop: Optional[bool] = None,
                from_thumbnails: Optional[bool] = None,
                on_event: Optional[Callable[[MigrateEvent], Any]] = None,
                cancel: Optional[Cancel] = None) -> Tuple[MigrateReport, List[MigrateChange]]:
        """Make the vectors anew by another model; and which decisions change by it."""
        changes: List[MigrateChange] = []
        relay = Relay(cancel)
        kind = _abi.dpl_migrate_options
        o = options(kind, n_threads=threads, dry_run=dry_run, drop=drop, from_thumbnails=from_thumbnails)
        o.cancel = relay.flag
        o.on_event = relay.function(member(kind, "on_event"),
                                    lambda e: on_event(MigrateEvent._of(e[0])) if on_event else None)
        o.on_change = relay.function(member(kind, "on_change"),
                                     lambda c: changes.append(MigrateChange._of(c[0])))
        out = _abi.dpl_migrate_report()
        with self._use() as p, model._handle as m:
            if before is None:
                relay.call(lib.dpl_migrate, byref(out), p, m, byref(o))
            else:
                with before._handle as b:
                    o.before = b
                    relay.call(lib.dpl_migrate, byref(out), p, m, byref(o))
        return MigrateReport._of(out), changes

    def migrate_captions(self, encoder: TextEncoder, threads: int = 0, dry_run: bool = False) -> int:
        out = c_int64()
        with self._use() as p, encoder._handle as e:
            call(lib.dpl_migrate_captions, byref(out), p, e, threads, dry_run)
        return out.value

    # ------------------------------------------------------------ sidecars

    def write_sidecars(self, *, people: Iterable[str] = (), paths: Iterable[PathLike] = (),
                       overwrite: Optional[bool] = None, dry_run: Optional[bool] = None,
                       on_event: Optional[Callable[[XmpEvent], Any]] = None,
                       cancel: Optional[Cancel] = None) -> XmpReport:
        """Names of faces into the XMP files beside their photos, of these people and paths, or of all."""
        relay, o = self._xmp(overwrite, dry_run, on_event, cancel)
        out = _abi.dpl_xmp_report()
        who, n_who = strings(people)
        where, n_where = strings(paths)
        with self._use() as p:
            relay.call(lib.dpl_xmp_write, byref(out), p, who, n_who, where, n_where, byref(o))
        return XmpReport._of(out)

    def read_sidecars(self, paths: Iterable[PathLike], *, overwrite: Optional[bool] = None,
                      dry_run: Optional[bool] = None, on_event: Optional[Callable[[XmpEvent], Any]] = None,
                      cancel: Optional[Cancel] = None) -> XmpReport:
        """Names from the XMP files beside photos: the faces that they are of become, by hand, theirs."""
        relay, o = self._xmp(overwrite, dry_run, on_event, cancel)
        out = _abi.dpl_xmp_report()
        where, n = strings(paths)
        with self._use() as p:
            relay.call(lib.dpl_xmp_read, byref(out), p, where, n, byref(o))
        return XmpReport._of(out)

    @staticmethod
    def _xmp(overwrite: Optional[bool], dry_run: Optional[bool], on_event: Any,
             cancel: Optional[Cancel]) -> Tuple[Relay, Any]:
        relay = Relay(cancel)
        kind = _abi.dpl_xmp_options
        o = options(kind, overwrite=overwrite, dry_run=dry_run)
        o.cancel = relay.flag
        o.on_event = relay.function(member(kind, "on_event"),
                                    lambda e: on_event(XmpEvent._of(e[0])) if on_event else None)
        return relay, o

    def __repr__(self) -> str:
        return "<doppel.Gallery closed>" if self.closed else f'<doppel.Gallery "{self.address}">'


def photo_is_from_thumbnail(row: PhotoRow) -> bool:
    """Whether a photo's vectors were made from thumbnails, for want of the file."""
    c = _abi.dpl_photo_row()
    c.options = to_bytes(row.options)
    return bool(lib.dpl_photo_is_from_thumbnail(byref(c)))


def _text(value: Optional[bytes]) -> str:
    return text(value)

