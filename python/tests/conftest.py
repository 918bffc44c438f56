"""What every test uses: the demo's photos, one model of all tests, and folders of their own."""

import os
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
if not os.environ.get("DOPPEL_TEST_INSTALLED"):  # else: the package that is installed
    sys.path.insert(0, str(SOURCE / "python"))

import doppel  # noqa: E402

DEMO = SOURCE / "demo"
OBAMA = DEMO / "people" / "Barack Obama" / "official-portrait.jpg"
OBAMA_2 = DEMO / "people" / "Barack Obama" / "blue-room.jpg"
BIDEN = DEMO / "people" / "Joe Biden" / "blue-room.jpg"
CURIE = DEMO / "people" / "Marie Curie" / "portrait.png"
GROUP = DEMO / "group.jpg"
STRANGER = DEMO / "stranger.jpg"


@pytest.fixture(scope="session")
def model():
    with doppel.Model.open() as opened:
        yield opened


@pytest.fixture(scope="session")
def obama(model):
    return model.photo(OBAMA)


@pytest.fixture()
def gallery(tmp_path):
    with doppel.Gallery.open(tmp_path / "gallery", "c") as opened:
        yield opened


@pytest.fixture(scope="session")
def enrolled_export(model, tmp_path_factory):
    """The demo's people, enrolled once, to be imported where a test needs them."""
    folder = tmp_path_factory.mktemp("enrolled")
    with doppel.Gallery.open(folder / "gallery", "c") as opened:
        assert opened.enroll(model, [DEMO / "people"]).n_added == 5
        opened.export(folder / "export.jsonl")
    return folder / "export.jsonl"


@pytest.fixture()
def people(gallery, enrolled_export):
    gallery.import_(enrolled_export)
    return gallery
