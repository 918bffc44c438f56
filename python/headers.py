"""The public headers, read: what is declared in include/doppel, as the compiler's preprocessor shows it.

Knows the C that those headers are written in, and no more: typedefs of structs and enums, plain
declarators, functions. What else it meets is an error, so that nothing is left out unseen.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

API = '__attribute__((visibility("default")))'


@dataclass(frozen=True)
class Type:
    base: str  # "int32_t", "dpl_face", "void"
    pointers: int = 0
    const: bool = False  # of what is pointed to
    arrays: Tuple[int, ...] = ()
    function: Optional["Function"] = None  # a pointer to one


@dataclass(frozen=True)
class Variable:
    name: str
    type: Type


@dataclass(frozen=True)
class Function:
    name: str
    returns: Type
    parameters: Tuple[Variable, ...]
    header: str = ""


@dataclass
class Api:
    version: str = ""
    constants: Dict[str, str] = field(default_factory=dict)  # macros with a literal value
    enums: Dict[str, List[Tuple[str, int]]] = field(default_factory=dict)
    numbers: Dict[str, int] = field(default_factory=dict)  # of all enums
    structs: Dict[str, List[Variable]] = field(default_factory=dict)  # in the order of need
    opaque: List[str] = field(default_factory=list)
    functions: List[Function] = field(default_factory=list)


def preprocessed(include: Path) -> List[Tuple[str, str]]:
    """Header and text of each run of lines that come from our headers."""
    command = shlex.split(os.environ.get("CC", "cc"))
    text = subprocess.run(
        [*command, "-E", "-I", str(include), str(include / "doppel" / "doppel.h")],
        check=True, stdout=subprocess.PIPE, universal_newlines=True,
    ).stdout
    runs: List[Tuple[str, str]] = []
    here = ""
    for line in text.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            path = Path(marker.group(1))
            here = path.name if path.parent.name == "doppel" else ""
        elif here:
            if runs and runs[-1][0] == here:
                runs[-1] = (here, runs[-1][1] + "\n" + line)
            else:
                runs.append((here, line))
    return runs


class Reader:
    def __init__(self, api: Api, header: str, text: str, aliases: Dict[str, Type]) -> None:
        self.api, self.header, self.aliases = api, header, aliases
        text = text.replace(API, " DPL_API ")
        text = re.sub(r'extern "C" \{', "", text)
        self.tokens = re.findall(r"[A-Za-z_]\w*|\d[\w.]*|\.\.\.|<<|[-+*/(){}\[\],;=]", text)
        self.at = 0

    def peek(self, n: int = 0) -> str:
        return self.tokens[self.at + n] if self.at + n < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, token: str) -> None:
        got = self.next()
        if got != token:
            near = " ".join(self.tokens[max(0, self.at - 12) : self.at + 4])
            raise SyntaxError(f"{self.header}: '{token}' expected, not '{got}' near: {near}")

    def number(self, *ends: str) -> int:
        words = []
        while self.peek() not in ends:
            word = self.next()
            words.append(str(self.api.numbers[word]) if word in self.api.numbers else word)
        return int(eval(" ".join(words), {"__builtins__": {}}))

    def base(self) -> Tuple[str, bool]:
        name, const = "", False
        while re.match(r"[A-Za-z_]", self.peek()):
            if self.peek() in ("const", "volatile", "struct", "enum"):
                const = self.next() == "const" or const
            elif not name:
                name = self.next()
                name = "bool" if name == "_Bool" else name
            elif name in ("unsigned", "signed", "long") and self.peek() in ("int", "char", "long"):
                name += " " + self.next()
            else:
                break
        return name, const

    def declarator(self, base: str, const: bool) -> Variable:
        pointers = 0
        while self.peek() in ("*", "const", "volatile"):
            pointers += self.next() == "*"
        if self.peek() == "(":
            self.next()
            self.expect("*")
            name = self.next()
            self.expect(")")
            parameters = self.parameters()
            return Variable(name, Type("", function=Function(name, self.plain(base, pointers, const),
                                                             parameters)))
        name = self.next() if re.match(r"[A-Za-z_]", self.peek()) else ""
        arrays = []
        while self.peek() == "[":
            self.next()
            arrays.append(self.number("]"))
            self.expect("]")
        return Variable(name, self.plain(base, pointers, const, tuple(arrays)))

    def plain(self, base: str, pointers: int, const: bool, arrays: Tuple[int, ...] = ()) -> Type:
        if base in self.aliases:
            of = self.aliases[base]
            return Type(of.base, of.pointers + pointers, of.const or const, arrays)
        return Type(base, pointers, const, arrays)

    def parameters(self) -> Tuple[Variable, ...]:
        self.expect("(")
        found: List[Variable] = []
        while self.peek() != ")":
            base, const = self.base()
            found.append(self.declarator(base, const))
            if self.peek() == ",":
                self.next()
        self.expect(")")
        return () if [v.type for v in found] == [Type("void")] else tuple(found)

    def enum(self) -> List[Tuple[str, int]]:
        self.expect("{")
        members: List[Tuple[str, int]] = []
        value = -1
        while self.peek() != "}":
            name = self.next()
            value += 1
            if self.peek() == "=":
                self.next()
                value = self.number(",", "}")
            members.append((name, value))
            self.api.numbers[name] = value
            if self.peek() == ",":
                self.next()
        self.expect("}")
        return members

    def fields(self) -> List[Variable]:
        self.expect("{")
        found: List[Variable] = []
        while self.peek() != "}":
            base, const = self.base()
            found.append(self.declarator(base, const))
            while self.peek() == ",":
                self.next()
                found.append(self.declarator(base, const))
            self.expect(";")
        self.expect("}")
        return found

    def typedef(self) -> None:
        if self.peek() in ("struct", "enum") and self.peek(2) == "{":
            kind, name = self.next(), self.next()
            if kind == "struct":
                self.api.structs[name] = self.fields()
            else:
                self.api.enums[name] = self.enum()
            self.expect(name)
        elif self.peek() == "struct":
            self.next()
            name = self.next()
            self.expect(name)
            self.api.opaque.append(name)
        else:
            base, const = self.base()
            alias = self.declarator(base, const)
            self.aliases[alias.name] = alias.type
        self.expect(";")

    def read(self) -> None:
        while self.at < len(self.tokens):
            word = self.next()
            if word == "typedef":
                self.typedef()
            elif word == "enum":
                self.enum()
                self.expect(";")
            elif word == "DPL_API":
                base, const = self.base()
                pointers = 0
                while self.peek() == "*":
                    self.next()
                    pointers += 1
                name = self.next()
                parameters = self.parameters()
                self.expect(";")
                self.api.functions.append(
                    Function(name, self.plain(base, pointers, const), parameters, self.header))
            else:
                raise SyntaxError(f"{self.header}: '{word}' is not understood")


def read(include: Path) -> Api:
    api = Api()
    aliases: Dict[str, Type] = {}
    for header, text in preprocessed(include):
        Reader(api, header, text, aliases).read()
    for path in sorted((include / "doppel").glob("*.h")):
        for name, value in re.findall(r"^#define (DPL_\w+)[ \t]+([^ \t\\].*?)(?:[ \t]*/\*.*)?$",
                                      path.read_text(), re.M):
            if re.fullmatch(r'\(?-?\d+(\.\d+)?(e-?\d+)?\)?|"[^"]*"', value):
                api.constants[name] = value
    api.version = api.constants["DPL_VERSION"].strip('"')
    return api
