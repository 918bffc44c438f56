"""The server when memory is short: whichever allocation of a request fails, and all after it, the answer
is the one that it has with memory, or that there is none (503), or the connection ends; the server stays,
and answers rightly afterwards. Pictures are taken whole by a small stand-in, which is quick."""

import http.client
import json
import mmap
import os
import shutil
import struct
import tempfile

# So many times as many allocations are tried as usual: they are spread over all there are.
MORE = int(os.environ.get("DOPPEL_TEST_MORE", "1"))
os.environ["DOPPEL_TEST_MEMORY"] = os.path.abspath("memory")
with open("memory", "wb") as f:
    f.write(bytes(4096))
with open("memory", "r+b") as f:
    memory = mmap.mmap(f.fileno(), 4096)

import kit
from kit import SRCDIR, Server, form, read

ONE = read(SRCDIR, "tests", "fixtures", "image", "t0_d16.png")
TWO = read(SRCDIR, "tests", "fixtures", "image", "grey.jpg")


def let_fail(nth, all_after=False):
    memory[:24] = struct.pack("<QQQ", 0, nth, all_after)


def n_allocations():
    return struct.unpack("<Q", memory[:8])[0]


# A change is synced to the disk; in memory that takes no time.
folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
gallery = os.path.join(folder, "gallery")
server = Server(gallery, "--model", os.path.join(SRCDIR, "tests", "standins", "koch.onnx"), "--detect", "none",
                "--image-model", "none", "--text-model", "none")


def without_times(answer):
    return json.loads(json.dumps(answer.json, sort_keys=True), object_hook=lambda o: {
        k: v for k, v in o.items() if k not in ("enrolled", "seconds", "template", "photo_id", "change")})


def ask(request):
    try:
        return server.ask(*request)
    except (http.client.HTTPException, OSError, ValueError) as e:
        assert server.process.poll() is None, "%s: the server has ended: %s" % (
            request[:2], read("serve.err").decode())
        return e


def try_all(request, before=None, same=True, tries=40):
    """A request whose nth allocation fails, for every n; before makes what it is to find."""
    if before:
        before()
    let_fail(0)
    right = server.ask(*request)
    n_right = n_allocations()
    assert right.code < 300, (request[:2], right)
    n_failed = n_ended = 0
    for all_after in (False, True):
        for nth in range(1, n_right + 1, max(1, n_right // (tries * MORE))):
            if before:
                before()
            let_fail(nth, all_after)
            answer = ask(request)
            let_fail(0)
            if isinstance(answer, Exception):
                n_ended += 1
            elif answer.code == 503:
                n_failed += 1
            else:
                assert answer.code == right.code, (request[:2], nth, all_after, answer)
                assert not same or without_times(answer) == without_times(right), (request[:2], nth, answer, right)
    if before:
        before()
    again = server.ask(*request)
    assert again.code == right.code and (not same or without_times(again) == without_times(right)), again
    print("%s %s: %d times without memory, %d ended" % (*request[:2], n_failed, n_ended), flush=True)
    assert n_failed > 3


def test_reading():
    assert server.post("/v1/people/Ann/photos", ONE).code == 201
    assert server.post("/v1/people/Bob/photos", TWO).code == 201
    for path in ("/v1/people", "/v1/people/Ann", "/v1/photos?person=Ann", "/v1/photos?limit=1", "/v1/groups"):
        try_all(("GET", path))
    try_all(("GET", "/v1/health"))
    try_all(("POST", "/v1/query?threshold=0.5&k=2", ONE, "application/octet-stream"))
    try_all(("POST", "/v1/verify", *form(a=ONE, b=TWO, threshold="0.5")))
    try_all(("POST", "/v1/query?threshold=0.5&doubts=true", ONE, "application/octet-stream"))
    try_all(("POST", "/v1/verify", *form(photo=ONE, threshold="0.5", **{"as": "Ann"})))


def test_writing():
    def nobody():
        answer = server.ask("DELETE", "/v1/people/Zoe")
        assert answer.code in (200, 404), answer

    def a_person(photo=ONE):
        nobody()
        server.ask("DELETE", "/v1/people/Ann")
        answer = server.post("/v1/people/Zoe/photos", photo)
        assert answer.code == 201, answer

    def gone():
        server.ask("DELETE", "/v1/people/Ann")
        nobody()

    gone()
    try_all(("POST", "/v1/people/Zoe/photos", ONE, "application/octet-stream"), gone, same=False, tries=20)
    try_all(("PATCH", "/v1/people/Zoe", json.dumps({"name": "Ann"}), "application/json"), a_person, same=False, tries=8)
    try_all(("DELETE", "/v1/people/Zoe"), a_person, same=False, tries=8)
    gone()
    # What was not enrolled has left no file.
    photos = {row["photo"] for row in server.get("/v1/photos").json}
    kept = {os.path.join(gallery, "photos", name) for name in os.listdir(os.path.join(gallery, "photos"))}
    assert kept <= photos, (kept, photos)


def test_it_ends_as_it_should():
    server.end()


if __name__ == "__main__":
    try:
        kit.run(globals())
    finally:
        shutil.rmtree(folder)
