"""The recipe of docs/recordings.md runs, and finds the bell where it was put."""

from pathlib import Path

import pytest

from audiointerp import read_events

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "recordings.md"


def test_the_bell_is_found_at_2_13(tmp_path, monkeypatch):
    if not PAGE.exists():
        pytest.skip("installed without its sources")
    monkeypatch.chdir(tmp_path)
    (block,) = [part.split("```")[0] for part in PAGE.read_text().split("```python\n")[1:]]
    namespace = {}
    exec(compile(block, str(PAGE), "exec"), namespace)
    why = namespace["why"]
    assert 131 < why.event.start < 133 < 136 < why.event.end < 139
    assert 133 <= why.box.start < why.box.end <= 136.1
    assert why.loses
    assert why.p_in >= why.p / 2 > why.p_out
    assert why.rank == 1
    assert read_events("night.selections.txt") == [why.box]
    assert Path("box.wav").exists()
