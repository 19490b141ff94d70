"""The nulls of a mask: their values, their places, and that they know nothing about the clip."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import noise, small_classifier, small_set, ten_classes
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

import audiointerp as ai
from audiointerp.dataset import LoadedClip
from audiointerp.errors import ArgumentError, AudioWarning
from audiointerp.interpretation.masks import MASKS, top
from audiointerp.interpretation.nulls import (
    FIELDS,
    NULLS,
    RANDOM_MASKS,
    in_frames,
    null_seed,
    random_field,
    random_shift,
    rearranged,
)
from audiointerp.metrics import METRICS, RELATIVE
from audiointerp.paper.validity import better_than_random
from audiointerp.predict import score
from audiointerp.scoring import RecentAttributions, RecentClips, clip_rows, explain_clip
from audiointerp.scoring.columns import VALUES
from audiointerp.scoring.nulls import null_maps, null_masks
from audiointerp.scoring.outcomes import classify_parts
from audiointerp.scoring.plan import Plan


def test_a_random_mask_has_the_values_of_its_mask_elsewhere():
    db = torch.randn(1, 1, 64, 101)
    masks = torch.cat(
        [
            torch.rand(2, 1, 64, 101),
            (torch.rand(1, 1, 64, 101) < 0.3).float(),
            torch.zeros(1, 1, 64, 101),
        ]
    )
    for kind in FIELDS:
        fields = torch.cat([random_field(db, kind, seed) for seed in range(4)])
        assert fields[:1].equal(random_field(db, kind))
        assert not fields[0].equal(fields[1])
        assert not fields[:1].equal(random_field(db + 1, kind))
        moved = rearranged(masks, fields)
        assert moved.flatten(1).sort().values.equal(masks.flatten(1).sort().values)
        assert not moved[0].equal(masks[0])
        assert fields[2:3][moved[2:3] == 1].min() >= fields[2:3][moved[2:3] == 0].max()
        for name in ("SPS", "COMP", "AREA"):
            scored = [
                METRICS[name].compute(type("Scored", (), {"mask": mask})) for mask in (masks, moved)
            ]
            assert torch.allclose(*scored, equal_nan=True)


def test_smooth_fields_are_smooth_and_cover_any_grid():
    for shape in ((1, 1, 64, 501), (1, 1, 257, 313), (1, 1, 2, 2), (1, 1, 17, 1)):
        assert random_field(torch.zeros(shape), "smooth").shape == shape

    def roughness(kind):
        field = random_field(torch.zeros(1, 1, 64, 501), kind)
        return (field.diff(dim=-1).std() / field.std()).item()

    assert roughness("smooth") < 0.25 < 1.2 < roughness("pixelwise")
    kept = torch.stack(
        [
            top(random_field(torch.full((1, 1, 64, 64), float(seed)), "smooth"), 0.3)[0, 0]
            for seed in range(300)
        ]
    )
    # No place is favoured; the standard error is 0.026.
    assert kept.mean(0).std() < 0.05


@pytest.mark.parametrize(
    ("frames", "least"), [(2, 1), (3, 1), (10, 1), (11, 2), (25, 3), (101, 11)]
)
def test_shifts_are_at_least_a_tenth_both_ways_round_and_equally_likely(frames, least):
    db = torch.zeros(1, 1, 4, frames)
    draws = 4000
    counts = Counter(random_shift(db, seed) for seed in range(draws))
    shifts = range(least, frames - least + 1)
    assert set(counts) == set(shifts)
    mean, variance = np.mean(shifts), np.var(shifts)
    drawn_mean = sum(shift * count for shift, count in counts.items()) / draws
    assert abs(drawn_mean - mean) <= 4 * math.sqrt(variance / draws)


def test_a_shorter_map_is_repeated_and_a_longer_one_cut():
    values = torch.arange(6.0).view(1, 1, 2, 3)
    assert in_frames(values, 3).equal(values)
    assert in_frames(values, 2).equal(values[..., :2])
    assert in_frames(values, 7)[0, 0].tolist() == [[0, 1, 2, 0, 1, 2, 0], [3, 4, 5, 3, 4, 5, 3]]


def masks_of(values, names=tuple(MASKS)):
    return {name: MASKS[name](values) for name in names}


def test_what_each_null_is():
    generator = torch.Generator().manual_seed(0)
    db, values, other = torch.randn(3, 1, 1, 16, 40, generator=generator)
    masks = masks_of(values)
    nulls = null_masks(NULLS, db, "saliency", masks, MASKS, other)
    assert list(nulls) == [null for null in NULLS if null != "matched"]
    shifts = set()
    for number, (name, mask) in enumerate(masks.items()):
        seed = null_seed("saliency", name)
        for kind in RANDOM_MASKS:
            expected = rearranged(mask, random_field(db, kind, seed))
            assert nulls[kind][number : number + 1].equal(expected)
        shift = random_shift(db, seed)
        shifts.add(shift)
        rolled = nulls["rolled"][number, 0]
        for frame in range(40):
            assert rolled[:, (frame + shift) % 40].equal(mask[0, 0, :, frame])
        assert nulls["other"][number : number + 1].equal(MASKS[name](other))
    assert len(shifts) > 1


def test_draws_differ_between_methods_masks_and_kinds_and_stay_the_same():
    db, values = torch.randn(2, 1, 1, 16, 40, generator=torch.Generator().manual_seed(0))
    three = NULLS[:3]
    whole = null_masks(three, db, "saliency", masks_of(values), MASKS)
    # One mask alone, in another order of the nulls: the same draws.
    alone = null_masks(three[::-1], db, "saliency", masks_of(values, ["topK_30"]), MASKS)
    place = list(MASKS).index("topK_30")
    for null in three:
        assert alone[null].equal(whole[null][place : place + 1])
    another_method = null_masks(three, db, "gradcam", masks_of(values), MASKS)
    for null in ("pixelwise", "smooth"):
        for first in range(len(MASKS)):
            assert not whole[null][first].equal(another_method[null][first])
    # topK_30 and a mask with the same values under another name lie elsewhere.
    twins = {"topK_30": MASKS["topK_30"](values), "twin": MASKS["topK_30"](values)}
    for moved in null_masks(("pixelwise", "smooth"), db, "saliency", twins, MASKS).values():
        assert not moved[0].equal(moved[1])
    maps = null_maps(NULLS, db, "saliency", values, db[..., :15])
    assert maps["rolled"].flatten().sort().values.equal(values.flatten().sort().values)
    assert maps["other"].equal(db[..., :15].repeat(1, 1, 1, 3)[..., :40])


def test_a_clip_of_one_frame_cannot_be_rolled():
    values = torch.randn(1, 1, 16, 1)
    assert list(null_masks(NULLS, values, "a", masks_of(values), MASKS)) == ["pixelwise", "smooth"]
    assert list(null_maps(NULLS, values, "a", values)) == ["pixelwise", "smooth"]


class Tones:
    """Clips of noise, of a length and a recording each; some cannot be read."""

    sample_rate, labels = 32000, ("label0", "label1", "label2")

    def __init__(self, recordings, seconds=None, broken=()):
        self.recordings, self.broken = recordings, broken
        self.seconds = seconds or [0.3] * len(recordings)
        self.reads = Counter()

    def __len__(self):
        return len(self.recordings)

    def __getitem__(self, index):
        self.reads[index] += 1
        if index in self.broken:
            raise OSError("broken")
        return noise(self.seconds[index], seed=index)[0], index % 3

    def clip_id(self, index):
        return f"{index}.wav"

    def recording(self, index):
        return self.recordings[index]


def test_the_other_clip_is_the_next_of_another_recording():
    clips = RecentClips(Tones("aabcca"))
    assert [clips.other_index(index) for index in range(6)] == [2, 2, 3, 5, 5, 2]
    assert [RecentClips(Tones("aaa")).other_index(index) for index in range(3)] == [None] * 3
    broken = RecentClips(Tones("abc", broken={1}))
    assert broken.other(0) is None
    assert broken.other(1).name == "2.wav"


class Counting(ai.Saliency):
    name = "counting"

    def _attribute(self, score_of, db):
        self.calls = getattr(self, "calls", 0) + 1
        return super()._attribute(score_of, db)


CLASSIFIER = small_classifier(duration=0.3)
AS_PUBLISHED = {"on": "features", "fill": "silence", "progress": False}
FEW = {"masks": ["topK_30", "minmax"], **AS_PUBLISHED}


def test_the_scores_of_other_are_those_of_the_other_clips_mask():
    """Of another length, too: repeated and cut."""
    clips = Tones("abb", seconds=[0.3, 0.5, 0.2])
    explainer = ai.Saliency(CLASSIFIER.network)
    rows = score(CLASSIFIER, clips, [explainer], **FEW, curves=True)
    specs = [CLASSIFIER.transform(clips[index][0][None]) for index in range(3)]
    attributions = [explain_clip(CLASSIFIER, spec, explainer) for spec in specs]
    for index, other in enumerate((1, 0, 0)):
        spec = specs[index]
        frames = spec.db.shape[-1]
        values = attributions[other].values.repeat(1, 1, 1, 3)[..., :frames]
        for mask in FEW["masks"]:
            null = MASKS[mask](values)
            outcomes = classify_parts(CLASSIFIER, spec, attributions[index].target, null)
            expected = outcomes.scores(null)
            row = rows[(rows["clip"] == f"{index}.wav") & (rows["mask"] == mask)].iloc[0]
            for name in RELATIVE:
                assert row[f"{name}_other"] == pytest.approx(expected[name].item(), abs=1e-4)
    assert rows[["deletion_other", "insertion_rolled"]].notna().all(axis=None)


def test_no_other_clip_no_scores():
    for clips in (Tones("aa"), Tones("a")):
        rows = score(CLASSIFIER, clips, ["saliency"], **FEW, curves=True)
        assert (rows["status"] == "ok").all()
        assert rows["FF_rolled"].notna().all()
        assert rows[[name for name in VALUES if name.endswith("_other")]].isna().all(axis=None)
    rows = score(CLASSIFIER, Tones("abc", broken={1}), ["saliency"], **FEW)
    ok = rows[rows["status"] == "ok"]
    assert ok["clip"].tolist() == ["0.wav"] * 2 + ["2.wav"] * 2
    assert ok["FF_other"].isna().tolist() == [True, True, False, False]


def test_an_other_clip_that_cannot_be_explained_costs_only_its_null():
    class Choosy(ai.Saliency):
        name = "choosy"

        def _attribute(self, score_of, db):
            if db.shape[-1] and float(db.max()) < -90:
                raise RuntimeError("too quiet")
            return super()._attribute(score_of, db)

    class Quiet(Tones):
        def __getitem__(self, index):
            wav, target = super().__getitem__(index)
            return wav * (0 if index == 1 else 1), target

    rows = score(CLASSIFIER, Quiet("abc"), [Choosy], **FEW)
    assert rows["status"].tolist() == ["ok", "ok", "error", "ok", "ok"]
    assert rows["FF_other"].isna().tolist() == [True, True, True, False, False]


def test_each_map_is_computed_once_and_each_clip_read_once():
    clips, method = Tones("abcdefg"), Counting(CLASSIFIER.network)
    rows = score(CLASSIFIER, clips, [method, "saliency"], **FEW)
    assert method.calls == 7
    assert set(clips.reads.values()) == {1}
    # What is kept changes nothing.
    alone = []
    recent = RecentClips(clips)
    plan = Plan(FEW["masks"])
    explainers = [Counting(CLASSIFIER.network), ai.Saliency(CLASSIFIER.network)]
    for index in reversed(range(7)):
        results = clip_rows(CLASSIFIER, recent.load(index), explainers, plan, recent.other(index))
        alone[:0] = [row for result in results for row in result.rows]
    pd.testing.assert_frame_equal(rows, pd.DataFrame(alone))


def test_clips_of_one_name_are_not_taken_for_each_other():
    kept, explainer = RecentAttributions(), ai.Saliency(CLASSIFIER.network)
    plan = Plan(["topK_30"], nulls=[])
    scores = []
    for seed in range(2):
        loaded = LoadedClip("a", "a", noise(0.3, seed=seed)[0], "label0", sha256=str(seed))
        (result,) = clip_rows(CLASSIFIER, loaded, [explainer], plan, None, kept)
        scores.append(result.rows[0]["FF"])
    assert scores[0] != scores[1]


def test_which_nulls():
    rows = score(CLASSIFIER, Tones("abc"), ["saliency"], **FEW, nulls=["rolled"])
    assert rows["FF_rolled"].notna().all()
    for null in ("pixelwise", "smooth", "other"):
        assert rows[f"FF_{null}"].isna().all()
    assert Plan(nulls=["other", "smooth"]) == Plan(nulls=("smooth", "other"))
    assert Plan(nulls=[]).nulls == ()
    for wrong in ("rolled", ["rolled", "rolled"], True):
        with pytest.raises(ArgumentError, match="nulls: a list of different names or none, not"):
            Plan(nulls=wrong)
    with pytest.raises(ArgumentError, match="unknown null 'roled'; did you mean 'rolled'"):
        Plan(nulls=["roled"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"masks": 0.3}, r"masks: a list .*, e\.g\. masks=\[0\.3\], not 0\.3"),
        ({"masks": torch.ones(2, 3)}, r"masks: a list .*, e\.g\. masks=\[tensor"),
        ({"masks": 5}, "masks: a list of different names, at least one, not 5"),
        ({"on": 5}, "on=5: give a name, or a list of names"),
        ({"fill": 5}, "fill=5: give a name, or a list of names"),
        ({"methods": 5}, "methods: a list of at least one, e.g. .* not 5"),
        (
            {"methods": ai.Saliency(CLASSIFIER.network)},
            "methods: a list of at least one, e.g. .* not",
        ),
    ],
)
def test_what_is_no_list_is_refused_in_a_sentence(settings, message):
    with pytest.raises(ArgumentError, match=message):
        score(CLASSIFIER, Tones("abc"), **({"methods": ["saliency"]} | settings))


def test_masks_may_be_the_names_or_functions_of_a_mapping():
    for masks in (MASKS, MASKS.keys(), MASKS.values()):
        assert Plan(masks=masks).mask_names == tuple(MASKS)


@given(
    st.lists(st.sampled_from("ab"), min_size=1, max_size=7),
    st.lists(st.integers(0, 6), max_size=9),
)
def test_the_other_clip_is_the_same_in_whatever_order_it_is_asked_for(recordings, asked):
    clips = RecentClips(Tones(recordings))
    for index in (number for number in asked if number < len(recordings)):
        following = [*range(index + 1, len(recordings)), *range(index)]
        others = [at for at in following if recordings[at] != recordings[index]]
        assert clips.other_index(index) == (others[0] if others else None)


def test_of_a_long_recording_the_rest_is_looked_through_once(monkeypatch):
    clips, asked = RecentClips(Tones("a" * 300)), Counter()
    recording = Tones.recording

    def counted(tones, index):
        asked[index] += 1
        return recording(tones, index)

    monkeypatch.setattr(Tones, "recording", counted)
    for index in range(100, 300, 2):
        assert clips.other_index(index) is None
    assert asked.total() < 500


def test_the_old_keyword_means_all_or_none():
    clips = Tones("ab")
    for baselines, nulls in ((True, NULLS), (False, ())):
        with pytest.warns(
            DeprecationWarning, match="baselines is deprecated: give nulls"
        ) as warned:
            rows = score(CLASSIFIER, clips, ["saliency"], **FEW, baselines=baselines)
        assert warned[0].filename == __file__
        pd.testing.assert_frame_equal(
            rows, score(CLASSIFIER, clips, ["saliency"], **FEW, nulls=nulls)
        )


def test_random_beats_its_nulls_in_no_more_families_than_chance_allows():
    """Of all masks, scores and fills, on features and on audio.

    Each of the 36 families, within which masks are corrected, may be wrong by chance once in forty
    times. So many as are wrong here would be so by chance in less than one of a thousand draws, if
    the families were independent.
    """
    clips = Tones([str(number) for number in range(24)])
    nulls, fills = ["pixelwise", "rolled", "other"], ["silence", "background"]
    plan = {"on": ["features", "audio"], "fill": fills, "nulls": nulls}
    rows = score(CLASSIFIER, clips, ["random"], **plan, progress=False)
    assert (rows["FF"] != rows["FF_pixelwise"]).mean() > 0.8
    wrong, families = 0, 0
    for fill in fills:
        counts = better_than_random(rows[rows["fill"] == fill])["random"]
        wrong += int((~counts.str.startswith("0 / ")).sum())
        families += len(counts)
    assert families == 2 * 3 * 2 * 3
    assert wrong <= binom.ppf(0.999, families, 1 / 40) < 6


def test_random_attributions_are_no_better_than_their_null():
    """Both are draws of the same kind: the mean difference is within three standard errors of 0."""
    rows = score(ten_classes(), small_set(count=10), ["random"], ["topK_30"], progress=False)
    difference = rows["FF"] - rows["FF_pixelwise"]
    assert difference.std() > 0
    assert abs(difference.mean()) < 3 * difference.std() / len(rows) ** 0.5
    db = torch.randn(1, 1, 64, 101)
    drawn = ai.Random(ten_classes().network)(db).values
    assert not any(drawn.equal(random_field(db, kind)) for kind in FIELDS)


def test_a_given_mask_has_no_other_clips_mask():
    """It would be the mask itself. Masks that are made of the attribution have one."""
    given_mask = torch.rand(64, 101, generator=torch.Generator().manual_seed(0)).round()
    rows = score(
        ten_classes(), small_set(count=2), ["random"], [given_mask, "topK_30"],
        nulls=["pixelwise", "other"], progress=False,
    )  # fmt: skip
    of_given, of_top = (rows[rows["mask"] == name] for name in ("given", "topK_30"))
    assert of_given[["FF_other", "AD_other", "HEARD_other"]].isna().all(axis=None)
    assert of_given["FF_pixelwise"].notna().all()
    assert of_top[["FF_other", "HEARD_other"]].notna().all(axis=None)


class WithSilence(Tones):
    """Clips of which the second is digital silence."""

    def __getitem__(self, index):
        wav, label = super().__getitem__(index)
        return (wav * 0 if index == 1 else wav), label


def test_silent_clips_are_named_since_each_method_is_perfect_there():
    with pytest.warns(AudioWarning, match=r"1 of 3 clips is silent \(.*\): .* FidIn is 1 and AD 0"):
        rows = score(CLASSIFIER, WithSilence("abc"), ["saliency"], **FEW)
    silent = rows[rows["ENERGY"].isna()]
    assert silent["clip"].nunique() == 1
    assert (silent["FidIn"] == 1).all()
    assert (silent[["AD", "AD_pixelwise"]].abs() < 0.01).all(axis=None)
