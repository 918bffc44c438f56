"""kit.py - a server to test: started, asked, ended. What is said in JSON is checked by docs/schema."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

# How long something may take that would never come if anything was wrong: longer than any machine needs,
# loaded or not, and less than the test's own limit.
PATIENCE_S = 600
SRCDIR = os.environ["SRCDIR"]
DOPPEL = os.environ["DOPPEL"]
DEMO = os.path.join(SRCDIR, "demo")
sys.path.insert(0, os.path.join(SRCDIR, "tests", "schema"))
try:
    import check

    CHECKER = check.Checker(os.path.join(SRCDIR, "docs", "schema"))
except SystemExit:
    CHECKER = None


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


OBAMA = read(DEMO, "people", "Barack Obama", "official-portrait.jpg")
OBAMA_2 = read(DEMO, "people", "Barack Obama", "blue-room.jpg")
BIDEN = read(DEMO, "people", "Joe Biden", "blue-room.jpg")
CONGRESS = read(DEMO, "congress.jpg")
STRANGER = read(DEMO, "stranger.jpg")
NO_FACE = read(SRCDIR, "tests", "fixtures", "image", "grey.jpg")


class Answer:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body
        self.type = headers.get("Content-Type", "")
        self.json = json.loads(body) if "json" in self.type else None
        if CHECKER and self.type == "application/problem+json":
            wrong = CHECKER.check("problem", self.json)
            assert not wrong, (wrong, body)
        elif CHECKER and self.json is not None and "openapi" not in self.json:
            for one in self.json if isinstance(self.json, list) else [self.json]:
                if "$schema" not in one:
                    wrong = CHECKER.check_answer(one)
                    assert not wrong, (wrong, one)

    def __repr__(self):
        return "%d %r" % (self.code, self.body[:600])


def form(**fields):
    """A form's body and its type; a value that is bytes is a file."""
    edge = "an-edge-of-parts"
    body = b""
    for name, value in fields.items():
        body += ("--%s\r\nContent-Disposition: form-data; name=\"%s\"" % (edge, name)).encode()
        if isinstance(value, bytes):
            body += ("; filename=\"%s.jpg\"\r\nContent-Type: image/jpeg" % name).encode()
        else:
            value = value.encode()
        body += b"\r\n\r\n" + value + b"\r\n"
    return body + ("--%s--\r\n" % edge).encode(), "multipart/form-data; boundary=" + edge


class Server:
    def __init__(self, gallery, *options, token=None, command=None, listen=True, **popen):
        self.gallery, self.token = gallery, token
        words = [DOPPEL, "serve", "--gallery", gallery, "--json", "--threads", "2"]
        words += ["--listen", "127.0.0.1:0"] if listen else []
        self.err = open("serve.err", "ab")
        self.process = subprocess.Popen(
            (command or []) + words + list(options), stdout=subprocess.PIPE, stderr=self.err, **popen
        )
        line = self.process.stdout.readline()
        assert line, "the server does not start: " + read("serve.err").decode()
        told = json.loads(line)
        if CHECKER:
            assert not CHECKER.check_answer(told), told
        host, port = told["listen"].rsplit(":", 1)
        self.address = (host.strip("[]"), int(port))

    def connect(self, timeout=PATIENCE_S):
        return socket.create_connection(self.address, timeout=timeout)

    def ask(self, method, path, body=None, type=None, token="own", **headers):
        c = http.client.HTTPConnection(*self.address, timeout=PATIENCE_S)
        try:
            headers = {k.replace("_", "-"): v for k, v in headers.items()}
            if type:
                headers["Content-Type"] = type
            token = self.token if token == "own" else token
            if token:
                headers["Authorization"] = "Bearer " + token
            c.request(method, path, body=body, headers=headers)
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def get(self, path, **k):
        return self.ask("GET", path, **k)

    def post(self, path, body=b"", type="application/octet-stream", **k):
        return self.ask("POST", path, body, type, **k)

    def say(self, method, path, **members):
        return self.ask(method, path, json.dumps(members), "application/json")

    def metric(self, name):
        for line in self.get("/v1/metrics").body.decode().splitlines():
            if line.startswith("doppel_" + name + " "):
                return int(line.split()[1])
        raise AssertionError("no metric " + name)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        self.err.close()
        assert code == 0, "the server ended with %d: %s" % (code, read("serve.err").decode())


def until(what):
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it does not come to be"
        time.sleep(0.05)


def run(tests):
    """Call the functions of a module called test_…, in their order."""
    for name, test in list(tests.items()):
        if name.startswith("test_"):
            began = time.monotonic()
            test()
            print("ok %s (%.1f s)" % (name[5:], time.monotonic() - began), flush=True)
