"""The still picture of a clip shows what matplotlib's figure of it shows."""

from importlib.machinery import ModuleSpec

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import audiointerp as ai
from audiointerp.display import interpretation
from audiointerp.display.captions import time_labels, titles
from audiointerp.display.still import _fitting, _font, panel_colours, still_picture, time_ticks

RATE = 32000
CLASSIFIER = ai.Classifier(
    ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "pouring_water_in_a_large_swimming_pool"], 1.0
)


def explained(seconds, method="gradcam", mask="topK_30", **options):
    sound = 0.1 * torch.randn(1, 1, int(seconds * RATE), generator=torch.manual_seed(3))
    sound[..., : RATE // 4] = 0
    return ai.interpret(CLASSIFIER, sound, method, mask, compared=0, **options)


def as_matplotlib_paints(ax):
    """The colours of the bins of an axes, its images laid over each other."""
    below = np.ones(3)
    for image in ax.images:
        rgba = image.to_rgba(image.get_array(), alpha=image.get_alpha())
        below = below + (rgba[..., :3] - below) * rgba[..., 3:]
    return 255 * below


@pytest.mark.parametrize("mask", ["topK_30", "minmax"])
@pytest.mark.parametrize("fill", ["silence", "background"])
def test_the_colours_are_those_of_the_figure(mask, fill):
    result = explained(1.0, mask=mask, fill=fill)
    axes = interpretation(result, Figure()).axes
    for colours, ax in zip(panel_colours(result), axes, strict=True):
        # Magma is taken at 17 places of 256.
        assert np.abs(colours - as_matplotlib_paints(ax)).max() < 4


def test_a_long_clip_has_panels_below_each_other_in_the_same_colours():
    result = explained(21.0, "saliency", windows="all")
    axes = interpretation(result, Figure()).axes
    for colours, ax in zip(panel_colours(result), axes, strict=True):
        assert np.abs(colours - as_matplotlib_paints(ax)).max() < 4
    height, width, _ = still_picture(result).shape
    assert height > 3 * 406
    assert width == 1680


def test_a_silent_clip_and_an_attribution_of_zero_are_drawn():
    silent = ai.interpret(CLASSIFIER, torch.zeros(1, 1, RATE), "saliency", compared=0)
    assert all(np.isfinite(colours).all() for colours in panel_colours(silent))


def test_the_captions_are_those_of_the_figure():
    result = explained(1.0)
    axes = interpretation(result, Figure()).axes
    assert [ax.get_title() for ax in axes] == titles(result)
    assert [ax.get_xlabel() for ax in axes] == time_labels(result)


def test_the_key_says_what_the_colours_of_a_method_mean():
    for_it, zero = "red: for it, blue: against it", "red: above 0, blue: below 0"
    ranks = "red: kept first, blue: kept last"
    for method, key in (("saliency", for_it), ("random", zero), ("optimal", ranks)):
        labels = [label.splitlines()[1:] for label in time_labels(explained(1.0, method))]
        assert labels == [[], [key], ["grey: removed"], ["grey: kept"]]
    of_layer = time_labels(explained(1.0, "gradcam"))[1].splitlines()
    assert of_layer[:2] == ["time (s)", for_it]
    assert of_layer[2].startswith("layer conv_block4")
    picture = still_picture(explained(1.0, "saliency"))
    # Two lines below the ticks, of four panels the second to the fourth.
    second_line = picture[302 + 31 + 22 : 302 + 31 + 44].min((0, 2))
    assert second_line[:440].min() == 255
    assert all(second_line[left : left + 300].min() < 100 for left in (480, 880, 1290))


def frame_of(picture):
    """The first row and column of the frame of the first panel, and the row and column after it."""
    is_black = (picture == 0).all(2)
    # The frame has the longest lines of black.
    top, bottom = np.flatnonzero(is_black[:, :400].sum(1) > 310)[[0, -1]]
    left, right = np.flatnonzero(is_black[:, :475].sum(0) > 200)[[0, -1]]
    return top + 1, bottom, left + 1, right


def test_bins_and_ticks_are_where_the_axes_say():
    rate = CLASSIFIER.transform.sample_rate
    tone = torch.sin(2 * torch.pi * 2000 * torch.arange(rate) / rate)[None, None]
    tone[..., rate // 2 :] = 0
    picture = still_picture(ai.interpret(CLASSIFIER, tone, "saliency", compared=0)).astype(int)
    top, bottom, left, right = frame_of(picture)
    inside = picture[top:bottom, left:right].sum(2)
    # The tone is the brightest row of the first half of the clip, and stops at half a second.
    row = int(inside[:, : inside.shape[1] // 3].mean(1).argmax())
    ends = np.flatnonzero(inside[row] > 500)[-1] / inside.shape[1]
    assert ends == pytest.approx(0.5, abs=0.02)
    # A tick of a frequency, left of the frame, stands in the middle of its band.
    ticks = np.flatnonzero((picture[top:bottom, left - 5] == 0).all(1))
    assert np.abs(ticks - row).min() <= (bottom - top) / 64
    # Seven ticks of time at 0, .2, …, 1 of 1.01 s.
    below = np.flatnonzero((picture[bottom + 3, left - 2 : right + 2] == 0).all(1))
    expected = [share * (right - left) / 1.01 for share in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert below == pytest.approx(np.array(expected) + 2, abs=1.5)


def test_a_title_that_is_too_wide_is_made_smaller():
    assert _fitting(["dog"], 20, 300).size == 20
    wide = "gradcam: why pouring_water_in_a_large_swimming_pool rather than dog"
    font = _fitting(["dog", wide], 20, 400)
    assert 380 < font.getlength(wide) <= 400


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 5.01, 19.99, 60, 3600])
@pytest.mark.parametrize("most", [6, 20])
def test_times_are_marked_evenly_and_not_too_often(seconds, most):
    ticks = time_ticks(seconds, most)
    assert 3 <= len(ticks) <= 1.12 * most + 1
    assert ticks[-1] <= seconds
    assert np.diff(ticks) == pytest.approx(ticks[1])


@pytest.mark.parametrize("has_matplotlib", [True, False])
def test_a_picture_is_drawn_without_the_font_of_matplotlib(has_matplotlib, monkeypatch, tmp_path):
    """Packages of operating systems keep the data of matplotlib elsewhere."""
    result = explained(1.0)
    usual = still_picture(result)
    package = ModuleSpec("matplotlib", None, origin=str(tmp_path / "__init__.py"))
    found = package if has_matplotlib else None
    monkeypatch.setattr("audiointerp.display.still.find_spec", lambda name: found)
    # Pillow looks for a font of this name there.
    for name in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(name, str(tmp_path))
    _font.cache_clear()
    try:
        picture = still_picture(result)
    finally:
        _font.cache_clear()
    assert picture.shape == usual.shape
    # The titles are above the panels; they are written in this font, too.
    assert (picture[:50] < 128).sum() > (usual[:50] < 128).sum() / 2
