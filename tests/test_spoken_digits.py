"""Clips of one's own from end to end, in Python and in the shell: 8 kHz, half a second, ten words.

The words are synthetic: two formants per word over a voiced pulse train, spoken by six speakers.
"""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from small import small_classifier
from test_extending import run_page

import audiointerp as ai
from audiointerp.cli.own_clips import open_for_run
from audiointerp.cli.recorded_split import recorded_split, split_record
from audiointerp.dataset import LabelledClips, as_dataset, recording_of, split_clips, targets_of
from audiointerp.errors import ArgumentError, AudioWarning, DatasetError
from audiointerp.fit import FitSettings, train_classifier
from audiointerp.processing import save_audio

RATE, SECONDS = 8000, 0.5
WORDS = ("eight", "five", "four", "nine", "one", "seven", "six", "three", "two", "zero")
TRANSFORM = ai.LogMel(RATE, n_fft=256, hop_length=80, n_mels=32, f_max=4000.0)
SETTINGS = FitSettings(epochs=8, batch_size=8, mixup=0.0, frequency_mask=0, time_mask=0)
TRAIN = [
    *("--sample-rate", RATE, "--n-fft", 256, "--hop", 80, "--n-mels", 32, "--f-max", 4000),
    *("--network", "Cnn6", "--base-channels", 4, "--epochs", 12, "--frequency-mask", 0),
    *("--time-mask", 0, "--dropout", 0, "--head-dropout", 0, "--name", "digits"),
]


def spoken(word, speaker):
    """A pulse train at the speaker's pitch, in two bands that move in a way of the word."""
    generator = np.random.default_rng(100 * word + speaker)
    time = np.arange(round(SECONDS * RATE)) / RATE
    sound = 0.003 * generator.standard_normal(len(time))
    first = 300 + 60 * word + 10 * speaker
    second = 1000 + 250 * ((3 * word) % 10) + 20 * speaker
    for frequency, slope in ((first, 100 * (word % 3 - 1)), (second, 300 * (word % 2))):
        phase = 2 * np.pi * (frequency * time + slope * time**2)
        sound += np.sin(phase) * (1 + np.sin(2 * np.pi * (90 + 8 * speaker) * time))
    return torch.from_numpy(sound * np.hanning(len(time)) / 5).float()[None, None]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder with one subfolder per word, and a table of the same clips."""
    root = tmp_path_factory.mktemp("speech") / "digits"
    lines = ["file;class;recording"]
    for number, word in enumerate(WORDS):
        (root / word).mkdir(parents=True)
        for speaker in range(6):
            save_audio(root / word / f"{speaker}.wav", spoken(number, speaker), RATE)
            lines.append(f"digits/{word}/{speaker}.wav;{word};speaker {speaker}")
    (root.parent / "digits.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def trained(digits):
    """A tiny network, and the division of the clips."""
    clips = LabelledClips.from_folder(digits, sample_rate=RATE, duration=SECONDS)
    split = split_clips(clips)
    (outcome,) = train_classifier(
        (split.train, split.validation, split.test),
        TRANSFORM,
        "Cnn6",
        base_channels=4,
        settings=SETTINGS,
        progress=False,
    )
    return outcome, split


def test_in_python(trained, digits, tmp_path):
    outcome, split = trained
    assert [len(part) for part in (split.train, split.validation, split.test)] == [40, 10, 10]
    assert outcome.test_accuracy >= 0.8
    classifier = outcome.classifier
    assert classifier.duration == SECONDS
    classifier.save(tmp_path / "digits.safetensors")
    classifier = ai.Classifier.load(tmp_path / "digits.safetensors")

    wav = ai.dataset.as_clip(digits / "seven" / "0.wav", classifier.sample_rate)
    result = ai.interpret(classifier, wav, "gradcam")
    assert (result.kept + result.removed).allclose(wav, atol=1e-5)
    rows = ai.score(classifier, split.test, ["gradcam"], ["topK_30"], progress=False)
    assert (rows["status"] == "ok").all()
    assert rows["correct"].mean() == pytest.approx(outcome.test_accuracy)
    assert rows["recording"].nunique() == 10
    # The same clips from pairs, as another's data set gives them.
    pairs = [(split.test[i][0], classifier.labels[split.test[i][1]]) for i in range(3)]
    names = [split.test.clip_id(i) for i in range(3)]
    theirs = as_dataset(pairs, RATE, classifier.labels, names=names)
    again = ai.score(classifier, theirs, ["gradcam"], ["topK_30"], progress=False)
    pd.testing.assert_series_equal(again["FF"], rows["FF"][:3])
    table = ai.tables.summarise(ai.score(classifier, theirs, ["random"], ["bin"], progress=False))
    assert len(table)


def test_in_the_shell(call, digits, tmp_path):
    clips, weights = digits, tmp_path / "digits.safetensors"
    done = call("train", "--clips", clips, *TRAIN, "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "60 clips of 0.5 to 0.5 s, 10 classes; divided by recording: 40 for training, 10 for "
        "validation, 10 for test; the network takes 0.5 s"
    ) in done.stdout
    record = json.loads(weights.with_suffix(".json").read_text())
    assert record["outcomes"][0]["test_accuracy"] >= 0.5
    assert ai.Classifier.load(weights).transform == TRANSFORM

    done = call("interpret", clips / "six" / "1.wav", "--weights", weights, "--out", tmp_path / "i")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "i" / "kept.wav").is_file()

    run = ("run", "mel_clean", "--clips", clips, "--weights", weights, "--masks", "topK_30")
    out = ("--out", tmp_path / "results")
    done = call(*run, "--methods", "gradcam,shap", "--on", "features", *out)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the 10 test clips of 60 (--part all takes all)" in done.stdout
    assert "40 rows, 0 of them errors" in done.stdout
    done = call("tables", tmp_path / "results", "--by", "method,mask")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gradcam" in done.stdout

    # The table has the clips under other names, and in one order of its own.
    table = digits.with_suffix(".csv")
    run = ("run", "mel_white", "--clips", table, "--weights", weights, "--masks", "bin")
    done = call(*run, "--methods", "random", "--on", "features", "--out", tmp_path / "other")
    assert (done.returncode, done.stderr) == (0, "")
    assert "120 rows, 0 of them errors" in done.stdout
    for arguments, message in (
        (("--methods", "shap"), "do not record which clips of"),
        (("--part", "test"), "do not record a division of"),
        (("--part", "best"), "unknown part 'best'"),
        (("--folds", "3"), "unknown fold 3; it has the folds 1"),
        (("--data", "d"), "--clips replaces --data and --subset"),
        (("--part", "all", "--folds", "1"), "both choose clips"),
    ):
        done = call(*run, *arguments, "--out", tmp_path / "none")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), message
        assert message in done.stderr
    assert not (tmp_path / "none").exists()


def test_the_page_about_your_clips(digits, monkeypatch):
    monkeypatch.chdir(digits.parent)
    namespace = run_page("docs/your-clips.md", {})
    assert (namespace["rows"]["status"] == "ok").all()
    assert namespace["trained"].test_accuracy >= 0.5


MISTAKES = {
    "no folder": (["--clips", "nowhere"], "nowhere: no such data folder"),
    "two sources": (["--clips", "digits", "--data", "d"], "--clips replaces --data"),
    "shares of folds": (["--validation", "0.1"], "--validation and --test are of --clips"),
    "share": (["--clips", "digits", "--test", "1.5"], "each share must be above 0"),
    "large shares": (["--clips", "digits", "--test", "0.6", "--validation", "0.3"], "none for tr"),
    "bands": (["--clips", "digits", "--n-fft", "64", "--hop", "32"], "give fewer by --n-mels"),
    "stft": (["--transform", "stft", "--n-mels", "32"], "LogSTFT has no n_mels"),
    "highest": (["--clips", "digits", "--f-max", "20000"], "f_max"),
    "duration": (["--clips", "digits", "--duration", "0"], "duration=0.0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_training_is_one_line(call, digits, mistake):
    arguments, message = MISTAKES[mistake]
    done = call("train", *arguments, "--out", "weights", place=digits.parent)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr
    assert not (digits.parent / "weights").exists()


def recordings(part):
    return [recording_of(part, index) for index in range(len(part))]


def test_the_division_keeps_recordings_together(digits):
    clips = as_dataset(digits.with_suffix(".csv"), RATE)
    # Each speaker says all words: six recordings, of which each belongs to one part.
    split = split_clips(clips)
    parts = [split.train, split.validation, split.test]
    # All six have the class of their first clip: 0.2 of six is one recording, of ten clips.
    assert [len(part) for part in parts] == [40, 10, 10]
    speakers = [set(recordings(part)) for part in parts]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 6
    again = split_clips(as_dataset(digits.with_suffix(".csv"), RATE))
    assert again.test.indices == split.test.indices


def test_the_division_does_not_depend_on_other_clips(digits):
    clips = LabelledClips.from_folder(digits, sample_rate=RATE)
    split = split_clips(clips, validation=0.2, test=0.4)
    counts = torch.zeros(10, dtype=int)
    for index in range(len(split.test)):
        counts[targets_of(split.test, index)[0]] += 1
    # 0.4 of six recordings of each class.
    assert counts.tolist() == [2] * 10
    some = LabelledClips([clip for clip in clips.clips if clip.target < 5], clips.labels)
    names = {split.test.clip_id(index) for index in range(len(split.test))}
    fewer = split_clips(some, validation=0.2, test=0.4).test
    assert {fewer.clip_id(index) for index in range(len(fewer))} < names
    for shares in ((0.0, 0.2), (0.2, 0.9)):
        with pytest.raises(ArgumentError, match="each share must be above 0"):
            split_clips(clips, *shares)
    with pytest.raises(DatasetError, match="class eight has 2 recordings"):
        split_clips(ai.dataset.Selection(clips, [0, 1]))


def test_a_table_with_folds_is_divided_by_them(tmp_path):
    lines = [f"{fold}{word}.wav,{word},{fold}" for fold in (1, 2, 3, 10) for word in "ab"]
    (tmp_path / "t.csv").write_text("\n".join(["filename,label,fold", *lines]))
    clips = LabelledClips.from_csv(tmp_path / "t.csv")
    split = split_clips(clips)
    assert split.how == "by fold"
    parts = (split.train, split.validation, split.test)
    # The folds are numbers: 10 is the last.
    assert list(map(recordings, parts[1:])) == [["3a.wav", "3b.wav"], ["10a.wav", "10b.wav"]]
    assert len(split.train) == 4
    assert split_clips(clips, test=0.25).how == "by recording"


def test_a_recording_in_several_folds_is_told(tmp_path):
    lines = [f"{fold}{word}.wav,{word},{fold},{word}" for fold in (1, 2, 3) for word in "ab"]
    (tmp_path / "t.csv").write_text("\n".join(["filename,label,fold,recording", *lines]))
    clips = LabelledClips.from_csv(tmp_path / "t.csv")
    with pytest.warns(AudioWarning, match=r"fold 3: 2 of its 2 recordings are in the other folds"):
        split_clips(clips)


def test_clips_of_the_training_are_not_scored_for_a_changed_table(digits):
    """Neither where a recording or fold was corrected, nor where a clip was added."""
    named = LabelledClips.from_folder(digits, sample_rate=RATE, duration=SECONDS)
    split = split_clips(named)
    classifier = small_classifier(10, transform=TRANSFORM, duration=SECONDS)
    record = json.loads(json.dumps(split_record(split, None, None)))
    classifier = ai.Classifier(
        classifier.network, TRANSFORM, named.labels, SECONDS, {"split": record}
    )
    assert names_of(open_for_run(classifier, digits, None, None)[0]) == names_of(split.test)
    names = names_of(named)
    rows = [
        (name, named.labels[clip.target]) for name, clip in zip(names, named.clips, strict=True)
    ]
    unchanged = [(name, label, "1", name) for name, label in rows]
    speakers = [(name, label, "1", name[-5:]) for name, label in rows]
    folds = [(name, label, str(number % 3), name) for number, (name, label) in enumerate(rows)]
    added = [*unchanged, ("more.wav", "six", "1", "more")]
    table = digits / "table.csv"
    for listed, message in (
        (unchanged, ""),
        (speakers, "50 of its 60"),
        (folds, "50 of its 60"),
        (added, "50 of its 61"),
    ):
        lines = ["filename,label,fold,recording", *map(",".join, listed)]
        table.write_text("\n".join(lines))
        if not message:
            chosen, known = open_for_run(classifier, table, None, None)
            assert names_of(chosen) == names_of(split.test)
            assert known is not None
            continue
        for part in (None, "test", "train"):
            with pytest.raises(ArgumentError, match=f"trained on {message} clips, and its"):
                open_for_run(classifier, table, None, part)
        chosen, known = open_for_run(classifier, table, None, "all")
        assert (len(chosen), known) == (len(listed), None)
    table.unlink()


def test_another_folder_with_the_same_names_is_other_data(digits, tmp_path):
    """As train/dog/1.wav and test/dog/1.wav are."""
    named = LabelledClips.from_folder(digits, sample_rate=RATE, duration=SECONDS)
    record = split_record(split_clips(named), None, None)
    for number, word in enumerate(WORDS):
        (tmp_path / word).mkdir()
        save_audio(tmp_path / word / "1.wav", spoken(number, 7), RATE)
    others = LabelledClips.from_folder(tmp_path, sample_rate=RATE, duration=SECONDS)
    assert recorded_split(record, others, tmp_path, must_be_known=True) is None


def names_of(dataset):
    return [dataset.clip_id(index) for index in range(len(dataset))]
