"""browser.py - the page, used as people do, in Chromium: WebDriver (W3C) by plain HTTP.

Run in an empty folder, with DOPPEL, DOPPEL_MODELS and SRCDIR in the environment; skipped (77) where
there is no chromedriver. With SCREENSHOTS=DIR pictures of each view go there.
"""

import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time

if not shutil.which("chromedriver"):
    print("no chromedriver: the page is not tested")
    sys.exit(77)

import kit
from kit import DEMO, OBAMA, SRCDIR, Server

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
OBAMA_FILE = os.path.join(DEMO, "people", "Barack Obama", "official-portrait.jpg")
OBAMA_2_FILE = os.path.join(DEMO, "people", "Barack Obama", "blue-room.jpg")
BIDEN_FILE = os.path.join(DEMO, "people", "Joe Biden", "blue-room.jpg")


class Failed(Exception):
    pass


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = (re.search(r"started successfully on port (\d+)", line) for line in self.driver.stdout)
        started = next(filter(None, said), None)
        assert started, "chromedriver does not start"
        self.port = int(started[1])
        options = {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                     "--user-data-dir=" + os.path.abspath("profile"), "--window-size=1280,900"]
        }
        self.session = ""
        made = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = "/session/" + made["sessionId"]

    def ask(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=kit.PATIENCE_S)
        c.request(method, path, json.dumps(body) if body is not None else None,
                  {"Content-Type": "application/json"})
        value = json.loads(c.getresponse().read())["value"]
        c.close()
        if isinstance(value, dict) and "error" in value:
            raise Failed(value["message"][:2000])
        return value

    def do(self, method, path, **body):
        return self.ask(method, self.session + path, body if method == "POST" else None)

    def go(self, url):
        self.do("POST", "/url", url=url)

    def js(self, script, *args):
        return self.do("POST", "/execute/sync", script=script, args=list(args))

    def find(self, css):
        """The element, once it is there and shown."""
        found = []

        def is_there():
            found[:] = self.do("POST", "/elements", using="css selector", value=css)
            return found and self.do("GET", "/element/%s/displayed" % found[0][ELEMENT])

        kit.until(is_there)
        return found[0][ELEMENT]

    def click(self, css):
        self.do("POST", "/element/%s/click" % self.find(css))

    def type(self, css, text):
        self.do("POST", "/element/%s/value" % self.find(css), text=text)

    def text(self, css):
        return self.do("GET", "/element/%s/text" % self.find(css))

    def sees(self, css, *words):
        """Wait until the element has these words."""
        text = [""]

        def has():
            try:
                text[0] = self.text(css)
            except Failed:
                return False  # it was just made anew
            return all(word in text[0] for word in words)

        try:
            kit.until(has)
        except AssertionError:
            raise AssertionError("%s does not say %s, but: %s" % (css, words, text[0]))

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.do("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def look(self, name):
        """At both widths nothing is wider than the window; with SCREENSHOTS, pictures of it."""
        for width in (1280, 390):
            self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=844,
                          deviceScaleFactor=1, mobile=width < 600)
            kit.until(lambda: self.js("return innerWidth") == width)
            wide = self.js("return [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length"
                           " && !e.closest('.skip') && e.getBoundingClientRect().right > innerWidth + 1)"
                           ".map(e => e.tagName + '.' + e.className + '#' + e.id)")
            assert not wide, (name, width, wide)
            folder = os.environ.get("SCREENSHOTS")
            if folder:
                time.sleep(0.3)
                for scheme in ("light", "dark"):
                    self.devtools("Emulation.setEmulatedMedia",
                                  features=[{"name": "prefers-color-scheme", "value": scheme}])
                    shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
                    with open("%s/%s-%d-%s.png" % (folder, name, width, scheme), "wb") as f:
                        f.write(base64.b64decode(shot["data"]))
                self.devtools("Emulation.setEmulatedMedia", features=[])
        self.devtools("Emulation.clearDeviceMetricsOverride")

    def devtools(self, command, **params):
        return self.do("POST", "/goog/cdp/execute", cmd=command, params=params)

    def complaints(self):
        """What the browser has said against the page: a policy that was broken, an exception."""
        return [e["message"] for e in self.do("POST", "/se/log", type="browser")
                if "Failed to load resource" not in e["message"]]

    def end(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=kit.PATIENCE_S)
            self.driver.stdout.close()


server = Server("gallery")
home = "http://127.0.0.1:%d/" % server.address[1]
browser = Browser()


def is_quiet():
    complaints = browser.complaints()
    assert not complaints, complaints


def test_an_unknown_photo_is_enrolled():
    browser.go(home)
    browser.type("#who-file", BIDEN_FILE)
    browser.sees("#who-answer article", "Unknown")
    browser.type("#enrol-name", "Joe Biden")
    browser.click("#enrol [type=submit]")
    browser.sees("#done", "is enrolled as Joe Biden")
    browser.type("#who-file", OBAMA_FILE)
    browser.sees("#who-answer article .verdict", "Unknown")
    browser.type("#enrol-name", "Barack Obama")
    browser.click("#enrol [type=submit]")
    browser.sees("#done", "is enrolled as Barack Obama")


def test_a_known_face_is_named_and_it_is_said_why():
    browser.type("#who-file", OBAMA_2_FILE)
    browser.sees("#who-answer article", "Barack Obama", "score 0.8", "a stranger scores this high")
    kit.until(lambda: browser.js("return document.querySelector('#who-answer .strip img').naturalWidth") > 0)
    assert browser.js("return document.querySelectorAll('#who-answer svg rect').length") == 1
    browser.look("who")


def test_two_photos_are_compared_by_the_keyboard():
    browser.js("document.querySelector('nav a[href=\"#compare\"]').focus()")
    browser.keys("\ue007")
    browser.type("#compare-a", OBAMA_FILE)
    browser.type("#compare-b", OBAMA_2_FILE)
    browser.js("document.getElementById('compare-b').focus()")
    browser.keys("\ue004", "\ue007")
    browser.sees("#compare-answer article", "Match: the same person")
    browser.look("compare")


def test_what_cannot_be_is_told():
    with open("no-photo.jpg", "w") as f:
        f.write("no photo")
    browser.click("nav a[href='#who']")
    browser.type("#who-file", os.path.abspath("no-photo.jpg"))
    browser.sees("#problem", "no-photo.jpg", "is neither a JPEG")
    browser.type("#who-file", os.path.join(SRCDIR, "tests", "fixtures", "image", "grey.jpg"))
    browser.sees("#who-answer", "No face")
    browser.type("#enrol-name", "Ann")
    browser.click("#enrol [type=submit]")
    browser.sees("#problem", "no face")
    browser.look("problem")


def test_a_camera_takes_a_photo():
    browser.click("nav a[href='#who']")
    browser.click("#shoot")
    browser.find("#camera-dialog[open]")
    kit.until(lambda: browser.js("return document.getElementById('camera').videoWidth") > 0)
    browser.click("#camera-shoot")
    browser.sees("#who-answer", "No face")


def test_a_group_is_gathered_and_named():
    # Photos of nobody: the first by the page, the second by a program.
    browser.go(home + "#people")
    browser.sees("#people-list", "Barack Obama")
    receipt = server.ask("DELETE", "/v1/people/Barack%20Obama")
    assert receipt.code == 200
    browser.go("about:blank")
    browser.go(home)
    browser.type("#who-file", OBAMA_2_FILE)
    browser.sees("#who-answer article", "Unknown")
    browser.click("#enrol-nobody")
    browser.sees("#done", "is enrolled")
    assert server.post("/v1/photos", OBAMA).code == 201
    browser.click("nav a[href='#groups']")
    browser.sees("#groups-list", "There are no groups")
    browser.click("#groups-make")
    browser.sees("#groups-list .group", "2 faces in 2 photos")
    kit.until(lambda: browser.js("return [...document.querySelectorAll('.group img')].every(i => i.naturalWidth)"))
    browser.look("groups")
    # A program may say that a face is not who its group shows.
    face = [t["template"] for p in server.get("/v1/photos").json for t in p["templates"]
            if "face" in t and "person" not in t][0]
    out = server.say("POST", "/v1/faces/%d/reject" % face, dry_run=True)
    assert out.code == 200 and out.json["group"] == 1, out
    browser.type(".group input", "Barack <b>Obama</b>")
    browser.click(".group button")
    browser.sees("#done", "2 faces named Barack <b>Obama</b>", "Undo")


def test_people_are_renamed_added_to_and_forgotten():
    browser.click("nav a[href='#people']")
    browser.sees("#people-list", "Barack <b>Obama</b>", "Joe Biden")
    kit.until(lambda: browser.js("return [...document.querySelectorAll('#people-list img')].every(i => i.naturalWidth)"))
    browser.look("people")
    browser.click("#people-list li:first-child a")
    browser.sees("#person-name", "Barack <b>Obama</b>")
    browser.type("#person-new", "Barack Obama")
    browser.click("#person-rename [type=submit]")
    browser.sees("#person-name", "Barack Obama")
    browser.sees("#done", "is Barack Obama now")
    browser.find("#person-faces img")
    browser.type("#person-files", os.path.join(DEMO, "congress.jpg"))
    browser.click("#person-add [type=submit]")
    kit.until(lambda: browser.js("return document.querySelectorAll('#person-faces img').length") == 3)
    browser.look("person")
    browser.click("#person-forget")
    browser.sees("#ask-text", "Forget Barack Obama: 3 photos")
    browser.click("#ask-yes")
    browser.sees(".receipt", "Forgot Barack Obama: 3 photos", "none")
    browser.sees("#people-list", "Joe Biden")
    assert [p["person"] for p in server.get("/v1/people").json] == ["Joe Biden"]


def test_what_was_done_is_put_right_and_taken_back():
    faces = "return document.querySelectorAll('#person-faces img').length"
    browser.click("#people-list li:first-child a")
    browser.sees("#person-name", "Joe Biden")
    browser.type("#person-files", OBAMA_2_FILE)
    browser.click("#person-add [type=submit]")
    kit.until(lambda: browser.js(faces) == 2)
    whose = lambda: [t.get("person") for p in server.get("/v1/photos").json for t in p["templates"] if "face" in t]
    assert whose() == ["Joe Biden"] * 2
    browser.js("document.querySelectorAll('#person-faces button')[1].focus()")
    browser.keys("\ue007")
    browser.sees("#done", "The face is not Joe Biden's.")
    assert sorted(whose(), key=str) == ["Joe Biden", None] and browser.js(faces) == 1
    browser.look("done")
    browser.click("#done button")
    browser.sees("#done", "Taken back.")
    kit.until(lambda: browser.js(faces) == 2)
    assert whose() == ["Joe Biden"] * 2
    # What somebody else has changed since is not taken back.
    browser.type("#person-new", "Joe")
    browser.click("#person-rename [type=submit]")
    browser.sees("#done", "Joe Biden is Joe now.")
    server.say("PATCH", "/v1/people/Joe", name="Joseph")
    browser.click("#done button")
    browser.sees("#problem", "the last change is another one")
    server.say("PATCH", "/v1/people/Joseph", name="Joe Biden")
    second = [p["photo"] for p in server.get("/v1/photos").json if kit.read(p["photo"]) == kit.OBAMA_2]
    assert server.ask("DELETE", "/v1/photos?photo=" + second[0]).code == 200


def test_copies_are_looked_for():
    browser.click("nav a[href='#copies']")
    browser.click("#copies-look")
    browser.sees("#copies-list", "1 photo: 0 copies, 0 bursts")
    browser.look("copies")


def test_a_token_is_asked_for_and_a_wrong_one_refused():
    global server, home
    is_quiet()
    server.end()
    with open("tokens", "w") as f:
        f.write("a-token-of-the-tests\n")
    os.chmod("tokens", 0o600)
    server = Server("gallery", "--token-file", "tokens", token="a-token-of-the-tests")
    home = "http://127.0.0.1:%d/" % server.address[1]
    browser.go(home + "#people")
    browser.type("#token", "not-a-token-of-theirs")
    browser.click("#token-form button")
    browser.sees("#token-why", "not one of the server's tokens")
    browser.look("token")
    browser.type("#token", "a-token-of-the-tests")
    browser.keys("\ue007")
    browser.sees("#people-list", "Joe Biden")
    kit.until(lambda: browser.js("return document.querySelector('#people-list img').naturalWidth") > 0)
    is_quiet()


try:
    kit.run(globals())
    server.end()
finally:
    browser.end()
    if server.process.poll() is None:
        server.process.kill()
