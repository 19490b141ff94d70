"""README is short, and its picture is made by its command; figures: test_figures.py."""

import json
from pathlib import Path

import pytest
from readme_picture import explain_rooster, figures_of

ROOT = Path(__file__).parents[1]
PICTURE = json.loads((ROOT / "docs" / "rooster.json").read_text())


def test_it_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_picture_is_made_anew_with_the_same_figures(esc10):
    figures = figures_of(explain_rooster(esc10))
    probabilities = {
        name: pytest.approx(PICTURE[name], abs=1e-3) for name in ("p", "p_in", "p_out")
    }
    assert figures == {**PICTURE, **probabilities}
