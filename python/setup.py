"""What pyproject.toml cannot say: where the library is, or that it comes along.

    pip install .                                   the library stays where it is: $DOPPEL_LIBRARY, else
                                                    what pkg-config finds, is remembered in the wheel
    DOPPEL_BUNDLE=/opt/doppel pip install .         the wheel takes the library, what doppel installs
                                                    beside it, and the models along from that prefix
"""

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

BUNDLE = os.environ.get("DOPPEL_BUNDLE")


def installed():
    """The path of the library that is to be used, or None: the loader's business."""
    given = os.environ.get("DOPPEL_LIBRARY")
    if given:
        return os.path.abspath(given)
    try:
        folder = subprocess.run(["pkg-config", "--variable=libdir", "doppel"], check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                universal_newlines=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    # Not realpath: a later patch release has another name behind the same link.
    found = sorted(Path(os.path.normpath(folder)).glob("libdoppel.so.[0-9]"))
    return str(found[0]) if found else None


def copy(prefix, to):
    """An installed prefix as far as it is needed: lib*/…/libdoppel.so.N and share/doppel/models."""
    found = sorted(Path(prefix).glob("lib*/**/libdoppel.so.[0-9]"))
    if not found:
        raise SystemExit(f"DOPPEL_BUNDLE: no libdoppel.so.N below {prefix}/lib")
    # The models are found beside the folder of the library: one level, whatever the system has.
    (to / "lib").mkdir(parents=True)
    shutil.copy(found[0], to / "lib" / found[0].name)
    beside = found[0].parent / "doppel"  # FAISS, where it is not the system's
    if beside.is_dir():
        (to / "lib" / "doppel").mkdir()
        for library in beside.iterdir():
            # What the library asks for by name, and no links: a wheel has none.
            if library.suffix == ".so" or ".so." in library.name:
                shutil.copy(library, to / "lib" / "doppel" / library.name)
    shutil.copytree(Path(prefix) / "share" / "doppel" / "models", to / "share" / "doppel" / "models")


class build(build_py):
    def run(self):
        super().run()
        package = Path(self.build_lib) / "doppel"
        shutil.rmtree(package / "bundle", ignore_errors=True)
        if BUNDLE:
            copy(BUNDLE, package / "bundle")
            return
        library = installed()
        if library:
            (package / "_built.py").write_text(
                '"""Where the library was when this was built."""\n\n'
                f"LIBRARY = {library!r}\n")


class WithLibrary(Distribution):
    def has_ext_modules(self):
        return bool(BUNDLE)  # for the wheel's tag: this platform's


options = {}
if BUNDLE:
    try:
        from wheel.bdist_wheel import bdist_wheel

        class tagged(bdist_wheel):
            def get_tag(self):
                return ("py3", "none", super().get_tag()[2])  # for any Python, through ctypes

        options["bdist_wheel"] = tagged
    except ImportError:
        pass

setup(cmdclass={"build_py": build, **options}, distclass=WithLibrary)
