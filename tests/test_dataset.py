import csv
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
import torch
from conftest import torture

from audiointerp.dataset.clips import Clip, LabelledClips
from audiointerp.dataset.esc50 import ESC50
from audiointerp.dataset.feature_tensors import compute_features
from audiointerp.dataset.folders import AUDIO_ENDINGS, ENDINGS_OF
from audiointerp.dataset.in_memory import EvenSubset
from audiointerp.dataset.noise import (
    MAKERS,
    NOISES,
    Contaminated,
    clean_and_noisy,
    synthetic_noise,
)
from audiointerp.dataset.synthesis import one_thread
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.errors import ArgumentError, AudioError, AudioWarning, DatasetError
from audiointerp.processing import save_audio
from audiointerp.processing.spectrogram import LogMel

HEADER = ["filename", "fold", "target", "category", "esc10"]


def layout(root, rows, header=HEADER):
    (root / "meta").mkdir()
    (root / "audio").mkdir()
    with (root / "meta" / "esc50.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    for row in rows:
        save_audio(root / "audio" / str(row[0]), torch.rand(1, 1, 800), 8000)
    return root


ROWS = [
    ("1-1-A-40.wav", 1, 40, "helicopter", "True"),
    ("1-2-A-3.flac", 1, 3, "cow", "False"),
    ("2-3-A-0.ogg", 2, 0, "dog", "True"),
]


def test_esc50_layout_and_esc10_numbers(tmp_path):
    root = layout(tmp_path, ROWS)
    everything = ESC50(root, sample_rate=8000)
    assert everything.labels == ("dog", "cow", "helicopter")
    assert [everything[i][1] for i in range(3)] == [2, 1, 0]
    subset = ESC50(root, folds=(1,), subset="esc10", sample_rate=16000, duration=0.5)
    assert subset.labels == ("dog", "helicopter")
    wav, target = subset[0]
    assert (len(subset), target, wav.shape, subset.clip_id(0)) == (1, 1, (1, 8000), "1-1-A-40.wav")
    assert wav.dtype == torch.float32
    assert wav.abs().max() == 1
    assert (wav[:, 1700:] == 0).all()  # 0.1 s of sound, then silence


def test_real_esc10(esc10):
    dataset = ESC50(esc10, (5,), "esc10")
    assert len(dataset) == 80
    assert len(dataset.labels) == 10
    assert np.bincount([clip.target for clip in dataset.clips]).tolist() == [8] * 10
    wav, _ = dataset[0]
    assert wav.shape == (1, 160000)
    assert wav.abs().max() == 1


def test_esc50_faults_are_named(tmp_path):
    with pytest.raises(DatasetError, match="no such data folder"):
        ESC50(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"esc50\.csv: the table of clips is missing"):
        ESC50(tmp_path)
    root = layout(tmp_path, ROWS)
    with pytest.raises(DatasetError, match=r"unknown fold 7.*folds 1, 2"):
        ESC50(root, folds=(7,))
    with pytest.raises(DatasetError, match="unknown fold none"):
        ESC50(root, folds=())
    with pytest.raises(ArgumentError, match="esc11"):
        ESC50(root, subset="esc11")
    (root / "audio" / "2-3-A-0.ogg").unlink()
    with pytest.raises(AudioError, match=r"2-3-A-0\.ogg: no such audio file"):
        ESC50(root)[2]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS, ["filename", "fold", "target", "name", "esc10"], "no column category"),
        ([], HEADER, "holds no clips"),
        ([("a.wav", "one", 0, "dog", "True")], HEADER, "fold is 'one' for 'a.wav'"),
        ([("a.wav", 1, "x", "dog", "True")], HEADER, "target is 'x'"),
        ([("a.wav", 1, "", "dog", "True")], HEADER, "line 2"),
        (
            [("a.wav", 1, 0, "dog", "True"), ("b.wav", 1, 0, "cat", "True")],
            HEADER,
            "target 0 is both",
        ),
    ],
)
def test_faulty_tables(tmp_path, rows, header, message):
    with pytest.raises(DatasetError, match=message):
        ESC50(layout(tmp_path, rows, header))


def test_a_table_that_is_no_text(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_bytes(b"\xff\xfe\x00filename")
    with pytest.raises(DatasetError, match="not a CSV table"):
        LabelledClips.from_csv(path)


def test_folder_of_labelled_clips(tmp_path):
    for name in ("cat/b.wav", "cat/a.wav", "dog/c.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_audio(tmp_path / name, torch.rand(1, 1, 400), 8000)
    (tmp_path / "empty").mkdir()
    turned = LabelledClips.from_folder(
        tmp_path, labels=("dog", "owl", "cat"), sample_rate=8000, duration=0.1
    )
    assert turned.labels == ("dog", "owl", "cat")
    assert [turned[i][1] for i in range(3)] == [2, 2, 0]
    with pytest.raises(DatasetError, match="unknown label cat"):
        LabelledClips.from_folder(tmp_path, labels=("dog", "owl"))
    with pytest.raises(DatasetError, match="target 7"):
        LabelledClips([Clip(tmp_path / "a.wav", 7)], ("a", "b"))
    (tmp_path / "cat" / "notes.txt").write_text("not a clip")
    dataset = LabelledClips.from_folder(tmp_path, sample_rate=8000, duration=0.1)
    assert dataset.labels == ("cat", "dog")
    assert [(dataset.clip_id(i), dataset[i][1]) for i in range(3)] == [
        ("cat/a.wav", 0),
        ("cat/b.wav", 0),
        ("dog/c.flac", 1),
    ]
    with pytest.raises(DatasetError, match="no subfolder"):
        LabelledClips.from_folder(tmp_path / "cat")
    with pytest.raises(DatasetError, match="no such"):
        LabelledClips.from_folder(tmp_path / "none")
    with pytest.raises(ArgumentError, match="duration"):
        LabelledClips.from_folder(tmp_path, duration=0.0)


def test_csv_of_labelled_clips(tmp_path):
    for name in "ab":
        save_audio(tmp_path / f"{name}.wav", torch.rand(1, 1, 400), 8000)
    (tmp_path / "clips.csv").write_text("filename,label,fold\na.wav,owl,1\nb.wav,bat,2\n")
    dataset = LabelledClips.from_csv(
        tmp_path / "clips.csv", folds=(1,), sample_rate=8000, duration=0.1
    )
    assert dataset.labels == ("bat", "owl")
    assert [(dataset.clip_id(i), dataset[i][1]) for i in range(len(dataset))] == [("a.wav", 1)]
    with pytest.raises(DatasetError, match="holds no clips"):
        LabelledClips([], ["a"])


def cut_clips(folder, **form):
    """A data set of files of 1, 12 and 2 s."""
    for name, seconds in (("a", 1), ("b", 12), ("c", 2)):
        save_audio(folder / f"{name}.wav", 0.5 * torch.rand(1, 1, 8000 * seconds), 8000)
    clips = [Clip(folder / f"{name}.wav", 0) for name in "abc"]
    return LabelledClips(clips, ["a"], sample_rate=8000, **form)


def test_a_cut_clip_is_named_once_per_data_set(tmp_path):
    dataset = cut_clips(tmp_path, duration=1.0)
    message = (
        r"b\.wav: only the first 1 of 12 s are used, the last 11 s are cut off, .*"
        "duration=None for whole files"
    )
    with warnings.catch_warnings(action="error"):
        assert dataset[0][0].shape == (1, 8000)
    with pytest.warns(AudioWarning, match=message) as caught:
        assert [dataset[index][0].shape[-1] for index in (1, 2, 1)] == [8000] * 3
    assert len(caught) == 1
    assert caught[0].filename == __file__
    esc50 = ESC50(layout(tmp_path, [("1-1-A-0.wav", 1, 0, "dog", "True")]), duration=0.05)
    with pytest.warns(AudioWarning, match=r"1-1-A-0\.wav: only the first 0\.05 of 0\.1 s"):
        assert esc50[0][0].shape == (1, 1600)
    # The padding of a coder is no part of a recording.
    for excess, warned in ((399, 0), (401, 1)):
        save_audio(tmp_path / "a.wav", torch.rand(1, 1, 8000 + excess), 8000)
        dataset = LabelledClips([Clip(tmp_path / "a.wav", 0)], ["a"], sample_rate=8000, duration=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert dataset[0][0].shape == (1, 8000)
        assert len(caught) == warned


def test_whole_files_have_lengths_of_their_own(tmp_path):
    dataset = cut_clips(tmp_path, duration=None)
    assert [dataset[index][0].shape[-1] for index in range(3)] == [8000, 96000, 16000]
    with pytest.raises(ArgumentError, match=r"b\.wav has 301 frames, a\.wav has 26: .*a duration"):
        compute_features(dataset, LogMel(sample_rate=8000, f_max=4000.0), progress=False)
    root = layout(tmp_path, [("1-1-A-0.wav", 1, 0, "dog", "True")])
    assert ESC50(root, sample_rate=8000, duration=None)[0][0].shape == (1, 800)
    for read in (LabelledClips.from_folder, LabelledClips.from_csv):
        with pytest.raises(DatasetError):
            read(tmp_path / "nowhere", duration=None)


def test_a_folder_takes_every_ending_that_is_decoded(tmp_path):
    (tmp_path / "cat").mkdir()
    names = ["a.opus", "b.oga", "c.au", "d.caf", "e.w64", "f.rf64", "g.AIFC", "h.WAV", "i.snd"]
    for name in (*names, "._h.wav", "notes.txt", "data.mat"):
        (tmp_path / "cat" / name).touch()
    dataset = LabelledClips.from_folder(tmp_path)
    assert [clip.path.name for clip in dataset.clips] == names
    assert all(ending[0] == "." and ending.islower() for ending in AUDIO_ENDINGS)
    # Each format that libsndfile decodes has an ending here, or holds no sound by its ending.
    without = {"RAW", "MAT4", "MAT5", "MPC2K", "SD2", "WAVEX"}
    assert set(soundfile.available_formats()) - set(ENDINGS_OF) <= without


@pytest.mark.parametrize("ending", [".m4a", ".aac", ".webm", ".amr", ".wma", ".mp4", ".M4A"])
def test_a_clip_that_cannot_be_decoded_is_not_left_out(tmp_path, ending):
    (tmp_path / "cat").mkdir()
    save_audio(tmp_path / "cat" / "a.wav", torch.rand(1, 1, 400), 8000)
    for name in ("b", "c"):
        (tmp_path / "cat" / f"{name}{ending}").touch()
    message = (
        rf"b{ending}: .* 2 in this folder would be left out; convert them, ffmpeg -i b{ending}"
    )
    with pytest.raises(DatasetError, match=message):
        LabelledClips.from_folder(tmp_path)


@pytest.mark.parametrize("index", [80, -81])
def test_a_clip_that_is_not_there_is_named(index):
    made = Synthetic((5,), sample_rate=8000, duration=3.0)
    assert made[-80][0].equal(made[0][0])
    for dataset in (made, EvenSubset(made, None), LabelledClips([Clip("a.wav", 0)] * 80, ["a"])):
        for look in (dataset.__getitem__, dataset.clip_id):
            with pytest.raises(
                IndexError, match=f"clip {index}: there are 80 clips, numbered from 0 to 79"
            ):
                look(index)


def test_contaminated_mixes_at_the_published_ratio(tmp_path):
    dataset = Synthetic((5,), sample_rate=16000, duration=3.0)
    noisy = Contaminated(dataset, "white")
    clean, (mixed, target) = dataset[3][0], noisy[3]
    noise = synthetic_noise("white", 16000)[0, :, : mixed.shape[-1]]
    assert (target, noisy.clip_id(3), len(noisy)) == (dataset[3][1], dataset.clip_id(3), 80)
    design = torch.stack([clean[0], noise[0]], 1).double()
    shares = torch.linalg.lstsq(design, mixed[0].double()).solution
    parts = (design * shares).square().mean(0).sqrt()
    assert 20 * torch.log10(parts[0] / parts[1]) == pytest.approx(
        20 * np.log10(0.6 / 0.4), abs=1e-3
    )  # 3.52 dB
    assert (design @ shares - mixed[0]).abs().max() < 1e-5
    assert mixed.abs().max() == 1

    save_audio(
        tmp_path / "hum.wav", torch.sin(torch.arange(700.0))[None, None], 16000
    )  # shorter than a clip: repeats
    for source in (tmp_path / "hum.wav", torch.sin(torch.arange(700.0))[None, None]):
        assert Contaminated(dataset, source)[0][0].isfinite().all()
    for ratio in (0, 1.5):
        with pytest.raises(ArgumentError, match="ratio"):
            Contaminated(dataset, "white", ratio)
    with pytest.raises(AudioError, match="no such"):
        Contaminated(dataset, "cow")
    for noise in (
        torch.zeros(1, 1, 9),
        torch.ones(9),
        torch.ones(1, 1, 0),
        torch.full((1, 1, 9), torch.nan),
    ):
        with pytest.raises(ArgumentError, match="noise"):
            Contaminated(dataset, noise)
    late = torch.cat([torch.zeros(1, 1, 99999), torch.ones(1, 1, 9)], -1)
    with pytest.raises(AudioError, match="first 3 s of the noise are silent"):
        Contaminated(dataset, late)[0]


def test_clean_and_noisy_clips_are_the_clean_ones_and_then_each_noise():
    dataset = EvenSubset(Synthetic((5,), sample_rate=16000, duration=3.0), 2)
    clips = clean_and_noisy(dataset, ["room", "white"], ratio=0.5, seed=4)
    expected = [dataset[0], dataset[1]]
    for name in ("room", "white"):
        noise = synthetic_noise(name, 16000, seed=4)
        noisy = Contaminated(dataset, noise, 0.5)
        expected += [noisy[0], noisy[1]]
        assert not noise.equal(synthetic_noise(name, 16000)), "the experiments' noise is another"
    assert len(clips) == len(expected)
    for index, (wav, target) in enumerate(expected):
        assert clips[index][0].equal(wav)
        assert clips[index][1] == target
    for wrong in ([], ["white", "white"]):
        with pytest.raises(ArgumentError, match=r"noises=\[.*: give at least one, each once"):
            clean_and_noisy(dataset, wrong)
    with pytest.raises(ArgumentError, match="unknown noise 'cow'"):
        clean_and_noisy(dataset, ["cow"])


def test_sounds_do_not_depend_on_the_number_of_threads(threads):
    def sounds():
        made = Synthetic((5,))
        # The clips of a mixture are those below, so a noise needs few of them.
        some = torture(range(0, 80, 40), range(0, 80, 9))
        mixtures = [Contaminated(made, name)[index][0] for name in NOISES for index in some]
        return [*mixtures, *(made[index][0] for index in range(0, 80, 9))]

    threads(1)
    expected = sounds()
    # Three threads divide a sum as neither one nor a power of two does.
    for count in torture((3,), (2, 3, 4)):
        threads(count)
        assert all(map(torch.equal, sounds(), expected))
        assert torch.get_num_threads() == count


def test_a_noise_in_double_precision_makes_the_clips_of_its_single_one():
    made, noise = (
        Synthetic((5,)),
        torch.randn(1, 1, 48000, generator=torch.Generator().manual_seed(0)).double(),
    )
    assert Contaminated(made, noise)[0][0].equal(Contaminated(made, noise.float())[0][0])


def test_synthetic_noises_are_computed_by_one_thread(threads, monkeypatch):
    threads(2)
    seen = []
    maker = MAKERS["white"]
    monkeypatch.setitem(
        MAKERS, "white", lambda *how: seen.append(torch.get_num_threads()) or maker(*how)
    )
    synthetic_noise("white", 8000)
    assert (seen, torch.get_num_threads()) == ([1], 2)


def test_threads_are_put_back_after_an_error_and_by_several_at_once(threads):
    threads(2)
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(4) as pool:
        made = Synthetic((5,), sample_rate=8000, duration=3.0)
        at_once = list(pool.map(lambda index: made[index][0], range(16)))
        assert [*pool.map(lambda _: torch.get_num_threads(), range(8))] == [2] * 8
    assert torch.get_num_threads() == 2
    assert all(made[index][0].equal(wav) for index, wav in enumerate(at_once))
