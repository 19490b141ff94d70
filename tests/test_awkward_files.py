"""Awkward sound files: what is read of each, in full or with a warning; and levels of no sound."""

import io
import warnings
from pathlib import Path

import awkward_files
import numpy as np
import pytest
import soundfile
import torch
from awkward_files import AWKWARD, LENGTH, encoded, replaced, wav_stating

from audiointerp.dataset.clips import Clip, LabelledClips
from audiointerp.errors import AudioError, AudioWarning
from audiointerp.processing import LogMel, LogSTFT
from audiointerp.processing.audio import load_audio, normalized
from audiointerp.processing.containers import examine

PAGE = Path(__file__).parents[1] / "docs" / "files.md"
WHOLE_WITH_WARNING = [
    "WAV, data size 0",
    "WAV, data and RIFF size 0",
    "WAV, data size 0x7FFFFFFF",
    "WAV, data size 0x7FFFF000 (SoX)",
    "WAV, data size 0xFFFFFFFF (ffmpeg)",
    "WAV, data size 2,000,000,000",
    "WAV, twice the data size",
    "WAV, data size 16 too many",
    "RF64, data size 2^64 - 1",
    "WAV, half the data size",
    "AIFF, half the size and samples",
    "AIFF, half the samples",
    "AIFF, size and samples 0",
    "AU, size 0",
    "AU, half the size",
    "FLAC, half the samples",
]
NOTE = b"LIST" + (4).to_bytes(4, "little") + b"INFO"


def written(path, data):
    path.write_bytes(data)
    return path


def samples_of(data):
    """The samples that libsndfile reads of a file, as a clip."""
    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    return torch.from_numpy(samples)[None, None]


def test_the_page_is_what_is_read_now():
    text = PAGE.read_text(encoding="utf-8")
    if f"libsndfile {soundfile.__libsndfile_version__} " not in text:
        pytest.skip("the page was written with another libsndfile")
    assert text == awkward_files.page()
    assert len(AWKWARD) == 27


@pytest.mark.parametrize("name", WHOLE_WITH_WARNING)
def test_a_wrong_length_is_read_whole_with_a_warning(tmp_path, name):
    path = written(tmp_path / "clip.sound", AWKWARD[name]())
    with pytest.warns(AudioWarning, match=r"clip\.sound: its .* states .*; read 1 s; "):
        wav = load_audio(path, normalize="none")
    assert wav.equal(samples_of(encoded(name.split(",")[0], "PCM_16")))
    with pytest.raises(AudioError, match=r"read 1 s; strict=True refuses the file, export it"):
        load_audio(path, strict=True)


@pytest.mark.parametrize("excess", [0x7FFF0000, 0x80008000, 0xFFFFFFDB, 0x77359400 - 44, 32002])
def test_placeholders_need_not_be_exact(tmp_path, excess):
    path = written(tmp_path / "clip.wav", wav_stating(excess))
    with pytest.warns(AudioWarning, match=f"states {excess} bytes"):
        assert load_audio(path).shape[-1] == LENGTH


@pytest.mark.parametrize("size", [2 * LENGTH + 2, 2 * LENGTH + 16, 4 * LENGTH])
def test_an_excess_in_both_sizes_is_a_truncated_file(tmp_path, size):
    path = written(tmp_path / "clip.wav", wav_stating(size, also_riff=True))
    with pytest.raises(AudioError, match=f"should have {size} bytes, but has {2 * LENGTH}"):
        load_audio(path)


def test_no_samples_are_none_whatever_chunks_follow(tmp_path):
    wav = replaced(encoded("WAV", "PCM_16")[:44], 40, bytes(4))
    for data in (wav, wav + NOTE):
        with pytest.raises(AudioError, match="the file has no samples"):
            load_audio(written(tmp_path / "clip.wav", data))


@pytest.mark.parametrize("stated", [2, 1600, LENGTH, 2 * LENGTH - 2000])
@pytest.mark.parametrize("also_riff", [False, True])
def test_samples_beyond_the_stated_ones_are_read(tmp_path, stated, also_riff):
    path = written(tmp_path / "clip.wav", wav_stating(stated, also_riff=also_riff))
    rest = 2 * LENGTH - stated
    note = f"its data chunk states {stated} bytes, {rest} too few, and {2 * LENGTH} bytes are there"
    with pytest.warns(AudioWarning, match=note):
        wav = load_audio(path, normalize="none")
    assert wav.equal(samples_of(encoded("WAV", "PCM_16")))
    with pytest.raises(AudioError, match=r"strict=True refuses"):
        load_audio(path, strict=True)


@pytest.mark.parametrize("size", [8, 10, 1608, 8 + LENGTH // 2, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_an_aiff_file_is_read_to_its_end_whatever_its_size_says(tmp_path, size, subtype):
    """FLOAT and ULAW are AIFC; COMM states the true length, a smaller one, or a placeholder."""
    path, whole = tmp_path / "clip.aiff", encoded("AIFF", subtype)
    wrong = replaced(whole, whole.index(b"SSND") + 4, size.to_bytes(4, "big"))
    available = len(whole) - whole.index(b"SSND") - 8
    for samples in (LENGTH, size // 16 % LENGTH, 0, 0x7FFFFFFF):
        data = replaced(wrong, whole.index(b"COMM") + 10, samples.to_bytes(4, "big"))
        note = f"its SSND chunk states {size} bytes, .*, and {available} bytes are there.*read 1 s"
        with pytest.warns(AudioWarning, match=note):
            wav = load_audio(written(path, data), normalize="none")
        assert wav.equal(samples_of(whole))
        with pytest.raises(AudioError, match="strict=True refuses"):
            load_audio(path, strict=True)


def test_an_aiff_file_that_is_cut_is_refused_whichever_chunk_says_so(tmp_path):
    cut = encoded("AIFF", "PCM_16")[:-LENGTH]
    left = (8 + LENGTH).to_bytes(4, "big")
    for data, message in (
        (cut, f"its SSND chunk should have {8 + 2 * LENGTH} bytes, but has {8 + LENGTH}"),
        (replaced(cut, cut.index(b"SSND") + 4, left), "should have 16000 samples .* has 8000"),
        (replaced(cut, cut.index(b"SSND") + 4, bytes(4)), "should have 16000 samples .* has 8000"),
    ):
        with pytest.raises(AudioError, match=message):
            load_audio(written(tmp_path / "clip.aiff", data))


NO_SAMPLES = {
    "behind a chunk": NOTE + bytes(range(200)) * 10,
    "too few": bytes(range(1, 201)),
    "text": b"<?xml version='1.0'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"<a>text</a>" * 200,
    "preallocated": bytes(2**17) + b"old content of the card",
}


@pytest.mark.parametrize("name", NO_SAMPLES)
def test_other_bytes_beyond_the_samples_are_not_read_as_sound(tmp_path, name):
    path, rest = tmp_path / "clip.sound", NO_SAMPLES[name]
    count = len(rest.removeprefix(NOTE))
    for container, order in (("WAV", "little"), ("AIFF", "big")):
        whole = encoded(container, "PCM_16")
        data = whole + rest.replace(NOTE, NOTE[:4] + (4).to_bytes(4, order) + NOTE[8:])
        with pytest.warns(AudioWarning, match=f"but {count} more follow, which were not read"):
            wav = load_audio(written(path, data), normalize="none")
        assert wav.equal(samples_of(whole))


@pytest.mark.parametrize(
    ("container", "between"),
    [("WAV", b""), ("WAV", NOTE), ("AIFF", b""), ("AU", b""), ("RF64", b"")],
)
def test_joined_files_are_read_to_their_end_with_a_warning(tmp_path, container, between):
    path, whole = tmp_path / "clip.wav", encoded(container, "PCM_16")
    expected = samples_of(whole)
    with pytest.warns(AudioWarning, match="it is 3 files joined into one, .* read 3 s"):
        wav = load_audio(written(path, whole + (between + whole) * 2), normalize="none")
    assert wav.equal(torch.cat([expected] * 3, -1))
    with pytest.raises(AudioError, match="strict=True refuses"):
        load_audio(path, strict=True)
    with pytest.raises(AudioError, match=r"should have 320\d\d bytes, but has 310\d\d;"):
        load_audio(written(path, whole + whole[:-1000]))
    with pytest.raises(AudioError, match="chained sounds of 16000 and 8000 Hz"):
        load_audio(written(path, whole + encoded(container, "PCM_16", rate=8000)))


def test_chunks_tags_and_padding_after_the_samples_are_silent(tmp_path):
    path, wav = tmp_path / "clip.wav", encoded("WAV", "PCM_16")
    for tail in (
        b"",
        b"\0",
        NOTE,
        NOTE[:-2],
        bytes(4096),
        NOTE + bytes(512),
        b"TAG" + b"x" * 125,
    ):
        assert load_audio(written(path, wav + tail), strict=True).shape[-1] == LENGTH


def test_joined_mp3_files_are_read_to_their_end(tmp_path):
    path = tmp_path / "clip.mp3"
    mp3 = encoded("MP3", rate=44100)
    wav = load_audio(written(path, mp3), normalize="none")
    tags = b"TAG" + bytes(125)
    ape = b"APETAGEX" + bytes(4) + (32).to_bytes(4, "little") + bytes(16) + bytes(32)
    for between in (b"", awkward_files.ID3, tags, tags + awkward_files.ID3, ape):
        data = mp3 + between + mp3 + between + mp3
        joined = load_audio(written(path, data), normalize="none", strict=True)
        assert joined.equal(torch.cat([wav] * 3, -1))
        assert len(examine(io.BytesIO(data)).links) == 3
    with pytest.raises(AudioError, match="Xing header should have"):
        load_audio(written(path, mp3 + mp3[:-100]))
    with pytest.raises(AudioError, match="chained sounds of 44100 and 16000 Hz"):
        load_audio(written(path, mp3 + encoded("MP3")))


def test_a_miscount_of_some_mp3_frames_is_no_sound(tmp_path):
    mp3 = encoded("MP3", rate=44100)
    size_field = mp3.index(b"Xing") + 12
    stated = int.from_bytes(mp3[size_field : size_field + 4], "big")
    fewer = replaced(mp3, size_field, (stated - 417).to_bytes(4, "big"))
    path = tmp_path / "clip.mp3"
    expected = load_audio(written(path, mp3))
    assert load_audio(written(path, fewer)).equal(expected)


def test_an_unclosed_ogg_is_read_with_a_warning(tmp_path):
    data = AWKWARD["Ogg, closing page missing"]()
    path = written(tmp_path / "clip.ogg", data)
    expected = samples_of(data)
    note = f"its last Ogg page is missing after byte {len(data)}; read 0.84 s"
    with pytest.warns(AudioWarning, match=note):
        assert load_audio(path, normalize="none").equal(expected)
    with pytest.raises(AudioError, match=r"Ogg page .* strict=True"):
        load_audio(path, strict=True)
    whole = encoded("OGG", "VORBIS")
    with pytest.warns(AudioWarning, match="last Ogg page is missing"):
        joined = load_audio(written(path, whole + data), normalize="none")
    assert joined.equal(torch.cat([samples_of(whole), expected], -1))
    with pytest.warns(AudioWarning, match="bytes after its last Ogg stream hold more pages"):
        load_audio(written(path, whole + b"junk" + whole))


@pytest.mark.parametrize("samples", [1, 4095, 4096, 8000, 12288])
def test_flac_is_read_beyond_its_stated_samples(tmp_path, samples):
    path = written(tmp_path / "clip.flac", awkward_files.flac_stating(samples))
    with pytest.warns(AudioWarning, match=f"states {samples} samples per channel, and 16000 are"):
        assert load_audio(path).shape[-1] == LENGTH


def antiphase(path, difference=0.0):
    tone = 0.5 * np.sin(np.arange(8000) / 5)
    soundfile.write(path, np.stack([tone, -(1 - difference) * tone], 1), 8000, subtype="FLOAT")
    return path


def test_channels_that_cancel_are_not_made_loud(tmp_path):
    path = antiphase(tmp_path / "clip.wav", 1e-4)
    dataset = LabelledClips([Clip(path, 0)], ["a"], sample_rate=8000, duration=1.0)
    message = r"clip\.wav: its channels cancel, their mean is 86 dB below .* mono file"
    for read in (
        lambda: load_audio(path),
        lambda: load_audio(path, normalize="rms"),
        lambda: load_audio(path, normalize="none", strict=True),
        lambda: dataset[0],
    ):
        with pytest.raises(AudioError, match=message):
            read()
    with pytest.warns(AudioWarning, match=message):
        wav = load_audio(path, normalize="none")
    # What came out before: the noise at full level.
    assert wav.abs().max() < 3e-5
    assert normalized(wav).abs().max() == 1
    with pytest.raises(AudioError, match="their mean is silent"):
        load_audio(antiphase(path))
    # 54 dB below is a mix that can be heard.
    assert load_audio(antiphase(path, 4e-3)).abs().max() == 1


def test_silent_and_single_channels_do_not_cancel(tmp_path):
    path = tmp_path / "clip.wav"
    for channels in (np.zeros((800, 2)), np.eye(2)[np.zeros(800, int)] / 2, np.zeros(800)):
        soundfile.write(path, channels, 8000)
        assert load_audio(path, strict=True).shape[-1] == 800


@pytest.mark.parametrize("transform", [LogMel(), LogSTFT()], ids=["mel", "stft"])
def test_integers_as_floats_give_a_warning(transform):
    integers = torch.sin(torch.arange(32000) / 5)[None, None] * 32767
    with pytest.warns(AudioWarning, match=r"\|sample\| .* 32767.*divide .* by 32768") as caught:
        transform(integers)
    assert caught[0].filename == __file__
    with warnings.catch_warnings(action="error"):
        transform(integers / 32768)
        transform(3 * integers / 32768)
