"""The recording of each clip, for every kind of data set."""

from types import SimpleNamespace

import pytest
import torch

from audiointerp.dataset import (
    ESC50,
    Clip,
    Contaminated,
    EvenSubset,
    InMemory,
    LabelledClips,
    Part,
    Synthetic,
    esc50_recording,
    load_clip,
    made_noise,
    recording_of,
    synthetic_noise,
)
from audiointerp.errors import AudioError
from audiointerp.processing import save_audio


@pytest.fixture
def folder(tmp_path):
    for name in ("dog/1-977-A-0.wav", "dog/beach_2.wav", "cat/beach_1.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_audio(tmp_path / name, torch.rand(1, 1, 400), 8000)
    return tmp_path


def recordings(dataset):
    return [recording_of(dataset, index) for index in range(len(dataset))]


def test_names_of_esc50():
    names = ("1-977-A-39.ogg", "5-977-C-0", "1-977-A-39.ogg.wav", "a-b", "rain 5-1-A-0.wav")
    assert [esc50_recording(name) for name in names] == ["977", "977", *names[2:]]


def test_esc50_fills_the_recording_from_the_file_name(esc10):
    dataset = ESC50(esc10, (5,), "esc10")
    assert dataset.clips[0].recording == dataset.recording(0) == dataset.clip_id(0).split("-")[1]
    assert len(set(recordings(dataset))) == 57


def test_column_of_a_table(folder):
    table = folder / "clips.csv"
    rows = "dog/1-977-A-0.wav,dog, beach \ndog/beach_2.wav,dog,\ncat/beach_1.wav,cat,beach\n"
    table.write_text("filename,label,recording\n" + rows)
    assert recordings(LabelledClips.from_csv(table)) == ["beach", "dog/beach_2.wav", "beach"]
    table.write_text("filename,label\ndog/beach_2.wav,dog\ncat/beach_1.wav,cat\n")
    assert recordings(LabelledClips.from_csv(table)) == ["dog/beach_2.wav", "cat/beach_1.wav"]


def test_function_for_a_folder(folder):
    names = ["cat/beach_1.wav", "dog/1-977-A-0.wav", "dog/beach_2.wav"]
    assert recordings(LabelledClips.from_folder(folder)) == names
    dataset = LabelledClips.from_folder(folder, recording=lambda path: path.stem.split("_")[0])
    assert recordings(dataset) == ["beach", "1-977-A-0", "beach"]


def test_wrappers_pass_the_recording_through():
    dataset = Synthetic((5,), sample_rate=8000, duration=3.0)
    assert dataset.recording(13) == esc50_recording(dataset.clip_id(13)) == "50105"
    assert len(set(recordings(dataset))) == 80
    for wrapper in (InMemory(dataset), Contaminated(dataset, "white"), EvenSubset(dataset, None)):
        assert recordings(wrapper) == recordings(dataset)
    subset = EvenSubset(dataset, 10)
    assert recordings(subset) == [dataset.recording(index) for index in subset.indices]
    with pytest.raises(IndexError, match="clip 10: there are 10 clips"):
        subset.recording(10)


def test_no_two_synthetic_clips_share_a_recording_or_a_name():
    """Intervals over recordings would else pool clips of different folds."""
    dataset = Synthetic(sample_rate=8000, duration=3.0)
    names = [dataset.clip_id(index) for index in range(len(dataset))]
    assert len(set(recordings(dataset))) == len(set(names)) == 400
    assert [esc50_recording(name) for name in names] == recordings(dataset)


def test_data_sets_without_the_method():
    dataset = SimpleNamespace(clip_id=["1-977-A-39.wav", "a.wav"].__getitem__)
    assert [recording_of(dataset, index) for index in (0, 1)] == ["977", "a.wav"]
    dataset.recording = [5, 6].__getitem__
    assert recording_of(dataset, 1) == "6"


def test_loaded_clips_have_a_recording_that_does_not_enter_their_hash(folder):
    path = folder / "dog" / "beach_2.wav"
    first, second = (
        load_clip(LabelledClips([Clip(path, 0, recording=name)], ["dog"]), 0) for name in ("", "b")
    )
    assert (first.name, first.recording, second.recording) == ("beach_2.wav", "beach_2.wav", "b")
    assert first.sha256 == second.sha256
    missing = load_clip(LabelledClips([Clip(folder / "no.wav", 0, recording="b")], ["dog"]), 0)
    assert (missing.recording, missing.wav, type(missing.error)) == ("b", None, AudioError)


def test_an_error_in_the_recording_is_the_error_of_the_clip():
    class Broken(Synthetic):
        def recording(self, index):
            raise KeyError("beach")

    clip = load_clip(Broken((5,)), 0)
    assert (clip.recording, type(clip.error)) == ("5-50000-A-0.wav", KeyError)


def test_constructors_of_esc50_give_labelled_clips(folder):
    (folder / "clips.csv").write_text("filename,label\ndog/beach_2.wav,dog\n")
    for dataset in (ESC50.from_folder(folder), ESC50.from_csv(folder / "clips.csv")):
        assert type(dataset) is LabelledClips
        assert "dog" in dataset.labels


def test_old_names():
    assert Part is EvenSubset
    assert made_noise is synthetic_noise
