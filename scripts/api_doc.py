"""api_doc.py [--check] - docs/api.md from the comments of the public headers.

A header's own comment, its sections, its types as they stand, and every public function with its
comment. What is written is the headers' text; nothing is added but headings. --check changes nothing and
fails when the file is not what it would be, or when a function is missing in it.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "doppel"
OUT = ROOT / "docs" / "api.md"

INTRO = """# The C API

Made from the headers in `include/doppel` by `python3 scripts/api_doc.py`; not to be edited. `#include <doppel/doppel.h>` has all of it; `pkg-config --cflags --libs doppel` says how to build with it. Programs to begin with are in [examples/c](../examples/c/README.md); from Python there is [a package](../python/README.md).

Outputs come first in a function's parameters, then the object, then what goes in, and last the error, which may be NULL. What comes out through a pointer to a pointer is the caller's, freed by the same object's function; what is returned is borrowed. `free`, `close` and `clear` take NULL. Options begin with `struct_size` and have an `_INIT` macro; NULL stands for the defaults. Coordinates are pixels, rates 0 to 1.
"""


def blocks(text):
    """Comments, preprocessor lines and declarations, in order; and whether a line is empty before each."""
    pattern = re.compile(
        r"(?P<gap>\s*)(?:(?P<comment>/\*.*?\*/)|(?P<hash>#(?:[^\n]*\\\n)*[^\n]*)|(?P<code>[^/#][^;{]*"
        r"(?:\{(?:[^{}]|\{[^{}]*\})*\}[^;]*)?;))", re.S)
    at = 0
    while at < len(text.rstrip()):
        found = pattern.match(text, at)
        if not found:
            raise SystemExit(f"api_doc.py: not understood: {text[at:at + 80]!r}")
        kind = found.lastgroup
        yield kind, found.group(kind), found.group("gap").count("\n") > 1
        at = found.end()


def words(comment):
    """A comment without its stars."""
    body = re.sub(r"^/\*+|\*+/$", "", comment.strip())
    lines = [re.sub(r"^\s*\* ?", "", line) if i else line.strip() for i, line in
             enumerate(body.split("\n"))]
    return [line.rstrip() for line in lines]


def escape(text):
    return text.replace("<", "&lt;")


def prose(lines):
    """A comment's text as Markdown: paragraphs, what is indented as it stands, tags as a list."""
    out, paragraph = [], []

    def end():
        if paragraph:
            out.extend([escape(" ".join(paragraph)), ""])
            paragraph.clear()

    i = 0
    while i < len(lines):
        line = lines[i]
        tag = re.match(r"@(param(?:\[[a-z,]+\])?|return|retval)\s+(.*)", line)
        note = re.match(r"(Threads|Numerics|Source|Memory): (.*)", line)
        if re.match(r" {3,}\S", line) and not paragraph:
            end()
            code = []
            while i < len(lines) and (re.match(r" {3,}", lines[i]) or
                                      (not lines[i] and i + 1 < len(lines) and
                                       re.match(r" {3,}\S", lines[i + 1]))):
                code.append(lines[i])
                i += 1
            least = min(len(c) - len(c.lstrip()) for c in code if c)
            out.extend(["```", *[c[least:] for c in code], "```", ""])
            continue
        if tag or note:
            end()
            more = []
            while i + 1 < len(lines) and lines[i + 1] and not re.match(
                    r"@|(Threads|Numerics|Source|Memory): ", lines[i + 1]):
                # What follows a list of tags without being indented is a paragraph of its own.
                if tag and not lines[i + 1].startswith(" "):
                    break
                i += 1
                more.append(lines[i].strip())
            if note:
                out.append(f"- {note.group(1)}: {escape(' '.join([note.group(2), *more]))}")
            elif tag.group(1) == "return":
                out.append(f"- returns {escape(' '.join([tag.group(2), *more]))}")
            else:
                name, _, rest = " ".join([tag.group(2), *more]).partition("  ")
                kind = "" if tag.group(1) in ("param", "retval") else f" {tag.group(1)[5:]}"
                out.append(f"- `{name.strip()}`{kind} — {escape(rest.strip())}" if rest.strip()
                           else f"- `{name.strip()}`{kind}")
        elif not line:
            end()
            if out and out[-1].startswith("- "):
                out.append("")
        else:
            if out and out[-1].startswith("- "):
                out.append("")
            paragraph.append(line.strip())
        i += 1
    end()
    while out and not out[-1]:
        out.pop()
    return out


def tidy(declaration):
    return declaration.replace("DPL_API ", "").strip()


def names_of(declaration):
    return re.search(r"(\w+)\(", tidy(declaration)).group(1)


def page(header):
    text = header.read_text()
    out, functions = [f"## {header.name}", ""], []
    guard = re.compile(r"#\s*(ifndef|define) DOPPEL_\w+_H$|#\s*(endif|include|ifdef|if|else)\b")
    pending, first, entry = None, True, None
    guarded = re.sub(r'extern "C" \{|^\}$', "", text, flags=re.M)
    for kind, body, gap in blocks(guarded):
        if kind == "comment":
            section = re.match(r"/\* -{5,} (.*?)\s*\*/", body, re.S)
            if first:
                about = words(body)
                about = about[1:] if about and not about[0] else about
                if about and re.match(r"[a-z_]+\.h - ", about[0]):
                    about[0] = about[0].split(" - ", 1)[1]
                out += prose([line[:1].upper() + line[1:] if i == 0 else line
                              for i, line in enumerate(about)]) + [""]
            elif section:
                out += [f"### {section.group(1).strip().capitalize()}", ""]
                pending = None
            elif not gap and entry is not None and not body.startswith("/**"):
                entry[-1] += " " + body  # behind a declaration, of it
            else:
                pending = body
            if not (section and not first):
                entry = None if pending is body else entry
            first = False
        elif kind == "hash":
            first = False
            # What an _INIT macro says the options' comments say, too.
            if guard.match(body) or re.match(r"#\s*undef|#define DPL_\w+_INIT\b", body):
                continue
            if pending:
                out += prose([line for line in words(pending)]) + [""]
            out += ["```c", body, "```", ""]
            pending = entry = None
        elif "DPL_API" in body:
            name = names_of(body)
            functions.append(name)
            if entry is not None and not pending:  # one comment for several
                entry.append(tidy(body))
            else:
                entry = [tidy(body)]
                out.append((name, entry, prose(words(pending)) if pending else []))
            pending = None
        else:
            if pending:
                out += prose(words(pending)) + [""]
            out += ["```c", body.strip(), "```", ""]
            pending = entry = None
    made = []
    for item in out:
        if isinstance(item, tuple):
            name, declarations, comment = item
            others = [names_of(d) for d in declarations[1:] if "(" in d]
            made += [f"#### {', '.join([name, *others])}", "", "```c", *declarations, "```", "", *comment,
                     ""]
        else:
            made.append(item)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(made)).strip() + "\n", functions


def main():
    order = [h for h in re.findall(r'#include "doppel/(\w+)\.h"', (HEADERS / "doppel.h").read_text())]
    pages = {name: page(HEADERS / f"{name}.h") for name in order}
    contents = []
    for name, (text, functions) in pages.items():
        about = text.split("\n")[2].split(". ")[0].rstrip(".:")
        contents.append(f"| [{name}.h](#{name}h) | {about} | {len(functions)} |")
    made = "\n".join([INTRO, "| header | | functions |", "|---|---|---|", *contents, ""]) + "\n"
    made += "\n".join(text for text, _ in pages.values())
    declared = set()
    for header in HEADERS.glob("*.h"):
        flat = re.sub(r"\s+", " ", header.read_text())
        declared |= {m.group(1) for m in re.finditer(r"DPL_API [^;{]*?(dpl_[a-z0-9_]+)\(", flat)}
    missing = declared - {f for _, functions in pages.values() for f in functions}
    if missing:
        raise SystemExit(f"api_doc.py: not in docs/api.md: {', '.join(sorted(missing))}")
    if OUT.exists() and OUT.read_text() == made:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/api.md is not what the headers say; run python3 scripts/api_doc.py")
        return 1
    OUT.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
