"""Whatever is closed, dropped or shared, and in whatever order: no memory is used that is gone."""

import ctypes
import fcntl
import gc
import os
import pickle
import termios
import threading
import time

import numpy as np
import pytest
from conftest import BIDEN, DEMO, GROUP, OBAMA, OBAMA_2

import doppel
from doppel import _native


def test_closing_twice_is_fine_and_use_after_it_is_refused(tmp_path):
    model = doppel.Model.open()
    gallery = doppel.Gallery.open(tmp_path / "g", "c")
    for one in (model, gallery):
        assert not one.closed
        one.close()
        one.close()
        assert one.closed
    for use in (lambda: model.photo(OBAMA), lambda: model.verify(OBAMA, BIDEN), lambda: gallery.people(),
                lambda: gallery.query(model, OBAMA), lambda: gallery.counts,
                lambda: gallery.__enter__()):
        with pytest.raises(ValueError, match="is closed"):
            use()
    assert repr(gallery) == "<doppel.Gallery closed>"


def test_what_a_model_lends_outlives_its_closing():
    model = doppel.Model.open()
    encoder, head, calibration = model.encoder, model.head, model.calibration
    policy, net = model.policy(), model.encoder.net
    photo = model.photo(OBAMA)
    model.close()
    gc.collect()
    assert encoder.dim == head.dim == photo.vectors.shape[1]
    assert encoder.encode(photo.chips).shape == photo.vectors.shape
    assert calibration.fmr(4.0).rate < 1e-3
    assert policy.decide(10.0) == doppel.Decision.MATCH
    assert len(net.hash) == 64


def test_arrays_outlive_their_photo_and_its_model():
    model = doppel.Model.open()
    photo = model.photo(OBAMA)
    arrays = [photo.pixels, photo.vectors, photo.chips, doppel.Image.open(OBAMA).pixels[10:20]]
    copies = [a.copy() for a in arrays]
    model.close()
    del model, photo
    gc.collect()
    trash = [np.full(1 << 20, 7, np.uint8) for _ in range(50)]  # to be written where it was freed
    for array, copy in zip(arrays, copies):
        assert np.array_equal(array, copy)
        with pytest.raises(ValueError):
            array[...] = 0
    del trash


class SlowPhoto:
    """A photo in a pipe: whoever reads it has half of it, and gets the rest when that is given."""

    def __init__(self, folder):
        self.path, data = folder / "photo", GROUP.read_bytes()
        half = min(len(data) // 2, 4096)
        os.mkfifo(self.path)
        self.end = os.open(self.path, os.O_RDWR)
        os.write(self.end, data[:half])
        self.rest = data[half:]

    def wait_until_read(self):
        left = ctypes.c_int(1)
        while left.value:
            time.sleep(0.001)
            fcntl.ioctl(self.end, termios.FIONREAD, left)

    def give_the_rest(self):
        with os.fdopen(self.end, "wb") as pipe:
            pipe.write(self.rest)


def test_closing_waits_for_a_call_that_is_under_way(tmp_path):
    model = doppel.Model.open()
    expected = model.photo(GROUP).vectors.copy()
    photo, found = SlowPhoto(tmp_path), []
    thread = threading.Thread(target=lambda: found.append(model.photo(photo.path).vectors.copy()))
    thread.start()
    photo.wait_until_read()
    rest = threading.Timer(0.05, photo.give_the_rest)  # about when it is being closed
    rest.start()
    model.close()
    thread.join()
    rest.join()
    # It was begun before the model was closed, and ends as ever.
    assert len(found) == 1 and np.array_equal(found[0], expected)


def test_closing_within_a_callback_is_fine(model, tmp_path):
    gallery = doppel.Gallery.open(tmp_path / "g", "c")
    gallery.enroll(model, [DEMO / "people"], on_event=lambda _: gallery.close())
    with pytest.raises(ValueError, match="is closed"):
        gallery.people()
    with doppel.Gallery.open(tmp_path / "g") as again:
        assert len(again.people()) == 4


def test_an_exception_in_a_callback_stops_the_call_and_comes_out(model, gallery):
    class Stop(Exception):
        pass

    seen = []

    def event(e):
        seen.append(e)
        raise Stop(e.path)

    with pytest.raises(Stop, match="jpg|png"):
        gallery.enroll(model, [DEMO / "people"], on_event=event, threads=1)
    assert len(seen) == 1
    assert gallery.enroll(model, [DEMO / "people"]).n_files == 5
    with pytest.raises(Stop):
        gallery.templates(fn=lambda row: event(type("E", (), {"path": "jpg"})))
    with pytest.raises(KeyboardInterrupt):
        model.photos([DEMO / "people"], lambda seen: (_ for _ in ()).throw(KeyboardInterrupt()))


def test_an_exception_in_a_callback_raises_the_calls_flag_and_no_other():
    cancel = doppel.Cancel()
    relay = _native.Relay(cancel)
    told = relay.function(ctypes.CFUNCTYPE(None, ctypes.c_void_p), lambda: 1 / 0)
    assert relay._flag.value == 0
    told(None)
    assert relay._flag.value == 1 and not cancel.cancelled
    other = _native.Relay(cancel)
    cancel.cancel()
    assert other._flag.value == 1 == _native.Relay(cancel)._flag.value


def test_cancel_stops_a_call_from_another_thread(model, gallery):
    cancel = doppel.Cancel()
    with pytest.raises(doppel.CancelledError) as e:
        gallery.enroll(model, [DEMO / "people"], on_event=lambda _: cancel.cancel(), cancel=cancel,
                       threads=1)
    assert e.value.status == doppel.Status.CANCELLED
    assert gallery.counts.n_photos >= 1  # what was done is kept
    with pytest.raises(doppel.CancelledError):  # for good
        gallery.enroll(model, [DEMO / "people"], cancel=cancel)


def test_threads_share_a_model_and_get_the_same_bits(model):
    paths = [OBAMA, OBAMA_2, BIDEN]
    expected = [model.photo(p).vectors.copy() for p in paths]
    wrong = []

    def work(offset):
        for i in range(len(paths)):
            k = (i + offset) % len(paths)
            if not np.array_equal(model.photo(paths[k]).vectors, expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_call_lets_other_threads_run(model, tmp_path):
    photo = SlowPhoto(tmp_path)

    def give():
        photo.wait_until_read()
        photo.give_the_rest()

    thread = threading.Thread(target=give)
    thread.start()
    # A call that kept the interpreter's lock would wait in vain for what the other thread gives.
    assert model.photo(photo.path).faces
    thread.join()


def test_a_gallery_is_used_by_one_thread_at_a_time(people, model):
    answers, again = [], people.again()

    def work(gallery):
        answers.extend(gallery.query(model, OBAMA)[0].person for _ in range(5))

    threads = [threading.Thread(target=work, args=(g,)) for g in (people, people, again)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == ["Barack Obama"] * 15
    people.close()
    assert len(again.people()) == 4
    again.close()


def test_a_child_of_a_fork_is_told_to_open_its_own(people):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            people.people()
            said = b"nothing"
        except RuntimeError as e:
            said = str(e).encode()
        os.write(write, said)
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    assert b"after the fork" in os.read(read, 200)
    os.close(read)
    assert len(people.people()) == 4


def test_photos_of_another_model_are_refused(model, people):
    with doppel.Model.open(doppel.models_find("image-105.onnx"), detector=False) as other:
        photo = other.photo(OBAMA)
        with pytest.raises(ValueError, match="another model"):
            model.verify(photo, OBAMA)
        with pytest.raises(ValueError, match="another model"):
            people.query(model, photo)


def test_errors_survive_pickling():
    error = doppel.NoFaceError(doppel.Status.NO_FACE, "no face found")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is doppel.NoFaceError and again.status == error.status
    assert str(again) == again.message == "no face found"
