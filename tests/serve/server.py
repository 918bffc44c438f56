"""server.py - doppel serve answers what it should, to whom it should, and to nobody's cost.

Run in an empty folder, with DOPPEL, DOPPEL_MODELS and SRCDIR in the environment.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading

import kit
from kit import BIDEN, CONGRESS, NO_FACE, OBAMA, OBAMA_2, STRANGER, Server, form

MEGABYTE = 1 << 20
server = Server("gallery", "--max-body", "1M")


def kept():
    return sorted(os.listdir("gallery/photos"))


def files():
    return sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(".")
        for name in names
        if "gallery.db" not in name and not name.startswith("serve.err")
    )


def is_(answer, http, **members):
    assert answer.code == http, (http, answer)
    for name, value in members.items():
        assert answer.json[name] == value, (name, value, answer)
    return answer.json


# ---------------------------------------------------------------- what each route does


def test_it_tells_of_itself():
    is_(server.get("/v1/health"), 200, status="OK", read_only=False, token=False)
    assert server.get("/v1/people").json == []
    api = server.get("/v1/openapi.json").json
    # Each route that it describes is there, and each of its schemas.
    for path, methods in api["paths"].items():
        for method in methods:
            if method != "parameters":
                at = path.replace("{file}", "query.json").replace("{template}", "x")
                answer = server.ask(method.upper(), at.replace("{name}", "x").replace("{number}", "x"))
                assert answer.code not in (405,) and "nothing at this path" not in str(answer), at
    text = json.dumps(api)
    for part in text.split('"/v1/schema/')[1:]:
        name = part.split('"')[0]
        if name.endswith(".json"):
            assert server.get("/v1/schema/" + name).json["$schema"], name
    is_(server.get("/v1/schema/nothing.json"), 404)
    page = server.get("/")
    assert page.code == 200 and page.type.startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert b"http://" not in page.body and b"https://" not in page.body


def test_photos_are_enrolled_kept_and_not_twice():
    first = is_(server.post("/v1/people/Barack%20Obama/photos", OBAMA), 201, outcome="added")
    assert kit.read(first["photo"]) == OBAMA and os.stat(first["photo"]).st_mode & 0o077 == 0
    again = is_(server.post("/v1/people/Barack%20Obama/photos", OBAMA), 200, outcome="unchanged")
    assert again["photo"] == first["photo"]
    is_(server.post("/v1/people/Joe/photos", *form(photo=BIDEN)), 201, person="Joe")
    # The same content is not somebody else's as well.
    is_(server.post("/v1/people/Joe/photos", OBAMA), 409)
    is_(server.post("/v1/photos", CONGRESS), 201, schema="doppel.scan/1", n_faces=1)
    assert [p["person"] for p in server.get("/v1/people").json] == ["Barack Obama", "Joe"]
    assert len(kept()) == 3


def test_what_is_refused_is_not_kept():
    before = files()
    is_(server.post("/v1/people/Ann/photos", b"no photo"), 422, code="E_INPUT")
    is_(server.post("/v1/people/Ann/photos", NO_FACE), 422, code="E_NO_FACE")
    is_(server.post("/v1/people/Ann/photos", b""), 400, code="E_ARGUMENT")
    is_(server.post("/v1/people/Ann/photos?faces=some", OBAMA_2), 400, code="E_ARGUMENT")
    assert files() == before
    assert [p["person"] for p in server.get("/v1/people").json] == ["Barack Obama", "Joe"]


def test_photos_are_answered_and_touch_no_disk():
    before = files()
    found = is_(server.post("/v1/query?k=3&doubts=true", OBAMA_2), 200, by="face")
    assert found["faces"][0]["person"] == "Barack Obama" and found["faces"][0]["hits"]
    face = found["faces"][0]["hits"][0]["template"]
    assert server.get("/v1/faces/%d" % face).body.startswith(b"\xff\xd8")
    assert server.get("/v1/people/Joe/portrait").type == "image/jpeg"
    unknown = is_(server.post("/v1/query", *form(photo=STRANGER, k="1")), 200, photo="photo.jpg")
    assert unknown["faces"][0]["decision"] != "match"
    picture = is_(server.post("/v1/images/search", CONGRESS), 200, by="image")["picture"]
    assert picture["copy"] and picture["hits"][0]["copy"]["evidence"].startswith("same picture: ")
    assert server.get("/v1/faces/%d" % picture["hits"][0]["template"]).body.startswith(b"\xff\xd8")
    same = is_(server.post("/v1/verify", *form(a=OBAMA, b=OBAMA_2)), 200, decision="match")
    assert same["a"]["photo"] == "a.jpg" and not same["same_file"]
    is_(server.post("/v1/verify", *form(a=OBAMA, b=BIDEN, threshold="0.5")), 200, decision="no match")
    claim = is_(server.post("/v1/verify?as=Barack%20Obama", OBAMA_2), 200, decision="match")
    assert claim["claim"]["person"] == "Barack Obama"
    is_(server.post("/v1/verify", *form(photo=OBAMA_2, **{"as": "Joe"})), 200, decision="no match")
    assert files() == before


def test_rows_come_a_page_at_a_time():
    first = server.get("/v1/people?limit=1")
    assert [p["person"] for p in first.json] == ["Barack Obama"]
    link = first.headers["Link"]
    assert link.endswith('>; rel="next"')
    second = server.get(link[1 : link.index(">")])
    assert [p["person"] for p in second.json] == ["Joe"] and not second.headers["Link"]
    photos = server.get("/v1/people/Barack%20Obama").json
    assert len(photos) == 1 and photos[0]["templates"][0]["person"] == "Barack Obama"
    rows = server.get("/v1/photos").json
    assert len(rows) == 3
    assert all(row["bytes"] == os.stat(row["photo"]).st_size for row in rows)
    assert len(server.get("/v1/photos?person=Joe").json) == 1


def test_people_are_renamed_merged_grouped_and_named():
    is_(server.say("PATCH", "/v1/people/Joe", name="Joe Biden"), 200, to="Joe Biden")
    is_(server.post("/v1/people/Obama/photos", OBAMA_2), 201)
    is_(server.say("POST", "/v1/people/Obama/merge", into="Joe Biden"), 409)
    dry = server.say("POST", "/v1/people/Obama/merge", into="Barack Obama", dry_run=True)
    is_(dry, 200, dry_run=True, decision="match")
    is_(server.say("POST", "/v1/people/Obama/merge", into="Barack Obama"), 200, n_photos=1)
    assert server.get("/v1/groups").json[-1]["summary"]["n_groups"] == 0
    is_(server.post("/v1/groups"), 200)
    is_(server.say("POST", "/v1/groups/99/name", name="Ann"), 404, code="E_NOT_FOUND")
    assert server.get("/v1/dupes").json[-1]["summary"]["n_groups"] == 0


def test_faces_are_put_right_and_changes_taken_back():
    row = [p for p in server.get("/v1/photos").json if "person" not in p][0]
    face = row["templates"][0]["template"]
    path = "/v1/faces/%d/" % face
    whose = lambda: [t.get("person") for p in server.get("/v1/photos").json for t in p["templates"]
                     if t["template"] == face]
    dry = is_(server.say("POST", path + "assign", name="Joe Biden", dry_run=True), 200, dry_run=True)
    assert dry["photo"] == row["photo"] and dry["face"] == 1 and whose() == [None]
    is_(server.say("POST", path + "assign", name="Joe Biden"), 200, to="Joe Biden", template=face)
    change = is_(server.get("/v1/undo"), 200, n_owners_changed=1, dry_run=True)["change"]
    assert whose() == ["Joe Biden"]
    # Taken back only if it is the one that is meant; and again, which brings it back.
    is_(server.say("POST", "/v1/undo", change="rename"), 409)
    is_(server.say("POST", "/v1/undo", change=change), 200, dry_run=False)
    assert whose() == [None]
    is_(server.post("/v1/undo"), 200)
    assert whose() == ["Joe Biden"]
    is_(server.say("POST", path + "reject"), 200, **{"from": "Joe Biden", "not": "Joe Biden"})
    assert whose() == [None]
    is_(server.say("POST", path + "reject", name="Barack Obama"), 200, **{"not": "Barack Obama"})
    is_(server.say("POST", path + "reject"), 409)  # nobody's, and in no group
    is_(server.say("POST", path + "reject", name="Nobody"), 404)
    is_(server.say("POST", "/v1/faces/999999/reject"), 404, code="E_NOT_FOUND")
    is_(server.say("POST", path + "assign"), 400)
    is_(server.say("POST", "/v1/faces/999999/assign", name="Ann"), 404, code="E_NOT_FOUND")
    is_(server.say("POST", "/v1/faces/x/assign", name="Ann"), 400)
    picture = [t["template"] for t in row["templates"] if "face" not in t][0]
    is_(server.say("POST", "/v1/faces/%d/assign" % picture, name="Ann"), 400)
    is_(server.say("POST", "/v1/people/Joe%20Biden/apart", **{"from": "Barack Obama"}), 200)
    is_(server.say("POST", "/v1/people/Joe%20Biden/apart", **{"from": "Nobody"}), 404)
    is_(server.say("POST", "/v1/people/Joe%20Biden/apart"), 400)
    # What was enrolled here is told by whose it was to be.
    is_(server.post("/v1/people/Grace/photos", STRANGER), 201)
    is_(server.get("/v1/undo"), 200, change='enroll "Grace"')
    is_(server.post("/v1/undo"), 200)
    assert [p["person"] for p in server.get("/v1/people").json] == ["Barack Obama", "Joe Biden"]
    is_(server.post("/v1/people/Grace/photos", STRANGER), 201, outcome="added")
    is_(server.ask("DELETE", "/v1/people/Grace"), 200, n_files_removed=1)
    is_(server.get("/v1/undo"), 409)  # gone is gone
    is_(server.post("/v1/undo"), 409)


def test_photos_are_found_by_what_they_show():
    search = lambda **members: server.say("POST", "/v1/images/search", **members)
    found = is_(search(text="a man in a suit", k=2), 200, by=["picture"])
    assert len(found["hits"]) == 2 and found["hits"][0]["picture_rank"] == 1
    assert found["query"] == {"text": "a man in a suit", "n_tokens": 5}
    same = server.post("/v1/images/search", *form(text="a man in a suit", k="2"))
    assert same.json == found
    decided = is_(search(text="a man", threshold=1), 200)
    assert {hit["decision"] for hit in decided["hits"]} == {"no match"}
    assert "auto, caption or image" in is_(search(text="a man", by="face"), 400)["detail"]
    is_(search(text=""), 422, code="E_INPUT")
    is_(search(), 400)
    is_(search(text="a man", by="caption"), 409)  # none are kept
    is_(server.post("/v1/images/search?text=a%20man", OBAMA), 400)
    is_(server.post("/v1/images/search", *form(text="a man", photo=OBAMA)), 400)


def test_the_forgotten_are_gone_with_their_files():
    dry = is_(server.ask("DELETE", "/v1/people/Joe%20Biden?dry_run=true"), 200, dry_run=True)
    assert dry["n_photos"] == 1 and len(kept()) == 4
    receipt = is_(server.ask("DELETE", "/v1/people/Joe%20Biden"), 200, n_files_removed=1)
    assert receipt["n_left"] == 0 and receipt["n_strings_left"] == 0
    is_(server.ask("DELETE", "/v1/people/Joe%20Biden"), 404)
    is_(server.get("/v1/people/Joe%20Biden"), 404)
    photo = server.get("/v1/photos").json[0]["photo"]
    is_(server.ask("DELETE", "/v1/photos?photo=" + photo), 200, n_files_removed=1)
    assert len(kept()) == 2
    # Who is forgotten gets a receipt, which the audit confirms, and is not in the audit.
    with open("receipt", "w") as f:
        json.dump(receipt["receipt"], f)
    subprocess.run([kit.DOPPEL, "audit", "receipt", "--gallery", "gallery"], check=True,
                   stdout=subprocess.DEVNULL)
    text = kit.read("gallery", "audit.jsonl").decode()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["what"] for line in lines][-2:] == ["forget", "forget"]
    assert {"enroll", "scan", "assign", "reject", "undo: assign", "merge"} <= {line["what"] for line in lines}
    assert {line["user"] for line in lines} == {"serve"}
    assert "Biden" not in text and "Obama" not in text and "photos/" not in text


# ---------------------------------------------------------------- what cannot be


def test_what_is_no_request_is_told_so():
    is_(server.get("/v1/nothing"), 404)
    wrong = server.ask("PUT", "/v1/people")
    is_(wrong, 405)
    assert wrong.headers["Allow"] == "GET"
    for path in ("/v1/people/%zz", "/v1/people/%00", "/v1/people?after=%f", "/a/b/c/d/e/f/g/h"):
        is_(server.get(path), 400)
    for query in ("fmr=2", "fmr=x", "fmr=0,1", "fmr=nan", "k=0", "by=luck", "fmr=.1&threshold=.5"):
        is_(server.post("/v1/query?" + query, OBAMA), 400, code="E_ARGUMENT")
    is_(server.say("PATCH", "/v1/people/Ann"), 400)
    is_(server.ask("PATCH", "/v1/people/Ann", "[1]", "application/json"), 400)
    is_(server.ask("PATCH", "/v1/people/Ann", '{"name": {}}', "application/json"), 400)
    is_(server.ask("PATCH", "/v1/people/Ann", "{" * 4000, "application/json"), 400)
    is_(server.post("/v1/verify", *form(a=OBAMA)), 400)
    is_(server.post("/v1/query", b"--x", "multipart/form-data"), 400)
    is_(server.post("/v1/query", b"--x\r\nnothing", "multipart/form-data; boundary=x"), 400)
    is_(server.get("/v1/faces/none"), 400)
    is_(server.get("/v1/faces/999999"), 404)
    is_(server.post("/v1/verify?as=Nobody", OBAMA), 404, code="E_NO_PERSON")


def test_a_parameter_that_is_misspelt_is_told_with_those_that_are():
    is_(server.post("/v1/query?thresold=.9", OBAMA), 400, code="E_ARGUMENT")
    is_(server.post("/v1/query", *form(photo=OBAMA, thresold=".9")), 400, code="E_ARGUMENT")
    is_(server.say("POST", "/v1/people/Ann/merge", int="Joe"), 400, code="E_ARGUMENT")
    is_(server.post("/v1/verify?as=Ann&fpir=.1", OBAMA), 400, code="E_ARGUMENT")
    # The description has the parameters that there are, by each way.
    for path, methods in server.get("/v1/openapi.json").json["paths"].items():
        at = path.replace("{", "").replace("}", "")
        for method, what in methods.items():
            if method == "parameters" or at in ("/v1/health", "/v1/openapi.json", "/v1/schema/file"):
                continue
            named = {p["name"] for p in what.get("parameters", []) if p["in"] == "query"}
            for content in what.get("requestBody", {}).get("content", {}).values():
                named |= {k for k, v in content["schema"].get("properties", {}).items()
                          if v.get("format") != "binary"}
            detail = is_(server.ask(method.upper(), at + "?luck=1"), 400)["detail"]
            assert set(detail.partition("; there are: ")[2].split()) == named, (method, at, detail, named)


def test_bodies_over_the_limit_are_refused_before_they_come():
    c = server.connect()
    c.sendall(b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")
    assert c.recv(4096).startswith(b"HTTP/1.1 413 ")
    c.close()
    # One that does not say its length is heard to the limit, and refused.
    c = server.connect()
    c.sendall(b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    c.sendall(b"180000\r\n" + bytes(0x180000) + b"\r\n0\r\n\r\n")
    assert c.recv(4096).startswith(b"HTTP/1.1 413 ")
    c.close()
    is_(server.post("/v1/query", *form(note="x" * 70000)), 413)


def test_other_sites_and_other_names_do_not_get_in():
    is_(server.get("/v1/people", Host="evil.example"), 403)
    is_(server.get("/v1/people", Host="127.0.0.1.evil.example"), 403)
    is_(server.get("/v1/people", Host="localhost:1"), 200)
    is_(server.post("/v1/groups", Origin="https://evil.example"), 403)
    is_(server.post("/v1/groups", Origin="null"), 403)
    is_(server.get("/v1/people", Sec_Fetch_Site="cross-site"), 403)
    own = "http://127.0.0.1:%d" % server.address[1]
    is_(server.get("/v1/people", Origin=own, Sec_Fetch_Site="same-origin"), 200)


def test_a_request_without_a_host_is_told_so():
    c = server.connect()
    c.sendall(b"GET /v1/people HTTP/1.0\r\n\r\n")
    assert b'"Host\\" is missing' in c.recv(4096)
    c.close()


def test_cut_off_and_contradicting_requests_leave_nothing():
    head = b"POST /v1/people/Cut/photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    for sent in (b"POST /v1/que", b"GET / HTTP/1.1\r\nHost: loc", head % 5000 + OBAMA[:2000]):
        c = server.connect()
        c.sendall(sent)
        c.close()
    for lengths in (b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: -1", b"Content-Length: x"):
        c = server.connect()
        c.sendall(b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\n" + lengths + b"\r\n\r\nhello")
        answer = c.recv(4096)
        assert not answer or answer[9:12] == b"400" or lengths.count(b":") == 2, answer
        c.close()
    kit.until(lambda: server.metric("bodies_bytes") == 0 and server.metric("requests_in_work") == 1)
    assert all(p["person"] != "Cut" for p in server.get("/v1/people").json)


def test_slow_clients_are_let_go_and_nobody_waits_for_them():
    # One of its own: by a clock as short as this whoever asks may be too slow on a loaded machine.
    other = Server("gallery", "--read-only", "--timeout", "2")
    slow = [other.connect() for _ in range(20)]
    for c in slow:
        c.sendall(b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n")
    gone = set()

    def all_are_gone():
        for i, c in enumerate(slow):
            if i not in gone:
                try:
                    c.sendall(b"x")  # a byte now and then
                except OSError:
                    gone.add(i)
        is_(other.get("/v1/health"), 200)
        return len(gone) == len(slow)

    kit.until(all_are_gone)
    assert other.metric("clients_too_slow_total") >= len(slow)
    for c in slow:
        c.close()
    other.end()


def test_many_idle_connections_starve_nobody():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = int(os.environ.get("CONNECTIONS", 1000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, n + 200), hard))
    n = min(n, hard - 200)
    idle = [server.connect() for _ in range(n)]
    is_(server.post("/v1/query", OBAMA_2), 200)
    for c in idle:
        c.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    kit.until(lambda: server.metric("connections") < 10)


# ---------------------------------------------------------------- many at once


def test_who_asks_alone_and_who_asks_among_others_are_told_the_same():
    alone = server.post("/v1/query", OBAMA).body
    answers = []

    def ask():
        answers.append(server.post("/v1/query", OBAMA).body)

    asking = [threading.Thread(target=ask) for _ in range(6)]
    for t in asking:
        t.start()
    for t in asking:
        t.join()
    assert answers == [alone] * 6


def test_readers_and_a_writer_do_not_disturb_each_other():
    wrong = []

    def read():
        for _ in range(3):
            answer = server.post("/v1/query?k=1", OBAMA)
            if answer.code != 200 or answer.json["faces"][0].get("person") != "Barack Obama":
                wrong.append(answer)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for r in readers:
        r.start()
    for _ in range(2):
        is_(server.post("/v1/people/Joe/photos", BIDEN), 201)
        is_(server.ask("DELETE", "/v1/people/Joe"), 200, n_left=0, n_strings_left=0)
    for r in readers:
        r.join()
    assert not wrong, wrong
    assert len(kept()) == 2


def test_it_is_in_the_sandbox():
    status = kit.read("/proc/%d/status" % server.process.pid).decode()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status


def test_ending_finishes_what_runs():
    answers = []

    def ask():
        answers.append(server.post("/v1/query", OBAMA).code)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for t in asking:
        t.start()
    # All four are in.
    kit.until(lambda: server.metric("requests_in_work") + len(answers) >= 5)
    server.end()
    for t in asking:
        t.join()
    assert answers == [200] * 4, answers
    left = set(os.listdir("gallery"))
    assert left == {"gallery.db", "gallery.lock", "photos", "audit.jsonl"} or left == {
        "gallery.db", "photos", "audit.jsonl"}, left


# ---------------------------------------------------------------- other servers


def test_a_photo_of_nobody_is_removed_at_the_start_and_others_are_not():
    lost = "gallery/photos/" + "a" * 64 + ".jpeg"
    for path in (lost, lost + ".new", "gallery/photos/holiday.jpg"):
        with open(path, "wb") as f:
            f.write(STRANGER)
    n = len(kept())
    other = Server("gallery", "--audit")
    assert len(kept()) == n - 2 and "holiday.jpg" in kept()
    # Each question has its line, though two ask at once.
    asked = [threading.Thread(target=other.post, args=("/v1/query", OBAMA)) for _ in range(2)]
    for t in asked:
        t.start()
    for t in asked:
        t.join()
    other.end(signal.SIGINT)
    lines = kit.read("gallery", "audit.jsonl").decode().splitlines()
    assert [json.loads(line)["what"] for line in lines][-2:] == ["query", "query"]
    subprocess.run([kit.DOPPEL, "audit", "--gallery", "gallery"], check=True, stdout=subprocess.DEVNULL)
    os.unlink("gallery/photos/holiday.jpg")


def test_a_token_lets_in_and_a_reader_changes_nothing():
    token = "a-token-of-the-tests"
    with open("tokens", "w") as f:
        f.write("# who may ask\n\nanother-token-of-them\n%s\n" % token)
    os.chmod("tokens", 0o600)
    other = Server("gallery", "--read-only", "--token-file", "tokens", token=token)
    is_(other.get("/v1/health", token=None), 200, read_only=True, token=True)
    assert other.get("/", token=None).code == 200
    refused = other.get("/v1/people", token=None)
    is_(refused, 401)
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    for wrong in ("a-token-of-the-test", token + "s", "", "x" * 5000, "# who may ask"):
        is_(other.get("/v1/people", token=wrong), 401)
        is_(other.post("/v1/query", OBAMA, token=wrong), 401)
    is_(other.get("/v1/people", Host="faces.example", Origin="https://faces.example"), 200)
    is_(other.post("/v1/query", OBAMA), 200)
    is_(other.post("/v1/people/Ann/photos", OBAMA), 403)
    is_(other.ask("DELETE", "/v1/people/Barack%20Obama"), 403)
    other.end()


def refuses(code, *options):
    p = subprocess.run(
        [kit.DOPPEL, "serve", "--gallery", "gallery", *options], stdin=subprocess.DEVNULL,
        capture_output=True, timeout=kit.PATIENCE_S)
    assert p.returncode == code, (code, p)
    return p.stderr.decode()


def test_it_does_not_listen_where_it_should_not():
    assert "--token-file" in refuses(2, "--listen", "0.0.0.0:0")
    assert "no address" in refuses(2, "--listen", "256.1.1.1:x")
    assert "at least" in refuses(2, "--max-body", "10")
    os.chmod("tokens", 0o644)
    assert "chmod 600" in refuses(3, "--token-file", "tokens")
    for text in ("short\n", "# none\n", "with a blank in it\n", "a-token-of-the-tests\ra-second-token-there\r"):
        with open("few", "w") as f:
            f.write(text)
        os.chmod("few", 0o600)
        assert "\"few\" holds" in refuses(3, "--token-file", "few")
    assert "nowhere" in refuses(3, "--token-file", "nowhere")


def test_a_socket_that_is_passed_is_listened_on():
    with socket.create_server(("127.0.0.1", 0)) as s:
        number = s.getsockname()[1]
        passed = {"LISTEN_FDS": "1"}
        command = ["sh", "-c", "exec env LISTEN_PID=$$ \"$@\" 3<&%d" % s.fileno(), "sh"]
        other = Server("gallery", "--read-only", command=command, listen=False,
                       env={**os.environ, **passed}, pass_fds=[s.fileno()])
        assert other.address[1] == number
        is_(other.get("/v1/health"), 200)
        other.end()
        # Who comes while nobody serves is answered by the next.
        late = socket.create_connection(("127.0.0.1", number), timeout=kit.PATIENCE_S)
        late.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        other = Server("gallery", "--read-only", command=command, listen=False,
                       env={**os.environ, **passed}, pass_fds=[s.fileno()])
        assert late.recv(4096).startswith(b"HTTP/1.1 200 ")
        late.close()
        other.end()


try:
    kit.run(globals())
finally:
    if server.process.poll() is None:
        server.process.kill()
