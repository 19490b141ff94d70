"""Mixtures of two clips: their ratio, their parts, and which clips are mixed."""

from collections import Counter

import pytest
import torch

import audiointerp as ai
from audiointerp.dataset import InMemory, Mixtures, parts_of
from audiointerp.errors import ArgumentError, AudioError, DatasetError


class Tones:
    """Twelve tones of three classes, two clips of each of six recordings."""

    sample_rate, labels, normalize = 8000, ("low", "middle", "high"), "peak"

    def __init__(self):
        self.silent, self.lengths = (), {}

    def __len__(self):
        return 12

    def __getitem__(self, index):
        times = torch.arange(self.lengths.get(index, 800)) / 8000
        wav = torch.sin(6.28 * (200 + 50 * index) * times) * (index not in self.silent)
        return wav[None], index % 3

    def clip_id(self, index):
        return f"{index}.wav"

    def recording(self, index):
        return f"r{index % 6}"


def energy(wav):
    return float(wav.double().square().sum())


@pytest.mark.parametrize("ratio", [-5.0, 0.0, 5.0, 10.0])
@pytest.mark.parametrize("normalize", ["peak", "rms", "none"])
def test_the_sources_have_the_ratio_and_their_sum_is_the_mixture(ratio, normalize):
    tones = Tones()
    tones.normalize = normalize
    mixtures = Mixtures(tones, 6, ratio)
    for index in range(len(mixtures)):
        wav, targets = mixtures[index]
        first, second = mixtures.parts(index)
        assert 10 * torch.log10(torch.tensor(energy(first) / energy(second))) == pytest.approx(
            ratio, abs=1e-3
        )
        assert torch.equal(wav, (first + second)[0])
        assert targets[0] != targets[1]
        pair = mixtures.pairs[index]
        # Each source is its clip times a positive number.
        for source, clip in ((first, pair.first), (second, pair.second)):
            clean = tones[clip][0][None]
            torch.testing.assert_close(source, clean * (source.norm() / clean.norm()))
        if normalize == "peak":
            assert float(wav.abs().max()) == pytest.approx(1, abs=1e-6)
        if normalize == "rms":
            assert float(wav.square().mean().sqrt()) == pytest.approx(1, abs=1e-5)
        if normalize == "none":
            torch.testing.assert_close(first, tones[pair.first][0][None])


def test_the_pairs_are_the_same_each_time_and_at_each_ratio():
    pairs = Mixtures(Tones(), 6).pairs
    assert Mixtures(Tones(), 6, 10.0).pairs == pairs
    assert Mixtures(Tones(), 6, seed=1).pairs != pairs
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == 6


@pytest.mark.parametrize("number", [3, 6, 12, 20])
def test_no_recording_is_in_two_groups(number):
    mixtures = Mixtures(Tones(), number)
    group_of = {}
    for index in range(number):
        first, second = mixtures.recordings(index)
        assert first != second
        for recording in (first, second):
            assert recording in mixtures.recording(index).split("+")
            assert group_of.setdefault(recording, mixtures.recording(index)) == (
                mixtures.recording(index)
            )


def test_few_mixtures_come_from_as_many_groups():
    assert len({Mixtures(Tones(), 3).recording(index) for index in range(3)}) == 3


def test_names_and_classes():
    mixtures = Mixtures(Tones(), 3, -5.0)
    pair = mixtures.pairs[0]
    assert mixtures.clip_id(0) == f"{pair.first}.wav+{pair.second}.wav@-5dB"
    assert mixtures.targets(0) == (pair.first % 3, pair.second % 3) == mixtures[0][1]
    with pytest.raises(IndexError, match="3 clips"):
        mixtures.clip_id(3)


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ArgumentError, match="not so many pairs"):
        Mixtures(Tones(), 100)
    with pytest.raises(ArgumentError, match="number=0: must be a whole number from 1 on"):
        Mixtures(Tones(), 0)
    with pytest.raises(ArgumentError, match="finite"):
        Mixtures(Tones(), 3, float("nan"))
    tones = Tones()
    tones.silent = range(12)
    with pytest.raises(AudioError, match="silent"):
        Mixtures(tones, 3)[0]
    mixtures = Mixtures(tones, 3)
    tones.lengths = {mixtures.pairs[0].first: 900}
    tones.silent = ()
    with pytest.raises(ArgumentError, match="900"):
        mixtures[0]


def test_clips_of_several_classes_are_refused():
    class Several(Tones):
        def __getitem__(self, index):
            return super().__getitem__(index)[0], (0, 1)

    with pytest.raises(DatasetError, match="2 labels"):
        Mixtures(Several(), 3)


def test_parts_of_chosen_and_of_other_clips():
    clips = ai.Synthetic((5,), duration=3.0)
    chosen = ai.EvenSubset(clips, 4)
    for mine, theirs in zip(parts_of(chosen, 1), clips.parts(chosen.indices[1]), strict=True):
        assert torch.equal(mine, theirs)
    with pytest.raises(ArgumentError, match="does not know the sources"):
        parts_of(InMemory(Tones()), 0)
    with pytest.raises(ArgumentError, match="does not know the sources"):
        parts_of(ai.EvenSubset(Tones(), 2), 0)


def test_real_clips(esc10):
    dataset = ai.ESC50(esc10, (5,), "esc10")
    mixtures = Mixtures(dataset, 60)
    groups = Counter(mixtures.recording(index) for index in range(60))
    classes = Counter(target for index in range(60) for target in mixtures.targets(index))
    # As many as intervals need, and none decides a mean.
    assert len(groups) >= 20
    assert max(groups.values()) <= 4
    assert len(classes) == 10
    assert max(classes.values()) <= 2 * min(classes.values())
    first, second = mixtures.parts(7)
    assert energy(first) == pytest.approx(energy(second), rel=1e-5)
