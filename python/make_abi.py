"""Make doppel/_abi.py and doppel/records.py from the public headers.

    python3 make_abi.py [--check]

_abi.py mirrors the C declarations for ctypes: every struct, every prototype. records.py has the enums,
and what the library fills in as frozen dataclasses. Nothing in either is written by hand, so that no
field can be at another place than the header has it; the test `abi` compares sizes and offsets with the
compiler's. --check changes nothing and fails where a file is not what it would be.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from headers import Api, Function, Type, Variable, read

HERE = Path(__file__).resolve().parent

SCALARS = {
    "int": "c_int", "int32_t": "c_int32", "int64_t": "c_int64", "uint8_t": "c_uint8",
    "uint32_t": "c_uint32", "uint64_t": "c_uint64", "size_t": "c_size_t", "float": "c_float",
    "double": "c_double", "bool": "c_bool", "char": "c_char",
}

# Structs that are no records: what the caller fills in, and what classes are made of.
NO_RECORD = {
    "dpl_error", "dpl_image", "dpl_photo", "dpl_policy", "dpl_shape", "dpl_sketch", "dpl_new_template",
    "dpl_new_photo", "dpl_samples", "dpl_pictures", "dpl_item_model", "dpl_embeddings", "dpl_pairs",
    "dpl_trials", "dpl_box", "dpl_photo_shape", "dpl_train_event", "dpl_retrieval",
}
# Pointers in records: how many elements there are, in which field.
LENGTHS = {
    ("dpl_template_row", "vector"): "dim", ("dpl_template_row", "thumb"): "n_thumb",
    ("dpl_answer_hit", "thumb"): "n_thumb", ("dpl_answer", "candidates"): "n_candidates",
    ("dpl_answer", "hits"): "n_hits", ("dpl_text_hit", "thumb"): "n_thumb",
    ("dpl_text_answer", "hits"): "n_hits", ("dpl_calibrated", "points"): "n_points",
    ("dpl_calibrated", "poor"): "n_poor", ("dpl_calibrated", "genuine"): "n_genuine",
    ("dpl_calibrated", "strata"): "n_strata", ("dpl_calibrated", "doubles"): "n_doubles",
    ("dpl_metrics", "roc"): "n_roc", ("dpl_group_row", "members"): "n_faces",
    ("dpl_regions", "items"): "n", ("dpl_folds", "thresholds"): "n", ("dpl_folds", "accuracies"): "n",
}
# Members of records that are left out: what a class of its own stands for.
LEFT_OUT = {
    ("dpl_enroll_event", "photo"), ("dpl_photos_event", "photo"), ("dpl_xmp_event", "fates"),
    ("dpl_oneshot", "chosen"), ("dpl_oneshot", "runs"),
}
# One record, or None.
MAY_BE_NONE = {("dpl_xmp_event", "written"), ("dpl_xmp_event", "regions")}
# Strings that are NULL where there is none; the others are never NULL.
MAY_BE_NULL = {
    ("dpl_photo_row", "person"), ("dpl_photo_row", "meant"), ("dpl_photo_row", "unreadable_reason"),
    ("dpl_template_row", "person"), ("dpl_template_row", "caption"),
    ("dpl_template_row", "caption_source"), ("dpl_group_row", "like"), ("dpl_answer", "person"),
    ("dpl_answer_hit", "person"), ("dpl_text_hit", "person"), ("dpl_text_hit", "caption"),
    ("dpl_doubt", "other_person"), ("dpl_doubt", "other_photo"), ("dpl_damage", "photo"),
    ("dpl_repair_event", "photo"), ("dpl_change", "what"), ("dpl_enroll_event", "person"),
    ("dpl_xmp_event", "sidecar"), ("dpl_refusal", "person"), ("dpl_migrate_change", "other"),
}


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("dpl_", "", 1).split("_"))


# ---------------------------------------------------------------- _abi.py


def ctype(t: Type, api: Api, *, member: bool) -> str:
    """The ctypes type, of a struct's member or of a parameter. Numbers and handles are addresses."""
    if t.function:
        return prototype(t.function, api)
    if t.arrays and not member:
        t = Type(t.base, t.pointers + 1, t.const)
        if t.base == "char":
            return "c_void_p"  # to be written into
    if t.pointers == 0:
        if t.base == "void":
            return "None"
        of = "c_int" if t.base in api.enums else SCALARS.get(t.base, t.base)
        for n in reversed(t.arrays):
            of = f"({of} * {n})"
        return of
    if t.base == "char" and t.pointers == 1:
        return "c_char_p"
    if t.base == "char" and t.pointers == 2:
        return "POINTER(c_char_p)" if t.const else "POINTER(c_void_p)"
    if t.base in api.structs and t.pointers == 1:
        return f"POINTER({t.base})"
    if t.pointers == 1 or (t.base in SCALARS and not member):
        return "POINTER(c_void_p)" if t.pointers == 2 else "c_void_p"
    return "POINTER(c_void_p)"


def prototype(f: Function, api: Api) -> str:
    returns = ctype(f.returns, api, member=False)
    parameters = [ctype(p.type, api, member=False) for p in f.parameters]
    return f"CFUNCTYPE({', '.join([returns, *parameters])})"


def abi(api: Api) -> str:
    out = [
        '"""The C declarations, for ctypes. Made by make_abi.py from include/doppel; not to be edited."""',
        "",
        "from ctypes import (  # noqa: F401",
        "    CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32,",
        "    c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p,",
        ")",
        "from typing import Any, Dict, Tuple",
        "",
        f'VERSION = "{api.version}"',
    ]
    for name, value in sorted(api.constants.items()):
        if "VERSION" not in name:
            out.append(f"{name[4:]} = {value}")
    named = {m for members in api.enums.values() for m, _ in members}
    for name, number in api.numbers.items():
        if name not in named:
            out.append(f"{name[4:]} = {number}")
    for name, fields in api.structs.items():
        out += ["", "", f"class {name}(Structure):", "    _fields_ = ["]
        out += [f'        ("{v.name}", {ctype(v.type, api, member=True)}),' for v in fields]
        out += ["    ]"]
    out += ["", "", "# Name: what comes back, what goes in.",
            "FUNCTIONS: Dict[str, Tuple[Any, Tuple[Any, ...]]] = {"]
    for f in api.functions:
        parameters = [ctype(p.type, api, member=False) for p in f.parameters]
        inside = ", ".join(parameters) + ("," if len(parameters) == 1 else "")
        out.append(f'    "{f.name}": ({ctype(f.returns, api, member=False)}, ({inside})),')
    out += ["}", ""]
    return "\n".join(out)


# ---------------------------------------------------------------- records.py


def member_names(enum: str, members: List[Tuple[str, int]]) -> Iterator[Tuple[str, int]]:
    names = [name for name, _ in members]
    first = names[0]
    common = len(first)
    for name in names[1:]:
        while not name.startswith(first[:common]):
            common -= 1
    common = first[:common].rfind("_") + 1
    for name, number in members:
        short = name[common:]
        short = re.sub("^E_", "", short) if enum == "dpl_status" else short
        yield (f"_{short}" if short[0].isdigit() else short), number


def record_names(api: Api) -> List[str]:
    return [name for name, fields in api.structs.items()
            if name not in NO_RECORD and fields[0].name != "struct_size"]


def field_type(struct: str, v: Variable, api: Api) -> Optional[Tuple[str, str]]:
    """The annotation and the expression that makes it of the C struct `c`; None: left out."""
    t, key = v.type, (struct, v.name)
    at = f'getattr(c, "{v.name}")' if keyword.iskeyword(v.name) else f"c.{v.name}"
    if key in LEFT_OUT:
        return None
    if t.base == "char" and (t.arrays or t.pointers == 1):
        if key in MAY_BE_NULL:
            return "Optional[str]", f"maybe_text({at})"
        return "str", f"text({at})"
    if key in LENGTHS:
        n = f"c.{LENGTHS[key]}"
        if t.base in api.structs:
            return f"Tuple[{camel(t.base)}, ...]", f"tuple({camel(t.base)}._of({at}[i]) for i in range({n}))"
        if t.arrays:
            return "Tuple[float, ...]", f"tuple({at}[:{n}])"
        if t.base == "uint8_t":
            return "bytes", f"string_at({at}, {n}) if {n} else b\"\""
        return "FloatArray", f"floats({at}, {n})"
    if key in MAY_BE_NONE:
        return f"Optional[{camel(t.base)}]", f"{camel(t.base)}._of({at}[0]) if {at} else None"
    if t.pointers or t.function:
        raise SystemExit(f"make_abi.py: {struct}.{v.name} is a pointer: say in LENGTHS, LEFT_OUT, "
                         "MAY_BE_NONE or NO_RECORD what it is")
    if t.base in api.structs:
        name = camel(t.base)
        if t.arrays:
            return f"Tuple[{name}, ...]", f"tuple({name}._of(one) for one in {at})"
        return name, f"{name}._of({at})"
    if t.base in api.enums:
        return camel(t.base), f"{camel(t.base)}({at})"
    python = {"float": "float", "double": "float", "bool": "bool"}.get(t.base, "int")
    if t.arrays:
        return f"Tuple[{python}, ...]", f"tuple({at})"
    return python, at


def records(api: Api) -> str:
    out = [
        '"""What the library fills in: enums, and structs as frozen dataclasses. Made by make_abi.py from',
        "include/doppel, whose comments say what each member means; not to be edited.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from ctypes import string_at",
        "from dataclasses import dataclass",
        "from enum import IntEnum",
        "from typing import Any, Optional, Tuple",
        "",
        "from doppel._convert import FloatArray, floats, maybe_text, text",
        "",
        "",
        "class _Words(IntEnum):",
        "    def __str__(self) -> str:",
        '        return self.name.lower().replace("_", " ")',
    ]
    for name, members in api.enums.items():
        out += ["", "", f"class {camel(name)}(_Words):", f'    """{name}"""', ""]
        out += [f"    {short} = {number}" for short, number in member_names(name, members)]
    for name in record_names(api):
        kinds = [(v.name + "_" * keyword.iskeyword(v.name), made) for v in api.structs[name]
                 for made in [field_type(name, v, api)] if made]
        out += ["", "", "@dataclass(frozen=True)", f"class {camel(name)}:", f'    """{name}"""', ""]
        out += [f"    {field}: {annotation}" for field, (annotation, _) in kinds]
        out += ["", "    @classmethod", f"    def _of(cls, c: Any) -> {camel(name)}:", "        return cls("]
        out += [f"            {field}={made}," for field, (_, made) in kinds]
        out += ["        )"]
    return "\n".join([*out, ""])


def main() -> int:
    api = read(HERE.parent / "include")
    made: Dict[Path, str] = {
        HERE / "doppel" / "_abi.py": abi(api), HERE / "doppel" / "records.py": records(api),
    }
    stale = 0
    for path, content in made.items():
        if path.exists() and path.read_text() == content:
            continue
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(HERE.parent)} is not what the headers say; run python/make_abi.py")
            stale = 1
        else:
            path.write_text(content)
    return stale


if __name__ == "__main__":
    sys.exit(main())
