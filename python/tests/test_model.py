"""Photos in, vectors and decisions out: what comes back is what the library says."""

import math

import numpy as np
import pytest
from conftest import BIDEN, CURIE, DEMO, GROUP, OBAMA, OBAMA_2, STRANGER

import doppel
from doppel.face import landmarks_of, main_face, portrait
from doppel.net import Net
from doppel.records import Layout
from doppel.score import accepts, words


def test_verify_tells_people_apart(model):
    same, other = model.verify(OBAMA, OBAMA_2), model.verify(OBAMA, BIDEN)
    assert same.decision == doppel.Decision.MATCH and str(same.decision) == words(same.decision) == "match"
    assert other.decision == doppel.Decision.NO_MATCH and str(other.decision) == "no match"
    assert same.rate.rate <= 1e-4 < other.rate.rate
    assert model.verify(OBAMA, OBAMA_2, threshold=0.99).decision == doppel.Decision.NO_MATCH
    assert model.verify(OBAMA, OBAMA_2, fmr=1e-2).threshold < same.threshold


def test_a_photo_is_the_same_from_path_bytes_array_and_image(model, obama):
    image = doppel.Image.open(OBAMA)
    for photo in (model.decode(OBAMA.read_bytes()), model.photo(np.array(image)), model.photo(image),
                  model.photo(str(OBAMA)), model.photo(bytes(OBAMA))):
        assert np.array_equal(photo.vectors, obama.vectors)
        assert photo.faces == obama.faces
    assert model.decode(OBAMA.read_bytes(), "upload").name == "upload"
    assert obama.size == (image.width, image.height) and obama.pixels.shape == image.pixels.shape
    assert len(obama.sha256) == 64 and model.photo(image).sha256 == ""
    assert obama.n_bytes == OBAMA.stat().st_size and model.photo(image).n_bytes == 0


def test_arrays_that_do_not_lie_in_c_order_are_taken(model, obama):
    array = np.array(doppel.Image.open(OBAMA))
    padded = np.zeros((array.shape[0], array.shape[1] + 5, 3), np.uint8)
    padded[:, :-5] = array
    for one in (padded[:, :-5], np.asfortranarray(array), array[:, ::-1][:, ::-1]):
        assert np.array_equal(model.photo(one).vectors, obama.vectors)


@pytest.mark.parametrize("picture, error", [
    (np.zeros((8, 8, 3), np.float32), TypeError), (np.zeros((8, 8, 4), np.uint8), ValueError),
    (np.zeros((8,), np.uint8), ValueError), (np.zeros((0, 8, 3), np.uint8), ValueError),
])
def test_what_is_no_picture_is_refused(model, picture, error):
    for use in (model.photo, model.detect, model.encoder.whole_chip, doppel.image.to_jpeg):
        with pytest.raises(error):
            use(picture)


def test_options_out_of_range_are_refused(model):
    with pytest.raises(OverflowError, match="max_side_px"):
        model.detect(np.zeros((8, 8, 3), np.uint8), max_side_px=1 << 40)
    with pytest.raises(doppel.ArgumentError, match="overlap"):
        model.detect(np.zeros((8, 8, 3), np.uint8), max_overlap=2.0)


def test_errors_carry_status_and_message(model, tmp_path):
    with pytest.raises(doppel.InputError) as e:
        model.photo(tmp_path / "nothing.jpg")
    assert e.value.status == doppel.Status.INPUT and "nothing.jpg" in e.value.message
    with pytest.raises(doppel.NoFaceError) as no_face:
        model.verify(np.full((200, 200, 3), 128, np.uint8), OBAMA)
    assert no_face.value.status == doppel.Status.NO_FACE
    assert str(no_face.value) == no_face.value.message == '"photo a": no face found'
    with pytest.raises(doppel.ModelError):
        doppel.Model.open(tmp_path / "no.onnx")
    with pytest.raises(ValueError) as bad:  # which it is, too
        model.policy(fmr=2.0)
    assert isinstance(bad.value, doppel.ArgumentError)
    with pytest.raises(doppel.LimitError):
        doppel.Image.open(OBAMA, max_pixels=100)
    with pytest.raises(ValueError, match="null"):
        model.photo("a\0b")


def test_steps_by_themselves_give_what_the_model_gives(model, obama):
    image = doppel.Image.open(OBAMA)
    with doppel.Detector.open() as detector, doppel.Encoder.open() as encoder:
        faces = detector.detect(image)
        assert len(faces) == 1 and main_face(faces, image) == 0
        chip, face = encoder.align(image, faces[0])
        assert face.quality == obama.faces[0].quality and faces[0].quality.overall == 0
        assert np.array_equal(chip, obama.chips[0])
        vector = encoder.encode(chip)
        assert vector.shape == (encoder.dim,) and np.allclose(vector, obama.vectors[0], atol=1e-5)
        assert encoder.encode(np.stack([chip, chip])).shape == (2, encoder.dim)
        assert encoder.encode(np.zeros((0, *encoder.chip_shape), np.uint8)).shape == (0, encoder.dim)
        assert encoder.whole_chip(image).shape == encoder.chip_shape == chip.shape
        assert encoder.space == "face" and encoder.hash == model.encoder.hash and encoder.fact("mean")
        assert detector.net.meta("doppel.kind") == "face-detector" and encoder.preset is None
        with pytest.raises(ValueError, match="a chip has the shape"):
            encoder.encode(np.zeros((2, 7, 7, 3), np.uint8))
    assert landmarks_of(face).shape == (5, 2)
    assert portrait(image, face, 120).pixels.shape == (150, 120, 3)
    assert model.detect(image) == faces
    assert obama.main_face == 0


def test_faces_at_boxes_found_elsewhere(model):
    photo = model.photo(GROUP)
    picture = np.array(photo.pixels)
    boxes = [(f.x_px, f.y_px, f.w_px, f.h_px) for f in photo.faces[3:0:-1]]
    at = model.photo_at(picture, boxes)
    assert len(at) == 3
    for vector, expected in zip(at.vectors, photo.vectors[3:0:-1]):
        assert model.compare(vector, expected).score > 0.9
    assert len(model.photo_at(picture, [])) == 0
    with pytest.raises(doppel.NoFaceError, match='"box 1"'):
        model.photo_at(picture, [(0, 0, 30, 30)])


def test_kept_vectors_are_judged_as_photos(model, obama):
    other = model.photo(OBAMA_2)
    by_photo = model.verify(obama, other)
    by_vector = model.compare(obama.vectors[0], other.vectors[0], face_a=obama.faces[0],
                              face_b=other.faces[0])
    assert (by_vector.score, by_vector.evidence, by_vector.decision) == \
        (by_photo.score, by_photo.evidence, by_photo.decision)
    assert model.head.score(obama.vectors[0], other.vectors[0]) == by_photo.score
    assert list(model.head.scores(obama.vectors[0], other.vectors)) == [np.float32(by_photo.score)]
    with pytest.raises(doppel.NumericError):
        model.compare(np.zeros(model.encoder.dim), other.vectors[0])
    with pytest.raises(ValueError, match="numbers"):
        model.compare(np.ones(3), other.vectors[0])


def test_many_photos_come_in_order_with_their_failures(model, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
    seen = []
    report = model.photos([OBAMA, broken, GROUP], seen.append, preview_px=100)
    assert [s.path for s in seen] == [str(OBAMA), str(broken), str(GROUP)]
    assert report.n_files == 3 and report.n_failed == 1 and report.worst == doppel.Status.INPUT
    assert isinstance(seen[1].error, doppel.InputError) and seen[1].photo is None
    expected = model.photo(GROUP)
    assert np.array_equal(seen[2].photo.vectors, expected.vectors)
    assert seen[2].photo.faces == expected.faces and np.array_equal(seen[2].photo.chips, expected.chips)
    assert max(seen[2].photo.pixels.shape) == 100 and seen[2].photo.name == str(GROUP)
    assert model.verify(seen[0].photo, OBAMA_2).decision == doppel.Decision.MATCH


def test_a_model_without_a_detector_takes_pictures_whole():
    with doppel.Model.open(doppel.models_find("image-105.onnx"), detector=False) as whole:
        assert whole.detector is None and whole.encoder.space == "image"
        photo = whole.photo(STRANGER)
        assert len(photo) == 1 and photo.faces[0].w_px == photo.size[0]
        with pytest.raises(ValueError, match="no detector"):
            whole.detect(STRANGER)
    with doppel.Model.open(image=True) as both:
        photo = both.photo(OBAMA)
        assert photo.image_vector.shape == (both.image_encoder.dim,)
        assert abs(float(np.linalg.norm(photo.image_vector)) - 1) < 1e-5
        assert not both.calibration_is_given


def test_images(tmp_path):
    image = doppel.Image.open(CURIE)
    assert image.format == "png" and image.pixels.shape == (image.height, image.width, 3)
    small = image.resize(40, 30)
    assert np.asarray(small).shape == (30, 40, 3)
    again = doppel.Image.decode(small.to_jpeg(95))
    assert again.format == "jpeg" and np.abs(np.asarray(again, int) - np.asarray(small, int)).mean() < 6
    flat = doppel.Image.from_array(np.full((6, 4, 3), 77, np.uint8))
    assert np.array_equal(flat.resize(9, 9).pixels, np.full((9, 9, 3), 77, np.uint8))
    assert flat.full_size == (4, 6) and flat.exif_orientation == 1 and not flat.warning and not flat.taken
    assert doppel.image.to_jpeg(np.zeros((4, 4), np.uint8))[:2] == b"\xff\xd8"
    assert doppel.image.orientation(OBAMA) == 1
    assert doppel.image.is_picture("a.jpg") and not doppel.image.is_picture("a.txt", b"hello")


def test_heads_policies_and_calibrations(model):
    weights = np.linspace(-1, 1, 5).astype(np.float32)
    with doppel.Head.make(doppel.HeadKind.L1_SIGMOID, 5, weights, 0.5) as head:
        a, b = np.arange(5, dtype=np.float32), np.ones(5, np.float32)
        expected = 1 / (1 + math.exp(-(float(weights @ np.abs(a - b)) + 0.5)))
        assert head.score(a, b) == pytest.approx(expected, abs=1e-6) and head.name == "l1-sigmoid"
    c = model.calibration
    accept, reject = c.thresholds(1e-4)
    assert model.policy().threshold == accept and model.policy().reject == reject
    assert c.version == 2 and c.has_cohort and c.has_poor and c.range.quality > c.range.too_poor
    assert c.counts[0] > 10**6 and c.counts[1] > 100 and c.lowest_fmr < 1e-4 and c.source
    assert c.fmr(accept).high <= 1.0001e-4 and c.ends[0] < c.ends[1] and 0 <= c.fnmr(accept) <= 1
    assert c.mean_factor >= 1 and all(s.name for s in c.strata)
    assert c.fmr(accept, poor=True).rate > 0
    assert doppel.Policy.for_search(c, 1000).threshold > accept
    parsed = doppel.Calibration.parse('{"version":1,"metric":"cosine","pairs":1000,"source":"a test",'
                                      '"points":[[0.1,0.5],[0.9,0.01]]}')
    assert parsed.source == "a test" and parsed.range is None
    assert doppel.Policy.make(parsed, threshold=0.5).decide(0.5) == doppel.Decision.MATCH
    assert doppel.Policy.make().decide(1.0) == doppel.Decision.NONE
    assert accepts(1.0, 1.0) and not accepts(math.nan, 0.0)


def test_nets_run_on_arrays(model, obama):
    net = model.encoder.net
    (name, shape, kind), = net.inputs
    assert name and len(shape) == 4
    chip = (obama.chips.astype(np.float32) - 127.5) / 127.5
    nchw = chip.transpose(0, 3, 1, 2)
    (out,) = net.run(nchw)
    with net.plan(nchw.shape, layout=Layout.NHWC) as plan:
        (same,) = plan.run(chip)
        assert plan.bytes > 0 and "Conv" in plan.describe()
        with pytest.raises(ValueError, match="has the shape"):
            plan.run(nchw)
    assert np.allclose(out, same, atol=1e-4) and out.shape[0] == 1
    with net.plan(nchw.shape, threads=2) as plan:
        assert np.array_equal(plan.run(nchw)[0], out)
    path = model.encoder.path
    with open(path, "rb") as f, Net.load(f.read()) as loaded, Net.open(path) as opened:
        assert loaded.hash == opened.hash == net.hash and loaded.file_hash == net.file_hash
    with pytest.raises(ValueError, match="inputs"):
        net.plan()
