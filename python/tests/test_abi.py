"""The declarations are the headers', and every public function is there or listed with its reason."""

import re
import subprocess
import sys
from ctypes import sizeof

from conftest import SOURCE

import doppel
from doppel import _abi, _native

PACKAGE = SOURCE / "python"
sys.path.insert(0, str(PACKAGE))

import headers  # noqa: E402


def api():
    return headers.read(SOURCE / "include")


def test_declarations_are_current():
    made = subprocess.run([sys.executable, "make_abi.py", "--check"], cwd=PACKAGE,
                          stdout=subprocess.PIPE, universal_newlines=True)
    assert made.returncode == 0, made.stdout


def test_sizes_and_offsets_are_the_compilers(tmp_path):
    lines = ["#include <doppel/doppel.h>", "#include <stdio.h>", "int main(void) {"]
    wanted = []
    for struct, fields in api().structs.items():
        lines.append(f'printf("%zu\\n", sizeof({struct}));')
        wanted.append((struct, sizeof(getattr(_abi, struct))))
        for v in fields:
            lines.append(f'printf("%zu\\n", offsetof({struct}, {v.name}));')
            wanted.append((f"{struct}.{v.name}", getattr(getattr(_abi, struct), v.name).offset))
    source = tmp_path / "sizes.c"
    source.write_text("\n".join([*lines, "return 0; }"]))
    subprocess.run(["cc", "-I", str(SOURCE / "include"), str(source), "-o", str(tmp_path / "sizes")],
                   check=True)
    told = subprocess.run([str(tmp_path / "sizes")], check=True, stdout=subprocess.PIPE).stdout.split()
    assert len(told) == len(wanted) > 800
    assert [(name, int(n)) for (name, _), n in zip(wanted, told)] == wanted


def test_every_function_is_bound_or_listed():
    public = {f.name for f in api().functions}
    assert len(public) > 300
    code = "\n".join(p.read_text() for p in sorted((PACKAGE / "doppel").glob("*.py"))
                     if p.name != "_abi.py")
    used = set(re.findall(r"\blib\.(dpl_\w+)", code))
    # The functions that fill options with their defaults are called by name, for each struct that is used.
    used |= {f"{kind}_init" for kind in re.findall(r"_abi\.(dpl_\w+_options)", code)}
    listed = {}
    for line in (PACKAGE / "left_out.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, reason = line.split(None, 1)
            listed[name] = reason.strip()
    assert not used - public, "there is no such function"
    assert not set(listed) - public, "listed, and not there"
    assert not set(listed) & used, "listed as left out, and bound"
    assert all(len(reason) > 10 for reason in listed.values())
    assert sorted(public - used - set(listed)) == [], \
        "neither bound in python/doppel nor listed in python/left_out.txt"


def test_options_have_the_librarys_defaults():
    o = _native.options(_abi.dpl_detect_options, min_score=0.25)
    assert o.struct_size == sizeof(_abi.dpl_detect_options)
    assert o.min_score == 0.25 and o.max_side_px == 1280 and o.max_faces == 256


def test_version_is_the_headers():
    assert doppel.version() == doppel.__version__ == _abi.VERSION == api().version
    assert doppel.faiss_version() and doppel.sqlite_version()[0] == "3"
