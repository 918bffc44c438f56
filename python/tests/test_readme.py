"""README.md's examples, one after another, as written."""

import re
import shutil

from conftest import BIDEN, GROUP, OBAMA, OBAMA_2, SOURCE

import doppel
import numpy as np


def test_the_examples_run_as_written(tmp_path, monkeypatch, capsys):
    readme = (SOURCE / "python" / "README.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```$", readme, re.M | re.S)
    assert len(examples) >= 7
    for name, photo in (("a.jpg", OBAMA), ("b.jpg", OBAMA_2), ("party.jpg", GROUP),
                        ("people/Ann/1.jpg", OBAMA_2), ("people/Bob/x.jpg", BIDEN)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / name)
    (tmp_path / "landscape.jpg").write_bytes(
        doppel.image.to_jpeg(np.full((300, 400, 3), 90, np.uint8)))
    monkeypatch.chdir(tmp_path)
    scope = {}
    said = []
    for example in examples:
        exec(compile(example, "README.md", "exec"), scope)
        said.append(capsys.readouterr().out)
    assert said[0].startswith("match\nstrangers come so far at most once in ")
    assert said[1].startswith('no face - "landscape.jpg"')
    assert "2 ['Ann', 'Bob']\n" in said[3] and "Ann match\n" in said[3] and "unknown" in said[3]
    assert "[True]\n" in "".join(said)
