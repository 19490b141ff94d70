"""Audio and data sets in other forms than this library's: what is read, and what is refused."""

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from audiointerp.dataset import (
    Contaminated,
    EvenSubset,
    InMemory,
    Synthetic,
    as_clip,
    as_dataset,
    compute_features,
    has_label,
    load_clip,
    recording_of,
    targets_of,
)
from audiointerp.errors import ArgumentError, AudioError, DatasetError
from audiointerp.model import Classifier
from audiointerp.predict import score
from audiointerp.processing import LogMel, load_audio, resample

WAV = torch.sin(torch.arange(800) / 5) / 2
RAW = {"normalize": "none"}


class Samples:
    """What torchcodec's decoder returns."""

    def __init__(self, data, sample_rate):
        self.data, self.sample_rate = data, sample_rate


class Decoder:
    """An audio decoder, as ``datasets`` gives."""

    def __init__(self, *samples):
        self.samples = samples

    def get_all_samples(self):
        return Samples(*self.samples)


@pytest.mark.parametrize(
    "audio",
    [
        WAV,
        WAV[None],
        WAV[None, None],
        WAV.double(),
        WAV.numpy(),
        WAV.double().numpy()[None],
        WAV.numpy().astype(">f4"),
        np.flip(np.flip(WAV.numpy())),
        (WAV, 8000),
        (WAV.numpy()[None], 8000.0),
        {"array": WAV.numpy(), "sampling_rate": 8000, "path": None},
        Decoder(torch.stack([WAV, WAV]), 8000),
        Samples(WAV[None], 8000),
    ],
    ids=lambda audio: type(audio).__name__,
)
def test_each_form_of_the_same_clip(audio):
    clip = as_clip(audio, 8000)
    assert clip.dtype == torch.float32
    assert clip.equal(WAV[None, None])
    assert as_clip(audio, 8000, normalize="peak").abs().max() == 1


def test_a_known_rate_is_resampled_and_a_bare_array_is_not():
    expected = resample(WAV[None, None], 8000, 16000)
    for audio in ((WAV, 8000), {"array": WAV, "sampling_rate": 8000}, Decoder(WAV[None], 8000)):
        assert as_clip(audio, 16000).equal(expected)
    assert as_clip(WAV, 16000).shape == (1, 1, 800)


def test_files_are_those_of_load_audio(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([WAV, WAV / 2], 1), 8000)
    expected = load_audio(path, 16000)
    content = path.read_bytes()
    assert as_clip(path, 16000).equal(expected)
    assert as_clip(str(path), 16000).equal(expected)
    assert as_clip(path, 16000, **RAW).equal(load_audio(path, 16000, **RAW))
    for embedded in (
        {"path": str(path), "bytes": None},
        {"path": "gone/b.wav", "bytes": content},
        {"path": None, "bytes": content},
    ):
        assert as_clip(embedded, 16000, normalize="peak").equal(expected)
        assert as_clip(embedded, 16000).equal(load_audio(path, 16000, **RAW))
    array, rate = soundfile.read(path)
    assert as_clip((array.T, rate), 16000, mono=True, normalize="peak").allclose(expected)
    with pytest.raises(AudioError, match=r"^b\.wav: not an audio file"):
        as_clip({"path": "gone/b.wav", "bytes": b"noise"}, 16000)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ([0.0, 0.5], r"not a list; make an array of it, numpy\.array"),
        (None, "not a NoneType"),
        (torch.zeros(2, 800), r"has 2 channels, or is 2 clips: average .* audio\.mean\(0\)"),
        (torch.zeros(1, 2, 800), r"audio\.mean\(1\), or give one, e\.g\. audio\[0, 0\]"),
        (torch.zeros(800, 2), r"more channels than samples: put the channels first"),
        (torch.zeros(800, 1), r"more channels than samples"),
        (torch.zeros(4, 1, 800), r"has 4 clips: give one, e\.g\. audio\[0\]"),
        (torch.zeros(1, 1, 1, 800), r"shape \(1, 1, 1, 800\) is not a clip"),
        (torch.zeros(()), r"shape \(\) is not a clip"),
        (torch.zeros(1, 0), r"shape \(1, 0\) is not a clip"),
        (torch.zeros(800, dtype=torch.int16), r"not int16; convert it, e\.g\. audio / 32768"),
        (np.zeros(800, np.int32), r"not int32; convert it, e\.g\. audio / 2\*\*31"),
        (np.zeros(800, complex), "not complex128"),
        (np.array(["a"]), "float samples"),
        (torch.tensor([0.0, torch.nan]), "NaN, infinity"),
        (np.array([0.0, np.inf]), "NaN, infinity"),
        ((WAV, "8 kHz"), "sample rate '8 kHz': give a whole number"),
        ((WAV, 0), "sample rate 0"),
        ((8000, WAV), r"wrong order: give \(array, rate\)"),
        ({"array": WAV}, "no sampling_rate"),
        ({"path": None, "bytes": None}, "path, bytes holds no sound"),
    ],
)
def test_what_is_no_clip_is_refused_in_a_line(audio, message):
    with pytest.raises(ArgumentError, match=message) as error:
        as_clip(audio, 8000)
    assert "\n" not in str(error.value)


def test_channels_that_cancel_are_refused():
    with pytest.raises(AudioError, match="2 channels of this audio cancel"):
        as_clip(torch.stack([WAV, -WAV]), 8000, mono=True)
    assert as_clip(torch.stack([WAV, WAV]), 8000, mono=True).equal(WAV[None, None])


PAIRS = [(WAV, "dog"), (WAV[:400].numpy(), "cat"), ((WAV, 16000), "dog")]


def test_a_list_of_pairs():
    dataset = as_dataset(PAIRS, sample_rate=8000)
    assert (dataset.sample_rate, dataset.labels, len(dataset)) == (8000, ("cat", "dog"), 3)
    assert [dataset[index][0].shape[-1] for index in range(3)] == [800, 400, 400]
    assert [dataset[index][1] for index in range(3)] == [1, 0, 1]
    assert [targets_of(dataset, index) for index in range(3)] == [(1,), (0,), (1,)]
    assert [dataset.clip_id(index) for index in range(3)] == ["0", "1", "2"]
    turned = as_dataset(PAIRS, 8000, ["dog", "owl", "cat"], duration=0.1, normalize="peak")
    assert [turned[index][1] for index in range(3)] == [0, 2, 0]
    assert {turned[index][0].shape for index in range(3)} == {(1, 800)}
    assert turned[0][0].abs().max() == 1
    named = as_dataset(PAIRS, 8000, names=list("abc"), recordings=["x", "x", "y"])
    assert (named.clip_id(2), named.recording(1), load_clip(named, 1).recording) == ("c", "x", "x")
    with pytest.raises(IndexError, match="there are 3 clips"):
        dataset[3]


def test_paths_keep_their_names(tmp_path):
    soundfile.write(tmp_path / "a.wav", WAV.numpy(), 8000)
    dataset = as_dataset([(tmp_path / "a.wav", "dog")], sample_rate=16000)
    assert dataset.clip_id(0) == "a.wav"
    assert dataset[0][0].equal(load_audio(tmp_path / "a.wav", 16000)[0])


def tensors(count=4):
    return TensorDataset(torch.rand(count, 1, 800) - 0.5, torch.arange(count) % 2)


def test_torch_data_sets_and_their_parts():
    data = tensors()
    dataset = as_dataset(data, 8000, ["cat", "dog"])
    assert [dataset[index][1] for index in range(4)] == [0, 1, 0, 1]
    part = as_dataset(Subset(data, np.array([3, 0])), 8000, ["cat", "dog"])
    assert part[0][0].equal(data[3][0])
    assert ([part.clip_id(0), part[0][1]], len(part)) == (["3", 1], 2)
    joined = as_dataset(ConcatDataset([data, Subset(tensors(), [1, 2])]), 8000, ["cat", "dog"])
    names = [joined.clip_id(index) for index in range(6)]
    assert names == ["1/0", "1/1", "1/2", "1/3", "2/1", "2/2"]
    assert [recording_of(joined, index) for index in range(6)] == names
    assert [targets_of(joined, index)[0] for index in range(6)] == [0, 1, 0, 1, 1, 0]
    deep = as_dataset(Subset(ConcatDataset([data, data]), [5]), 8000, ["cat", "dog"])
    assert deep.clip_id(0) == "2/1"


def test_parts_of_our_own_data_sets_keep_everything():
    first, second = Synthetic((1,)), Synthetic((2,))
    assert as_dataset(first) is first
    joined = as_dataset(Subset(ConcatDataset([first, second]), [79, 80]))
    assert (joined.sample_rate, joined.labels) == (first.sample_rate, first.labels)
    assert [joined.clip_id(0), joined.clip_id(1)] == [first.clip_id(79), second.clip_id(0)]
    assert [joined.recording(0), joined.recording(1)] == [first.recording(79), second.recording(0)]
    assert joined[1][0].equal(second[0][0])
    # The same recording in two data sets is one recording.
    twice = as_dataset(ConcatDataset([first, Synthetic((1,))]))
    assert (twice.clip_id(80), twice.recording(80)) == (f"2/{first.clip_id(0)}", "10000")
    for indices, message in (([], "clip none"), ([80], "clip 80"), ([1, 1], "same clip twice")):
        with pytest.raises(DatasetError, match=message):
            as_dataset(Subset(first, indices))


class Names:
    """A ClassLabel of ``datasets``."""

    def __init__(self, names):
        self.names = names


class Listed:
    def __init__(self, feature):
        self.feature = feature


class Audio:
    sampling_rate = None


class Rows:
    """A ``datasets.Dataset`` as it is used here."""

    def __init__(self, feature, rows, audio=Audio):
        self.features = {"audio": audio(), "label": feature}
        self.column_names = list(self.features)
        self.rows = [dict(zip(self.features, row, strict=True)) for row in rows]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        return [row[key] for row in self.rows] if isinstance(key, str) else self.rows[key]


def test_hugging_face_columns():
    value = {"array": WAV.numpy(), "sampling_rate": 8000, "path": "a.wav"}
    data = Rows(Names(["cat", "dog"]), [(value, 1), (Decoder(WAV[None], 8000), 0)])
    dataset = as_dataset(data, 16000)
    assert (dataset.labels, len(dataset)) == (("cat", "dog"), 2)
    assert dataset[0][0].equal(dataset[1][0])
    assert [dataset[0][1], dataset[1][1]] == [1, 0]
    words = as_dataset(Rows(object(), [(value, "owl"), (value, "bat")]), 8000)
    assert (words.labels, words[0][1]) == (("bat", "owl"), 1)
    several = Rows(Listed(Names(["cat", "dog"])), [(value, [0, 1]), (value, [1])])
    dataset = as_dataset(several, 8000)
    assert [dataset[0][1], dataset[1][1], targets_of(dataset, 1)] == [(0, 1), (1,), (1,)]
    with pytest.raises(DatasetError, match="label -1 is not among the 2 labels"):
        as_dataset(Rows(Names(["cat", "dog"]), [(value, -1)]), 8000)[0]
    with pytest.raises(DatasetError, match=r"no column sound; its columns are audio, label"):
        as_dataset(data, 8000, audio="sound")
    with pytest.raises(ArgumentError, match="do not state a sample rate"):
        as_dataset(data)

    class At8000:
        sampling_rate = 8000

    assert as_dataset(Rows(Names(["cat"]), [(value, 0)], At8000)).sample_rate == 8000


def test_folders_and_tables_by_their_path(tmp_path):
    for name in ("cat/a.wav", "dog/b.wav"):
        (tmp_path / "clips" / name).parent.mkdir(parents=True)
        soundfile.write(tmp_path / "clips" / name, WAV.numpy(), 8000)
    dataset = as_dataset(tmp_path / "clips", 8000)
    assert [dataset.clip_id(0), dataset[1][1]] == ["cat/a.wav", 1]
    assert dataset[0][0].abs().max() == 1
    (tmp_path / "clips" / "t.csv").write_text("filename,label\ncat/a.wav,owl\n")
    assert as_dataset(str(tmp_path / "clips" / "t.csv"), 8000).labels == ("owl",)
    synthetic = Synthetic((5,), sample_rate=8000, duration=3.0)
    synthetic.rows = synthetic.rows[::20]
    synthetic.write(tmp_path / "esc")
    read = as_dataset(tmp_path / "esc", 8000)
    assert [read.clip_id(i) for i in range(4)] == [synthetic.clip_id(i) for i in range(4)]
    assert [read.recording(i) for i in range(4)] == [synthetic.recording(i) for i in range(4)]
    with pytest.raises(ArgumentError, match="do not state a sample rate"):
        as_dataset(tmp_path / "clips")


NUMBERS = [(WAV, 0), (WAV, 1)]


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (PAIRS, {}, r"do not state a sample rate: give sample_rate="),
        (NUMBERS, {"sample_rate": 8000}, "labels are numbers or vectors, e.g. 0: give labels="),
        ([], {"sample_rate": 8000}, "holds no clips"),
        ([WAV, WAV], {"sample_rate": 8000}, "item 0 of the data is a Tensor, not a pair"),
        ([(WAV, 8000, "dog")], {"sample_rate": 8000}, "a tuple of 3, not a pair"),
        ({"train": PAIRS}, {"sample_rate": 8000}, "a dict of train is not a data set"),
        (iter(PAIRS), {"sample_rate": 8000}, "has no length or no items"),
        (7, {"sample_rate": 8000}, "a int has no length"),
        (PAIRS, {"sample_rate": 8000, "names": ["a", "a", "b"]}, "two clips have the same name"),
        (PAIRS, {"sample_rate": 8000, "names": ["a"]}, "names: 1 are given for 3 clips"),
        (PAIRS, {"sample_rate": 8000, "recordings": ["a"]}, "recordings: 1 are given"),
        (Synthetic((5,)), {"names": ["a"]}, "names and recordings are of a sequence"),
        (Synthetic((5,)), {"sample_rate": 8000}, "the data set has 32000 Hz, not 8000 Hz"),
        (Synthetic((5,)), {"labels": ["a", "b"]}, "the data set has the labels siren"),
        (
            ConcatDataset([Synthetic((1,)), Synthetic((2,), sample_rate=8000)]),
            {},
            "32000 and 8000 Hz",
        ),
        ("nowhere", {"sample_rate": 8000}, "nowhere: no such data folder"),
    ],
)
def test_what_is_no_data_set_is_refused_in_a_line(data, arguments, message):
    with pytest.raises((ArgumentError, DatasetError), match=message) as error:
        as_dataset(data, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("dog", 1),
        (np.int64(2), 2),
        (torch.tensor(1), 1),
        (torch.tensor([1, 0, 1]), (0, 2)),
        (np.array([False, True, False]), (1,)),
        (torch.zeros(3), ()),
        (["owl", "cat"], (0, 2)),
        ({"dog"}, (1,)),
        ((2, 0), (0, 2)),
        ([1, 0, 0], (0,)),
        ([0, 1], (0, 1)),
        ((), ()),
    ],
)
def test_labels(label, target):
    dataset = as_dataset([(WAV, label)], 8000, ["cat", "dog", "owl"])
    assert dataset[0][1] == target
    assert targets_of(dataset, 0) == (target if isinstance(target, tuple) else (target,))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("Dog", "unknown label 'Dog'; did you mean 'dog'"),
        (2, "label 2 is not among the 2 labels"),
        (-1, "label -1 is not among"),
        (True, "not True"),
        (0.5, "not 0.5"),
        (torch.tensor([0.5, 0.5]), "not zeros and ones"),
        (torch.tensor([1, 0, 0]), r"an array \(3,\) are not zeros and ones \(2,\)"),
        ([1, 0], "two numbers of classes or a multi-hot vector"),
        (["dog", "fox"], "unknown label 'fox'"),
    ],
)
def test_wrong_labels_name_the_clip(label, message):
    dataset = as_dataset([(WAV, label)], 8000, ["cat", "dog"])
    with pytest.raises(DatasetError, match=message) as error:
        dataset[0]
    assert str(error.value).startswith("clip 0: ")


def test_several_labels_are_carried_by_every_wrapper():
    pairs = [(WAV, ["dog", "cat"]), (WAV, ["dog"]), (WAV, [])]
    dataset = as_dataset(pairs, 8000, ["cat", "dog"])
    noisy = Contaminated(InMemory(dataset), "white")
    for wrapped in (dataset, InMemory(dataset), EvenSubset(dataset, None), noisy):
        assert [targets_of(wrapped, index) for index in range(3)] == [(0, 1), (1,), ()]
    loaded = load_clip(InMemory(dataset), 0)
    assert (loaded.label, loaded.labels, loaded.error) == ("cat; dog", ("cat", "dog"), None)
    assert [has_label(loaded.label, name) for name in ("cat", "dog", "owl")] == [True, True, False]
    assert has_label("one; label", "one; label")
    with pytest.raises(DatasetError, match=r"0 has 2 labels \(cat, dog\), but exactly one"):
        compute_features(dataset, LogMel(8000, 256, 80, 32, f_max=4000.0), progress=False)


def test_rows_name_all_labels_and_any_of_them_is_correct():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(32 * 11, 3))
    torch.nn.init.zeros_(network[1].weight)
    network[1].bias = torch.nn.Parameter(torch.tensor([0.0, 1.0, 0.0]))
    transform = LogMel(8000, 256, 80, 32, f_max=4000.0)
    classifier = Classifier(network, transform, ["cat", "dog", "owl"], duration=0.1)
    pairs = [(WAV, ["dog", "owl"]), (WAV, ["cat", "owl"]), (WAV, ["dog"]), (WAV, [])]
    dataset = as_dataset(pairs, 8000, classifier.labels)
    rows = score(classifier, dataset, ["random"], ["topK_30"], progress=False)
    assert rows["error"].tolist() == [""] * 4
    assert rows["target"].tolist() == ["dog; owl", "cat; owl", "dog", ""]
    assert rows["predicted"].tolist() == ["dog"] * 4
    assert rows["correct"].tolist() == [True, False, True, False]


def test_bad_samples_name_the_clip_and_cost_it_alone():
    dataset = as_dataset([(WAV * torch.nan, "dog"), (WAV, "cat")], 8000)
    assert str(load_clip(dataset, 0).error).startswith("clip 0: audio has NaN")
    assert load_clip(dataset, 1).error is None
