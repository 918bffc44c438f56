"""check.py FOLDER [FILE...] - each line of the files (of standard input) is an object of the schema that
it names, by FOLDER/NAME.json (docs/schema). Says the first that is not, and ends with 1.

With no jsonschema here, it says so and ends with 77.
"""

import json
import os
import sys

try:
    import warnings

    warnings.simplefilter("ignore", DeprecationWarning)
    import jsonschema
except ImportError:
    print("check.py: no python3-jsonschema, nothing is checked", file=sys.stderr)
    sys.exit(77)


def refuse_number(word):
    raise ValueError(word + " is no JSON")


class Checker:
    def __init__(self, folder):
        self.folder = folder
        self.validators = {}
        self.others = {name + ".json": self.read(name) for name in ("common", "receipt")}

    def read(self, name):
        with open(os.path.join(self.folder, name + ".json"), encoding="utf-8") as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        return schema

    def check(self, name, value):
        """What is wrong with a value by the schema of this name; None: nothing."""
        if name not in self.validators:
            schema = self.read(name)
            resolver = jsonschema.RefResolver("", schema, store=self.others)
            self.validators[name] = jsonschema.Draft202012Validator(schema, resolver=resolver)
        error = jsonschema.exceptions.best_match(self.validators[name].iter_errors(value))
        return error and "%s: %s" % ("/".join(map(str, error.absolute_path)) or "it", error.message)

    def check_answer(self, value):
        """The same of an answer, by the schema that it names."""
        name = str(value.get("schema", "")) if isinstance(value, dict) else ""
        if not name.startswith("doppel.") or not name.endswith("/1"):
            return "it names no schema"
        try:
            return self.check(name[len("doppel.") : -len("/1")], value)
        except FileNotFoundError:
            return "there is no schema " + name


def main():
    checker = Checker(sys.argv[1])
    n = 0
    for path in sys.argv[2:] or ["/dev/stdin"]:
        with open(path, encoding="utf-8") as f:
            for line in f:
                n += 1
                wrong = checker.check_answer(json.loads(line, parse_constant=refuse_number))
                if wrong:
                    print("no answer by docs/schema: %s\n%s" % (wrong[:600], line[:2000]))
                    return 1
    if n == 0:
        print("nothing was checked")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
