"""docs/compare.md: the task gives the same with each library, and its table is the command's."""

import warnings
from pathlib import Path

import pytest
import soundfile
import torch

pytest.importorskip("one_task", reason="installed without its sources")
import one_task

import audiointerp as ai

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The answer and the sound of each way."""
    for name in ("captum", "pytorch_grad_cam", "shap", "quantus"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    folder = tmp_path_factory.mktemp("task")
    one_task.write_clip(folder / "clip.wav")
    classifier = ai.load("synthetic-mel")
    answers, sounds = {}, {}
    with warnings.catch_warnings():
        # Of the other libraries.
        warnings.simplefilter("ignore")
        for name, way in one_task.WAYS.items():
            answers[name] = way(classifier, folder / "clip.wav", folder / "kept.wav")
            samples, _ = soundfile.read(folder / "kept.wav", dtype="float32")
            sounds[name] = torch.from_numpy(samples)
    return answers, sounds


def test_captum_by_hand_is_what_the_library_does(done):
    answers, sounds = done
    ours, by_hand = answers["audiointerp"], answers["captum"]
    assert (ours.mask == by_hand.mask).float().mean() > 0.999
    assert ours.p == pytest.approx(by_hand.p, abs=0.01)
    # The last samples are not determined by the frames alone, which the short way ignores.
    length = len(sounds["captum"]) - one_task.WINDOW
    error = sounds["audiointerp"][:length] - sounds["captum"][:length]
    assert error.square().sum() < 1e-3 * sounds["captum"].square().sum()


def test_every_way_keeps_as_much(done):
    for name, answer in done[0].items():
        assert float(answer.mask.mean()) == pytest.approx(0.3, abs=1e-4), name


def test_the_page_has_the_table_of_the_command(done):
    page = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    assert one_task.table(done[0]) in page


def test_lines_are_counted_with_what_is_called():
    assert one_task.lines_of(one_task.p_of) == (
        3 + one_task.lines_of(one_task.transformed) + one_task.lines_of(one_task.levels_of)
    )
    assert one_task.code_lines("def f(x):\n    # why\n\n    return x\n") == 1
