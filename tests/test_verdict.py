"""The verdict: its sentence in each case by hand, and its numbers against the sounds themselves."""

import math
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import noise
from hypothesis import given
from hypothesis import strategies as st

import audiointerp as ai
from audiointerp.errors import ModelError
from audiointerp.interpretation import Attribution
from audiointerp.scoring import COMPARED, Verdict, percent, random_masks, verdict_of
from audiointerp.scoring.verdict import ENOUGH, p_text

NOT_EXPLAINED = Verdict(
    question="crying_baby",
    p=0.943,
    p_kept=0.085,
    p_removed=0.2,
    p_random=(0.124,) * 18 + (0.01, 0.02),
    is_clip=True,
    is_kept=False,
    is_removed=False,
    area=0.3,
    energy=0.713,
    silent=0.25,
)
KEPT = replace(NOT_EXPLAINED, is_kept=True, p_kept=0.93)
NONE = (0.1,) * 20
CASES = {
    "not explained": (
        NOT_EXPLAINED,
        'Not explained: the kept 30 % alone is no longer "crying baby" (p .085), '
        "and 18 of 20 random masks keep as much.",
    ),
    "not explained, beyond chance": (
        replace(NOT_EXPLAINED, p_kept=0.4),
        'Not explained: the kept 30 % alone is no longer "crying baby" (p .400), '
        "yet more than 20 random masks keep.",
    ),
    "explained": (
        replace(KEPT, p_random=NONE),
        'Explained: the kept 30 % alone is still "crying baby" (p .930), '
        "and none of 20 random masks does as well (the best: p .100).",
    ),
    "explained, as is the rest": (
        replace(KEPT, p_random=NONE, is_removed=True, p_removed=0.7),
        'Explained: the kept 30 % alone is still "crying baby" (p .930), '
        "and none of 20 random masks does as well (the best: p .100); "
        "the rest alone is too (p .700).",
    ),
    "in doubt": (
        replace(KEPT, p_random=(0.94, *NONE[1:])),
        'In doubt: the kept 30 % alone is still "crying baby" (p .930), '
        "but 1 of 20 random masks does as well.",
    ),
    "equal as printed": (
        replace(KEPT, p_kept=0.60849, p_random=(0.6075001, *NONE[1:])),
        'In doubt: the kept 30 % alone is still "crying baby" (p .608), '
        "but 1 of 20 random masks does as well.",
    ),
    "ahead as printed": (
        replace(KEPT, p_kept=0.60751, p_random=(0.60749, *NONE[1:])),
        'Explained: the kept 30 % alone is still "crying baby" (p .608), '
        "and none of 20 random masks does as well (the best: p .607).",
    ),
    "chance": (
        replace(KEPT, p_random=(0.93,) * 20),
        'No better than chance: the kept 30 % alone is still "crying baby" (p .930), '
        "but 20 of 20 random masks do as well.",
    ),
    "one random mask": (
        replace(KEPT, p_random=(0.1,)),
        'Ahead of 1: the kept 30 % alone is still "crying baby" (p .930), '
        "and none of 1 random mask does as well (the best: p .100).",
    ),
    "no random masks": (
        replace(KEPT, p_random=()),
        'Not compared: the kept 30 % alone is still "crying baby" (p .930).',
    ),
    "another class, not kept": (
        replace(NOT_EXPLAINED, is_clip=False, p=0.02),
        'Not the decision: the clip is not "crying baby" (p .020); the kept 30 % alone is not '
        '"crying baby" (p .085), and 18 of 20 random masks keep as much.',
    ),
    "another class, kept": (
        replace(KEPT, is_clip=False, p=0.02, p_random=NONE),
        'Not the decision: the clip is not "crying baby" (p .020); the kept 30 % alone is '
        '"crying baby" (p .930), and none of 20 random masks does as well (the best: p .100).',
    ),
    "few random masks": (
        replace(KEPT, p_random=(0.1,) * 8),
        'Ahead of 8: the kept 30 % alone is still "crying baby" (p .930), '
        "and none of 8 random masks does as well (the best: p .100).",
    ),
    "silence": (
        replace(KEPT, p_random=NONE, silent=1.0),
        "Silence is kept: nothing in the kept 30 % can be heard.",
    ),
    "the rest is more of the class": (
        replace(KEPT, p_random=NONE, p_removed=0.95, is_removed=True),
        'In doubt: the kept 30 % alone is still "crying baby" (p .930), and none of 20 random '
        "masks does as well (the best: p .100), but the rest alone is no less so (p .950).",
    ),
    "the rest is the class, though less": (
        replace(KEPT, p_random=NONE, p_removed=0.92, is_removed=True),
        'Explained: the kept 30 % alone is still "crying baby" (p .930), and none of 20 random '
        "masks does as well (the best: p .100); the rest alone is too (p .920).",
    ),
    "a silent clip": (
        replace(KEPT, silent=1.0, energy=math.nan, p=0.98),
        'Silence is kept: the whole clip is silent, and "crying baby" (p .980) is the network\'s '
        "answer to silence.",
    ),
    "a silent clip, another class, the same map everywhere": (
        replace(KEPT, silent=1.0, energy=math.nan, p=0.02, is_clip=False, arbitrary=True),
        'Silence is kept: the whole clip is silent, and "crying baby" (p .020) is not the '
        "network's answer to silence.",
    ),
    "empty": (
        replace(NOT_EXPLAINED, area=0.0, silent=math.nan),
        "Nothing is kept: the mask is empty, so there is no reason to hear.",
    ),
    "arbitrary": (
        replace(KEPT, arbitrary=True),
        "No explanation: the attribution is the same everywhere, so the mask is arbitrary.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_its_sentence(case):
    verdict, sentence = CASES[case]
    assert str(verdict) == sentence
    assert verdict.is_explained == sentence.startswith("Explained")


def test_the_page_lists_each_verdict_of_these_cases_and_no_other():
    page = (Path(__file__).parents[1] / "docs/hearing.md").read_text(encoding="utf-8")
    table = page.split("| verdict | when |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    listed = {line.split(" | ")[0].removeprefix("| ") for line in table.split("\n")}
    heads = {re.sub(r"Ahead of \d+", "Ahead of N", verdict.head) for verdict, _ in CASES.values()}
    assert listed == heads


def test_the_details_of_a_silent_clip_tell_no_share_of_its_energy():
    silent = replace(KEPT, silent=1.0, energy=math.nan)
    assert silent.details[-1] == "Kept: 30 % of the bins; 100 % of the kept bins are silent."


def test_the_details_say_what_is_kept_and_what_the_rest_is():
    first, second = NOT_EXPLAINED.details
    assert first == 'The removed part alone is not "crying baby" (p .200).'
    assert second == (
        "Kept: 30 % of the bins, 71 % of the energy; 25 % of the kept bins are silent."
    )
    rest = replace(NOT_EXPLAINED, is_removed=True, p_removed=0.9, silent=math.nan)
    assert rest.details[0] == 'The removed part alone is "crying baby" too (p .900).'
    assert rest.details[1] == "Kept: 30 % of the bins, 71 % of the energy."


@given(st.lists(st.floats(0, 1), max_size=9), st.floats(0, 1), st.booleans())
def test_the_rank_counts_the_random_masks_that_reach_p(p_random, p_kept, is_kept):
    verdict = replace(KEPT, p_random=tuple(p_random), p_kept=p_kept, is_kept=is_kept)
    shown = Decimal(p_text(p_kept))
    assert verdict.as_good == len([p for p in p_random if Decimal(p_text(p)) >= shown])
    assert verdict.is_ahead == (is_kept and bool(p_random) and verdict.as_good == 0)
    assert not verdict.is_explained
    many = replace(verdict, p_random=(*p_random, *[0.0] * ENOUGH))
    assert many.is_explained == many.is_ahead == (is_kept and many.as_good == 0)


@pytest.mark.parametrize("against", [None, "label0"])
@pytest.mark.parametrize("fill", ["silence", "background"])
def test_its_p_are_those_of_the_sounds(classifier, fill, against):
    result = ai.interpret(
        classifier, noise(1.0), "saliency", target="label1", against=against, fill=fill
    )
    verdict = result.verdict
    for p, name in ((verdict.p, "p"), (verdict.p_kept, "p_in"), (verdict.p_removed, "p_out")):
        assert p == pytest.approx(result.heard[name], abs=1e-5)
    assert verdict.question == result.question
    assert verdict.area == pytest.approx(result.scores["AREA"])
    assert verdict.energy == pytest.approx(result.scores["ENERGY"])
    assert len(verdict.p_random) == COMPARED
    random = random_masks(result.spectrogram.db, "saliency", result.mask, "topK_30", COMPARED)
    for number in (0, 29):
        sound = result.spectrogram.masked(random[[number]], fill=fill).to_wav()
        features = classifier.transform(sound).db
        probs = classifier.probabilities(features)[0] if against is None else None
        if probs is not None:
            assert verdict.p_random[number] == pytest.approx(float(probs[1]), abs=1e-5)


class Overflowing(torch.nn.Module):
    """Its logits are NaN for parts as quiet as those under a mask, never for the clip."""

    def forward(self, db):
        level = db.mean((1, 2, 3))
        logits = torch.stack([level / 50 + 1.5, torch.zeros_like(level)], 1)
        return torch.where((level < -20)[:, None], torch.nan, logits)


def test_a_network_that_fails_on_a_part_gives_no_verdict():
    """A NaN would be the likeliest class, and no random mask would do as well."""
    classifier = ai.Classifier(Overflowing(), ai.LogMel(), ["cat", "dog"], duration=1.0)
    clip = classifier.transform(noise(1.0))
    attribution = Attribution(
        torch.rand_like(clip.db), torch.tensor([0]), torch.tensor([[0.9, 0.1]]), "mine"
    )
    mask = torch.zeros_like(clip.db)
    mask[..., :50] = 1
    with pytest.raises(ModelError, match=r"NaN or infinite logits for .* of 33 sounds"):
        verdict_of(classifier, clip, attribution, mask, "first_half")


def test_the_class_of_a_part_is_the_likeliest(classifier):
    for target in range(3):
        result = ai.interpret(classifier, noise(1.0), "saliency", target=target, compared=0)
        wavs = (result.wav, result.kept, result.removed)
        features = torch.cat([classifier.transform(wav).db for wav in wavs])
        decided = (classifier.probabilities(features).argmax(1) == target).tolist()
        verdict = result.verdict
        assert [verdict.is_clip, verdict.is_kept, verdict.is_removed] == decided
        assert verdict.p_random == ()


def test_the_silent_share_is_counted_by_hand(classifier):
    wav = noise(1.0)
    # A hundred dB below the rest: not audible, but not at the floor either.
    wav[..., 16000:] *= 1e-4
    spectrogram = classifier.transform(wav)
    attribution = ai.Saliency(classifier.network)(spectrogram.db)
    mask = torch.zeros_like(spectrogram.db)
    mask[..., 30:40], mask[..., 70:100] = 1, 1
    verdict = verdict_of(classifier, spectrogram, attribution, mask, "mine", compared=0)
    assert verdict.silent == pytest.approx(30 / 40)
    assert verdict.area == pytest.approx(40 / spectrogram.db.shape[-1])


@pytest.mark.parametrize("frames", [1, 2, 90])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_random_masks_have_the_values_of_the_mask(frames, count):
    mask = torch.rand(1, 1, 8, frames)
    random = random_masks(torch.randn(1, 1, 8, frames), "lime", mask, "minmax", count)
    assert random.shape == (count, 1, 8, frames)
    for drawn in random:
        assert torch.equal(drawn.flatten().sort().values, mask.flatten().sort().values)
    if frames > 8:
        assert len(random.unique(dim=0)) == count


def test_a_third_of_the_random_masks_is_of_each_kind():
    """Else a scattered map that knows nothing is ahead of all blobs, which destroy less."""
    mask = torch.zeros(1, 1, 64, 100)
    mask[..., 20:50] = 1
    random = random_masks(noise(0.2).view(1, 1, 64, 100), "lime", mask, "bin", 30)
    rolled = torch.cat([mask.roll(step, -1) for step in range(100)])
    moved = (random[:, None] == rolled[None]).all((-1, -2, -3)).any(1)
    # Of two neighbours in time, one in 2 x .3 x .7 differs if bins are independent.
    changes = random.diff(dim=-1).abs().mean((1, 2, 3))
    assert [int(moved[start : start + 10].sum()) for start in (0, 10, 20)] == [0, 0, 10]
    assert (changes[:10] < 0.15).all()
    assert changes[10:20].numpy() == pytest.approx(np.full(10, 0.42), abs=0.03)


def test_a_band_is_not_compared_with_itself():
    """Moved in time, a mask of whole bands is the mask, and would do as well as itself."""
    mask = torch.zeros(1, 1, 64, 100)
    mask[:, :, :19] = 1
    random = random_masks(noise(0.2).view(1, 1, 64, 100), "lime", mask, "bin", 30)
    assert len(random) == 30
    assert not any(each.equal(mask[0]) for each in random)
    assert (random.mean((1, 2, 3)) == mask.mean()).all()


def test_shares_are_written_with_as_many_figures_as_they_have():
    written = [percent(share) for share in (0, 0.004, 0.05, 0.125, 0.3, 0.994, 1)]
    assert written == ["0 %", "0.4 %", "5 %", "12 %", "30 %", "99.4 %", "100 %"]


def test_a_mask_that_repeats_in_time_is_not_compared_with_itself():
    mask = torch.zeros(1, 1, 64, 100)
    mask[..., ::2] = 1
    random = random_masks(noise(0.2).view(1, 1, 64, 100), "lime", mask, "bin", 30)
    assert not (random == mask).all((1, 2, 3)).any()
    assert 20 <= len(random) < 30
