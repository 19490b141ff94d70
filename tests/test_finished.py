"""The page of validity from a finished run, and its fifth fault: sounds that were not scored."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import noise, small_classifier
from torch import nn

from audiointerp.dataset.in_memory import EvenSubset
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import AudioInterpError
from audiointerp.experiments import EXPERIMENTS, sha256_of_state
from audiointerp.metrics import METRICS
from audiointerp.model.classifier import Classifier
from audiointerp.paper.example import example_rows
from audiointerp.paper.finished import find_rows, finished_rows
from audiointerp.paper.published import STUDY_MASKS, STUDY_METHODS
from audiointerp.paper.published_faults import _sounds_fault
from audiointerp.paper.soft_mask_sounds import median_sound_gaps, sound_gaps
from audiointerp.processing import LogMel, LogSTFT


class Loudness(nn.Module):
    """Says "loud" with the log-odds of the mean level above -50 dB, over 10 dB."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, db):
        level = self.scale * (db.mean((1, 2, 3)) + 50)
        return torch.stack([level, torch.zeros_like(level)], 1)


def loudness(transform):
    return Classifier(Loudness(), transform, ["loud", "quiet"], duration=1.0)


WEIGHTS = Path(__file__).parents[1] / "weights"
LOUD = torch.tensor([0])


@pytest.mark.parametrize("transform", [LogSTFT(), LogMel()], ids=["stft", "mel"])
def test_the_gaps_of_a_constant_mask_by_hand(transform):
    """Half of the power is 3 dB less, half of the level in dB is half the way to the floor."""
    classifier = loudness(transform)
    wav = torch.randn(1, 1, transform.sample_rate, generator=torch.Generator().manual_seed(0))
    spectrogram = classifier.transform(wav)
    mask = torch.full_like(spectrogram.db, 0.5)
    gaps = sound_gaps(classifier, spectrogram, LOUD, mask)
    level = float(spectrogram.db.mean())
    p_in = torch.tensor((level - 100) / 20 + 5).sigmoid()
    p_of_sound = torch.tensor((level - 10 * math.log10(2)) / 10 + 5).sigmoid()
    # Least squares does not give each band its level back exactly.
    assert gaps.published == pytest.approx(float(p_of_sound - p_in), abs=0.02)
    assert gaps.scored < 0.03
    # A level of L dB is 3 dB lower in the one sound, and at (L - 100) / 2 in the other.
    assert gaps.louder == pytest.approx((level + 100) / 2 - 3, abs=3)


@pytest.mark.parametrize("transform", [LogSTFT(), LogMel()], ids=["stft", "mel"])
def test_a_mask_of_zeros_and_ones_is_heard_as_it_is_scored(transform):
    classifier = loudness(transform)
    spectrogram = classifier.transform(noise(1.0, transform.sample_rate))
    mask = (torch.rand_like(spectrogram.db) > 0.5).float()
    gaps = sound_gaps(classifier, spectrogram, LOUD, mask)
    assert gaps.published == gaps.scored
    assert gaps.louder == 0
    assert gaps.si_sdr > 100
    silent = sound_gaps(classifier, spectrogram, LOUD, torch.zeros_like(mask))
    assert silent.louder == 0


def test_the_sound_of_a_soft_mask_is_not_what_was_scored():
    """On the network of the synthetic clips; the sound of the scored levels has their p."""
    classifier = Classifier.load(WEIGHTS / "synthetic_mel_cnn10.safetensors")
    clips = Synthetic((5,), sample_rate=32000, duration=classifier.duration)
    spectrograms = [classifier.transform(clips[index][0][None]) for index in (0, 20)]
    gaps = median_sound_gaps(classifier, spectrograms)
    assert gaps.published > 0.3
    assert gaps.scored < 0.05
    assert gaps.louder > 20
    with pytest.raises(AudioInterpError, match="no test clip can be read"):
        median_sound_gaps(classifier, [])
    fault = _sounds_fault(classifier, EvenSubset(clips, 1))
    assert "dB louder" in fault.figure
    assert float(fault.before) > float(fault.after)


@pytest.fixture
def finished(tmp_path):
    """Results of a small classifier on two clips."""
    classifier = small_classifier()
    rows = example_rows(methods=STUDY_METHODS, masks=STUDY_MASKS, on=["features", "audio"])
    for method, part in rows.groupby("method"):
        folder = tmp_path / "mel" / "mel_clean" / str(method)
        folder.mkdir(parents=True)
        part.drop(columns=["experiment", "transform", "network"]).to_csv(
            folder / "metrics.csv", index=False
        )
        record = {
            "network_sha256": sha256_of_state(classifier.network),
            "rows": len(part),
            "versions": {"audiointerp": "0.1.0"},
        }
        (folder / "run.json").write_text(json.dumps(record))
    return tmp_path, classifier, rows


class Clips:
    """The names of clips."""

    def __init__(self, *names):
        self.names = names

    def __len__(self):
        return len(self.names)

    def clip_id(self, index):
        return self.names[index]


CLIPS = Clips("0.wav", "1.wav")
EXPERIMENT = EXPERIMENTS["mel_clean"]


def test_the_rows_of_a_finished_run_are_taken_as_they_are(finished):
    root, classifier, rows = finished
    read = finished_rows(root, classifier, CLIPS)
    keys = ["method", "clip", "on", "mask"]
    expected = rows.sort_values(keys).reset_index(drop=True)
    assert (
        read.sort_values(keys).reset_index(drop=True)[list(METRICS)].equals(expected[list(METRICS)])
    )


def test_rows_of_something_else_are_refused(finished):
    root, classifier, _ = finished
    other = small_classifier()
    with torch.no_grad():
        other.network.head.bias += 1
    with pytest.raises(AudioInterpError, match="of another network than the weights"):
        finished_rows(root, other, CLIPS)
    with pytest.raises(AudioInterpError, match=r"of other clips than the data \(1 differ, e.g. 2"):
        finished_rows(root, classifier, Clips("0.wav", "1.wav", "2.wav"))
    (root / "mel" / "mel_clean" / "lime" / "metrics.csv").unlink()
    with pytest.raises(AudioInterpError, match="have no method lime; leave out --rows"):
        finished_rows(root, classifier, CLIPS)
    (root / "mel" / "mel_clean").rename(root / "mel" / "mel_white")
    with pytest.raises(AudioInterpError, match="holds no results of mel_clean"):
        finished_rows(root, classifier, CLIPS)


MASK_NAMES = ["topK_30", "bin"]


def test_rows_of_this_network_and_these_clips_are_found(finished):
    root, classifier, rows = finished
    methods = ["saliency", "lime"]
    read = find_rows(EXPERIMENT, classifier, CLIPS, methods, MASK_NAMES, root=root)
    expected = rows[rows["method"].isin(methods) & rows["mask"].isin(MASK_NAMES)]
    keys = ["method", "clip", "on", "mask"]
    read, expected = (
        part.sort_values(keys).reset_index(drop=True)[[*keys, *METRICS]]
        for part in (read, expected)
    )
    assert len(read) > 0
    assert read.equals(expected)


def test_rows_of_something_else_are_not_found(finished):
    root, classifier, _ = finished
    other = small_classifier()
    with torch.no_grad():
        other.network.head.bias += 1
    differing = [
        (EXPERIMENT, other, CLIPS, ["lime"], MASK_NAMES),
        (EXPERIMENT, classifier, Clips("0.wav"), ["lime"], MASK_NAMES),
        (EXPERIMENT, classifier, Clips("0.wav", "1.wav", "2.wav"), ["lime"], MASK_NAMES),
        (EXPERIMENT, classifier, CLIPS, ["lime", "rise"], MASK_NAMES),
        (EXPERIMENT, classifier, CLIPS, ["lime"], ["topK_7"]),
        (EXPERIMENTS["mel_horse"], classifier, CLIPS, ["lime"], MASK_NAMES),
    ]
    assert [find_rows(*each, root=root) for each in differing] == [None] * len(differing)
    same = (EXPERIMENT, classifier, CLIPS, ["lime"], MASK_NAMES)
    assert find_rows(*same, noise="mine.wav", root=root) is None
    assert find_rows(*same, root=root) is not None


def test_a_run_that_is_not_finished_is_not_found(finished):
    root, classifier, _ = finished
    (root / "mel" / "mel_clean" / "lime" / "run.json").unlink()
    assert find_rows(EXPERIMENT, classifier, CLIPS, ["lime"], MASK_NAMES, root=root) is None


def test_a_method_without_a_mask_or_a_table_is_not_found(finished):
    root, classifier, _ = finished
    table = root / "mel" / "mel_clean" / "saliency" / "metrics.csv"
    rows = pd.read_csv(table)
    fewer = rows[rows["mask"] != "bin"]
    fewer.to_csv(table, index=False)
    record = json.loads(table.with_name("run.json").read_text())
    table.with_name("run.json").write_text(json.dumps(record | {"rows": len(fewer)}))
    both = (EXPERIMENT, classifier, CLIPS, ["saliency", "lime"])
    assert find_rows(*both, MASK_NAMES, root=root) is None
    assert find_rows(*both, ["topK_30"], root=root) is not None
    table.unlink()
    assert find_rows(*both, ["topK_30"], root=root) is None
