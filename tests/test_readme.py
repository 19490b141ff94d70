"""README is short, and its figures are those of the pages and pictures that it names."""

import json
from pathlib import Path

import pytest
from readme_picture import explain_rooster, figures_of

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.md").read_text().split())
PICTURE = json.loads((ROOT / "docs" / "rooster.json").read_text())


def test_it_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_caption_has_the_figures_of_the_picture():
    p, p_in, p_out = (f"{PICTURE[name]:.3f}".lstrip("0") for name in ("p", "p_in", "p_out"))
    assert f"(p of its sound {p_in}, of the clip {p})" in README
    assert f"the rest is not ({p_out})" in README
    comparison = PICTURE["verdict"].split(", and ")[1]
    assert comparison.replace("masks does", "masks of that size does") in README
    assert PICTURE["mask"] == "topK_30"
    assert "The kept 30 % alone" in README


@pytest.mark.parametrize(
    ("page", "figures"),
    [
        ("fills", ["−0.10 [−0.16, +0.02]", "+0.30 [+0.20, +0.44]"]),
        ("localisation", ["best is gradcam, 0.64"]),
    ],
)
def test_figures_are_those_of_the_pages(page, figures):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    for figure in figures:
        assert figure in text
        assert figure.removeprefix("best is gradcam, ") in README


def test_the_picture_is_made_anew_with_the_same_figures(esc10):
    figures = figures_of(explain_rooster(esc10))
    probabilities = {
        name: pytest.approx(PICTURE[name], abs=1e-3) for name in ("p", "p_in", "p_out")
    }
    assert figures == {**PICTURE, **probabilities}
