// The page over the routes of doppel serve. No framework; what comes from outside is set as text, never
// as markup.
"use strict";

const $ = (id) => document.getElementById(id);
const sections = ["who", "compare", "people", "person", "groups", "copies"];
let token = sessionStorage.getItem("doppel-token") || "";
let photo = null; // the one that was asked about
let busy = 0;

// ---------------------------------------------------------------- the server

class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || "the server does not answer");
    this.status = status;
    this.code = problem.code || "";
  }
}

async function fetched(method, path, body, type) {
  for (;;) {
    const headers = {};
    if (token) headers.Authorization = "Bearer " + token;
    if (type) headers["Content-Type"] = type;
    let answer;
    try {
      answer = await fetch(path, { method, headers, body });
    } catch {
      throw new Problem(0, { detail: "The server cannot be reached." });
    }
    if (answer.ok) return answer;
    let problem = {};
    try {
      problem = await answer.json();
    } catch { /* no reason is given */ }
    if (answer.status !== 401) throw new Problem(answer.status, problem);
    await askToken(token !== "");
  }
}

const ask = async (method, path, body, type) => (await fetched(method, path, body, type)).json();
const say = (method, path, object) => ask(method, path, JSON.stringify(object), "application/json");
const personPath = (name, rest = "") => "/v1/people/" + encodeURIComponent(name) + rest;

function formOf(files) {
  const form = new FormData();
  for (const [name, file] of Object.entries(files)) form.append(name, file, file.name || "photo.jpg");
  return form;
}

// ---------------------------------------------------------------- telling

function problem(error) {
  const words = error instanceof Problem ? error.message : String(error.message || error);
  $("problem").textContent = words;
  $("problem").hidden = false;
  $("problem").scrollIntoView({ block: "nearest" });
}

// Do what takes time, and tell of it; false: it failed, and why is told.
async function during(words, work) {
  busy++;
  $("problem").hidden = true;
  $("busy").textContent = words + " …";
  $("busy").hidden = false;
  try {
    await work();
    return true;
  } catch (error) {
    problem(error);
    return false;
  } finally {
    busy--;
    $("busy").hidden = busy === 0;
  }
}

// What was done, and a button that takes it back, if nobody has changed anything since.
let stays = false; // over the way to another view
async function tellDone(words, isElsewhere = false) {
  const { change } = await ask("GET", "/v1/undo");
  const button = make("button", { type: "button", class: "quiet" }, "Undo");
  button.addEventListener("click", () => during("Taking it back", async () => {
    await say("POST", "/v1/undo", { change });
    $("done").replaceChildren("Taken back.");
    stays = true;
    if (shown && location.hash.startsWith("#person/")) {
      const people = await ask("GET", "/v1/people?limit=1000");
      if (!people.some((p) => p.person === shown)) location.hash = "#people";
    }
    show();
  }));
  $("done").replaceChildren(words + " ", button);
  $("done").hidden = false;
  stays = isElsewhere;
}

function askUser(question) {
  const dialog = $("ask-dialog");
  $("ask-text").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  $("ask-no").focus();
  return new Promise((done) =>
    dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

let asking = null;
function askToken(isWrong) {
  if (asking) return asking;
  const dialog = $("token-dialog");
  $("token-why").hidden = !isWrong;
  $("token").value = "";
  dialog.showModal();
  asking = new Promise((done, refuse) =>
    dialog.addEventListener("close", () => {
      asking = null;
      token = $("token").value.trim();
      if (!token) {
        refuse(new Problem(401, { detail: "Without a token the server answers nothing." }));
        return;
      }
      sessionStorage.setItem("doppel-token", token);
      done();
    }, { once: true }));
  return asking;
}

// ---------------------------------------------------------------- elements

function make(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(properties))
    if (key === "class") e.className = value;
    else if (key in e) e[key] = value;
    else e.setAttribute(key, value);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

// A picture of the server's, which wants the token with it.
function picture(path, alt) {
  const img = make("img", { alt, loading: "lazy" });
  fetched("GET", path).then((a) => a.blob()).then((blob) => {
    img.src = URL.createObjectURL(blob);
    img.addEventListener("load", () => URL.revokeObjectURL(img.src), { once: true });
  }).catch(() => { img.alt = alt + " (no picture)"; });
  return img;
}

const count = (n, word) => n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");

function rateWords(rate) {
  if (!rate) return "";
  const most = rate.beyond ? rate.high : rate.rate;
  const often = most >= 0.01 ? (100 * most).toPrecision(2) + " % of pairs"
    : "once in " + Math.round(1 / most).toLocaleString("en") + " pairs";
  return (rate.beyond && most < 0.5 ? "less than " : "") + (most >= 0.01 ? "in " : "") + often;
}

function why(c) {
  const rate = rateWords(c.fmr);
  return "score " + c.score.toFixed(3) + (rate ? "; a stranger scores this high " + rate : "");
}

const fileName = (path) => path.slice(path.lastIndexOf("/") + 1);
const shortName = (path) => (/^[0-9a-f]{64}\./.test(fileName(path)) ? fileName(path).slice(0, 8) + "…" : fileName(path));

// ---------------------------------------------------------------- who is it?

function photoWithBoxes(file, faces) {
  const img = make("img", { alt: "the photo" });
  const figure = make("figure", { class: "photo" }, img);
  const space = "http://www.w3.org/2000/svg";
  img.src = URL.createObjectURL(file);
  img.addEventListener("error", () => { figure.hidden = true; }, { once: true });
  img.addEventListener("load", () => {
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 " + img.naturalWidth + " " + img.naturalHeight);
    svg.setAttribute("aria-hidden", "true");
    const size = Math.max(img.naturalWidth, img.naturalHeight) / 22;
    for (const f of faces) {
      const [x, y, w, h] = f.box;
      const rect = document.createElementNS(space, "rect");
      const text = document.createElementNS(space, "text");
      for (const [k, v] of Object.entries({ x, y, width: w, height: h })) rect.setAttribute(k, v);
      for (const [k, v] of Object.entries({ x: x + 4, y: y + size, "font-size": size, "stroke-width": size / 8 }))
        text.setAttribute(k, v);
      text.textContent = f.face;
      svg.append(rect, text);
    }
    figure.append(svg);
    URL.revokeObjectURL(img.src);
  }, { once: true });
  return figure;
}

function hitsStrip(hits) {
  const strip = make("div", { class: "strip" });
  for (const hit of hits.slice(0, 6))
    strip.append(make("figure", {}, picture("/v1/faces/" + hit.template, hit.person || "nobody's face"),
      make("figcaption", {}, (hit.person || "nobody") + ", " + hit.score.toFixed(2))));
  return strip;
}

const verdictClass = (decision) => "verdict " + (decision || "none").replace(" ", "-");

function faceCard(face, n) {
  const card = make("article", { class: "card" });
  const first = face.candidates && face.candidates[0];
  const words = face.decision === "match" ? face.person
    : face.decision === "inconclusive" ? "Inconclusive: perhaps " + (first ? first.person : "somebody")
    : face.decision === "too poor" ? "Too poor to tell" : "Unknown";
  card.append(make("h2", {}, n > 1 ? "Face " + face.face : "The face"),
    make("p", { class: verdictClass(face.decision) }, words));
  if (face.decision === "too poor")
    card.append(make("p", { class: "soft" }, "least good: " + (face.quality.weakest || "its quality")));
  if (first) {
    card.append(make("p", { class: "soft" }, (face.decision === "match" ? "" : "most like " + first.person + ": ") + why(first)));
    card.append(make("p", { class: "soft" }, "compared with " +
      (first.compared === "mean" ? "the mean of " : "") + count(first.n_compared, "photo") + " of " + first.person));
  }
  if (face.two_people_match)
    card.append(make("p", { class: "soft" }, "Two people match: a photo of one may be enrolled as the other."));
  if (face.hits.length) card.append(hitsStrip(face.hits));
  return card;
}

async function look(file) {
  photo = file;
  $("enrol").hidden = $("done").hidden = true;
  $("who-answer").replaceChildren();
  await during("Looking", async () => {
    let answer;
    try {
      answer = await ask("POST", "/v1/query?k=6", formOf({ photo: file }));
    } finally {
      $("enrol").hidden = false; // to the gallery it may go, whatever is in it
    }
    const list = make("div");
    for (const face of answer.faces) list.append(faceCard(face, answer.faces.length));
    if (answer.picture) {
      const p = answer.picture;
      list.append(make("article", { class: "card" }, make("h2", {}, "No face: by the whole picture"),
        make("p", { class: verdictClass(p.decision) }, p.copy ? "A copy of a picture in the gallery" : "No copy of it is in the gallery"),
        p.hits[0] && p.hits[0].copy ? make("p", { class: "soft" }, p.hits[0].copy.evidence + " (" + p.hits[0].photo.split("/").pop() + ")") : null,
        hitsStrip(p.hits)));
    }
    $("who-answer").replaceChildren(make("div", { class: "answer with-photo" }, photoWithBoxes(file, answer.faces), list));
    await loadNames();
  });
}

async function enrol(name, faces) {
  const path = name === null ? "/v1/photos" : personPath(name, "/photos?faces=" + faces);
  await during("Enrolling", async () => {
    const answer = await ask("POST", path, formOf({ photo }));
    const words = answer.outcome === "unchanged" ? "was there already" : "is enrolled";
    $("enrol").hidden = true;
    $("enrol-name").value = "";
    const told = "The photo " + words + (name === null ? "; groups tell who it may be." : " as " + name + ".");
    if (answer.outcome === "unchanged") $("who-answer").prepend(make("p", { class: "card match", role: "status" }, told));
    else await tellDone(told);
    await loadNames();
  });
}

// ---------------------------------------------------------------- compare

async function compare(a, b) {
  await during("Comparing", async () => {
    const answer = await ask("POST", "/v1/verify", formOf({ a, b }));
    const words = { match: "Match: the same person", "no match": "No match, as far as the score tells",
      inconclusive: "Inconclusive: it cannot be told at this rate" }[answer.decision] || "No decision";
    $("compare-answer").replaceChildren(make("article", { class: "card" },
      make("p", { class: verdictClass(answer.decision) }, words),
      make("p", { class: "soft" }, why(answer)),
      answer.same_file ? make("p", { class: "soft" }, "Both are the same file: that says nothing of who is in it.") : null,
      make("div", { class: "two" }, photoWithBoxes(a, [answer.a.compared]), photoWithBoxes(b, [answer.b.compared]))));
  });
}

// ---------------------------------------------------------------- people

async function loadNames() {
  const people = await ask("GET", "/v1/people?limit=1000");
  $("names").replaceChildren(...people.map((p) => make("option", { value: p.person })));
}

const receipts = []; // to be shown above the people
let turn = 0; // of what was asked for last
async function showPeople(after) {
  const mine = ++turn;
  await during("Loading", async () => {
    const people = await ask("GET", "/v1/people?limit=60" + (after ? "&after=" + encodeURIComponent(after) : ""));
    if (mine !== turn) return;
    if (!after) $("people-list").replaceChildren();
    for (const p of people)
      $("people-list").append(make("li", {}, make("a", { href: "#person/" + encodeURIComponent(p.person) },
        picture(personPath(p.person, "/portrait"), ""), make("b", {}, p.person), make("p", { class: "soft" }, count(p.n_photos, "photo")))));
    $("people-none").hidden = $("people-list").children.length > 0;
    $("people-more").hidden = people.length < 60;
    $("people-more").onclick = () => showPeople(people[people.length - 1].person);
  });
}

let shown = "";
async function showPerson(name) {
  const mine = ++turn;
  shown = name;
  $("person-name").textContent = name;
  $("person-faces").replaceChildren();
  await during("Loading", async () => {
    const photos = await ask("GET", personPath(name, "?limit=1000"));
    if (mine !== turn) return;
    for (const p of photos)
      for (const t of p.templates.filter((t) => t.space === "face" && t.person === name))
        $("person-faces").append(make("figure", {}, picture("/v1/faces/" + t.template, name),
          make("figcaption", {}, shortName(p.photo)), notThem(t.template, name)));
    await loadNames();
  });
}

function notThem(face, name) {
  const button = make("button", { type: "button", class: "quiet small" }, "Not them");
  button.addEventListener("click", async () => {
    if (!(await during("Putting it right", () => say("POST", "/v1/faces/" + face + "/reject", { name })))) return;
    const figure = button.parentNode, next = figure.nextElementSibling || figure.previousElementSibling;
    figure.remove();
    await tellDone("The face is not " + name + "'s.", !next);
    if (next) next.querySelector("button").focus();
    else location.hash = "#people"; // it was their last
  });
  return button;
}

async function addPhotos(files) {
  const refused = [];
  let n = 0;
  await during("Enrolling", async () => {
    for (const file of files)
      try {
        await ask("POST", personPath(shown, "/photos"), formOf({ photo: file }));
        n++;
      } catch (error) {
        if (!(error instanceof Problem) || error.status === 0) throw error;
        refused.push(error.message);
      }
  });
  $("person-add").reset();
  await showPerson(shown);
  if (refused.length) problem({ message: count(n, "photo") + " added. " + refused.join("; ") });
}

// The same with "yes" when the server wants to be sure.
async function sure(words, path, object) {
  let answer = null;
  await during(words, async () => {
    try {
      answer = await say("POST", path, object);
    } catch (error) {
      if (error.status !== 409) throw error;
      if (await askUser(error.message.split(";")[0] + ". Is it meant?"))
        answer = await say("POST", path, { ...object, yes: true });
    }
  });
  return answer;
}

async function forget() {
  const name = shown;
  let numbers = null;
  if (!(await during("Looking", async () => { numbers = await ask("DELETE", personPath(name, "?dry_run=true")); }))) return;
  if (!(await askUser("Forget " + name + ": " + count(numbers.n_photos, "photo") + " and " +
    count(numbers.n_templates, "vector") + "? This cannot be undone."))) return;
  await during("Forgetting", async () => {
    const receipt = await ask("DELETE", personPath(name));
    receipts.push(make("p", { class: "card match receipt", role: "status" }, "Forgot " + name + ": " +
      count(receipt.n_photos, "photo") + ", " + count(receipt.n_templates, "vector") + ". A search still finds " +
      (receipt.n_left ? receipt.n_left : "none") + ", and the gallery's files hold " +
      (receipt.n_strings_left ? receipt.n_strings_left : "none") + " of " +
      count(receipt.n_strings, "name") + ", paths and hashes."));
    location.hash = "#people";
  });
}

// ---------------------------------------------------------------- groups

function groupCard(group) {
  const strip = make("div", { class: "strip" });
  for (const face of group.faces.slice(0, 12))
    strip.append(make("figure", {}, picture("/v1/faces/" + face.template_id, "a face of group " + group.number)));
  const name = make("input", { required: true, autocomplete: "off", value: group.perhaps ? group.perhaps.person : "" });
  name.setAttribute("list", "names");
  const form = make("form", { class: "fields" }, make("label", {}, "Name ", name), make("button", { type: "submit" }, "Name them"));
  const card = make("article", { class: "card group" }, make("h2", {}, "Group " + group.number + ": " +
    count(group.n_faces, "face") + " in " + count(group.n_photos, "photo")),
    group.perhaps ? make("p", { class: "soft" }, "perhaps " + group.perhaps.person + ": " + why(group.perhaps)) : null, strip, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await sure("Naming", "/v1/groups/" + group.number + "/name", { name: name.value.trim() });
    if (!answer) return;
    card.remove();
    await tellDone(count(answer.n_named, "face") + " named " + answer.person + ".").catch(problem);
    loadNames().catch(problem);
  });
  return card;
}

async function showGroups(method) {
  await during(method === "POST" ? "Gathering" : "Loading", async () => {
    const groups = await ask(method, "/v1/groups?limit=60");
    $("groups-list").replaceChildren(...groups.filter((g) => g.group).map((g) => groupCard(g.group)));
    if (groups.length === 1)
      $("groups-list").replaceChildren(make("p", { class: "soft" }, "There are no groups: photos of nobody make some (“Who is it?”, or doppel scan)."));
    await loadNames();
  });
}

// ---------------------------------------------------------------- copies

async function showCopies() {
  await during("Looking at all photos, which may take long", async () => {
    const rows = await ask("GET", "/v1/dupes");
    const cards = rows.filter((r) => r.group).map((r) => make("article", { class: "card" },
      make("h2", {}, r.group === "burst" ? "A burst" : "One picture"),
      make("ul", { class: "plain" }, make("li", {}, make("b", {}, "keep "), r.keep.photo + ", " + r.keep.width_px + " × " + r.keep.height_px),
        ...r.photos.map((p) => make("li", {}, p.photo, make("p", { class: "soft" }, p.evidence))))));
    const failed = rows.filter((r) => r.reason).length, all = rows[rows.length - 1].summary;
    cards.push(make("p", { class: "soft" }, count(all.n_files, "photo") + ": " + count(all.n_copies, "cop").replace("cops", "copies").replace(/cop$/, "copy") +
      ", " + count(all.n_bursts, "burst") + (failed ? "; " + count(failed, "photo") + " could not be read" : "")));
    $("copies-list").replaceChildren(...cards);
  });
}

// ---------------------------------------------------------------- camera

let stream = null;
async function openCamera() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  } catch (error) {
    problem({ message: "There is no camera to use: " + error.message });
    return;
  }
  $("camera").srcObject = stream;
  $("camera-dialog").showModal();
  await $("camera").play();
}

function closeCamera() {
  if (stream) for (const track of stream.getTracks()) track.stop();
  stream = null;
  if ($("camera-dialog").open) $("camera-dialog").close();
}

function shoot() {
  const video = $("camera");
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => {
    closeCamera();
    if (blob) look(new File([blob], "camera.jpg", { type: "image/jpeg" }));
  }, "image/jpeg", 0.95);
}

// ---------------------------------------------------------------- the page

function show() {
  const [name, rest] = (location.hash.slice(1) || "who").split("/");
  const section = sections.includes(name) ? name : "who";
  $("problem").hidden = true;
  $("done").hidden = !stays;
  stays = false;
  for (const old of document.querySelectorAll(".receipt")) old.remove();
  for (const s of sections) $(s).hidden = s !== section;
  for (const a of document.querySelectorAll("nav a"))
    if (a.hash === "#" + (section === "person" ? "people" : section)) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  if (section === "people") {
    $("people-list").before(...receipts.splice(0));
    showPeople();
  }
  if (section === "person") showPerson(decodeURIComponent(rest || ""));
  if (section === "groups") showGroups("GET");
}

function onSubmit(form, work) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    work();
  });
}

for (const drop of document.querySelectorAll(".drop")) {
  const input = drop.querySelector("input");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
  });
}
$("who-file").addEventListener("change", () => { if ($("who-file").files[0]) look($("who-file").files[0]); });
$("shoot").hidden = !(navigator.mediaDevices && navigator.mediaDevices.getUserMedia);
$("shoot").addEventListener("click", openCamera);
$("camera-shoot").addEventListener("click", shoot);
$("camera-close").addEventListener("click", closeCamera);
$("camera-dialog").addEventListener("close", closeCamera);
onSubmit("enrol", () => enrol($("enrol-name").value.trim(), $("enrol-faces").value));
$("enrol-nobody").addEventListener("click", () => enrol(null));
onSubmit("compare-form", () => {
  const a = $("compare-a").files[0], b = $("compare-b").files[0];
  if (a && b) compare(a, b);
  else problem({ message: "Two photos are needed." });
});
onSubmit("person-add", () => addPhotos($("person-files").files));
onSubmit("person-rename", async () => {
  const to = $("person-new").value.trim();
  if (await during("Renaming", () => say("PATCH", personPath(shown), { name: to }))) {
    $("person-rename").reset();
    await tellDone(shown + " is " + to + " now.", true).catch(problem);
    location.hash = "#person/" + encodeURIComponent(to);
  }
});
onSubmit("person-merge", async () => {
  const into = $("person-into").value.trim();
  if (await sure("Merging", personPath(shown, "/merge"), { into })) {
    $("person-merge").reset();
    await tellDone(shown + " is " + into + ".", true).catch(problem);
    location.hash = "#person/" + encodeURIComponent(into);
  }
});
$("person-forget").addEventListener("click", forget);
$("groups-make").addEventListener("click", () => showGroups("POST"));
$("copies-look").addEventListener("click", showCopies);
window.addEventListener("hashchange", show);
show();
