"""The C declarations, for ctypes. Made by make_abi.py from include/doppel; not to be edited."""

from ctypes import (  # noqa: F401
    CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32,
    c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p,
)
from typing import Any, Dict, Tuple

VERSION = "0.1.0"
SOVERSION = 1
DEFAULT_FMR = 1e-4
DEFAULT_FPIR = 1e-2
DEFAULT_TEXT_FMR = 1e-2
GROUP_PRECISION_MAX = 0.995
GROUP_PRECISION_MIN = 0.9
MAX_DIM = 65536
MAX_RANK = 8
MAX_SENTENCE_BYTES = 65536
MAX_TOKENS = 1048576
MAX_TOKENS_LENGTH = 4096
MAX_TOKEN_BYTES = 256
MODEL_DETECTOR = "face-detect.onnx"
MODEL_ENCODER = "face-105.onnx"
MODEL_ENCODER_LARGE = "face-105-large.onnx"
MODEL_IMAGE = "image-105.onnx"
MODEL_SENTENCE = "sentence-256.onnx"
SECRET_MAX_BYTES = 4096
SKETCH_SIDE_PX = 64
TRAIN_UNSET_INT = (-1)
TRAIN_UNSET_REAL = (-1e300)
CALIBRATE_MIN_PEOPLE = 50
CALIBRATE_MIN_ABOVE = 10
CALIBRATE_MAX_FACES = 30000
CALIBRATE_MAX_STRATA = 64
CALIBRATE_DRAWS = 1000
CALIBRATE_N_SHOWN = 100
COHORT_PEOPLE = 5
N_TAR = 4
MAX_FOLDS = 100
N_RECALL = 3


class dpl_error(Structure):
    _fields_ = [
        ("status", c_int),
        ("message", (c_char * 508)),
    ]


class dpl_image(Structure):
    _fields_ = [
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("full_width_px", c_int32),
        ("full_height_px", c_int32),
        ("pixels", c_void_p),
        ("exif_orientation", c_int32),
        ("format", (c_char * 8)),
        ("warning", (c_char * 160)),
        ("taken", (c_char * 28)),
    ]


class dpl_decode_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_pixels", c_uint64),
        ("max_bytes", c_size_t),
        ("enough_px", c_int32),
    ]


class dpl_shape(Structure):
    _fields_ = [
        ("rank", c_int32),
        ("dims", (c_int64 * 8)),
    ]


class dpl_net_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("max_file_bytes", c_size_t),
        ("max_arena_bytes", c_size_t),
        ("max_operations", c_double),
        ("precision", c_int),
    ]


class dpl_point(Structure):
    _fields_ = [
        ("x_px", c_float),
        ("y_px", c_float),
    ]


class dpl_quality(Structure):
    _fields_ = [
        ("overall", c_float),
        ("size_px", c_float),
        ("sharpness", c_float),
        ("brightness", c_float),
        ("contrast", c_float),
        ("yaw_deg", c_float),
        ("pitch_deg", c_float),
        ("roll_deg", c_float),
        ("detector", c_float),
        ("weakest", (c_char * 16)),
    ]


class dpl_face(Structure):
    _fields_ = [
        ("x_px", c_float),
        ("y_px", c_float),
        ("w_px", c_float),
        ("h_px", c_float),
        ("score", c_float),
        ("landmarks", (dpl_point * 5)),
        ("quality", dpl_quality),
    ]


class dpl_detect_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("min_score", c_float),
        ("max_overlap", c_float),
        ("max_side_px", c_int32),
        ("min_face_px", c_float),
        ("max_faces", c_int32),
    ]


class dpl_tokenizer_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_int),
        ("lower", c_bool),
        ("length", c_int32),
        ("max_tokens", c_int32),
    ]


class dpl_tokenizer_facts(Structure):
    _fields_ = [
        ("kind", c_int),
        ("lower", c_bool),
        ("n_tokens", c_int32),
        ("length", c_int32),
        ("padding", c_int32),
        ("unknown", c_int32),
        ("start", c_int32),
        ("end", c_int32),
    ]


class dpl_sentence(Structure):
    _fields_ = [
        ("n", c_int32),
        ("n_unknown", c_int32),
        ("n_cut", c_int32),
    ]


class dpl_text_encoder_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("merges_path", c_char_p),
        ("net", dpl_net_options),
    ]


class dpl_rate(Structure):
    _fields_ = [
        ("rate", c_double),
        ("low", c_double),
        ("high", c_double),
        ("beyond", c_bool),
    ]


class dpl_range(Structure):
    _fields_ = [
        ("quality", c_float),
        ("yaw_deg", c_float),
        ("too_poor", c_float),
    ]


class dpl_stratum(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("people", c_uint64),
        ("pairs", c_uint64),
    ]


class dpl_policy(Structure):
    _fields_ = [
        ("decides", c_bool),
        ("threshold", c_float),
        ("reject", c_float),
        ("poor_threshold", c_float),
        ("fmr", c_double),
        ("calibration", c_void_p),
    ]


class dpl_comparison(Structure):
    _fields_ = [
        ("score", c_float),
        ("normalised", c_float),
        ("evidence", c_float),
        ("fitness", c_int),
        ("times", c_double),
        ("rate", dpl_rate),
        ("threshold", c_float),
        ("reject", c_float),
        ("decision", c_int),
    ]


class dpl_gallery_counts(Structure):
    _fields_ = [
        ("n_persons", c_int64),
        ("n_photos", c_int64),
        ("n_failed", c_int64),
        ("n_templates_face", c_int64),
        ("n_templates_image", c_int64),
        ("db_bytes", c_int64),
        ("n_faces_nobodys", c_int64),
        ("n_templates_text", c_int64),
    ]


class dpl_person(Structure):
    _fields_ = [
        ("id", c_int64),
        ("name", c_char_p),
        ("n_photos", c_int64),
        ("n_templates", c_int64),
    ]


class dpl_photo_row(Structure):
    _fields_ = [
        ("id", c_int64),
        ("path", c_char_p),
        ("sha256", c_char_p),
        ("person", c_char_p),
        ("meant", c_char_p),
        ("status", c_int),
        ("reason", c_char_p),
        ("options", c_char_p),
        ("size_bytes", c_int64),
        ("mtime_ns", c_int64),
        ("enrolled_unix_s", c_int64),
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("n_faces", c_int32),
        ("file_system", c_int64),
        ("unreadable_since_unix_s", c_int64),
        ("unreadable_status", c_int),
        ("unreadable_reason", c_char_p),
    ]


class dpl_template_row(Structure):
    _fields_ = [
        ("id", c_int64),
        ("photo_id", c_int64),
        ("person", c_char_p),
        ("person_id", c_int64),
        ("photo_person_id", c_int64),
        ("by_hand", c_bool),
        ("photo_path", c_char_p),
        ("photo_sha256", c_char_p),
        ("space", c_char_p),
        ("model_hash", c_char_p),
        ("is_face", c_int),
        ("face", dpl_face),
        ("dim", c_int32),
        ("vector", c_void_p),
        ("thumb", c_void_p),
        ("n_thumb", c_size_t),
        ("caption", c_char_p),
        ("caption_source", c_char_p),
        ("photo_width_px", c_int32),
        ("photo_height_px", c_int32),
    ]


class dpl_new_template(Structure):
    _fields_ = [
        ("space", c_char_p),
        ("vector", c_void_p),
        ("dim", c_int32),
        ("face", dpl_face),
        ("thumb", c_void_p),
        ("n_thumb", c_size_t),
        ("person", c_char_p),
        ("is_nobodys", c_bool),
        ("by_hand", c_bool),
        ("caption", c_char_p),
        ("caption_source", c_char_p),
    ]


class dpl_new_photo(Structure):
    _fields_ = [
        ("row", dpl_photo_row),
        ("templates", POINTER(dpl_new_template)),
        ("n_templates", c_size_t),
        ("moved_id", c_int64),
    ]


class dpl_forget_report(Structure):
    _fields_ = [
        ("n_photos", c_int64),
        ("n_templates", c_int64),
        ("n_photos_kept", c_int64),
        ("n_left", c_int64),
        ("n_strings", c_int64),
        ("n_strings_left", c_int64),
        ("left_in", (c_char * 256)),
        ("n_persons", c_int64),
        ("audit_n", c_int64),
        ("audit_hash", (c_char * 65)),
        ("secret", (c_char * 33)),
    ]


class dpl_merge_report(Structure):
    _fields_ = [
        ("n_photos", c_int64),
        ("n_faces", c_int64),
        ("n_meant", c_int64),
    ]


class dpl_refusal(Structure):
    _fields_ = [
        ("id", c_int64),
        ("template_id", c_int64),
        ("person_id", c_int64),
        ("other_id", c_int64),
        ("person", c_char_p),
    ]


class dpl_change(Structure):
    _fields_ = [
        ("what", c_char_p),
        ("made_unix_s", c_int64),
        ("is_final", c_bool),
        ("n_persons_added", c_int64),
        ("n_persons_changed", c_int64),
        ("n_persons_removed", c_int64),
        ("n_photos_added", c_int64),
        ("n_photos_changed", c_int64),
        ("n_photos_removed", c_int64),
        ("n_templates_added", c_int64),
        ("n_templates_removed", c_int64),
        ("n_owners_changed", c_int64),
    ]


class dpl_damage(Structure):
    _fields_ = [
        ("part", c_char_p),
        ("photo_id", c_int64),
        ("person_id", c_int64),
        ("photo", c_char_p),
        ("message", c_char_p),
    ]


class dpl_check_report(Structure):
    _fields_ = [
        ("n_persons", c_int64),
        ("n_photos", c_int64),
        ("n_templates", c_int64),
        ("n_snapshots", c_int64),
        ("n_damaged", c_int64),
    ]


class dpl_hit(Structure):
    _fields_ = [
        ("template_id", c_int64),
        ("photo_id", c_int64),
        ("person_id", c_int64),
        ("score", c_float),
    ]


class dpl_search_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("k", c_int32),
        ("exact_up_to", c_int64),
        ("min_recall", c_double),
    ]


class dpl_search_info(Structure):
    _fields_ = [
        ("exact", c_bool),
        ("recall", c_double),
        ("index", c_char_p),
        ("n_templates", c_int64),
    ]


class dpl_near_info(Structure):
    _fields_ = [
        ("is_there", c_bool),
        ("n_templates", c_int64),
        ("recall", c_double),
    ]


class dpl_index_info(Structure):
    _fields_ = [
        ("n_templates", c_int64),
        ("n_bytes", c_int64),
        ("exact", c_bool),
        ("recall", c_double),
        ("n_kept", c_int64),
        ("search_ms", c_double),
        ("exact_ms", c_double),
        ("exact_is_faster", c_bool),
    ]


class dpl_audit_line(Structure):
    _fields_ = [
        ("n", c_int64),
        ("change", c_int64),
        ("unix_s", c_int64),
        ("user", c_char_p),
        ("what", c_char_p),
        ("hash", c_char_p),
        ("text", c_char_p),
    ]


class dpl_audit_report(Structure):
    _fields_ = [
        ("n_lines", c_int64),
        ("n_waiting", c_int64),
        ("broken_at", c_int64),
        ("why", (c_char * 256)),
        ("hash", (c_char * 65)),
    ]


class dpl_sketch(Structure):
    _fields_ = [
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("full_width_px", c_int32),
        ("full_height_px", c_int32),
        ("sharpness", c_float),
        ("pixels", c_uint64),
        ("grey", (c_uint8 * 4096)),
    ]


class dpl_overlay(Structure):
    _fields_ = [
        ("score", c_float),
        ("all_over", c_float),
        ("evidence", c_float),
        ("orientation", c_int32),
        ("angle_deg", c_float),
        ("shown_a", c_float),
        ("shown_b", c_float),
        ("scale", c_float),
    ]


class dpl_pipeline_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("detector_path", c_char_p),
        ("encoder_path", c_char_p),
        ("preset", c_char_p),
        ("image_path", c_char_p),
        ("decode", dpl_decode_options),
        ("detect", dpl_detect_options),
        ("min_quality", c_float),
        ("net", dpl_net_options),
        ("calibration_path", c_char_p),
        ("image_preset", c_char_p),
    ]


class dpl_photo(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("image", dpl_image),
        ("n_faces", c_size_t),
        ("faces", POINTER(dpl_face)),
        ("chips", c_void_p),
        ("vectors", c_void_p),
        ("image_vector", c_void_p),
        ("sha256", (c_char * 65)),
        ("n_bytes", c_int64),
        ("closer_side_px", c_int32),
    ]


class dpl_box(Structure):
    _fields_ = [
        ("x_px", c_float),
        ("y_px", c_float),
        ("w_px", c_float),
        ("h_px", c_float),
    ]


class dpl_enroll_event(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("person", c_char_p),
        ("outcome", c_int),
        ("status", c_int),
        ("message", c_char_p),
        ("n_faces", c_size_t),
        ("photo", POINTER(dpl_photo)),
        ("n_done", c_int64),
        ("n_total", c_int64),
        ("n_poor", c_size_t),
    ]


class dpl_enroll_progress(Structure):
    _fields_ = [
        ("n_done", c_int64),
        ("n_total", c_int64),
        ("work_done", c_int64),
        ("work_total", c_int64),
    ]


class dpl_enroll_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("faces", c_int),
        ("prune", c_bool),
        ("follow_links", c_bool),
        ("force", c_bool),
        ("n_threads", c_int),
        ("preview_px", c_int32),
        ("cancel", c_void_p),
        ("on_event", CFUNCTYPE(None, c_void_p, POINTER(dpl_enroll_event))),
        ("ctx", c_void_p),
        ("prune_absent", c_bool),
        ("dry_run", c_bool),
        ("may_rename", CFUNCTYPE(c_bool, c_void_p, c_char_p, c_int64, c_char_p, c_bool)),
        ("nobodys", c_bool),
        ("on_progress", CFUNCTYPE(None, c_void_p, POINTER(dpl_enroll_progress))),
        ("text", c_void_p),
        ("captions", c_char_p),
    ]


class dpl_enroll_report(Structure):
    _fields_ = [
        ("n_files", c_int64),
        ("n_added", c_int64),
        ("n_updated", c_int64),
        ("n_unchanged", c_int64),
        ("n_moved", c_int64),
        ("n_refused", c_int64),
        ("n_pruned", c_int64),
        ("n_refused_again", c_int64),
        ("n_passed_over", c_int64),
        ("n_links", c_int64),
        ("n_left_out", c_int64),
        ("n_kept", c_int64),
        ("n_gone", c_int64),
        ("worst", c_int),
        ("seconds", c_double),
        ("n_faces", c_int64),
        ("n_poor", c_int64),
        ("n_captions", c_int64),
        ("n_captions_removed", c_int64),
        ("n_captions_refused", c_int64),
        ("n_captions_unmatched", c_int64),
        ("caption_reason", (c_char * 256)),
        ("caption_unmatched", (c_char * 256)),
    ]


class dpl_doubt(Structure):
    _fields_ = [
        ("kind", c_int),
        ("person", c_char_p),
        ("photo", c_char_p),
        ("other_person", c_char_p),
        ("other_photo", c_char_p),
        ("n_others", c_int64),
        ("score", c_float),
        ("rate", dpl_rate),
        ("template_id", c_int64),
        ("other_id", c_int64),
        ("n_like", c_int64),
        ("other_score", c_float),
        ("other_rate", dpl_rate),
    ]


class dpl_doubts_report(Structure):
    _fields_ = [
        ("n_people", c_int64),
        ("n_references", c_int64),
        ("n_people_left", c_int64),
        ("n_references_left", c_int64),
        ("n_doubts", c_int64),
    ]


class dpl_repair_event(Structure):
    _fields_ = [
        ("photo", c_char_p),
        ("message", c_char_p),
        ("mended", c_int),
        ("dropped", c_int),
    ]


class dpl_repair_report(Structure):
    _fields_ = [
        ("n_mended", c_int64),
        ("n_dropped", c_int64),
        ("n_left", c_int64),
    ]


class dpl_verify_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("face_a", c_int32),
        ("face_b", c_int32),
    ]


class dpl_verdict(Structure):
    _fields_ = [
        ("score", c_float),
        ("normalised", c_float),
        ("evidence", c_float),
        ("fitness", c_int),
        ("times", c_double),
        ("rate", dpl_rate),
        ("threshold", c_float),
        ("reject", c_float),
        ("decision", c_int),
        ("face_a", c_size_t),
        ("face_b", c_size_t),
        ("n_templates", c_size_t),
        ("n_compared", c_size_t),
        ("by_mean", c_bool),
        ("template_id", c_int64),
        ("best_score", c_float),
    ]


class dpl_answer_hit(Structure):
    _fields_ = [
        ("hit", dpl_hit),
        ("rate", dpl_rate),
        ("decision", c_int),
        ("person", c_char_p),
        ("photo_path", c_char_p),
        ("face", dpl_face),
        ("thumb", c_void_p),
        ("n_thumb", c_size_t),
        ("is_copy", c_bool),
        ("overlay", dpl_overlay),
    ]


class dpl_candidate(Structure):
    _fields_ = [
        ("person_id", c_int64),
        ("person", c_char_p),
        ("comparison", dpl_comparison),
        ("n_templates", c_size_t),
        ("n_compared", c_size_t),
        ("by_mean", c_bool),
    ]


class dpl_answer(Structure):
    _fields_ = [
        ("face", c_int32),
        ("person", c_char_p),
        ("decision", c_int),
        ("n_candidates", c_size_t),
        ("candidates", POINTER(dpl_candidate)),
        ("n_hits", c_size_t),
        ("hits", POINTER(dpl_answer_hit)),
        ("search", dpl_search_info),
    ]


class dpl_text_pipeline_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("encoder_path", c_char_p),
        ("merges_path", c_char_p),
        ("net", dpl_net_options),
        ("second_path", c_char_p),
    ]


class dpl_text_hit(Structure):
    _fields_ = [
        ("photo_id", c_int64),
        ("photo_path", c_char_p),
        ("person", c_char_p),
        ("caption", c_char_p),
        ("caption_score", c_float),
        ("picture_score", c_float),
        ("caption_rank", c_int32),
        ("picture_rank", c_int32),
        ("decision", c_int),
        ("thumb", c_void_p),
        ("n_thumb", c_size_t),
    ]


class dpl_text_answer(Structure):
    _fields_ = [
        ("hits", POINTER(dpl_text_hit)),
        ("n_hits", c_size_t),
        ("by_captions", c_bool),
        ("by_pictures", c_bool),
        ("about", dpl_sentence),
        ("captions", dpl_search_info),
        ("pictures", dpl_search_info),
    ]


class dpl_samples(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("dim", c_int32),
        ("n_people", c_int32),
        ("n_strata", c_int32),
        ("vectors", c_void_p),
        ("people", c_void_p),
        ("quality", POINTER(dpl_quality)),
        ("strata", c_void_p),
        ("names", POINTER(c_char_p)),
        ("people_names", POINTER(c_char_p)),
        ("strata_names", POINTER(c_char_p)),
        ("judged", c_void_p),
        ("n_judged", c_size_t),
    ]


class dpl_calibrate_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("fmr", c_double),
        ("range", dpl_range),
        ("strata_within", c_double),
        ("source", c_char_p),
        ("model", c_char_p),
        ("cohort", c_char_p),
        ("cohort_top", c_int32),
        ("seed", c_uint64),
        ("n_threads", c_int),
        ("cancel", c_void_p),
        ("on_progress", CFUNCTYPE(None, c_void_p, c_int64, c_int64)),
        ("ctx", c_void_p),
    ]


class dpl_point_row(Structure):
    _fields_ = [
        ("at", c_float),
        ("rate", c_double),
        ("low", c_double),
        ("high", c_double),
        ("bar", c_double),
    ]


class dpl_stratum_row(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("n_people", c_int64),
        ("n_pairs", c_int64),
        ("lowest_rate", c_double),
        ("factor", c_double),
    ]


class dpl_double(Structure):
    _fields_ = [
        ("person_a", c_int32),
        ("person_b", c_int32),
        ("sample_a", c_size_t),
        ("sample_b", c_size_t),
        ("score", c_float),
        ("expected", c_double),
        ("n_pairs", c_int64),
        ("n_alike", c_int64),
    ]


class dpl_calibrated(Structure):
    _fields_ = [
        ("json", c_char_p),
        ("n_people", c_int64),
        ("n_faces", c_int64),
        ("n_pairs", c_int64),
        ("n_too_poor", c_int64),
        ("n_left_out", c_int64),
        ("n_poor_pairs", c_int64),
        ("n_genuine_pairs", c_int64),
        ("n_points", c_size_t),
        ("n_poor", c_size_t),
        ("n_genuine", c_size_t),
        ("n_strata", c_size_t),
        ("n_doubles", c_size_t),
        ("points", POINTER(dpl_point_row)),
        ("poor", POINTER(dpl_point_row)),
        ("genuine", POINTER(dpl_point_row)),
        ("strata", POINTER(dpl_stratum_row)),
        ("doubles", POINTER(dpl_double)),
        ("mean_factor", c_double),
    ]


class dpl_calibrated_pairs(Structure):
    _fields_ = [
        ("json", c_char_p),
        ("n_pairs", c_size_t),
        ("n_same", c_size_t),
        ("n_points", c_size_t),
        ("lowest_fmr", c_double),
    ]


class dpl_photos_event(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("passed_over", c_bool),
        ("status", c_int),
        ("message", c_char_p),
        ("photo", POINTER(dpl_photo)),
        ("n_done", c_int64),
        ("n_total", c_int64),
    ]


class dpl_photos_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("follow_links", c_bool),
        ("n_threads", c_int),
        ("preview_px", c_int32),
        ("cancel", c_void_p),
        ("on_photo", CFUNCTYPE(None, c_void_p, POINTER(dpl_photos_event))),
        ("ctx", c_void_p),
    ]


class dpl_photos_report(Structure):
    _fields_ = [
        ("n_files", c_int64),
        ("n_failed", c_int64),
        ("n_passed_over", c_int64),
        ("n_links", c_int64),
        ("n_left_out", c_int64),
        ("worst", c_int),
        ("seconds", c_double),
    ]


class dpl_copy(Structure):
    _fields_ = [
        ("path", c_char_p),
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("size_bytes", c_int64),
        ("mtime_ns", c_int64),
        ("taken", c_char_p),
        ("sharpness", c_float),
        ("kind", c_int),
        ("alike", c_float),
        ("overlay", dpl_overlay),
        ("rate", dpl_rate),
        ("apart_s", c_double),
        ("by_file_time", c_bool),
    ]


class dpl_copies_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("follow_links", c_bool),
        ("n_threads", c_int),
        ("burst_s", c_double),
        ("cancel", c_void_p),
        ("on_photo", CFUNCTYPE(None, c_void_p, POINTER(dpl_photos_event))),
        ("on_compared", CFUNCTYPE(None, c_void_p, c_int64, c_int64)),
        ("on_group", CFUNCTYPE(None, c_void_p, POINTER(dpl_copy), c_size_t)),
        ("on_pair", CFUNCTYPE(None, c_void_p, c_char_p, c_char_p, c_float, POINTER(dpl_overlay))),
        ("ctx", c_void_p),
        ("gallery", c_void_p),
    ]


class dpl_copies_report(Structure):
    _fields_ = [
        ("photos", dpl_photos_report),
        ("n_pairs", c_int64),
        ("n_groups", c_int64),
        ("n_copies", c_int64),
        ("copies_bytes", c_int64),
        ("n_bursts", c_int64),
        ("n_burst_photos", c_int64),
        ("n_untold", c_int64),
        ("exact", c_bool),
        ("recall", c_double),
        ("n_known", c_int64),
    ]


class dpl_dataset_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("root", c_char_p),
        ("plain", c_bool),
        ("min_items", c_int32),
        ("kinds", (c_int32 * 2)),
        ("scale_low", c_double),
        ("scale_high", c_double),
        ("split", c_char_p),
        ("classes", c_char_p),
    ]


class dpl_given_pair(Structure):
    _fields_ = [
        ("a", c_int32),
        ("b", c_int32),
        ("grade", c_float),
        ("given", c_double),
        ("fold", c_int32),
        ("line", c_int32),
    ]


class dpl_key_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("key_file", c_char_p),
        ("secret", c_void_p),
        ("n_secret", c_size_t),
        ("ask", CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, c_size_t, c_void_p, POINTER(dpl_error))),
        ("ctx", c_void_p),
    ]


class dpl_encryption(Structure):
    _fields_ = [
        ("is_encrypted", c_bool),
        ("has_secret", c_bool),
        ("key_file", c_char_p),
    ]


class dpl_share(Structure):
    _fields_ = [
        ("n", c_int64),
        ("of", c_int64),
        ("rate", c_double),
        ("low", c_double),
        ("high", c_double),
    ]


class dpl_roc_point(Structure):
    _fields_ = [
        ("threshold", c_double),
        ("fmr", c_double),
        ("fnmr", c_double),
    ]


class dpl_tar(Structure):
    _fields_ = [
        ("far", c_double),
        ("threshold", c_double),
        ("reached", dpl_share),
        ("tar", dpl_share),
    ]


class dpl_metrics(Structure):
    _fields_ = [
        ("n_genuine", c_int64),
        ("n_impostor", c_int64),
        ("n_unscored", c_int64),
        ("auc", c_double),
        ("auc_low", c_double),
        ("auc_high", c_double),
        ("eer", c_double),
        ("eer_low", c_double),
        ("eer_high", c_double),
        ("eer_threshold", c_double),
        ("tar", (dpl_tar * 4)),
        ("n_roc", c_size_t),
        ("roc", POINTER(dpl_roc_point)),
    ]


class dpl_folds(Structure):
    _fields_ = [
        ("n", c_int32),
        ("mean", c_double),
        ("standard_error", c_double),
        ("thresholds", (c_double * 100)),
        ("accuracies", (dpl_share * 100)),
    ]


class dpl_correlation(Structure):
    _fields_ = [
        ("value", c_double),
        ("low", c_double),
        ("high", c_double),
    ]


class dpl_agreement(Structure):
    _fields_ = [
        ("n", c_int64),
        ("n_unscored", c_int64),
        ("pearson", dpl_correlation),
        ("spearman", dpl_correlation),
        ("slope", c_double),
        ("intercept", c_double),
    ]


class dpl_pictures(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("dir", c_char_p),
        ("names", POINTER(c_char_p)),
        ("dataset", c_void_p),
        ("items", c_void_p),
    ]


class dpl_embed_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_threads", c_int),
        ("cancel", c_void_p),
        ("on_progress", CFUNCTYPE(None, c_void_p, c_int64, c_int64)),
        ("ctx", c_void_p),
    ]


class dpl_embeddings(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("n_failed", c_size_t),
        ("dim", c_int32),
        ("vectors", c_void_p),
        ("faces", POINTER(dpl_face)),
        ("errors", POINTER(c_void_p)),
    ]


class dpl_item_model(Structure):
    _fields_ = [
        ("pictures", c_void_p),
        ("sentences", c_void_p),
        ("numbers", c_void_p),
    ]


class dpl_pair(Structure):
    _fields_ = [
        ("a", c_int32),
        ("b", c_int32),
        ("fold", c_int32),
        ("line", c_int32),
        ("same", c_uint8),
    ]


class dpl_pairs(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("pairs", POINTER(dpl_pair)),
        ("n_folds", c_int32),
        ("folds_given", c_bool),
        ("n_pictures", c_size_t),
        ("names", POINTER(c_void_p)),
        ("items", c_void_p),
        ("n_first", c_size_t),
    ]


class dpl_retrieval(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("n_candidates", c_size_t),
        ("n_failed", c_int64),
        ("items", c_void_p),
        ("ranks", c_void_p),
        ("at", (c_int32 * 3)),
        ("recall", (dpl_share * 3)),
        ("median_rank", c_double),
        ("mean_rank", c_double),
    ]


class dpl_trial(Structure):
    _fields_ = [
        ("test", c_int32),
        ("answer", c_int32),
        ("first", c_int32),
        ("way", c_int32),
        ("run", c_int32),
    ]


class dpl_trials(Structure):
    _fields_ = [
        ("n", c_size_t),
        ("n_candidates", c_size_t),
        ("n_pictures", c_size_t),
        ("trials", POINTER(dpl_trial)),
        ("candidates", c_void_p),
        ("items", c_void_p),
        ("n_runs", c_int32),
        ("run_names", POINTER(c_void_p)),
    ]


class dpl_oneshot(Structure):
    _fields_ = [
        ("accuracy", dpl_share),
        ("n_failed", c_int64),
        ("n_tied", c_int64),
        ("chosen", c_void_p),
        ("runs", POINTER(dpl_share)),
        ("mean", c_double),
        ("standard_error", c_double),
    ]


class dpl_group_member(Structure):
    _fields_ = [
        ("template_id", c_int64),
        ("photo_id", c_int64),
        ("photo_path", c_char_p),
        ("number", c_int32),
        ("face", dpl_face),
    ]


class dpl_group_row(Structure):
    _fields_ = [
        ("number", c_int64),
        ("n_faces", c_int64),
        ("n_photos", c_int64),
        ("members", POINTER(dpl_group_member)),
        ("like", c_char_p),
        ("like_id", c_int64),
        ("comparison", dpl_comparison),
    ]


class dpl_groups_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("number", c_int64),
        ("min_faces", c_int64),
        ("limit", c_int64),
        ("person", c_char_p),
    ]


class dpl_group_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("precision", c_double),
        ("exact_up_to", c_int64),
        ("n_threads", c_int32),
        ("cancel", c_void_p),
        ("on_progress", CFUNCTYPE(None, c_void_p, c_int64, c_int64)),
        ("on_group", CFUNCTYPE(c_int, c_void_p, POINTER(dpl_group_row))),
        ("ctx", c_void_p),
        ("min_faces", c_int64),
        ("limit", c_int64),
    ]


class dpl_group_report(Structure):
    _fields_ = [
        ("n_faces", c_int64),
        ("n_too_poor", c_int64),
        ("n_copies", c_int64),
        ("n_grouped", c_int64),
        ("n_single", c_int64),
        ("n_groups", c_int64),
        ("n_new", c_int64),
        ("n_gone", c_int64),
        ("changed", c_bool),
        ("exact", c_bool),
        ("recall", c_double),
        ("level", c_double),
    ]


class dpl_name_report(Structure):
    _fields_ = [
        ("n_named", c_int64),
        ("n_refused", c_int64),
    ]


class dpl_migrate_event(Structure):
    _fields_ = [
        ("photo", c_char_p),
        ("from", c_int),
        ("message", c_char_p),
        ("earlier", c_bool),
        ("n_done", c_int64),
        ("n_total", c_int64),
    ]


class dpl_migrate_change(Structure):
    _fields_ = [
        ("template_id", c_int64),
        ("photo", c_char_p),
        ("person", c_char_p),
        ("other", c_char_p),
        ("before_is_known", c_bool),
        ("before", dpl_comparison),
        ("after", dpl_comparison),
    ]


class dpl_migrate_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("before", c_void_p),
        ("n_threads", c_int),
        ("dry_run", c_bool),
        ("drop", c_bool),
        ("from_thumbnails", c_bool),
        ("cancel", c_void_p),
        ("on_event", CFUNCTYPE(None, c_void_p, POINTER(dpl_migrate_event))),
        ("on_change", CFUNCTYPE(None, c_void_p, POINTER(dpl_migrate_change))),
        ("ctx", c_void_p),
    ]


class dpl_migrate_report(Structure):
    _fields_ = [
        ("n_photos", c_int64),
        ("n_from_photo", c_int64),
        ("n_from_thumbnail", c_int64),
        ("n_lost", c_int64),
        ("n_earlier", c_int64),
        ("n_references", c_int64),
        ("n_references_all", c_int64),
        ("n_changed", c_int64),
        ("has_changed", c_bool),
        ("set_aside", (c_char * 64)),
        ("seconds", c_double),
    ]


class dpl_train_plan(Structure):
    _fields_ = [
        ("arch", c_char_p),
        ("loss", c_char_p),
        ("head", c_char_p),
        ("best", c_char_p),
        ("n_parameters", c_uint64),
        ("tape_bytes", c_uint64),
        ("optimizer_bytes", c_uint64),
        ("pixel_bytes", c_uint64),
        ("loader_bytes", c_uint64),
        ("n_towers", c_int32),
        ("n_threads", c_int32),
        ("rows", c_int32),
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("channels", c_int32),
        ("dim", c_int32),
        ("steps", c_int32),
        ("n_words", c_int32),
        ("n_missing", c_int32),
        ("n_pairs", c_int32),
        ("n_held_pairs", c_int32),
        ("n_classes", c_int32),
        ("n_items", c_int32),
        ("n_held_classes", c_int32),
        ("n_held_items", c_int32),
        ("n_steps", c_int64),
        ("epoch_steps", c_int64),
        ("start_step", c_int64),
        ("captions", c_bool),
    ]


class dpl_train_figures(Structure):
    _fields_ = [
        ("oneshot", c_double),
        ("auc", c_double),
        ("accuracy", c_double),
        ("eer", c_double),
        ("tar", c_double),
        ("n_trials", c_int32),
        ("n_ways", c_int32),
        ("n_same", c_int64),
        ("n_different", c_int64),
        ("loss", c_double),
        ("correct", c_double),
        ("pearson", c_double),
        ("spearman", c_double),
        ("squared_error", c_double),
        ("n_pairs", c_int64),
        ("recall_1", c_double),
        ("recall_5", c_double),
        ("recall_10", c_double),
        ("median_rank", c_double),
        ("n_sentences", c_int64),
        ("n_pictures", c_int64),
    ]


class dpl_train_event(Structure):
    _fields_ = [
        ("kind", c_int),
        ("plan", POINTER(dpl_train_plan)),
        ("step", c_int64),
        ("epoch", c_double),
        ("loss", c_double),
        ("correct", c_double),
        ("rate", c_double),
        ("grad_norm", c_double),
        ("images_per_s", c_double),
        ("eta_s", c_double),
        ("figures", dpl_train_figures),
        ("is_best", c_bool),
        ("text", c_char_p),
    ]


class dpl_train_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("run", c_char_p),
        ("resume", c_bool),
        ("cancel", c_void_p),
        ("on_event", CFUNCTYPE(None, c_void_p, POINTER(dpl_train_event))),
        ("ctx", c_void_p),
        ("data", c_char_p),
        ("second_data", c_char_p),
        ("split", c_char_p),
        ("kinds", c_char_p),
        ("classes", c_char_p),
        ("plain", c_int),
        ("detector", c_char_p),
        ("min_items", c_int),
        ("scale_low", c_double),
        ("scale_high", c_double),
        ("validate", c_char_p),
        ("validate_split", c_char_p),
        ("hold_groups", c_int),
        ("hold_group", POINTER(c_char_p)),
        ("hold_classes", c_int),
        ("hold_items", c_int),
        ("hold_pairs", c_int),
        ("validate_trials", c_int),
        ("validate_ways", c_int),
        ("validate_steps", c_int),
        ("best", c_char_p),
        ("patience", c_int),
        ("arch", c_char_p),
        ("second_arch", c_char_p),
        ("init", c_char_p),
        ("channels", c_int),
        ("side", c_int),
        ("dim", c_int),
        ("batch_norm", c_int),
        ("init_weights", c_char_p),
        ("tokens", c_char_p),
        ("lower", c_int),
        ("max_words", c_int),
        ("length", c_int),
        ("vectors", c_char_p),
        ("share", POINTER(c_char_p)),
        ("freeze", POINTER(c_char_p)),
        ("layer", POINTER(c_char_p)),
        ("batch_classes", c_int),
        ("batch_items", c_int),
        ("batch_pairs", c_int),
        ("within_group", c_double),
        ("rotate_classes", c_int),
        ("augment", c_char_p),
        ("loss", c_char_p),
        ("margin", c_double),
        ("scale", c_double),
        ("temperature", c_double),
        ("teacher", POINTER(c_char_p)),
        ("optimizer", c_char_p),
        ("rate", c_double),
        ("schedule", c_char_p),
        ("decay", c_double),
        ("floor", c_double),
        ("warmup_steps", c_int),
        ("momentum", c_double),
        ("momentum_end", c_double),
        ("l2", c_double),
        ("clip", c_double),
        ("ema", c_double),
        ("epochs", c_int),
        ("steps", c_int),
        ("epoch_steps", c_int),
        ("seed", c_int),
        ("threads", c_int),
        ("log_steps", c_int),
        ("checkpoint_minutes", c_double),
        ("max_memory_gib", c_double),
        ("max_pixels", c_int),
        ("max_picture_bytes", c_double),
        ("precision", c_char_p),
    ]


class dpl_train_report(Structure):
    _fields_ = [
        ("n_steps", c_int64),
        ("best", c_double),
        ("best_step", c_int64),
        ("stopped_early", c_bool),
        ("seconds", c_double),
    ]


class dpl_region(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("x", c_double),
        ("y", c_double),
        ("w", c_double),
        ("h", c_double),
        ("is_own", c_bool),
    ]


class dpl_regions(Structure):
    _fields_ = [
        ("items", POINTER(dpl_region)),
        ("n", c_size_t),
        ("n_unusable", c_size_t),
        ("n_others", c_size_t),
        ("is_microsoft", c_bool),
    ]


class dpl_photo_shape(Structure):
    _fields_ = [
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("exif_orientation", c_int32),
    ]


class dpl_sidecar_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("overwrite", c_bool),
        ("dry_run", c_bool),
    ]


class dpl_sidecar_report(Structure):
    _fields_ = [
        ("n_added", c_size_t),
        ("n_renamed", c_size_t),
        ("n_same", c_size_t),
        ("n_kept", c_size_t),
        ("n_removed", c_size_t),
        ("is_new", c_bool),
    ]


class dpl_xmp_event(Structure):
    _fields_ = [
        ("photo", c_char_p),
        ("sidecar", c_char_p),
        ("status", c_int),
        ("message", c_char_p),
        ("written", POINTER(dpl_sidecar_report)),
        ("regions", POINTER(dpl_regions)),
        ("fates", c_void_p),
        ("n_done", c_int64),
        ("n_total", c_int64),
    ]


class dpl_xmp_options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("overwrite", c_bool),
        ("dry_run", c_bool),
        ("decode", dpl_decode_options),
        ("cancel", c_void_p),
        ("on_event", CFUNCTYPE(None, c_void_p, POINTER(dpl_xmp_event))),
        ("ctx", c_void_p),
    ]


class dpl_xmp_report(Structure):
    _fields_ = [
        ("n_photos", c_int64),
        ("n_refused", c_int64),
        ("n_sidecars_new", c_int64),
        ("n_sidecars_changed", c_int64),
        ("n_added", c_int64),
        ("n_renamed", c_int64),
        ("n_removed", c_int64),
        ("n_same", c_int64),
        ("n_kept", c_int64),
        ("n_named", c_int64),
        ("n_no_face", c_int64),
        ("n_unnamed", c_int64),
        ("n_not_enrolled", c_int64),
        ("worst", c_int),
        ("seconds", c_double),
    ]


# Name: what comes back, what goes in.
FUNCTIONS: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {
    "dpl_status_words": (c_char_p, (c_int,)),
    "dpl_status_name": (c_char_p, (c_int,)),
    "dpl_status_exit_code": (c_int, (c_int,)),
    "dpl_decode_options_init": (None, (POINTER(dpl_decode_options), c_size_t)),
    "dpl_image_decode": (c_int, (POINTER(dpl_image), c_void_p, c_size_t, POINTER(dpl_decode_options), POINTER(dpl_error))),
    "dpl_image_open": (c_int, (POINTER(dpl_image), c_char_p, POINTER(dpl_decode_options), POINTER(dpl_error))),
    "dpl_image_orientation": (c_int, (c_void_p, c_char_p, POINTER(dpl_decode_options), POINTER(dpl_error))),
    "dpl_image_from_rgb": (c_int, (POINTER(dpl_image), c_void_p, c_int32, c_int32, c_size_t, POINTER(dpl_error))),
    "dpl_image_is_meant": (c_int, (c_char_p, c_void_p, c_size_t)),
    "dpl_image_clear": (None, (POINTER(dpl_image),)),
    "dpl_image_resize": (c_int, (POINTER(dpl_image), POINTER(dpl_image), c_int32, c_int32, POINTER(dpl_error))),
    "dpl_image_to_jpeg": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_image), c_int, POINTER(dpl_error))),
    "dpl_bytes_free": (None, (c_void_p,)),
    "dpl_net_options_init": (None, (POINTER(dpl_net_options), c_size_t)),
    "dpl_net_open": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_net_options), POINTER(dpl_error))),
    "dpl_net_load": (c_int, (POINTER(c_void_p), c_void_p, c_size_t, POINTER(dpl_net_options), POINTER(dpl_error))),
    "dpl_net_close": (None, (c_void_p,)),
    "dpl_net_meta": (c_char_p, (c_void_p, c_char_p)),
    "dpl_net_precision": (c_int, (c_void_p,)),
    "dpl_net_hash": (c_char_p, (c_void_p,)),
    "dpl_net_file_hash": (c_char_p, (c_void_p,)),
    "dpl_net_n_inputs": (c_int32, (c_void_p,)),
    "dpl_net_n_outputs": (c_int32, (c_void_p,)),
    "dpl_net_input_name": (c_char_p, (c_void_p, c_int32)),
    "dpl_net_output_name": (c_char_p, (c_void_p, c_int32)),
    "dpl_net_input_shape": (dpl_shape, (c_void_p, c_int32)),
    "dpl_net_output_shape": (dpl_shape, (c_void_p, c_int32)),
    "dpl_net_input_type": (c_int, (c_void_p, c_int32)),
    "dpl_plan_new": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_shape), c_int, POINTER(dpl_error))),
    "dpl_plan_new_on": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_shape), c_int, c_int32, POINTER(dpl_error))),
    "dpl_plan_free": (None, (c_void_p,)),
    "dpl_plan_input": (c_void_p, (c_void_p, c_int32)),
    "dpl_plan_input_int64": (c_void_p, (c_void_p, c_int32)),
    "dpl_plan_output": (c_void_p, (c_void_p, c_int32)),
    "dpl_plan_output_shape": (dpl_shape, (c_void_p, c_int32)),
    "dpl_plan_bytes": (c_size_t, (c_void_p,)),
    "dpl_plan_run": (c_int, (c_void_p, POINTER(dpl_error))),
    "dpl_plan_describe": (c_int, (POINTER(c_void_p), c_void_p, c_int32, POINTER(dpl_error))),
    "dpl_scratch_new": (c_int, (POINTER(c_void_p), c_size_t, POINTER(dpl_error))),
    "dpl_scratch_free": (None, (c_void_p,)),
    "dpl_scratch_set_threads": (c_int, (c_void_p, c_int32, POINTER(dpl_error))),
    "dpl_cpu_level": (c_char_p, ()),
    "dpl_blas_words": (c_char_p, ()),
    "dpl_blas_core": (c_char_p, ()),
    "dpl_blas_set_threads": (None, (c_int32,)),
    "dpl_detect_options_init": (None, (POINTER(dpl_detect_options), c_size_t)),
    "dpl_detector_open": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_error))),
    "dpl_detector_open_with": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_net_options), POINTER(dpl_error))),
    "dpl_detector_close": (None, (c_void_p,)),
    "dpl_detector_net": (c_void_p, (c_void_p,)),
    "dpl_detect": (c_int, (POINTER(c_void_p), c_void_p, c_void_p, c_void_p, POINTER(dpl_image), POINTER(dpl_detect_options), POINTER(dpl_error))),
    "dpl_faces_free": (None, (POINTER(dpl_face),)),
    "dpl_main_face": (c_size_t, (POINTER(dpl_face), c_size_t, POINTER(dpl_image))),
    "dpl_encoder_open": (c_int, (POINTER(c_void_p), c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_encoder_open_with": (c_int, (POINTER(c_void_p), c_char_p, c_char_p, POINTER(dpl_net_options), POINTER(dpl_error))),
    "dpl_encoder_close": (None, (c_void_p,)),
    "dpl_encoder_net": (c_void_p, (c_void_p,)),
    "dpl_encoder_preset_name": (c_char_p, (c_int32,)),
    "dpl_encoder_path": (c_char_p, (c_void_p,)),
    "dpl_encoder_preset": (c_char_p, (c_void_p,)),
    "dpl_encoder_width_px": (c_int32, (c_void_p,)),
    "dpl_encoder_height_px": (c_int32, (c_void_p,)),
    "dpl_encoder_dim": (c_int32, (c_void_p,)),
    "dpl_encoder_space": (c_char_p, (c_void_p,)),
    "dpl_encoder_fact": (c_char_p, (c_void_p, c_char_p)),
    "dpl_encoder_hash": (c_char_p, (c_void_p,)),
    "dpl_align": (c_int, (c_void_p, POINTER(dpl_face), c_void_p, POINTER(dpl_image), POINTER(dpl_error))),
    "dpl_portrait": (c_int, (POINTER(dpl_image), POINTER(dpl_image), POINTER(dpl_face), c_int32, POINTER(dpl_error))),
    "dpl_whole_chip": (c_int, (c_void_p, c_void_p, POINTER(dpl_image), POINTER(dpl_error))),
    "dpl_encode": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(dpl_error))),
    "dpl_tokenizer_options_init": (None, (POINTER(dpl_tokenizer_options), c_size_t)),
    "dpl_tokenizer_from_lines": (c_int, (POINTER(c_void_p), POINTER(c_char_p), c_size_t, POINTER(dpl_tokenizer_options), POINTER(dpl_error))),
    "dpl_tokenizer_from_tokens": (c_int, (POINTER(c_void_p), POINTER(c_char_p), c_size_t, POINTER(dpl_tokenizer_options), POINTER(dpl_error))),
    "dpl_tokenizer_from_merges": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_tokenizer_options), POINTER(dpl_error))),
    "dpl_tokenizer_from_net": (c_int, (POINTER(c_void_p), c_void_p, c_int32, POINTER(dpl_error))),
    "dpl_tokenizer_into_model": (c_int, (c_void_p, c_char_p, c_int32, POINTER(dpl_error))),
    "dpl_tokenizer_free": (None, (c_void_p,)),
    "dpl_tokenizer_about": (POINTER(dpl_tokenizer_facts), (c_void_p,)),
    "dpl_tokenizer_token": (c_char_p, (c_void_p, c_int32)),
    "dpl_tokenizer_find": (c_int32, (c_void_p, c_char_p)),
    "dpl_tokenizer_encode": (c_int, (c_void_p, POINTER(dpl_sentence), c_void_p, c_char_p, c_size_t, POINTER(dpl_error))),
    "dpl_text_encoder_options_init": (None, (POINTER(dpl_text_encoder_options), c_size_t)),
    "dpl_text_encoder_open": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_text_encoder_options), POINTER(dpl_error))),
    "dpl_text_encoder_close": (None, (c_void_p,)),
    "dpl_text_encoder_net": (c_void_p, (c_void_p,)),
    "dpl_text_encoder_tokenizer": (c_void_p, (c_void_p,)),
    "dpl_text_encoder_path": (c_char_p, (c_void_p,)),
    "dpl_text_encoder_merges_path": (c_char_p, (c_void_p,)),
    "dpl_text_encoder_dim": (c_int32, (c_void_p,)),
    "dpl_text_encoder_fact": (c_char_p, (c_void_p, c_char_p)),
    "dpl_text_encoder_hash": (c_char_p, (c_void_p,)),
    "dpl_text_encode": (c_int, (c_void_p, POINTER(dpl_sentence), c_void_p, POINTER(c_char_p), c_size_t, c_int, POINTER(dpl_error))),
    "dpl_head_new": (c_int, (POINTER(c_void_p), c_int, c_int32, c_void_p, c_float, POINTER(dpl_error))),
    "dpl_head_open": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_error))),
    "dpl_head_open_text": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_error))),
    "dpl_head_open_net": (c_int, (POINTER(c_void_p), c_void_p, c_int32, POINTER(dpl_error))),
    "dpl_head_free": (None, (c_void_p,)),
    "dpl_head_get_kind": (c_int, (c_void_p,)),
    "dpl_head_name": (c_char_p, (c_void_p,)),
    "dpl_head_dim": (c_int32, (c_void_p,)),
    "dpl_head_score": (c_float, (c_void_p, c_void_p, c_void_p)),
    "dpl_head_scores": (None, (c_void_p, c_void_p, c_void_p, c_void_p, c_size_t)),
    "dpl_calibration_parse": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_error))),
    "dpl_calibration_free": (None, (c_void_p,)),
    "dpl_calibration_version": (c_int, (c_void_p,)),
    "dpl_calibration_pairs": (c_uint64, (c_void_p,)),
    "dpl_calibration_people": (c_uint64, (c_void_p,)),
    "dpl_calibration_source": (c_char_p, (c_void_p,)),
    "dpl_calibration_has_cohort": (c_bool, (c_void_p,)),
    "dpl_calibration_has_poor": (c_bool, (c_void_p,)),
    "dpl_calibration_range": (c_bool, (POINTER(dpl_range), c_void_p)),
    "dpl_calibration_mean_factor": (c_double, (c_void_p,)),
    "dpl_calibration_n_strata": (c_size_t, (c_void_p,)),
    "dpl_calibration_stratum": (POINTER(dpl_stratum), (c_void_p, c_size_t)),
    "dpl_calibration_evidence": (c_float, (c_void_p, c_float, c_float)),
    "dpl_calibration_ends": (None, (c_void_p, c_void_p, c_void_p)),
    "dpl_calibration_lowest_fmr": (c_double, (c_void_p,)),
    "dpl_fitness_words": (c_char_p, (c_int,)),
    "dpl_calibration_fitness": (c_int, (c_void_p, POINTER(dpl_face))),
    "dpl_calibration_fmr": (dpl_rate, (c_void_p, c_float)),
    "dpl_calibration_poor_fmr": (dpl_rate, (c_void_p, c_float)),
    "dpl_calibration_fnmr": (c_double, (c_void_p, c_float)),
    "dpl_calibration_genuine_pairs": (c_uint64, (c_void_p,)),
    "dpl_calibration_threshold": (c_int, (c_void_p, c_void_p, c_void_p, c_double, POINTER(dpl_error))),
    "dpl_accepts": (c_bool, (c_double, c_double)),
    "dpl_policy_make": (c_int, (POINTER(dpl_policy), c_void_p, c_double, c_double, POINTER(dpl_error))),
    "dpl_decide": (c_int, (POINTER(dpl_policy), c_float)),
    "dpl_decide_faces": (c_int, (POINTER(dpl_policy), c_int, c_float)),
    "dpl_decision_words": (c_char_p, (c_int,)),
    "dpl_gallery_open": (c_int, (POINTER(c_void_p), c_char_p, c_int, POINTER(dpl_error))),
    "dpl_gallery_open_again": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_close": (None, (c_void_p,)),
    "dpl_gallery_dir": (c_char_p, (c_void_p,)),
    "dpl_gallery_folder": (c_char_p, (c_void_p,)),
    "dpl_gallery_connection_file": (c_char_p, (c_void_p, c_size_t)),
    "dpl_gallery_notice": (c_char_p, (c_void_p,)),
    "dpl_gallery_wait": (c_int, (c_void_p, c_void_p, c_int, POINTER(dpl_error))),
    "dpl_gallery_setting": (c_int, (POINTER(c_char_p), c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_calibration": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_count": (c_int, (POINTER(dpl_gallery_counts), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_count_people": (c_int, (c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_gallery_each_person": (c_int, (c_void_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_person)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_each_photo": (c_int, (c_void_p, c_char_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_photo_row)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_each_template": (c_int, (c_void_p, c_char_p, c_char_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_template_row)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_each_template_of": (c_int, (c_void_p, c_int64, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_template_row)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_get_template": (c_int, (c_void_p, c_int64, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_template_row)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_bind": (c_int, (c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_gallery_bind_text": (c_int, (c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_gallery_remember": (c_int, (c_void_p, c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_put": (c_int, (c_void_p, POINTER(dpl_new_photo), c_size_t, POINTER(dpl_error))),
    "dpl_gallery_find_photo": (c_int, (c_void_p, c_char_p, c_char_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_photo_row)), c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_gallery_move_photo": (c_int, (c_void_p, c_int64, c_char_p, c_int64, POINTER(dpl_error))),
    "dpl_gallery_forget": (c_int, (POINTER(dpl_forget_report), c_void_p, c_char_p, POINTER(c_char_p), c_size_t, c_bool, POINTER(dpl_error))),
    "dpl_gallery_rename": (c_int, (c_void_p, c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_assign": (c_int, (c_void_p, c_int64, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_reject": (c_int, (c_void_p, c_int64, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_merge": (c_int, (POINTER(dpl_merge_report), c_void_p, c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_set_apart": (c_int, (c_void_p, c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_each_refusal": (c_int, (c_void_p, c_int64, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_refusal)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_export": (c_int, (c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_import": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_gallery_copy": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_gallery_rehearse": (None, (c_void_p, c_bool)),
    "dpl_gallery_abandon": (None, (c_void_p,)),
    "dpl_gallery_begin_change": (c_int, (c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_end_change": (None, (c_void_p,)),
    "dpl_gallery_last_change": (c_int, (c_void_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_change)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_undo": (c_int, (c_void_p, POINTER(dpl_error))),
    "dpl_gallery_set_progress": (None, (c_void_p, CFUNCTYPE(None, c_void_p, c_char_p, c_int64, c_int64), c_void_p)),
    "dpl_gallery_check": (c_int, (POINTER(dpl_check_report), c_void_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_damage)), c_void_p, POINTER(dpl_error))),
    "dpl_search_options_init": (None, (POINTER(dpl_search_options), c_size_t)),
    "dpl_gallery_search": (c_int, (POINTER(dpl_hit), c_void_p, c_void_p, c_char_p, c_void_p, c_size_t, c_int32, POINTER(dpl_search_options), POINTER(dpl_search_info), POINTER(dpl_error))),
    "dpl_gallery_set_index_memory": (None, (c_void_p, c_uint64)),
    "dpl_gallery_near": (c_int, (POINTER(dpl_near_info), c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_index": (c_int, (POINTER(dpl_index_info), c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_audit": (c_int, (POINTER(dpl_audit_report), c_void_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_audit_line)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_set_user": (c_int, (c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_audit_query": (c_int, (c_void_p, c_char_p, c_int64, POINTER(dpl_error))),
    "dpl_forget_receipt": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_forget_report), c_char_p, POINTER(c_char_p), c_size_t, POINTER(dpl_error))),
    "dpl_gallery_check_receipt": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, POINTER(dpl_error))),
    "dpl_sketch_make": (c_int, (POINTER(dpl_sketch), POINTER(dpl_image), POINTER(dpl_error))),
    "dpl_sketch_compare": (None, (POINTER(dpl_overlay), POINTER(dpl_sketch), POINTER(dpl_sketch))),
    "dpl_overlay_is_copy": (c_bool, (POINTER(dpl_overlay),)),
    "dpl_copy_rate": (dpl_rate, (POINTER(dpl_overlay),)),
    "dpl_pipeline_options_init": (None, (POINTER(dpl_pipeline_options), c_size_t)),
    "dpl_pipeline_open": (c_int, (POINTER(c_void_p), POINTER(dpl_pipeline_options), POINTER(dpl_error))),
    "dpl_pipeline_close": (None, (c_void_p,)),
    "dpl_pipeline_encoder": (c_void_p, (c_void_p,)),
    "dpl_pipeline_image_encoder": (c_void_p, (c_void_p,)),
    "dpl_pipeline_detector": (c_void_p, (c_void_p,)),
    "dpl_pipeline_head": (c_void_p, (c_void_p,)),
    "dpl_pipeline_calibration": (c_void_p, (c_void_p,)),
    "dpl_pipeline_image_calibration": (c_void_p, (c_void_p,)),
    "dpl_pipeline_calibration_is_given": (c_bool, (c_void_p,)),
    "dpl_photo_open": (c_int, (POINTER(dpl_photo), c_void_p, c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_photo_from_bytes": (c_int, (POINTER(dpl_photo), c_void_p, c_void_p, c_char_p, c_void_p, c_size_t, POINTER(dpl_error))),
    "dpl_photo_from_rgb": (c_int, (POINTER(dpl_photo), c_void_p, c_void_p, c_char_p, c_void_p, c_int32, c_int32, c_size_t, POINTER(dpl_error))),
    "dpl_photo_from_rgb_at": (c_int, (POINTER(dpl_photo), c_void_p, c_void_p, c_char_p, c_void_p, c_int32, c_int32, c_size_t, POINTER(dpl_box), c_size_t, POINTER(dpl_error))),
    "dpl_photo_clear": (None, (POINTER(dpl_photo),)),
    "dpl_enroll_options_init": (None, (POINTER(dpl_enroll_options), c_size_t)),
    "dpl_enroll": (c_int, (POINTER(dpl_enroll_report), c_void_p, c_void_p, POINTER(c_char_p), c_size_t, POINTER(dpl_enroll_options), POINTER(dpl_error))),
    "dpl_enroll_photo": (c_int, (c_void_p, c_void_p, POINTER(dpl_photo), c_char_p, POINTER(dpl_enroll_options), POINTER(dpl_error))),
    "dpl_gallery_doubts": (c_int, (c_void_p, c_void_p, c_char_p, CFUNCTYPE(None, c_void_p, POINTER(dpl_doubt)), c_void_p, POINTER(dpl_error))),
    "dpl_gallery_all_doubts": (c_int, (POINTER(dpl_doubts_report), c_void_p, c_void_p, c_int, CFUNCTYPE(None, c_void_p, POINTER(dpl_doubt)), c_void_p, POINTER(dpl_error))),
    "dpl_compare_people": (c_int, (POINTER(dpl_comparison), c_void_p, c_void_p, POINTER(dpl_policy), c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_repair": (c_int, (POINTER(dpl_repair_report), c_void_p, c_void_p, c_int, CFUNCTYPE(None, c_void_p, POINTER(dpl_repair_event)), c_void_p, POINTER(dpl_error))),
    "dpl_verify_options_init": (None, (POINTER(dpl_verify_options), c_size_t)),
    "dpl_verify": (c_int, (POINTER(dpl_verdict), c_void_p, POINTER(dpl_policy), POINTER(dpl_photo), POINTER(dpl_photo), POINTER(dpl_verify_options), POINTER(dpl_error))),
    "dpl_compare_vectors": (c_int, (POINTER(dpl_comparison), c_void_p, POINTER(dpl_policy), c_void_p, c_void_p, POINTER(dpl_face), POINTER(dpl_face), POINTER(dpl_error))),
    "dpl_verify_claim": (c_int, (POINTER(dpl_verdict), c_void_p, c_void_p, POINTER(dpl_policy), POINTER(dpl_photo), c_char_p, POINTER(dpl_verify_options), POINTER(dpl_error))),
    "dpl_policy_for_search": (c_int, (POINTER(dpl_policy), c_void_p, c_double, c_int64, POINTER(dpl_error))),
    "dpl_query": (c_int, (POINTER(c_void_p), c_void_p, c_void_p, c_void_p, POINTER(dpl_policy), POINTER(dpl_photo), c_int, POINTER(dpl_search_options), POINTER(dpl_error))),
    "dpl_answers_free": (None, (POINTER(dpl_answer), c_size_t)),
    "dpl_text_pipeline_options_init": (None, (POINTER(dpl_text_pipeline_options), c_size_t)),
    "dpl_text_pipeline_open": (c_int, (POINTER(c_void_p), POINTER(dpl_text_pipeline_options), POINTER(dpl_error))),
    "dpl_text_pipeline_close": (None, (c_void_p,)),
    "dpl_text_pipeline_encoder": (c_void_p, (c_void_p,)),
    "dpl_text_pipeline_head": (c_void_p, (c_void_p,)),
    "dpl_text_pipeline_second": (c_void_p, (c_void_p,)),
    "dpl_text_pipeline_calibration": (c_void_p, (c_void_p,)),
    "dpl_verify_texts": (c_int, (POINTER(dpl_comparison), POINTER(dpl_sentence), c_void_p, POINTER(dpl_policy), c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_query_text": (c_int, (POINTER(dpl_text_answer), c_void_p, c_void_p, c_int, c_bool, POINTER(dpl_policy), c_char_p, POINTER(dpl_search_options), POINTER(dpl_error))),
    "dpl_text_answer_clear": (None, (POINTER(dpl_text_answer),)),
    "dpl_calibrate_options_init": (None, (POINTER(dpl_calibrate_options), c_size_t)),
    "dpl_calibrate": (c_int, (POINTER(dpl_calibrated), POINTER(dpl_samples), c_void_p, POINTER(dpl_calibrate_options), POINTER(dpl_error))),
    "dpl_calibrated_clear": (None, (POINTER(dpl_calibrated),)),
    "dpl_calibrate_pairs": (c_int, (POINTER(dpl_calibrated_pairs), c_void_p, c_void_p, c_size_t, c_void_p, c_double, c_char_p, POINTER(dpl_error))),
    "dpl_calibrated_pairs_clear": (None, (POINTER(dpl_calibrated_pairs),)),
    "dpl_cohort_make": (c_int, (POINTER(c_void_p), c_void_p, POINTER(dpl_samples), c_void_p, c_void_p, c_uint64, c_int, POINTER(dpl_error))),
    "dpl_review_apply": (c_int, (c_void_p, c_size_t, POINTER(c_char_p), c_int32, c_char_p, c_void_p, POINTER(c_void_p), c_void_p, POINTER(dpl_error))),
    "dpl_calibration_beside": (c_int, (c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_calibration_into_model": (c_int, (c_char_p, c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_cancel": (None, (c_void_p,)),
    "dpl_photos_options_init": (None, (POINTER(dpl_photos_options), c_size_t)),
    "dpl_photos_each": (c_int, (POINTER(dpl_photos_report), c_void_p, POINTER(c_char_p), c_size_t, POINTER(dpl_photos_options), POINTER(dpl_error))),
    "dpl_copies_options_init": (None, (POINTER(dpl_copies_options), c_size_t)),
    "dpl_find_copies": (c_int, (POINTER(dpl_copies_report), c_void_p, POINTER(c_char_p), c_size_t, POINTER(dpl_copies_options), POINTER(dpl_error))),
    "dpl_dataset_options_init": (None, (POINTER(dpl_dataset_options), c_size_t)),
    "dpl_dataset_open": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_dataset_options), POINTER(dpl_error))),
    "dpl_dataset_close": (None, (c_void_p,)),
    "dpl_dataset_item_kind": (c_int, (c_void_p,)),
    "dpl_dataset_n_items": (c_int32, (c_void_p,)),
    "dpl_dataset_n_classes": (c_int32, (c_void_p,)),
    "dpl_dataset_n_groups": (c_int32, (c_void_p,)),
    "dpl_dataset_item_name": (c_char_p, (c_void_p, c_int32)),
    "dpl_dataset_class_name": (c_char_p, (c_void_p, c_int32)),
    "dpl_dataset_group_name": (c_char_p, (c_void_p, c_int32)),
    "dpl_dataset_class_of": (c_int32, (c_void_p, c_int32)),
    "dpl_dataset_stratum_of": (c_char_p, (c_void_p, c_int32)),
    "dpl_dataset_role_of": (c_char_p, (c_void_p, c_int32)),
    "dpl_dataset_group_of": (c_int32, (c_void_p, c_int32)),
    "dpl_dataset_class_items": (c_int32, (c_void_p, c_int32, c_void_p)),
    "dpl_dataset_find_class": (c_int32, (c_void_p, c_char_p)),
    "dpl_dataset_find_item": (c_int32, (c_void_p, c_char_p)),
    "dpl_dataset_item_bytes": (c_uint64, (c_void_p, c_int32)),
    "dpl_dataset_item_file": (c_int, (POINTER(c_void_p), c_void_p, c_void_p, c_int32, c_size_t, POINTER(dpl_error))),
    "dpl_dataset_image": (c_int, (POINTER(dpl_image), c_void_p, c_int32, POINTER(dpl_error))),
    "dpl_dataset_sentence": (c_char_p, (c_void_p, c_int32)),
    "dpl_dataset_vector": (c_void_p, (c_void_p, c_int32)),
    "dpl_dataset_codes": (c_void_p, (c_void_p, c_int32, c_void_p)),
    "dpl_dataset_n_pairs": (c_int32, (c_void_p,)),
    "dpl_dataset_pair": (POINTER(dpl_given_pair), (c_void_p, c_int32)),
    "dpl_dataset_is_graded": (c_bool, (c_void_p,)),
    "dpl_dataset_side_kind": (c_int, (c_void_p, c_int)),
    "dpl_dataset_side_items": (c_int32, (c_void_p, c_int, c_void_p)),
    "dpl_dataset_side_dim": (c_int32, (c_void_p, c_int)),
    "dpl_dataset_side_codes": (c_int32, (c_void_p, c_int)),
    "dpl_dataset_file": (c_int, (POINTER(c_void_p), c_void_p, c_void_p, c_char_p, POINTER(dpl_error))),
    "dpl_key_options_init": (None, (POINTER(dpl_key_options), c_size_t)),
    "dpl_gallery_open_with_key": (c_int, (POINTER(c_void_p), c_char_p, c_int, POINTER(dpl_key_options), POINTER(dpl_error))),
    "dpl_gallery_encryption": (None, (POINTER(dpl_encryption), c_void_p)),
    "dpl_gallery_encrypt": (c_int, (c_void_p, POINTER(dpl_key_options), POINTER(dpl_error))),
    "dpl_gallery_rekey": (c_int, (c_void_p, POINTER(dpl_key_options), POINTER(dpl_error))),
    "dpl_gallery_decrypt": (c_int, (c_void_p, POINTER(dpl_error))),
    "dpl_gallery_export_sealed": (c_int, (c_void_p, c_char_p, POINTER(dpl_key_options), POINTER(dpl_error))),
    "dpl_gallery_import_sealed": (c_int, (c_void_p, c_char_p, POINTER(dpl_key_options), c_void_p, c_void_p, POINTER(dpl_error))),
    "dpl_share_of": (dpl_share, (c_int64, c_int64)),
    "dpl_metrics_make": (c_int, (POINTER(dpl_metrics), c_void_p, c_void_p, c_size_t, c_uint64, POINTER(dpl_error))),
    "dpl_metrics_clear": (None, (POINTER(dpl_metrics),)),
    "dpl_accuracy_at": (dpl_share, (c_void_p, c_void_p, c_size_t, c_double)),
    "dpl_best_threshold": (c_int, (c_void_p, c_void_p, c_void_p, c_size_t, POINTER(dpl_error))),
    "dpl_folds_make": (c_int, (POINTER(dpl_folds), c_void_p, c_void_p, c_void_p, c_size_t, c_int32, POINTER(dpl_error))),
    "dpl_agreement_make": (c_int, (POINTER(dpl_agreement), c_void_p, c_void_p, c_size_t, POINTER(dpl_error))),
    "dpl_squared_error": (c_double, (c_void_p, c_void_p, c_size_t, c_double, c_double)),
    "dpl_embed_options_init": (None, (POINTER(dpl_embed_options), c_size_t)),
    "dpl_embed": (c_int, (POINTER(dpl_embeddings), c_void_p, POINTER(dpl_pictures), POINTER(dpl_embed_options), POINTER(dpl_error))),
    "dpl_embeddings_clear": (None, (POINTER(dpl_embeddings),)),
    "dpl_embed_items": (c_int, (POINTER(dpl_embeddings), c_void_p, c_void_p, c_size_t, POINTER(dpl_item_model), POINTER(dpl_embed_options), POINTER(dpl_error))),
    "dpl_picture_thumb": (c_int, (POINTER(c_void_p), c_void_p, c_void_p, c_void_p, POINTER(dpl_pictures), c_size_t, POINTER(dpl_error))),
    "dpl_picture_name": (c_char_p, (POINTER(dpl_pictures), c_size_t)),
    "dpl_pairs_read": (c_int, (POINTER(dpl_pairs), c_char_p, c_char_p, POINTER(dpl_error))),
    "dpl_pairs_draw": (c_int, (POINTER(dpl_pairs), c_void_p, c_size_t, c_bool, c_uint64, POINTER(dpl_error))),
    "dpl_pairs_given": (c_int, (POINTER(dpl_pairs), c_void_p, c_bool, POINTER(dpl_error))),
    "dpl_embed_pairs": (c_int, (POINTER(dpl_embeddings), POINTER(dpl_pairs), c_void_p, POINTER(dpl_item_model), POINTER(dpl_embed_options), POINTER(dpl_error))),
    "dpl_pairs_clear": (None, (POINTER(dpl_pairs),)),
    "dpl_pairs_score": (None, (c_void_p, POINTER(dpl_pairs), c_void_p, POINTER(dpl_embeddings))),
    "dpl_retrieval_make": (c_int, (POINTER(dpl_retrieval), c_void_p, c_int, c_void_p, POINTER(dpl_embeddings), POINTER(dpl_embeddings), POINTER(dpl_embed_options), POINTER(dpl_error))),
    "dpl_retrieval_clear": (None, (POINTER(dpl_retrieval),)),
    "dpl_trials_read": (c_int, (POINTER(dpl_trials), c_void_p, POINTER(dpl_error))),
    "dpl_trials_draw": (c_int, (POINTER(dpl_trials), c_void_p, c_int32, c_size_t, c_bool, c_uint64, POINTER(dpl_error))),
    "dpl_trials_clear": (None, (POINTER(dpl_trials),)),
    "dpl_trials_score": (c_int, (POINTER(dpl_oneshot), POINTER(dpl_trials), c_void_p, POINTER(dpl_embeddings), POINTER(dpl_error))),
    "dpl_oneshot_clear": (None, (POINTER(dpl_oneshot),)),
    "dpl_groups_options_init": (None, (POINTER(dpl_groups_options), c_size_t)),
    "dpl_gallery_each_group": (c_int, (c_void_p, c_void_p, POINTER(dpl_groups_options), c_void_p, CFUNCTYPE(c_int, c_void_p, POINTER(dpl_group_row)), c_void_p, POINTER(dpl_error))),
    "dpl_group_options_init": (None, (POINTER(dpl_group_options), c_size_t)),
    "dpl_group": (c_int, (POINTER(dpl_group_report), c_void_p, c_void_p, POINTER(dpl_group_options), POINTER(dpl_error))),
    "dpl_gallery_name_group": (c_int, (POINTER(dpl_name_report), c_void_p, c_int64, c_char_p, POINTER(dpl_error))),
    "dpl_gallery_reject_from_group": (c_int, (c_void_p, c_int64, c_void_p, POINTER(dpl_error))),
    "dpl_migrate_options_init": (None, (POINTER(dpl_migrate_options), c_size_t)),
    "dpl_migrate": (c_int, (POINTER(dpl_migrate_report), c_void_p, c_void_p, POINTER(dpl_migrate_options), POINTER(dpl_error))),
    "dpl_migrate_captions": (c_int, (c_void_p, c_void_p, c_void_p, c_int, c_bool, POINTER(dpl_error))),
    "dpl_photo_is_from_thumbnail": (c_bool, (POINTER(dpl_photo_row),)),
    "dpl_models_find": (c_int, (POINTER(c_void_p), c_char_p, POINTER(dpl_error))),
    "dpl_train_options_init": (None, (POINTER(dpl_train_options), c_size_t)),
    "dpl_train": (c_int, (POINTER(dpl_train_report), POINTER(dpl_train_options), POINTER(dpl_error))),
    "dpl_version": (c_char_p, ()),
    "dpl_faiss_version": (c_char_p, ()),
    "dpl_sqlite_version": (c_char_p, ()),
    "dpl_xmp_is_built": (c_bool, ()),
    "dpl_regions_clear": (None, (POINTER(dpl_regions),)),
    "dpl_regions_pair": (c_int, (c_void_p, POINTER(dpl_region), c_size_t, POINTER(dpl_region), c_size_t, POINTER(dpl_error))),
    "dpl_sidecar_find": (c_int, (POINTER(c_void_p), c_void_p, c_char_p, c_bool, POINTER(dpl_error))),
    "dpl_sidecar_read": (c_int, (POINTER(dpl_regions), c_char_p, POINTER(dpl_photo_shape), POINTER(dpl_error))),
    "dpl_sidecar_options_init": (None, (POINTER(dpl_sidecar_options), c_size_t)),
    "dpl_sidecar_write": (c_int, (POINTER(dpl_sidecar_report), c_char_p, c_char_p, POINTER(dpl_photo_shape), POINTER(dpl_region), c_size_t, POINTER(dpl_sidecar_options), POINTER(dpl_error))),
    "dpl_xmp_options_init": (None, (POINTER(dpl_xmp_options), c_size_t)),
    "dpl_xmp_write": (c_int, (POINTER(dpl_xmp_report), c_void_p, POINTER(c_char_p), c_size_t, POINTER(c_char_p), c_size_t, POINTER(dpl_xmp_options), POINTER(dpl_error))),
    "dpl_xmp_read": (c_int, (POINTER(dpl_xmp_report), c_void_p, POINTER(c_char_p), c_size_t, POINTER(dpl_xmp_options), POINTER(dpl_error))),
}
