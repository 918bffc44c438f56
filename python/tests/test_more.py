"""Sentences, copies, data sets, figures, calibration and training through Python."""

import csv
import shutil

import numpy as np
import pytest
from conftest import BIDEN, CURIE, DEMO, GROUP, OBAMA, OBAMA_2, SOURCE

import doppel
from doppel import calibrate, evaluate
from doppel.copies import Sketch, find_copies
from doppel.dataset import Dataset
from doppel.records import CopyKind, ItemKind, TokenKind, TrainEventKind
from doppel.training import SETTINGS


@pytest.fixture(scope="module")
def sentences():
    with doppel.TextModel.open() as opened:
        yield opened


def test_sentences_are_encoded_and_compared(sentences):
    encoder = sentences.encoder
    one, many = encoder.encode("two dogs on a beach"), encoder.encode(["two dogs on a beach", "a car"])
    assert one.shape == (encoder.dim,) and many.shape == (2, encoder.dim)
    assert np.allclose(one, many[0], atol=1e-5) and encoder.encode([]).shape == (0, encoder.dim)
    comparison, about = sentences.verify("two dogs on a beach", "two dogs on the beach", threshold=0.5)
    assert comparison.decision == doppel.Decision.MATCH and about[0].n == 5
    assert comparison.score == pytest.approx(float(one @ encoder.encode("two dogs on the beach")), abs=1e-4)
    assert sentences.head.dim == encoder.head.dim == encoder.dim and encoder.fact("pictures")
    with pytest.raises(doppel.InputError):
        encoder.encode("")
    tokenizer = encoder.tokenizer
    ids, what = tokenizer.encode("a dog zzzxq")
    assert ids.dtype == np.int64 and len(ids) == tokenizer.about.length and what.n_unknown == 1
    assert tokenizer.find(tokenizer.token(int(ids[0]))) == ids[0] and tokenizer.token(-1) is None


def test_tokenizers_are_made_of_lines_and_tokens(tmp_path):
    with doppel.Tokenizer.from_lines(["a b b", "b c"], kind=TokenKind.WORDS, length=4) as t:
        assert t.about.n_tokens == 5 and t.token(2) == "b" and t.find("nothing") == -1
        assert list(t.encode("b c")[0]) == [2, t.find("c"), t.about.padding, t.about.padding]
    letters = doppel.Tokenizer.from_tokens(["x", "y"], kind=TokenKind.CHARACTERS, length=3)
    assert list(letters.encode("yx?")[0]) == [3, 2, 1]
    merges = tmp_path / "merges.txt"
    merges.write_text("#version: 0.2\nh e\nhe l\n")
    assert doppel.Tokenizer.from_merges(merges).about.kind == TokenKind.BYTE_PAIRS
    copied = tmp_path / "model.onnx"
    shutil.copy(doppel.models_find("sentence-256.onnx"), copied)
    letters.into_model(copied)
    again = doppel.Tokenizer.from_net(doppel.Net.open(copied))
    assert again.about == letters.about


def test_photos_are_found_by_what_they_show(tmp_path, sentences):
    with doppel.Model.open(image=True) as model, doppel.Gallery.open(tmp_path / "g", "c") as gallery:
        shutil.copy(OBAMA, tmp_path / "1.jpg")
        (tmp_path / "1.jpg.txt").write_text("a man in a suit\n")
        gallery.enroll(model, [tmp_path / "1.jpg", CURIE], nobodys=True, text=sentences.encoder)
        assert gallery.counts.n_templates_text == 1 and gallery.counts.n_templates_image == 2
        answer = gallery.query_text(sentences, "man in a suit", k=2)
        assert answer.by_captions and answer.hits[0].caption == "a man in a suit"
        assert gallery.migrate_captions(sentences.encoder, dry_run=True) in (0, 1)
        by_picture = gallery.query(model, CURIE, by=doppel.QueryBy.IMAGE)
        assert by_picture[0].hits[0].photo_path == str(CURIE)


def test_copies_are_found(tmp_path):
    shutil.copy(OBAMA, tmp_path / "a.jpg")
    shutil.copy(OBAMA, tmp_path / "b.jpg")
    small = doppel.Image.open(OBAMA).resize(410, 512)
    (tmp_path / "c.jpg").write_bytes(small.to_jpeg(80))
    shutil.copy(CURIE, tmp_path / "d.png")
    with doppel.Model.open(doppel.models_find("image-105.onnx"), detector=False) as model:
        pairs = []
        report, groups = find_copies(model, [tmp_path], on_pair=lambda *pair: pairs.append(pair))
        with doppel.Gallery.open(tmp_path / "gallery", "c") as gallery:
            gallery.enroll(model, [tmp_path / "a.jpg"], nobodys=True)
            again, same = find_copies(model, [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg", "d.png")],
                                      gallery=gallery)
        assert (report.n_known, again.n_known) == (0, 2) and len(same) == 1 and len(same[0]) == 3
    assert report.n_groups == len(groups) == 1 and report.n_copies == 2
    kinds = {c.path[-5:]: c.kind for c in groups[0][1:]}
    assert kinds["c.jpg"] == CopyKind.NEAR and CopyKind.BYTES in kinds.values()
    assert pairs and pairs[0][3].score > 0
    laid = Sketch(np.array(doppel.Image.open(OBAMA))).compare(Sketch(small))
    assert laid.is_copy and laid.rate.rate < 1e-3 and laid.overlay.orientation == 1
    assert not Sketch(small).compare(Sketch(doppel.Image.open(CURIE))).is_copy
    assert max(Sketch(small).grey.shape) == 64 and Sketch(small).sharpness > 0


def test_data_sets_say_what_they_hold(tmp_path):
    with Dataset.open(DEMO / "people") as people:
        assert people.kind == ItemKind.PICTURE and len(people) == 5
        assert people.classes == ["Barack Obama", "Eileen Collins", "Joe Biden", "Marie Curie"]
        items = people.items_of(0)
        assert len(items) == 2 and people.class_of(items[0]) == 0 == people.find_class("Barack Obama")
        name = people.name(items[1])
        assert people.find_item(name) == items[1]
        data = people.item_file(items[1])
        assert data[:2] == b"\xff\xd8" and people.item_bytes(items[1]) == len(data)
        assert people.image(items[1]).pixels.ndim == 3
        assert people.groups and people.group_of(0) == 0 and people.stratum_of(0) == people.role_of(0) == ""
        assert people.sentence(0) is None and people.vector(0) is None and people.codes(0) is None
        for bad in (-1, 5):
            with pytest.raises(IndexError):
                people.name(bad)
        with pytest.raises(IndexError):
            people.items_of(9)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("sentence1,sentence2,label\na dog,a hound,1\na dog,a car,0\n")
    with Dataset.open(pairs) as given:
        assert [p.grade for p in given.pairs] == [1.0, 0.0] and not given.is_graded
        assert given.sentence(given.pairs[1].b) == "a car" and given.side(0)[0] == ItemKind.SENTENCE
    np.save(tmp_path / "v.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    with Dataset.open(tmp_path / "v.npy", plain=True) as numbers:
        assert list(numbers.vector(2)) == [6, 7, 8] and numbers.side(0)[2] == 3
    (tmp_path / "codes.csv").write_text("codes,label\n1 2 3,a\n4 5,b\n")
    with Dataset.open(tmp_path / "codes.csv") as codes:
        assert sorted(map(list, (codes.codes(0), codes.codes(1)))) == [[1, 2, 3], [4, 5]]
        assert codes.side(0)[3] == 6


def test_figures_of_scored_pairs():
    rng = np.random.default_rng(7)
    same = np.arange(400) % 2
    scores = rng.normal(same * 2.0, 1.0)
    m = evaluate.metrics(scores, same)
    # Mann and Whitney's statistic, by itself.
    pos, neg = scores[same == 1].astype(np.float32), scores[same == 0].astype(np.float32)
    assert m.auc == pytest.approx((pos[:, None] > neg[None]).mean(), abs=1e-9)
    assert m.auc_low < m.auc < m.auc_high and len(m.tar) == 4 and m.roc[0].fmr == 0
    best = evaluate.best_threshold(scores, same)
    accuracy = evaluate.accuracy_at(scores, same, best)
    assert accuracy.rate == pytest.approx(((scores.astype(np.float32) >= best) == same).mean())
    folds = evaluate.folds(scores, same, np.arange(400) // 40)
    assert folds.n == 10 == len(folds.accuracies) and 0.7 < folds.mean < 0.95
    grades = same + rng.normal(0, 0.1, 400)
    agreed = evaluate.agreement(scores, grades)
    assert agreed.pearson.value == pytest.approx(np.corrcoef(scores.astype(np.float32), grades)[0, 1])
    error = evaluate.squared_error(scores, grades, agreed.slope, agreed.intercept)
    assert error == pytest.approx(
        np.mean((agreed.intercept + agreed.slope * scores.astype(np.float32) - grades) ** 2))
    assert evaluate.share(1, 4).rate == 0.25
    with pytest.raises(ValueError, match="scores, and"):
        evaluate.metrics(scores, same[:-1])
    with pytest.raises(doppel.InputError):
        evaluate.metrics(scores, np.ones(400))


def test_pictures_are_embedded_and_their_pairs_scored(model, tmp_path):
    files = [OBAMA, OBAMA_2, tmp_path / "nothing.jpg"]
    found = evaluate.embed(model, files, threads=1)
    assert len(found) == 3 and found.n_failed == 1 and "nothing.jpg" in found.errors[2]
    assert np.isnan(found.vectors[2]).all() and found.errors[0] is None and found.faces[0].score > 0.5
    assert np.array_equal(found.vectors[0], model.photo(OBAMA).vectors[0])
    assert evaluate.embed(model, ["people/Joe Biden/blue-room.jpg"], folder=DEMO).n_failed == 0
    name, thumb = evaluate.picture_thumb(model, files, 1)
    assert name == str(OBAMA_2) and thumb[:2] == b"\xff\xd8"
    with Dataset.open(DEMO / "people") as people:
        items = evaluate.embed_items(model, people)
        assert len(items) == 5 and items.n_failed == 0
        assert len(evaluate.embed(model, (people, [3]))) == 1
        with pytest.raises(IndexError):
            evaluate.embed_items(model, people, [5])
    two = tmp_path / "two"
    for name, photos in (("a", (OBAMA, OBAMA_2)), ("b", (BIDEN,))):
        (two / name).mkdir(parents=True)
        for photo in photos:
            shutil.copy(photo, two / name)
    mirrored = np.array(doppel.Image.open(BIDEN))[:, ::-1]
    (two / "b" / "mirrored.jpg").write_bytes(doppel.image.to_jpeg(mirrored))
    with Dataset.open(two) as people:
        drawn = evaluate.Pairs.draw(people, 20, seed=3)
        scores = drawn.score(model.head, drawn.embed(model))
        assert len(drawn) == 20 and drawn.same.sum() == 10 and set(drawn.items) <= set(range(4))
        assert scores[drawn.same == 1].min() > scores[drawn.same == 0].max()
        with pytest.raises(ValueError, match="vectors"):
            drawn.score(model.head, evaluate.embed(model, [OBAMA]))
    listed = tmp_path / "pairs.csv"
    with open(listed, "w", newline="") as f:
        csv.writer(f).writerows([("a", "b", "same"), (OBAMA.name, OBAMA_2.name, 1),
                                 (OBAMA.name, "x.jpg", 0)])
    for photo in (OBAMA, OBAMA_2):
        shutil.copy(photo, tmp_path)
    shutil.copy(BIDEN, tmp_path / "x.jpg")
    read = evaluate.Pairs.read(listed, tmp_path)
    assert sorted(read.names) == sorted([OBAMA.name, OBAMA_2.name, "x.jpg"])
    scored = read.score(model.head, evaluate.embed(model, read.names, folder=tmp_path))
    assert scored[0] > 0.5 > scored[1] and read.pairs[0].same == 1 and read.n_folds >= 0
    assert len(read.fold_of) == 2
    with pytest.raises(ValueError, match="of no data set"):
        read.embed(model)


def drawings(folder, n_classes=6, n=6):
    """Pictures of bars that lie otherwise in each class."""
    rng = np.random.default_rng(1)
    for c in range(n_classes):
        (folder / f"{c}").mkdir(parents=True)
        for i in range(n):
            picture = np.full((32, 32, 3), 255, np.uint8)
            at = 3 + 4 * c + int(rng.integers(0, 2))
            picture[at:at + 3, 4:28] = 0
            (folder / f"{c}" / f"{i}.jpg").write_bytes(doppel.image.to_jpeg(picture))
    return folder


def test_trials_and_retrieval(tmp_path):
    vectors = np.eye(6, dtype=np.float32).repeat(2, 0) + 0.01
    np.save(tmp_path / "v.npy", vectors)
    (tmp_path / "classes.txt").write_text("".join(f"c{i // 2}\n" for i in range(12)))
    head = doppel.Head.make(doppel.HeadKind.COSINE, 6)
    with Dataset.open(tmp_path / "v.npy", classes=tmp_path / "classes.txt") as numbers:
        trials = evaluate.Trials.draw(numbers, way=4, n=25)
        result = trials.score(head, evaluate.embed_items(None, numbers, trials.items))
        assert len(trials) == 25 == len(result.chosen) and result.accuracy.rate == 1.0
        assert [t.answer for t in trials.trials] == list(result.chosen) and len(trials.candidates) == 100
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("sentence1\tsentence2\tlabel\na\tb\t1\nc\td\t1\n")
    with Dataset.open(pairs) as given, doppel.TextModel.open() as model:
        both = evaluate.Pairs.given(given)
        found = both.embed(model.encoder)
        assert both.score(model.head, found).shape == (2,)
        side = evaluate.embed_items(model.encoder, given)
        answer = evaluate.retrieval(given, 0, model.head, side, side)
        assert answer.n == len(answer.ranks) and answer.recall[0][0] == 1 and answer.n_candidates >= 2


def test_calibrations_are_made_of_known_people(tmp_path):
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(80, 16))
    people = np.repeat(np.arange(80), 3)
    vectors = centres[people] + rng.normal(size=(240, 16)) * 0.3
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    head = doppel.Head.make(doppel.HeadKind.COSINE, 16)
    samples = calibrate.Samples(vectors, people, strata=people % 2 + 1, strata_names=["even", "odd"])
    made = calibrate.calibrate(samples, head, fmr=1e-2, source="a test", threads=1)
    assert made.n_people == 80 and made.n_faces == 240 and made.points and made.doubles is not None
    parsed = doppel.Calibration.parse(made.json)
    assert parsed.counts[1] == 80 and parsed.lowest_fmr <= 1e-2
    same = people[:, None] == people[None]
    scores = vectors @ vectors.T
    upper = np.triu_indices(240, 1)
    json, lowest = calibrate.calibrate_pairs(scores[upper], same[upper], head, fmr=1e-2)
    assert doppel.Calibration.parse(json).version == 1 and lowest <= 1e-2
    cohort, n = calibrate.make_cohort(calibrate.Samples(vectors, people), head, [60], threads=1)
    assert n >= 40 and cohort
    review = tmp_path / "review.txt"
    review.write_text("same a b\nalike c d\n")
    renumbered, merged, judged = calibrate.apply_review([0, 1, 2, 3, 1], ["a", "b", "c", "d"], review)
    assert merged == 1 and renumbered[0] == renumbered[1] == renumbered[4] and len(judged) == 1
    model = tmp_path / "mine.onnx"
    shutil.copy(doppel.models_find("drawing-64.onnx"), model)
    calibrate.into_model(model, json)
    assert doppel.Encoder.open(model).fact("calibration") == json
    with pytest.raises(doppel.InputError):
        calibrate.calibrate(calibrate.Samples(vectors[:30], people[:30]), head)
    with pytest.raises(ValueError):
        calibrate.Samples(vectors, people[:-1])


def test_training_makes_an_encoder(tmp_path):
    data = drawings(tmp_path / "drawings")
    events = []
    report = doppel.train(tmp_path / "run", data=data, arch="resnet-drawing", side=32, loss="triplet",
                          steps=4, batch_classes=3, batch_items=2, hold_classes=2, validate_trials=5,
                          validate_ways=2, validate_steps=2, threads=1, on_event=events.append)
    assert report.n_steps == 4 and events[0].kind == TrainEventKind.PLANNED
    assert events[0].plan.n_classes == 4 and any(e.figures.n_trials for e in events)
    with doppel.Model.open(tmp_path / "run" / "best.onnx", detector=False) as mine:
        assert mine.photo(np.full((32, 32, 3), 255, np.uint8)).vectors.shape[1] == mine.encoder.dim

    def stop(event):
        if event.kind == TrainEventKind.STEPPED:
            cancel.cancel()

    cancel = doppel.Cancel()
    with pytest.raises(doppel.CancelledError):
        doppel.train(tmp_path / "run", resume=True, steps=8, cancel=cancel, on_event=stop)
    assert doppel.train(tmp_path / "run", resume=True, steps=6).n_steps == 6
    assert {"data", "teacher", "freeze", "rate"} <= set(SETTINGS)
    with pytest.raises(TypeError, match="no setting 'epoch'"):
        doppel.train(tmp_path / "other", epoch=3)
    with pytest.raises(doppel.ArgumentError):
        doppel.train(tmp_path / "other", data=data, arch="nothing")


def test_what_is_said_of_this_machine():
    assert doppel.cpu_level() in ("baseline", "avx2", "avx512", "neon") and "BLAS" in doppel.blas()
    assert doppel.face.encoder_presets() and doppel.models_find("face-105.onnx").endswith("face-105.onnx")
    with pytest.raises(doppel.ModelError):
        doppel.models_find("nothing.onnx")
    doppel.blas_set_threads(1)
    assert GROUP.exists() and (SOURCE / "python").exists()
