"""A gallery through Python: enrol, ask, put right, forget."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import BIDEN, CURIE, DEMO, GROUP, OBAMA, OBAMA_2, STRANGER

import doppel
from doppel.gallery import photo_is_from_thumbnail


def test_enrolling_tells_each_file(model, gallery):
    events, progress = [], []
    report = gallery.enroll(model, [DEMO / "people"], on_event=events.append, on_progress=progress.append)
    assert report.n_added == report.n_files == len(events) == 5 and report.worst == doppel.Status.OK
    assert {e.person for e in events} == {"Barack Obama", "Eileen Collins", "Joe Biden", "Marie Curie"}
    assert all(e.outcome == doppel.Outcome.ADDED and Path(e.path).exists() for e in events)
    assert 4 <= progress[-1].n_done <= progress[-1].n_total == 5
    assert gallery.enroll(model, [DEMO / "people"]).n_unchanged == 5
    assert gallery.counts.n_templates_face == 5
    assert gallery.count_people() == gallery.counts.n_persons


def test_query_names_who_is_known_and_nobody_else(people, model):
    answers = people.query(model, GROUP)
    assert len(answers) == len(model.photo(GROUP).faces)
    named = [a.person for a in answers if a.person]
    assert sorted(named) == ["Barack Obama", "Marie Curie"] or named  # the group shows some of them
    best = people.query(model, OBAMA, k=3)[0]
    assert best.person == "Barack Obama" and best.decision == doppel.Decision.MATCH
    assert best.candidates[0].person == "Barack Obama" and len(best.hits) == 3
    assert best.hits[0].thumb[:2] == b"\xff\xd8" and best.hits[0].rate.rate < 1e-4
    assert people.query(model, STRANGER)[0].person is None


def test_claims(people, model):
    verdict = people.verify(model, OBAMA_2, "Barack Obama")
    assert verdict.decision == doppel.Decision.MATCH and verdict.n_templates == 2 and verdict.by_mean
    assert people.verify(model, BIDEN, "Barack Obama").decision == doppel.Decision.NO_MATCH
    with pytest.raises(doppel.NoPersonError):
        people.verify(model, OBAMA, "Nobody")
    assert people.compare_people(model, "Barack Obama", "Joe Biden").decision == doppel.Decision.NO_MATCH


def test_search_gives_ids_and_scores(people, model, obama):
    (hits,), info = people.search(model.head, obama.vectors, k=2)
    assert info.exact and len(hits) == 2 and hits[0].score > 0.999
    row = people.template(hits[0].template_id)
    assert row.person == "Barack Obama" and np.allclose(row.vector, obama.vectors[0])
    assert row.space == "face" and row.is_face and row.face.score > 0.5
    (all_of,), _ = people.search(model.head, obama.vectors[0], k=50)
    assert len(all_of) == 5
    with pytest.raises(ValueError, match="each probe"):
        people.search(model.head, np.zeros((1, 3)))


def test_vectors_made_elsewhere_are_kept_and_found(gallery, model, obama):
    gallery.bind(model.encoder)
    gallery.put("camera://7", [("face", obama.vectors[0])], person="Ann", faces=[obama.faces[0]],
                thumbs=[doppel.image.to_jpeg(obama.chips[0])])
    assert gallery.query(model, OBAMA)[0].person == "Ann"
    row, = gallery.templates("Ann")
    assert row.photo_path == "camera://7" and row.thumb[:2] == b"\xff\xd8"
    assert gallery.find_photo("camera://7")[0].person == "Ann" and not gallery.find_photo("camera://8")
    with pytest.raises(doppel.MismatchError):
        gallery.put("camera://8", [("face", np.ones(3))])
    with pytest.raises(doppel.NumericError):
        gallery.put("camera://8", [("face", np.full(model.encoder.dim, np.nan))])


def test_a_photo_from_anywhere_is_enrolled(gallery, model):
    gallery.enroll_photo(model, np.array(doppel.Image.open(BIDEN)), "upload://1", name="Joe")
    assert gallery.query(model, BIDEN)[0].person == "Joe"
    with pytest.raises(doppel.ManyFacesError):
        gallery.enroll_photo(model, GROUP, "upload://2", name="Many")
    gallery.enroll_photo(model, GROUP, "upload://2", faces=doppel.FacesPolicy.ALL)
    assert gallery.counts.n_faces_nobodys > 3


def test_a_small_gallery_has_no_index_to_tell_of(people, model):
    with pytest.raises(doppel.NotFoundError):
        people.index("face")
    with pytest.raises(doppel.ArgumentError):
        people.index("nose")


def test_putting_right_and_undoing(people, model):
    people.rename("Joe Biden", "Joe")
    assert [p.name for p in people.people()] == ["Barack Obama", "Eileen Collins", "Joe", "Marie Curie"]
    template = people.templates("Joe")[0].id
    people.assign(template, "Somebody Else")
    assert "Joe" not in [p.name for p in people.people()]
    people.undo()
    assert people.templates("Joe")[0].id == template and people.last_change().what
    people.reject(template, "Joe")
    assert people.refusals()[0].template_id == template == people.refusals(template)[0].template_id
    people.undo()
    assert people.merge("Joe", "Marie Curie").n_faces == 1
    people.undo()
    people.set_apart("Joe", "Marie Curie")
    with people.change("two at once"):
        people.rename("Joe", "A")
        people.rename("Marie Curie", "B")
    assert people.last_change().what == "two at once"
    people.undo()
    assert {"Joe", "Marie Curie"} < {p.name for p in people.people()}
    with people.rehearsal():
        people.rename("Joe", "Never")
    assert "Never" not in [p.name for p in people.people()]


def test_forgetting_leaves_nothing(people):
    assert people.forget("Joe Biden", dry_run=True).n_photos == 1
    report = people.forget("Joe Biden")
    assert report.n_photos == 1 and report.n_left == report.n_strings_left == 0 and not report.left_in
    assert "Joe Biden" not in [p.name for p in people.people()]
    assert people.last_change().is_final
    with pytest.raises(LookupError) as e:
        people.forget("Joe Biden")
    assert e.value.status == doppel.Status.NOT_FOUND
    path = people.photos("Marie Curie")[0].path
    assert people.forget(paths=[path]).n_photos == 1


def test_the_audit_and_receipts(people):
    people.set_user("the test")
    report = people.forget("Joe Biden")
    receipt = people.receipt(report, "Joe Biden")
    assert '"doppel.receipt/1"' in receipt and people.check_receipt(receipt) == ""
    assert people.check_receipt(receipt.replace("Joe Biden", "Joe Bidet")) != ""
    people.audit_query("verify", 2)
    audit, lines = people.audit()
    assert audit.broken_at == 0 and audit.n_lines == len(lines) >= 2
    assert lines[-1].what == "verify" and lines[-2].what == "forget" and lines[-2].user == "the test"
    assert lines[-1].hash == audit.hash and lines[-2].hash == report.audit_hash
    with pytest.raises(doppel.InputError):
        people.check_receipt("no receipt")


def test_groups_of_nobodys_faces(gallery, model, tmp_path):
    for i, photo in enumerate((OBAMA, OBAMA_2, BIDEN, CURIE)):
        shutil.copy(photo, tmp_path / f"{i}{photo.suffix}")
    gallery.enroll(model, [tmp_path / f"{i}{p.suffix}" for i, p in
                           enumerate((OBAMA, OBAMA_2, BIDEN, CURIE))], nobodys=True)
    report, rows = gallery.group(model)
    assert report.n_groups == len(rows) == 1 and rows[0].n_faces == 2 == len(rows[0].members)
    assert rows[0].members[0].photo_path.startswith(str(tmp_path))
    assert gallery.groups()[0].number == rows[0].number
    assert gallery.name_group(rows[0].number, "Barack").n_named == 2
    assert not gallery.groups(model)
    assert gallery.query(model, OBAMA)[0].person == "Barack"
    with pytest.raises(doppel.NotFoundError):
        gallery.reject_from_group(gallery.templates("Barack")[0].id)
    gallery.undo()
    assert gallery.reject_from_group(rows[0].members[0].template_id) == rows[0].number


def test_export_and_import_are_the_same_gallery(people, tmp_path):
    people.export(tmp_path / "one.jsonl")
    with doppel.Gallery.open(tmp_path / "other", "c") as other:
        assert other.import_(tmp_path / "one.jsonl") == (5, 5)
        other.export(tmp_path / "two.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_a_copy_is_the_same_gallery(people, tmp_path):
    people.export(tmp_path / "one.jsonl")
    with doppel.Gallery.open(tmp_path / "other", "c") as other:
        assert people.copy_to(other) == (5, 5)
        other.export(tmp_path / "two.jsonl")
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_checks_doubts_and_repairs_find_nothing_wrong(people, model):
    report, damages = people.check()
    assert report.n_templates == 5 and report.n_damaged == 0 and damages == []
    assert people.repair(model)[0].n_left == 0
    report, doubts = people.doubts(model)
    assert report.n_people == 4 and doubts == []
    assert people.doubts(model, "Barack Obama") == (None, [])


def test_settings_and_notices(people, model):
    assert people.setting("model.face.hash") == model.encoder.hash and people.setting("nothing") is None
    people.remember("detect", people.setting("detect") or "none")
    assert people.notice == "" and people.calibration_path is None
    assert Path(people.folder).name == "gallery" and people.address == people.folder
    people.set_index_memory(1 << 20)
    assert not people.near().is_there and people.near().n_templates == 0
    row = people.photos()[0]
    assert row.status == doppel.Status.OK and row.n_faces == 1 and not photo_is_from_thumbnail(row)
    assert [t.id for t in people.templates_of(row.id)] == [t.id for t in people.templates()
                                                          if t.photo_id == row.id]


def test_a_calibration_beside_the_gallery_is_found(people, model):
    people.set_calibration('{"version":1,"metric":"cosine","pairs":1000,"source":"mine",'
                           '"points":[[0.1,0.5],[0.9,0.01]]}')
    with doppel.Model.open(calibration=people.calibration_path) as mine:
        assert mine.calibration_is_given and mine.calibration.source == "mine"


def test_readers_see_and_one_writes(people, tmp_path):
    with doppel.Gallery.open(people.folder) as reader:
        assert len(reader.people()) == 4
        with pytest.raises(doppel.ArgumentError):
            reader.rename("Joe Biden", "Joe")
    with pytest.raises(doppel.LockedError):
        doppel.Gallery.open(people.folder, "w")
    with pytest.raises(doppel.GalleryError):
        doppel.Gallery.open(tmp_path / "nothing")
    with pytest.raises(ValueError, match="a mode is"):
        doppel.Gallery.open(people.folder, "rw")


def test_abandoning_removes_what_opening_made(tmp_path):
    made = doppel.Gallery.open(tmp_path / "new", "c")
    made.abandon()
    made.abandon()
    assert not (tmp_path / "new").exists()


def test_names_that_are_no_text_come_back_as_they_were(gallery, model, tmp_path):
    folder = bytes(tmp_path) + b"/An\xffn"
    Path(tmp_path / "x").mkdir()
    import os
    os.mkdir(folder)
    shutil.copy(OBAMA, folder + b"/1.jpg")
    gallery.enroll(model, [tmp_path / "x", folder + b"/1.jpg"], name=b"An\xffn".decode(
        "utf-8", "surrogateescape"))
    person, = gallery.people()
    assert os.fsencode(person.name) == b"An\xffn"
    assert os.fsencode(gallery.photos(person.name)[0].path) == folder + b"/1.jpg"


def test_a_photo_that_moved(people):
    row = people.photos("Marie Curie")[0]
    people.move_photo(row.id, "/elsewhere/curie.png", 5)
    assert people.photos("Marie Curie")[0].path == "/elsewhere/curie.png"
    assert people.find_photo(sha256=row.sha256)[0].id == row.id


def test_migrating_to_the_same_model_changes_nothing(people, model):
    report, changes = people.migrate(model, before=model, dry_run=True)
    assert report.n_photos == 0 and changes == [] and not report.has_changed


def test_sidecars_are_written_and_read(gallery, model, tmp_path):
    if not doppel.sidecar.is_built():
        pytest.skip("built without XMP")
    photo = tmp_path / "1.jpg"
    shutil.copy(OBAMA, photo)
    gallery.enroll(model, [photo], name="Barack Obama")
    report = gallery.write_sidecars()
    assert report.n_sidecars_new == 1
    path, there = doppel.sidecar.find(photo)
    assert there and path == str(photo) + ".xmp"
    size = doppel.Image.open(photo).full_size
    regions = doppel.sidecar.read(path, size)
    assert [r.name for r in regions.items] == ["Barack Obama"] and regions.items[0].is_own
    assert doppel.sidecar.pair(regions.items, regions.items) == [0]
    assert gallery.read_sidecars([photo]).n_same == 1
    written = doppel.sidecar.write(path, photo, size, [], dry_run=True)
    assert written.n_removed == 1


def test_waiting_tells_of_a_change(model, gallery):
    assert gallery.address == gallery.folder
    gallery.wait(0)
    assert not gallery.wait(0.01)
    gallery.enroll(model, [DEMO / "people"])
    assert gallery.wait(5)


def test_an_encrypted_gallery_is_the_same_to_who_has_the_key(people, tmp_path):
    key, folder = tmp_path / "gallery.key", people.folder
    before = [p.name for p in people.people()]
    people.close()
    with doppel.Gallery.open(folder, "w") as gallery:
        assert not gallery.encryption.is_encrypted
        gallery.encrypt(key_file=key, passphrase="correct horse")
        assert gallery.encryption.is_encrypted and gallery.encryption.has_secret
    with pytest.raises(doppel.GalleryError, match="key is in a file of its own"):
        doppel.Gallery.open(folder)
    with pytest.raises(doppel.GalleryError, match="not the passphrase"):
        doppel.Gallery.open(folder, key_file=key, passphrase="wrong horse")
    with doppel.Gallery.open(folder, "w", key_file=key, passphrase=b"correct horse") as gallery:
        assert [p.name for p in gallery.people()] == before
        gallery.rekey(key_file=key)
        gallery.decrypt()
        assert [p.name for p in gallery.people()] == before
    with doppel.Gallery.open(folder) as gallery:
        assert not gallery.encryption.is_encrypted


def test_a_sealed_export_is_read_by_its_passphrase_alone(people, tmp_path):
    people.export(tmp_path / "sealed", passphrase="correct horse")
    assert b"Curie" not in (tmp_path / "sealed").read_bytes()
    with doppel.Gallery.open(tmp_path / "other", "c") as other:
        with pytest.raises(doppel.GalleryError, match="not its passphrase"):
            other.import_(tmp_path / "sealed", passphrase="wrong horse")
        with pytest.raises(doppel.GalleryError, match="sealed by a passphrase"):
            other.import_(tmp_path / "sealed")
        other.import_(tmp_path / "sealed", passphrase="correct horse")
        assert [p.name for p in other.people()] == [p.name for p in people.people()]
