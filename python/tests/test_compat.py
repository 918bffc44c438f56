"""Programs written for face_recognition and insightface get what they expect."""

import io

import numpy as np
import pytest
from conftest import BIDEN, CURIE, GROUP, OBAMA, OBAMA_2

import doppel
from doppel import face_recognition
from doppel.insightface import Face, FaceAnalysis


def test_face_recognition_as_its_readme_uses_it():
    known = face_recognition.load_image_file(str(OBAMA))
    assert known.dtype == np.uint8 and known.ndim == 3
    (encoding,) = face_recognition.face_encodings(known)
    (same,) = face_recognition.face_encodings(face_recognition.load_image_file(str(OBAMA_2)))
    (other,) = face_recognition.face_encodings(face_recognition.load_image_file(str(BIDEN)))
    assert encoding.dtype == np.float64
    assert face_recognition.compare_faces([encoding, other], same) == [True, False]
    assert face_recognition.compare_faces([encoding], same, tolerance=0.0) == [False]
    distances = face_recognition.face_distance([encoding, other], same)
    assert distances[0] < 0.6 < distances[1]
    assert distances[0] == pytest.approx(np.linalg.norm(encoding - same))
    assert face_recognition.face_distance([], same).shape == (0,)


def test_face_recognitions_0_6_is_the_default_rate():
    model = doppel.Model.open()
    wanted, _ = model.calibration.thresholds(1e-4)
    scale = face_recognition._scale()
    cosine = 1 - (0.6 / scale) ** 2 / 2
    assert model.calibration.evidence(cosine, 1e6) == pytest.approx(wanted, abs=1e-3)
    assert -1 < cosine < 1


def test_face_recognitions_boxes_are_top_right_bottom_left():
    image = face_recognition.load_image_file(str(GROUP))
    boxes = face_recognition.face_locations(image)
    assert len(boxes) > 3
    for top, right, bottom, left in boxes:
        assert 0 <= top < bottom <= image.shape[0] and 0 <= left < right <= image.shape[1]
    assert face_recognition.batch_face_locations([image]) == [boxes]
    encodings = face_recognition.face_encodings(image, boxes[:2])
    whole = face_recognition.face_encodings(image)
    for one, expected in zip(encodings, whole):
        assert np.linalg.norm(one - expected) < 0.3
    assert face_recognition.face_encodings(image, []) == []
    marks = face_recognition.face_landmarks(image, boxes[:1])
    (eye,), (nose,) = marks[0]["left_eye"], marks[0]["nose_tip"]
    top, right, bottom, left = boxes[0]
    assert left < eye[0] < right and eye[1] < nose[1] < bottom
    with pytest.raises(ValueError, match="five landmarks"):
        face_recognition.face_landmarks(image, model="large")
    with pytest.raises(doppel.NoFaceError):
        face_recognition.face_encodings(image, [(0, 30, 30, 0)])


def test_face_recognition_loads_files_and_greys():
    with open(CURIE, "rb") as f:
        from_file = face_recognition.load_image_file(f)
    assert np.array_equal(from_file, face_recognition.load_image_file(io.BytesIO(CURIE.read_bytes())))
    grey = face_recognition.load_image_file(CURIE, mode="L")
    assert grey.shape == from_file.shape[:2] and grey.dtype == np.uint8
    assert abs(float(grey.mean()) - float(from_file.mean())) < 20
    assert len(face_recognition.face_locations(grey)) == 1
    with pytest.raises(ValueError):
        face_recognition.load_image_file(CURIE, mode="CMYK")


def test_insightface_as_its_examples_use_it():
    app = FaceAnalysis(name="buffalo_l", providers=["CPUExecutionProvider"])
    app.prepare(ctx_id=0, det_size=(640, 640))
    bgr = np.array(doppel.Image.open(OBAMA))[:, :, ::-1]  # as OpenCV reads it
    (face,) = app.get(bgr)
    assert face.bbox.shape == (4,) and face.kps.shape == (5, 2) and 0.5 < face.det_score <= 1
    x1, y1, x2, y2 = face.bbox
    assert x1 < face["kps"][0, 0] < face.kps[1, 0] < x2 and y1 < face.kps[2, 1] < y2
    assert np.linalg.norm(face.normed_embedding) == pytest.approx(1, abs=1e-5)
    assert face.embedding_norm == pytest.approx(np.linalg.norm(face.embedding))
    assert face.age is None and face.sex is None and face.quality.overall > 0.5
    (other,) = app.get(np.array(doppel.Image.open(OBAMA_2)), channels="RGB")
    (stranger,) = app.get(np.array(doppel.Image.open(BIDEN)), channels="RGB")
    assert app.compute_sim(face.embedding, other.embedding) > 0.6
    assert app.compute_sim(face.embedding, stranger.embedding) < 0.4
    # The channels count: the same vector as the model's own of the RGB picture.
    with doppel.Model.open(min_score=0.5, max_side_px=640) as model:
        assert np.array_equal(face.embedding, model.photo(bgr[:, :, ::-1]).vectors[0])
    assert len(app.get(np.array(doppel.Image.open(GROUP)), max_num=2, channels="RGB")) == 2


def test_insightface_detects_only_where_that_is_asked_for():
    app = FaceAnalysis(allowed_modules=["detection"])
    with pytest.raises(RuntimeError, match="prepare"):
        app.get(np.zeros((8, 8, 3), np.uint8))
    app.prepare(0)
    (face,) = app.get(np.array(doppel.Image.open(OBAMA)), channels="RGB")
    assert face.embedding is None and face.normed_embedding is None and face.bbox.shape == (4,)
    assert app.get(np.zeros((64, 64, 3), np.uint8)) == []
    assert isinstance(face, dict) and isinstance(face, Face)
