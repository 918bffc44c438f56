"""What the library fills in: enums, and structs as frozen dataclasses. Made by make_abi.py from
include/doppel, whose comments say what each member means; not to be edited.
"""

from __future__ import annotations

from ctypes import string_at
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Optional, Tuple

from doppel._convert import FloatArray, floats, maybe_text, text


class _Words(IntEnum):
    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class Status(_Words):
    """dpl_status"""

    OK = 0
    ARGUMENT = 1
    INPUT = 2
    LIMIT = 3
    NO_FACE = 4
    MANY_FACES = 5
    QUALITY = 6
    NUMERIC = 7
    MODEL = 8
    GALLERY = 9
    LOCKED = 10
    MISMATCH = 11
    NOT_FOUND = 12
    MEMORY = 13
    SYSTEM = 14
    CANCELLED = 15
    BUG = 16
    NO_PERSON = 17


class Layout(_Words):
    """dpl_layout"""

    NCHW = 0
    NHWC = 1


class Type(_Words):
    """dpl_type"""

    FLOAT32 = 0
    INT64 = 1


class Precision(_Words):
    """dpl_precision"""

    FLOAT32 = 0
    BF16 = 1
    AUTO = 2
    INT8 = 3
    BF16X3 = 4


class TokenKind(_Words):
    """dpl_token_kind"""

    CHARACTERS = 0
    WORDS = 1
    BYTE_PAIRS = 2
    CLIP = 3


class HeadKind(_Words):
    """dpl_head_kind"""

    COSINE = 0
    EUCLIDEAN = 1
    L1_SIGMOID = 2
    EXP_MANHATTAN = 3


class Fitness(_Words):
    """dpl_fitness"""

    FAIR = 0
    POOR = 1
    TOO_POOR = 2


class Decision(_Words):
    """dpl_decision"""

    NONE = 0
    MATCH = 1
    NO_MATCH = 2
    INCONCLUSIVE = 3
    TOO_POOR = 4


class GalleryMode(_Words):
    """dpl_gallery_mode"""

    READ = 0
    WRITE = 1
    CREATE = 2
    MIGRATE = 3


class FacesPolicy(_Words):
    """dpl_faces_policy"""

    REFUSE = 0
    LARGEST = 1
    ALL = 2


class Outcome(_Words):
    """dpl_outcome"""

    ADDED = 0
    UPDATED = 1
    UNCHANGED = 2
    MOVED = 3
    REFUSED = 4
    PRUNED = 5
    PASSED_OVER = 6
    KEPT = 7


class DoubtKind(_Words):
    """dpl_doubt_kind"""

    UNLIKE = 0
    PAIR = 1
    SHARED = 2
    SAME = 3
    ALIKE = 4
    HUB = 5


class QueryBy(_Words):
    """dpl_query_by"""

    AUTO = 0
    FACE = 1
    IMAGE = 2


class TextBy(_Words):
    """dpl_text_by"""

    ALL = 0
    CAPTIONS = 1
    PICTURES = 2


class CopyKind(_Words):
    """dpl_copy_kind"""

    BYTES = 0
    PIXELS = 1
    NEAR = 2
    BURST = 3


class ItemKind(_Words):
    """dpl_item_kind"""

    PICTURE = 0
    SENTENCE = 1
    VECTOR = 2
    CODES = 3


class MigrateFrom(_Words):
    """dpl_migrate_from"""

    PHOTO = 0
    THUMBNAIL = 1
    LOST = 2


class TrainEventKind(_Words):
    """dpl_train_event_kind"""

    PLANNED = 0
    STEPPED = 1
    LOGGED = 2
    VALIDATED = 3
    SAVED = 4
    WARNED = 5


class RegionFate(_Words):
    """dpl_region_fate"""

    NAMED = 0
    SAME = 1
    KEPT = 2
    NO_FACE = 3
    UNNAMED = 4


@dataclass(frozen=True)
class Point:
    """dpl_point"""

    x_px: float
    y_px: float

    @classmethod
    def _of(cls, c: Any) -> Point:
        return cls(
            x_px=c.x_px,
            y_px=c.y_px,
        )


@dataclass(frozen=True)
class Quality:
    """dpl_quality"""

    overall: float
    size_px: float
    sharpness: float
    brightness: float
    contrast: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    detector: float
    weakest: str

    @classmethod
    def _of(cls, c: Any) -> Quality:
        return cls(
            overall=c.overall,
            size_px=c.size_px,
            sharpness=c.sharpness,
            brightness=c.brightness,
            contrast=c.contrast,
            yaw_deg=c.yaw_deg,
            pitch_deg=c.pitch_deg,
            roll_deg=c.roll_deg,
            detector=c.detector,
            weakest=text(c.weakest),
        )


@dataclass(frozen=True)
class Face:
    """dpl_face"""

    x_px: float
    y_px: float
    w_px: float
    h_px: float
    score: float
    landmarks: Tuple[Point, ...]
    quality: Quality

    @classmethod
    def _of(cls, c: Any) -> Face:
        return cls(
            x_px=c.x_px,
            y_px=c.y_px,
            w_px=c.w_px,
            h_px=c.h_px,
            score=c.score,
            landmarks=tuple(Point._of(one) for one in c.landmarks),
            quality=Quality._of(c.quality),
        )


@dataclass(frozen=True)
class TokenizerFacts:
    """dpl_tokenizer_facts"""

    kind: TokenKind
    lower: bool
    n_tokens: int
    length: int
    padding: int
    unknown: int
    start: int
    end: int

    @classmethod
    def _of(cls, c: Any) -> TokenizerFacts:
        return cls(
            kind=TokenKind(c.kind),
            lower=c.lower,
            n_tokens=c.n_tokens,
            length=c.length,
            padding=c.padding,
            unknown=c.unknown,
            start=c.start,
            end=c.end,
        )


@dataclass(frozen=True)
class Sentence:
    """dpl_sentence"""

    n: int
    n_unknown: int
    n_cut: int

    @classmethod
    def _of(cls, c: Any) -> Sentence:
        return cls(
            n=c.n,
            n_unknown=c.n_unknown,
            n_cut=c.n_cut,
        )


@dataclass(frozen=True)
class Rate:
    """dpl_rate"""

    rate: float
    low: float
    high: float
    beyond: bool

    @classmethod
    def _of(cls, c: Any) -> Rate:
        return cls(
            rate=c.rate,
            low=c.low,
            high=c.high,
            beyond=c.beyond,
        )


@dataclass(frozen=True)
class Range:
    """dpl_range"""

    quality: float
    yaw_deg: float
    too_poor: float

    @classmethod
    def _of(cls, c: Any) -> Range:
        return cls(
            quality=c.quality,
            yaw_deg=c.yaw_deg,
            too_poor=c.too_poor,
        )


@dataclass(frozen=True)
class Stratum:
    """dpl_stratum"""

    name: str
    people: int
    pairs: int

    @classmethod
    def _of(cls, c: Any) -> Stratum:
        return cls(
            name=text(c.name),
            people=c.people,
            pairs=c.pairs,
        )


@dataclass(frozen=True)
class Comparison:
    """dpl_comparison"""

    score: float
    normalised: float
    evidence: float
    fitness: Fitness
    times: float
    rate: Rate
    threshold: float
    reject: float
    decision: Decision

    @classmethod
    def _of(cls, c: Any) -> Comparison:
        return cls(
            score=c.score,
            normalised=c.normalised,
            evidence=c.evidence,
            fitness=Fitness(c.fitness),
            times=c.times,
            rate=Rate._of(c.rate),
            threshold=c.threshold,
            reject=c.reject,
            decision=Decision(c.decision),
        )


@dataclass(frozen=True)
class GalleryCounts:
    """dpl_gallery_counts"""

    n_persons: int
    n_photos: int
    n_failed: int
    n_templates_face: int
    n_templates_image: int
    db_bytes: int
    n_faces_nobodys: int
    n_templates_text: int

    @classmethod
    def _of(cls, c: Any) -> GalleryCounts:
        return cls(
            n_persons=c.n_persons,
            n_photos=c.n_photos,
            n_failed=c.n_failed,
            n_templates_face=c.n_templates_face,
            n_templates_image=c.n_templates_image,
            db_bytes=c.db_bytes,
            n_faces_nobodys=c.n_faces_nobodys,
            n_templates_text=c.n_templates_text,
        )


@dataclass(frozen=True)
class Person:
    """dpl_person"""

    id: int
    name: str
    n_photos: int
    n_templates: int

    @classmethod
    def _of(cls, c: Any) -> Person:
        return cls(
            id=c.id,
            name=text(c.name),
            n_photos=c.n_photos,
            n_templates=c.n_templates,
        )


@dataclass(frozen=True)
class PhotoRow:
    """dpl_photo_row"""

    id: int
    path: str
    sha256: str
    person: Optional[str]
    meant: Optional[str]
    status: Status
    reason: str
    options: str
    size_bytes: int
    mtime_ns: int
    enrolled_unix_s: int
    width_px: int
    height_px: int
    n_faces: int
    file_system: int
    unreadable_since_unix_s: int
    unreadable_status: Status
    unreadable_reason: Optional[str]

    @classmethod
    def _of(cls, c: Any) -> PhotoRow:
        return cls(
            id=c.id,
            path=text(c.path),
            sha256=text(c.sha256),
            person=maybe_text(c.person),
            meant=maybe_text(c.meant),
            status=Status(c.status),
            reason=text(c.reason),
            options=text(c.options),
            size_bytes=c.size_bytes,
            mtime_ns=c.mtime_ns,
            enrolled_unix_s=c.enrolled_unix_s,
            width_px=c.width_px,
            height_px=c.height_px,
            n_faces=c.n_faces,
            file_system=c.file_system,
            unreadable_since_unix_s=c.unreadable_since_unix_s,
            unreadable_status=Status(c.unreadable_status),
            unreadable_reason=maybe_text(c.unreadable_reason),
        )


@dataclass(frozen=True)
class TemplateRow:
    """dpl_template_row"""

    id: int
    photo_id: int
    person: Optional[str]
    person_id: int
    photo_person_id: int
    by_hand: bool
    photo_path: str
    photo_sha256: str
    space: str
    model_hash: str
    is_face: int
    face: Face
    dim: int
    vector: FloatArray
    thumb: bytes
    n_thumb: int
    caption: Optional[str]
    caption_source: Optional[str]
    photo_width_px: int
    photo_height_px: int

    @classmethod
    def _of(cls, c: Any) -> TemplateRow:
        return cls(
            id=c.id,
            photo_id=c.photo_id,
            person=maybe_text(c.person),
            person_id=c.person_id,
            photo_person_id=c.photo_person_id,
            by_hand=c.by_hand,
            photo_path=text(c.photo_path),
            photo_sha256=text(c.photo_sha256),
            space=text(c.space),
            model_hash=text(c.model_hash),
            is_face=c.is_face,
            face=Face._of(c.face),
            dim=c.dim,
            vector=floats(c.vector, c.dim),
            thumb=string_at(c.thumb, c.n_thumb) if c.n_thumb else b"",
            n_thumb=c.n_thumb,
            caption=maybe_text(c.caption),
            caption_source=maybe_text(c.caption_source),
            photo_width_px=c.photo_width_px,
            photo_height_px=c.photo_height_px,
        )


@dataclass(frozen=True)
class ForgetReport:
    """dpl_forget_report"""

    n_photos: int
    n_templates: int
    n_photos_kept: int
    n_left: int
    n_strings: int
    n_strings_left: int
    left_in: str
    n_persons: int
    audit_n: int
    audit_hash: str
    secret: str

    @classmethod
    def _of(cls, c: Any) -> ForgetReport:
        return cls(
            n_photos=c.n_photos,
            n_templates=c.n_templates,
            n_photos_kept=c.n_photos_kept,
            n_left=c.n_left,
            n_strings=c.n_strings,
            n_strings_left=c.n_strings_left,
            left_in=text(c.left_in),
            n_persons=c.n_persons,
            audit_n=c.audit_n,
            audit_hash=text(c.audit_hash),
            secret=text(c.secret),
        )


@dataclass(frozen=True)
class MergeReport:
    """dpl_merge_report"""

    n_photos: int
    n_faces: int
    n_meant: int

    @classmethod
    def _of(cls, c: Any) -> MergeReport:
        return cls(
            n_photos=c.n_photos,
            n_faces=c.n_faces,
            n_meant=c.n_meant,
        )


@dataclass(frozen=True)
class Refusal:
    """dpl_refusal"""

    id: int
    template_id: int
    person_id: int
    other_id: int
    person: Optional[str]

    @classmethod
    def _of(cls, c: Any) -> Refusal:
        return cls(
            id=c.id,
            template_id=c.template_id,
            person_id=c.person_id,
            other_id=c.other_id,
            person=maybe_text(c.person),
        )


@dataclass(frozen=True)
class Change:
    """dpl_change"""

    what: Optional[str]
    made_unix_s: int
    is_final: bool
    n_persons_added: int
    n_persons_changed: int
    n_persons_removed: int
    n_photos_added: int
    n_photos_changed: int
    n_photos_removed: int
    n_templates_added: int
    n_templates_removed: int
    n_owners_changed: int

    @classmethod
    def _of(cls, c: Any) -> Change:
        return cls(
            what=maybe_text(c.what),
            made_unix_s=c.made_unix_s,
            is_final=c.is_final,
            n_persons_added=c.n_persons_added,
            n_persons_changed=c.n_persons_changed,
            n_persons_removed=c.n_persons_removed,
            n_photos_added=c.n_photos_added,
            n_photos_changed=c.n_photos_changed,
            n_photos_removed=c.n_photos_removed,
            n_templates_added=c.n_templates_added,
            n_templates_removed=c.n_templates_removed,
            n_owners_changed=c.n_owners_changed,
        )


@dataclass(frozen=True)
class Damage:
    """dpl_damage"""

    part: str
    photo_id: int
    person_id: int
    photo: Optional[str]
    message: str

    @classmethod
    def _of(cls, c: Any) -> Damage:
        return cls(
            part=text(c.part),
            photo_id=c.photo_id,
            person_id=c.person_id,
            photo=maybe_text(c.photo),
            message=text(c.message),
        )


@dataclass(frozen=True)
class CheckReport:
    """dpl_check_report"""

    n_persons: int
    n_photos: int
    n_templates: int
    n_snapshots: int
    n_damaged: int

    @classmethod
    def _of(cls, c: Any) -> CheckReport:
        return cls(
            n_persons=c.n_persons,
            n_photos=c.n_photos,
            n_templates=c.n_templates,
            n_snapshots=c.n_snapshots,
            n_damaged=c.n_damaged,
        )


@dataclass(frozen=True)
class Hit:
    """dpl_hit"""

    template_id: int
    photo_id: int
    person_id: int
    score: float

    @classmethod
    def _of(cls, c: Any) -> Hit:
        return cls(
            template_id=c.template_id,
            photo_id=c.photo_id,
            person_id=c.person_id,
            score=c.score,
        )


@dataclass(frozen=True)
class SearchInfo:
    """dpl_search_info"""

    exact: bool
    recall: float
    index: str
    n_templates: int

    @classmethod
    def _of(cls, c: Any) -> SearchInfo:
        return cls(
            exact=c.exact,
            recall=c.recall,
            index=text(c.index),
            n_templates=c.n_templates,
        )


@dataclass(frozen=True)
class NearInfo:
    """dpl_near_info"""

    is_there: bool
    n_templates: int
    recall: float

    @classmethod
    def _of(cls, c: Any) -> NearInfo:
        return cls(
            is_there=c.is_there,
            n_templates=c.n_templates,
            recall=c.recall,
        )


@dataclass(frozen=True)
class IndexInfo:
    """dpl_index_info"""

    n_templates: int
    n_bytes: int
    exact: bool
    recall: float
    n_kept: int
    search_ms: float
    exact_ms: float
    exact_is_faster: bool

    @classmethod
    def _of(cls, c: Any) -> IndexInfo:
        return cls(
            n_templates=c.n_templates,
            n_bytes=c.n_bytes,
            exact=c.exact,
            recall=c.recall,
            n_kept=c.n_kept,
            search_ms=c.search_ms,
            exact_ms=c.exact_ms,
            exact_is_faster=c.exact_is_faster,
        )


@dataclass(frozen=True)
class AuditLine:
    """dpl_audit_line"""

    n: int
    change: int
    unix_s: int
    user: str
    what: str
    hash: str
    text: str

    @classmethod
    def _of(cls, c: Any) -> AuditLine:
        return cls(
            n=c.n,
            change=c.change,
            unix_s=c.unix_s,
            user=text(c.user),
            what=text(c.what),
            hash=text(c.hash),
            text=text(c.text),
        )


@dataclass(frozen=True)
class AuditReport:
    """dpl_audit_report"""

    n_lines: int
    n_waiting: int
    broken_at: int
    why: str
    hash: str

    @classmethod
    def _of(cls, c: Any) -> AuditReport:
        return cls(
            n_lines=c.n_lines,
            n_waiting=c.n_waiting,
            broken_at=c.broken_at,
            why=text(c.why),
            hash=text(c.hash),
        )


@dataclass(frozen=True)
class Overlay:
    """dpl_overlay"""

    score: float
    all_over: float
    evidence: float
    orientation: int
    angle_deg: float
    shown_a: float
    shown_b: float
    scale: float

    @classmethod
    def _of(cls, c: Any) -> Overlay:
        return cls(
            score=c.score,
            all_over=c.all_over,
            evidence=c.evidence,
            orientation=c.orientation,
            angle_deg=c.angle_deg,
            shown_a=c.shown_a,
            shown_b=c.shown_b,
            scale=c.scale,
        )


@dataclass(frozen=True)
class EnrollEvent:
    """dpl_enroll_event"""

    path: str
    person: Optional[str]
    outcome: Outcome
    status: Status
    message: str
    n_faces: int
    n_done: int
    n_total: int
    n_poor: int

    @classmethod
    def _of(cls, c: Any) -> EnrollEvent:
        return cls(
            path=text(c.path),
            person=maybe_text(c.person),
            outcome=Outcome(c.outcome),
            status=Status(c.status),
            message=text(c.message),
            n_faces=c.n_faces,
            n_done=c.n_done,
            n_total=c.n_total,
            n_poor=c.n_poor,
        )


@dataclass(frozen=True)
class EnrollProgress:
    """dpl_enroll_progress"""

    n_done: int
    n_total: int
    work_done: int
    work_total: int

    @classmethod
    def _of(cls, c: Any) -> EnrollProgress:
        return cls(
            n_done=c.n_done,
            n_total=c.n_total,
            work_done=c.work_done,
            work_total=c.work_total,
        )


@dataclass(frozen=True)
class EnrollReport:
    """dpl_enroll_report"""

    n_files: int
    n_added: int
    n_updated: int
    n_unchanged: int
    n_moved: int
    n_refused: int
    n_pruned: int
    n_refused_again: int
    n_passed_over: int
    n_links: int
    n_left_out: int
    n_kept: int
    n_gone: int
    worst: Status
    seconds: float
    n_faces: int
    n_poor: int
    n_captions: int
    n_captions_removed: int
    n_captions_refused: int
    n_captions_unmatched: int
    caption_reason: str
    caption_unmatched: str

    @classmethod
    def _of(cls, c: Any) -> EnrollReport:
        return cls(
            n_files=c.n_files,
            n_added=c.n_added,
            n_updated=c.n_updated,
            n_unchanged=c.n_unchanged,
            n_moved=c.n_moved,
            n_refused=c.n_refused,
            n_pruned=c.n_pruned,
            n_refused_again=c.n_refused_again,
            n_passed_over=c.n_passed_over,
            n_links=c.n_links,
            n_left_out=c.n_left_out,
            n_kept=c.n_kept,
            n_gone=c.n_gone,
            worst=Status(c.worst),
            seconds=c.seconds,
            n_faces=c.n_faces,
            n_poor=c.n_poor,
            n_captions=c.n_captions,
            n_captions_removed=c.n_captions_removed,
            n_captions_refused=c.n_captions_refused,
            n_captions_unmatched=c.n_captions_unmatched,
            caption_reason=text(c.caption_reason),
            caption_unmatched=text(c.caption_unmatched),
        )


@dataclass(frozen=True)
class Doubt:
    """dpl_doubt"""

    kind: DoubtKind
    person: str
    photo: str
    other_person: Optional[str]
    other_photo: Optional[str]
    n_others: int
    score: float
    rate: Rate
    template_id: int
    other_id: int
    n_like: int
    other_score: float
    other_rate: Rate

    @classmethod
    def _of(cls, c: Any) -> Doubt:
        return cls(
            kind=DoubtKind(c.kind),
            person=text(c.person),
            photo=text(c.photo),
            other_person=maybe_text(c.other_person),
            other_photo=maybe_text(c.other_photo),
            n_others=c.n_others,
            score=c.score,
            rate=Rate._of(c.rate),
            template_id=c.template_id,
            other_id=c.other_id,
            n_like=c.n_like,
            other_score=c.other_score,
            other_rate=Rate._of(c.other_rate),
        )


@dataclass(frozen=True)
class DoubtsReport:
    """dpl_doubts_report"""

    n_people: int
    n_references: int
    n_people_left: int
    n_references_left: int
    n_doubts: int

    @classmethod
    def _of(cls, c: Any) -> DoubtsReport:
        return cls(
            n_people=c.n_people,
            n_references=c.n_references,
            n_people_left=c.n_people_left,
            n_references_left=c.n_references_left,
            n_doubts=c.n_doubts,
        )


@dataclass(frozen=True)
class RepairEvent:
    """dpl_repair_event"""

    photo: Optional[str]
    message: str
    mended: int
    dropped: int

    @classmethod
    def _of(cls, c: Any) -> RepairEvent:
        return cls(
            photo=maybe_text(c.photo),
            message=text(c.message),
            mended=c.mended,
            dropped=c.dropped,
        )


@dataclass(frozen=True)
class RepairReport:
    """dpl_repair_report"""

    n_mended: int
    n_dropped: int
    n_left: int

    @classmethod
    def _of(cls, c: Any) -> RepairReport:
        return cls(
            n_mended=c.n_mended,
            n_dropped=c.n_dropped,
            n_left=c.n_left,
        )


@dataclass(frozen=True)
class Verdict:
    """dpl_verdict"""

    score: float
    normalised: float
    evidence: float
    fitness: Fitness
    times: float
    rate: Rate
    threshold: float
    reject: float
    decision: Decision
    face_a: int
    face_b: int
    n_templates: int
    n_compared: int
    by_mean: bool
    template_id: int
    best_score: float

    @classmethod
    def _of(cls, c: Any) -> Verdict:
        return cls(
            score=c.score,
            normalised=c.normalised,
            evidence=c.evidence,
            fitness=Fitness(c.fitness),
            times=c.times,
            rate=Rate._of(c.rate),
            threshold=c.threshold,
            reject=c.reject,
            decision=Decision(c.decision),
            face_a=c.face_a,
            face_b=c.face_b,
            n_templates=c.n_templates,
            n_compared=c.n_compared,
            by_mean=c.by_mean,
            template_id=c.template_id,
            best_score=c.best_score,
        )


@dataclass(frozen=True)
class AnswerHit:
    """dpl_answer_hit"""

    hit: Hit
    rate: Rate
    decision: Decision
    person: Optional[str]
    photo_path: str
    face: Face
    thumb: bytes
    n_thumb: int
    is_copy: bool
    overlay: Overlay

    @classmethod
    def _of(cls, c: Any) -> AnswerHit:
        return cls(
            hit=Hit._of(c.hit),
            rate=Rate._of(c.rate),
            decision=Decision(c.decision),
            person=maybe_text(c.person),
            photo_path=text(c.photo_path),
            face=Face._of(c.face),
            thumb=string_at(c.thumb, c.n_thumb) if c.n_thumb else b"",
            n_thumb=c.n_thumb,
            is_copy=c.is_copy,
            overlay=Overlay._of(c.overlay),
        )


@dataclass(frozen=True)
class Candidate:
    """dpl_candidate"""

    person_id: int
    person: str
    comparison: Comparison
    n_templates: int
    n_compared: int
    by_mean: bool

    @classmethod
    def _of(cls, c: Any) -> Candidate:
        return cls(
            person_id=c.person_id,
            person=text(c.person),
            comparison=Comparison._of(c.comparison),
            n_templates=c.n_templates,
            n_compared=c.n_compared,
            by_mean=c.by_mean,
        )


@dataclass(frozen=True)
class Answer:
    """dpl_answer"""

    face: int
    person: Optional[str]
    decision: Decision
    n_candidates: int
    candidates: Tuple[Candidate, ...]
    n_hits: int
    hits: Tuple[AnswerHit, ...]
    search: SearchInfo

    @classmethod
    def _of(cls, c: Any) -> Answer:
        return cls(
            face=c.face,
            person=maybe_text(c.person),
            decision=Decision(c.decision),
            n_candidates=c.n_candidates,
            candidates=tuple(Candidate._of(c.candidates[i]) for i in range(c.n_candidates)),
            n_hits=c.n_hits,
            hits=tuple(AnswerHit._of(c.hits[i]) for i in range(c.n_hits)),
            search=SearchInfo._of(c.search),
        )


@dataclass(frozen=True)
class TextHit:
    """dpl_text_hit"""

    photo_id: int
    photo_path: str
    person: Optional[str]
    caption: Optional[str]
    caption_score: float
    picture_score: float
    caption_rank: int
    picture_rank: int
    decision: Decision
    thumb: bytes
    n_thumb: int

    @classmethod
    def _of(cls, c: Any) -> TextHit:
        return cls(
            photo_id=c.photo_id,
            photo_path=text(c.photo_path),
            person=maybe_text(c.person),
            caption=maybe_text(c.caption),
            caption_score=c.caption_score,
            picture_score=c.picture_score,
            caption_rank=c.caption_rank,
            picture_rank=c.picture_rank,
            decision=Decision(c.decision),
            thumb=string_at(c.thumb, c.n_thumb) if c.n_thumb else b"",
            n_thumb=c.n_thumb,
        )


@dataclass(frozen=True)
class TextAnswer:
    """dpl_text_answer"""

    hits: Tuple[TextHit, ...]
    n_hits: int
    by_captions: bool
    by_pictures: bool
    about: Sentence
    captions: SearchInfo
    pictures: SearchInfo

    @classmethod
    def _of(cls, c: Any) -> TextAnswer:
        return cls(
            hits=tuple(TextHit._of(c.hits[i]) for i in range(c.n_hits)),
            n_hits=c.n_hits,
            by_captions=c.by_captions,
            by_pictures=c.by_pictures,
            about=Sentence._of(c.about),
            captions=SearchInfo._of(c.captions),
            pictures=SearchInfo._of(c.pictures),
        )


@dataclass(frozen=True)
class PointRow:
    """dpl_point_row"""

    at: float
    rate: float
    low: float
    high: float
    bar: float

    @classmethod
    def _of(cls, c: Any) -> PointRow:
        return cls(
            at=c.at,
            rate=c.rate,
            low=c.low,
            high=c.high,
            bar=c.bar,
        )


@dataclass(frozen=True)
class StratumRow:
    """dpl_stratum_row"""

    name: str
    n_people: int
    n_pairs: int
    lowest_rate: float
    factor: float

    @classmethod
    def _of(cls, c: Any) -> StratumRow:
        return cls(
            name=text(c.name),
            n_people=c.n_people,
            n_pairs=c.n_pairs,
            lowest_rate=c.lowest_rate,
            factor=c.factor,
        )


@dataclass(frozen=True)
class Double:
    """dpl_double"""

    person_a: int
    person_b: int
    sample_a: int
    sample_b: int
    score: float
    expected: float
    n_pairs: int
    n_alike: int

    @classmethod
    def _of(cls, c: Any) -> Double:
        return cls(
            person_a=c.person_a,
            person_b=c.person_b,
            sample_a=c.sample_a,
            sample_b=c.sample_b,
            score=c.score,
            expected=c.expected,
            n_pairs=c.n_pairs,
            n_alike=c.n_alike,
        )


@dataclass(frozen=True)
class Calibrated:
    """dpl_calibrated"""

    json: str
    n_people: int
    n_faces: int
    n_pairs: int
    n_too_poor: int
    n_left_out: int
    n_poor_pairs: int
    n_genuine_pairs: int
    n_points: int
    n_poor: int
    n_genuine: int
    n_strata: int
    n_doubles: int
    points: Tuple[PointRow, ...]
    poor: Tuple[PointRow, ...]
    genuine: Tuple[PointRow, ...]
    strata: Tuple[StratumRow, ...]
    doubles: Tuple[Double, ...]
    mean_factor: float

    @classmethod
    def _of(cls, c: Any) -> Calibrated:
        return cls(
            json=text(c.json),
            n_people=c.n_people,
            n_faces=c.n_faces,
            n_pairs=c.n_pairs,
            n_too_poor=c.n_too_poor,
            n_left_out=c.n_left_out,
            n_poor_pairs=c.n_poor_pairs,
            n_genuine_pairs=c.n_genuine_pairs,
            n_points=c.n_points,
            n_poor=c.n_poor,
            n_genuine=c.n_genuine,
            n_strata=c.n_strata,
            n_doubles=c.n_doubles,
            points=tuple(PointRow._of(c.points[i]) for i in range(c.n_points)),
            poor=tuple(PointRow._of(c.poor[i]) for i in range(c.n_poor)),
            genuine=tuple(PointRow._of(c.genuine[i]) for i in range(c.n_genuine)),
            strata=tuple(StratumRow._of(c.strata[i]) for i in range(c.n_strata)),
            doubles=tuple(Double._of(c.doubles[i]) for i in range(c.n_doubles)),
            mean_factor=c.mean_factor,
        )


@dataclass(frozen=True)
class CalibratedPairs:
    """dpl_calibrated_pairs"""

    json: str
    n_pairs: int
    n_same: int
    n_points: int
    lowest_fmr: float

    @classmethod
    def _of(cls, c: Any) -> CalibratedPairs:
        return cls(
            json=text(c.json),
            n_pairs=c.n_pairs,
            n_same=c.n_same,
            n_points=c.n_points,
            lowest_fmr=c.lowest_fmr,
        )


@dataclass(frozen=True)
class PhotosEvent:
    """dpl_photos_event"""

    path: str
    passed_over: bool
    status: Status
    message: str
    n_done: int
    n_total: int

    @classmethod
    def _of(cls, c: Any) -> PhotosEvent:
        return cls(
            path=text(c.path),
            passed_over=c.passed_over,
            status=Status(c.status),
            message=text(c.message),
            n_done=c.n_done,
            n_total=c.n_total,
        )


@dataclass(frozen=True)
class PhotosReport:
    """dpl_photos_report"""

    n_files: int
    n_failed: int
    n_passed_over: int
    n_links: int
    n_left_out: int
    worst: Status
    seconds: float

    @classmethod
    def _of(cls, c: Any) -> PhotosReport:
        return cls(
            n_files=c.n_files,
            n_failed=c.n_failed,
            n_passed_over=c.n_passed_over,
            n_links=c.n_links,
            n_left_out=c.n_left_out,
            worst=Status(c.worst),
            seconds=c.seconds,
        )


@dataclass(frozen=True)
class Copy:
    """dpl_copy"""

    path: str
    width_px: int
    height_px: int
    size_bytes: int
    mtime_ns: int
    taken: str
    sharpness: float
    kind: CopyKind
    alike: float
    overlay: Overlay
    rate: Rate
    apart_s: float
    by_file_time: bool

    @classmethod
    def _of(cls, c: Any) -> Copy:
        return cls(
            path=text(c.path),
            width_px=c.width_px,
            height_px=c.height_px,
            size_bytes=c.size_bytes,
            mtime_ns=c.mtime_ns,
            taken=text(c.taken),
            sharpness=c.sharpness,
            kind=CopyKind(c.kind),
            alike=c.alike,
            overlay=Overlay._of(c.overlay),
            rate=Rate._of(c.rate),
            apart_s=c.apart_s,
            by_file_time=c.by_file_time,
        )


@dataclass(frozen=True)
class CopiesReport:
    """dpl_copies_report"""

    photos: PhotosReport
    n_pairs: int
    n_groups: int
    n_copies: int
    copies_bytes: int
    n_bursts: int
    n_burst_photos: int
    n_untold: int
    exact: bool
    recall: float
    n_known: int

    @classmethod
    def _of(cls, c: Any) -> CopiesReport:
        return cls(
            photos=PhotosReport._of(c.photos),
            n_pairs=c.n_pairs,
            n_groups=c.n_groups,
            n_copies=c.n_copies,
            copies_bytes=c.copies_bytes,
            n_bursts=c.n_bursts,
            n_burst_photos=c.n_burst_photos,
            n_untold=c.n_untold,
            exact=c.exact,
            recall=c.recall,
            n_known=c.n_known,
        )


@dataclass(frozen=True)
class GivenPair:
    """dpl_given_pair"""

    a: int
    b: int
    grade: float
    given: float
    fold: int
    line: int

    @classmethod
    def _of(cls, c: Any) -> GivenPair:
        return cls(
            a=c.a,
            b=c.b,
            grade=c.grade,
            given=c.given,
            fold=c.fold,
            line=c.line,
        )


@dataclass(frozen=True)
class Encryption:
    """dpl_encryption"""

    is_encrypted: bool
    has_secret: bool
    key_file: str

    @classmethod
    def _of(cls, c: Any) -> Encryption:
        return cls(
            is_encrypted=c.is_encrypted,
            has_secret=c.has_secret,
            key_file=text(c.key_file),
        )


@dataclass(frozen=True)
class Share:
    """dpl_share"""

    n: int
    of: int
    rate: float
    low: float
    high: float

    @classmethod
    def _of(cls, c: Any) -> Share:
        return cls(
            n=c.n,
            of=c.of,
            rate=c.rate,
            low=c.low,
            high=c.high,
        )


@dataclass(frozen=True)
class RocPoint:
    """dpl_roc_point"""

    threshold: float
    fmr: float
    fnmr: float

    @classmethod
    def _of(cls, c: Any) -> RocPoint:
        return cls(
            threshold=c.threshold,
            fmr=c.fmr,
            fnmr=c.fnmr,
        )


@dataclass(frozen=True)
class Tar:
    """dpl_tar"""

    far: float
    threshold: float
    reached: Share
    tar: Share

    @classmethod
    def _of(cls, c: Any) -> Tar:
        return cls(
            far=c.far,
            threshold=c.threshold,
            reached=Share._of(c.reached),
            tar=Share._of(c.tar),
        )


@dataclass(frozen=True)
class Metrics:
    """dpl_metrics"""

    n_genuine: int
    n_impostor: int
    n_unscored: int
    auc: float
    auc_low: float
    auc_high: float
    eer: float
    eer_low: float
    eer_high: float
    eer_threshold: float
    tar: Tuple[Tar, ...]
    n_roc: int
    roc: Tuple[RocPoint, ...]

    @classmethod
    def _of(cls, c: Any) -> Metrics:
        return cls(
            n_genuine=c.n_genuine,
            n_impostor=c.n_impostor,
            n_unscored=c.n_unscored,
            auc=c.auc,
            auc_low=c.auc_low,
            auc_high=c.auc_high,
            eer=c.eer,
            eer_low=c.eer_low,
            eer_high=c.eer_high,
            eer_threshold=c.eer_threshold,
            tar=tuple(Tar._of(one) for one in c.tar),
            n_roc=c.n_roc,
            roc=tuple(RocPoint._of(c.roc[i]) for i in range(c.n_roc)),
        )


@dataclass(frozen=True)
class Folds:
    """dpl_folds"""

    n: int
    mean: float
    standard_error: float
    thresholds: Tuple[float, ...]
    accuracies: Tuple[Share, ...]

    @classmethod
    def _of(cls, c: Any) -> Folds:
        return cls(
            n=c.n,
            mean=c.mean,
            standard_error=c.standard_error,
            thresholds=tuple(c.thresholds[:c.n]),
            accuracies=tuple(Share._of(c.accuracies[i]) for i in range(c.n)),
        )


@dataclass(frozen=True)
class Correlation:
    """dpl_correlation"""

    value: float
    low: float
    high: float

    @classmethod
    def _of(cls, c: Any) -> Correlation:
        return cls(
            value=c.value,
            low=c.low,
            high=c.high,
        )


@dataclass(frozen=True)
class Agreement:
    """dpl_agreement"""

    n: int
    n_unscored: int
    pearson: Correlation
    spearman: Correlation
    slope: float
    intercept: float

    @classmethod
    def _of(cls, c: Any) -> Agreement:
        return cls(
            n=c.n,
            n_unscored=c.n_unscored,
            pearson=Correlation._of(c.pearson),
            spearman=Correlation._of(c.spearman),
            slope=c.slope,
            intercept=c.intercept,
        )


@dataclass(frozen=True)
class Pair:
    """dpl_pair"""

    a: int
    b: int
    fold: int
    line: int
    same: int

    @classmethod
    def _of(cls, c: Any) -> Pair:
        return cls(
            a=c.a,
            b=c.b,
            fold=c.fold,
            line=c.line,
            same=c.same,
        )


@dataclass(frozen=True)
class Trial:
    """dpl_trial"""

    test: int
    answer: int
    first: int
    way: int
    run: int

    @classmethod
    def _of(cls, c: Any) -> Trial:
        return cls(
            test=c.test,
            answer=c.answer,
            first=c.first,
            way=c.way,
            run=c.run,
        )


@dataclass(frozen=True)
class Oneshot:
    """dpl_oneshot"""

    accuracy: Share
    n_failed: int
    n_tied: int
    mean: float
    standard_error: float

    @classmethod
    def _of(cls, c: Any) -> Oneshot:
        return cls(
            accuracy=Share._of(c.accuracy),
            n_failed=c.n_failed,
            n_tied=c.n_tied,
            mean=c.mean,
            standard_error=c.standard_error,
        )


@dataclass(frozen=True)
class GroupMember:
    """dpl_group_member"""

    template_id: int
    photo_id: int
    photo_path: str
    number: int
    face: Face

    @classmethod
    def _of(cls, c: Any) -> GroupMember:
        return cls(
            template_id=c.template_id,
            photo_id=c.photo_id,
            photo_path=text(c.photo_path),
            number=c.number,
            face=Face._of(c.face),
        )


@dataclass(frozen=True)
class GroupRow:
    """dpl_group_row"""

    number: int
    n_faces: int
    n_photos: int
    members: Tuple[GroupMember, ...]
    like: Optional[str]
    like_id: int
    comparison: Comparison

    @classmethod
    def _of(cls, c: Any) -> GroupRow:
        return cls(
            number=c.number,
            n_faces=c.n_faces,
            n_photos=c.n_photos,
            members=tuple(GroupMember._of(c.members[i]) for i in range(c.n_faces)),
            like=maybe_text(c.like),
            like_id=c.like_id,
            comparison=Comparison._of(c.comparison),
        )


@dataclass(frozen=True)
class GroupReport:
    """dpl_group_report"""

    n_faces: int
    n_too_poor: int
    n_copies: int
    n_grouped: int
    n_single: int
    n_groups: int
    n_new: int
    n_gone: int
    changed: bool
    exact: bool
    recall: float
    level: float

    @classmethod
    def _of(cls, c: Any) -> GroupReport:
        return cls(
            n_faces=c.n_faces,
            n_too_poor=c.n_too_poor,
            n_copies=c.n_copies,
            n_grouped=c.n_grouped,
            n_single=c.n_single,
            n_groups=c.n_groups,
            n_new=c.n_new,
            n_gone=c.n_gone,
            changed=c.changed,
            exact=c.exact,
            recall=c.recall,
            level=c.level,
        )


@dataclass(frozen=True)
class NameReport:
    """dpl_name_report"""

    n_named: int
    n_refused: int

    @classmethod
    def _of(cls, c: Any) -> NameReport:
        return cls(
            n_named=c.n_named,
            n_refused=c.n_refused,
        )


@dataclass(frozen=True)
class MigrateEvent:
    """dpl_migrate_event"""

    photo: str
    from_: MigrateFrom
    message: str
    earlier: bool
    n_done: int
    n_total: int

    @classmethod
    def _of(cls, c: Any) -> MigrateEvent:
        return cls(
            photo=text(c.photo),
            from_=MigrateFrom(getattr(c, "from")),
            message=text(c.message),
            earlier=c.earlier,
            n_done=c.n_done,
            n_total=c.n_total,
        )


@dataclass(frozen=True)
class MigrateChange:
    """dpl_migrate_change"""

    template_id: int
    photo: str
    person: str
    other: Optional[str]
    before_is_known: bool
    before: Comparison
    after: Comparison

    @classmethod
    def _of(cls, c: Any) -> MigrateChange:
        return cls(
            template_id=c.template_id,
            photo=text(c.photo),
            person=text(c.person),
            other=maybe_text(c.other),
            before_is_known=c.before_is_known,
            before=Comparison._of(c.before),
            after=Comparison._of(c.after),
        )


@dataclass(frozen=True)
class MigrateReport:
    """dpl_migrate_report"""

    n_photos: int
    n_from_photo: int
    n_from_thumbnail: int
    n_lost: int
    n_earlier: int
    n_references: int
    n_references_all: int
    n_changed: int
    has_changed: bool
    set_aside: str
    seconds: float

    @classmethod
    def _of(cls, c: Any) -> MigrateReport:
        return cls(
            n_photos=c.n_photos,
            n_from_photo=c.n_from_photo,
            n_from_thumbnail=c.n_from_thumbnail,
            n_lost=c.n_lost,
            n_earlier=c.n_earlier,
            n_references=c.n_references,
            n_references_all=c.n_references_all,
            n_changed=c.n_changed,
            has_changed=c.has_changed,
            set_aside=text(c.set_aside),
            seconds=c.seconds,
        )


@dataclass(frozen=True)
class TrainPlan:
    """dpl_train_plan"""

    arch: str
    loss: str
    head: str
    best: str
    n_parameters: int
    tape_bytes: int
    optimizer_bytes: int
    pixel_bytes: int
    loader_bytes: int
    n_towers: int
    n_threads: int
    rows: int
    width_px: int
    height_px: int
    channels: int
    dim: int
    steps: int
    n_words: int
    n_missing: int
    n_pairs: int
    n_held_pairs: int
    n_classes: int
    n_items: int
    n_held_classes: int
    n_held_items: int
    n_steps: int
    epoch_steps: int
    start_step: int
    captions: bool

    @classmethod
    def _of(cls, c: Any) -> TrainPlan:
        return cls(
            arch=text(c.arch),
            loss=text(c.loss),
            head=text(c.head),
            best=text(c.best),
            n_parameters=c.n_parameters,
            tape_bytes=c.tape_bytes,
            optimizer_bytes=c.optimizer_bytes,
            pixel_bytes=c.pixel_bytes,
            loader_bytes=c.loader_bytes,
            n_towers=c.n_towers,
            n_threads=c.n_threads,
            rows=c.rows,
            width_px=c.width_px,
            height_px=c.height_px,
            channels=c.channels,
            dim=c.dim,
            steps=c.steps,
            n_words=c.n_words,
            n_missing=c.n_missing,
            n_pairs=c.n_pairs,
            n_held_pairs=c.n_held_pairs,
            n_classes=c.n_classes,
            n_items=c.n_items,
            n_held_classes=c.n_held_classes,
            n_held_items=c.n_held_items,
            n_steps=c.n_steps,
            epoch_steps=c.epoch_steps,
            start_step=c.start_step,
            captions=c.captions,
        )


@dataclass(frozen=True)
class TrainFigures:
    """dpl_train_figures"""

    oneshot: float
    auc: float
    accuracy: float
    eer: float
    tar: float
    n_trials: int
    n_ways: int
    n_same: int
    n_different: int
    loss: float
    correct: float
    pearson: float
    spearman: float
    squared_error: float
    n_pairs: int
    recall_1: float
    recall_5: float
    recall_10: float
    median_rank: float
    n_sentences: int
    n_pictures: int

    @classmethod
    def _of(cls, c: Any) -> TrainFigures:
        return cls(
            oneshot=c.oneshot,
            auc=c.auc,
            accuracy=c.accuracy,
            eer=c.eer,
            tar=c.tar,
            n_trials=c.n_trials,
            n_ways=c.n_ways,
            n_same=c.n_same,
            n_different=c.n_different,
            loss=c.loss,
            correct=c.correct,
            pearson=c.pearson,
            spearman=c.spearman,
            squared_error=c.squared_error,
            n_pairs=c.n_pairs,
            recall_1=c.recall_1,
            recall_5=c.recall_5,
            recall_10=c.recall_10,
            median_rank=c.median_rank,
            n_sentences=c.n_sentences,
            n_pictures=c.n_pictures,
        )


@dataclass(frozen=True)
class TrainReport:
    """dpl_train_report"""

    n_steps: int
    best: float
    best_step: int
    stopped_early: bool
    seconds: float

    @classmethod
    def _of(cls, c: Any) -> TrainReport:
        return cls(
            n_steps=c.n_steps,
            best=c.best,
            best_step=c.best_step,
            stopped_early=c.stopped_early,
            seconds=c.seconds,
        )


@dataclass(frozen=True)
class Region:
    """dpl_region"""

    name: str
    x: float
    y: float
    w: float
    h: float
    is_own: bool

    @classmethod
    def _of(cls, c: Any) -> Region:
        return cls(
            name=text(c.name),
            x=c.x,
            y=c.y,
            w=c.w,
            h=c.h,
            is_own=c.is_own,
        )


@dataclass(frozen=True)
class Regions:
    """dpl_regions"""

    items: Tuple[Region, ...]
    n: int
    n_unusable: int
    n_others: int
    is_microsoft: bool

    @classmethod
    def _of(cls, c: Any) -> Regions:
        return cls(
            items=tuple(Region._of(c.items[i]) for i in range(c.n)),
            n=c.n,
            n_unusable=c.n_unusable,
            n_others=c.n_others,
            is_microsoft=c.is_microsoft,
        )


@dataclass(frozen=True)
class SidecarReport:
    """dpl_sidecar_report"""

    n_added: int
    n_renamed: int
    n_same: int
    n_kept: int
    n_removed: int
    is_new: bool

    @classmethod
    def _of(cls, c: Any) -> SidecarReport:
        return cls(
            n_added=c.n_added,
            n_renamed=c.n_renamed,
            n_same=c.n_same,
            n_kept=c.n_kept,
            n_removed=c.n_removed,
            is_new=c.is_new,
        )


@dataclass(frozen=True)
class XmpEvent:
    """dpl_xmp_event"""

    photo: str
    sidecar: Optional[str]
    status: Status
    message: str
    written: Optional[SidecarReport]
    regions: Optional[Regions]
    n_done: int
    n_total: int

    @classmethod
    def _of(cls, c: Any) -> XmpEvent:
        return cls(
            photo=text(c.photo),
            sidecar=maybe_text(c.sidecar),
            status=Status(c.status),
            message=text(c.message),
            written=SidecarReport._of(c.written[0]) if c.written else None,
            regions=Regions._of(c.regions[0]) if c.regions else None,
            n_done=c.n_done,
            n_total=c.n_total,
        )


@dataclass(frozen=True)
class XmpReport:
    """dpl_xmp_report"""

    n_photos: int
    n_refused: int
    n_sidecars_new: int
    n_sidecars_changed: int
    n_added: int
    n_renamed: int
    n_removed: int
    n_same: int
    n_kept: int
    n_named: int
    n_no_face: int
    n_unnamed: int
    n_not_enrolled: int
    worst: Status
    seconds: float

    @classmethod
    def _of(cls, c: Any) -> XmpReport:
        return cls(
            n_photos=c.n_photos,
            n_refused=c.n_refused,
            n_sidecars_new=c.n_sidecars_new,
            n_sidecars_changed=c.n_sidecars_changed,
            n_added=c.n_added,
            n_renamed=c.n_renamed,
            n_removed=c.n_removed,
            n_same=c.n_same,
            n_kept=c.n_kept,
            n_named=c.n_named,
            n_no_face=c.n_no_face,
            n_unnamed=c.n_unnamed,
            n_not_enrolled=c.n_not_enrolled,
            worst=Status(c.worst),
            seconds=c.seconds,
        )
