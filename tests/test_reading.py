"""Reading sound files: samples equal soundfile's bit for bit, and truncated files are refused."""

import io
import os

import numpy as np
import pytest
import soundfile
import torch
from conftest import torture

from audiointerp.errors import AudioError, AudioWarning
from audiointerp.processing import chunks, containers, reading
from audiointerp.processing.audio import load_audio, mono, normalized
from audiointerp.processing.resampling import resample
from audiointerp.processing.spectrogram import LogMel, LogSTFT

FORMATS = ("WAV", "WAVEX", "RF64", "AIFF", "FLAC", "OGG", "MP3", "AU")
UNCHECKED = ("CAF", "W64")
# The codecs that do not take every rate.
RATES = {"MP3": (16000, 44100), "OPUS": (16000, 48000)}


def encoded(container, subtype=None, rate=16000, channels=1, length=1000, **kwargs):
    """A file of noise with a silent stretch, as bytes."""
    sound = 0.2 * np.random.default_rng(length).standard_normal((length, channels))
    sound[length // 3 : length // 2] = 0
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=container, subtype=subtype, **kwargs)
    return file.getvalue()


def as_soundfile_reads(path, rate=None):
    """The reference: read in one piece, then mono, resampled, normalised."""
    samples, own = soundfile.read(path, dtype="float32", always_2d=True)
    wav = mono(torch.from_numpy(samples.T.copy())[None])
    return normalized(resample(wav, own, rate) if rate else wav)


def written(path, data):
    path.write_bytes(data)
    return path


def replaced(data, at, new):
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.torture
@pytest.mark.parametrize("container", FORMATS)
def test_every_format_comes_in_as_soundfile_reads_it(tmp_path, container, figure):
    read = 0
    lengths = torture((1, 1001), (1, 2, 100, 1001, 30000, 70000))
    for subtype in soundfile.available_subtypes(container):
        for rate in RATES.get(
            container, RATES.get(subtype, torture((22050,), (8000, 22050, 44100, 96000)))
        ):
            for channels in (1, 2):
                for length in lengths:
                    try:
                        data = encoded(container, subtype, rate, channels, length)
                        path = written(tmp_path / "clip.sound", data)
                        expected = as_soundfile_reads(path)
                    except (
                        soundfile.SoundFileError
                    ):  # a codec for one channel only, or that soundfile cannot read back
                        continue
                    assert load_audio(path).equal(expected), (subtype, rate, channels, length)
                    if length == lengths[-1]:
                        assert load_audio(path, 32000).equal(as_soundfile_reads(path, 32000))
                    read += 1
    assert read >= 2 * len(lengths)
    figure(
        f"whole {container} files",
        f"{read} files of every subtype soundfile writes: the same samples, bit for bit",
    )


@pytest.mark.torture
def test_real_clips_come_in_as_soundfile_reads_them(esc10, figure):
    paths = sorted((esc10 / "audio").iterdir())[:: torture(40, 1)]
    for path in paths:
        for rate in (None, 16000, 32000):
            assert load_audio(path, rate).equal(as_soundfile_reads(path, rate)), path.name
    figure(
        "whole real clips",
        f"{len(paths)} clips of ESC-10 at three rates: the same samples, bit for bit",
    )


@pytest.mark.parametrize("channels", [3, 6, 64])
def test_many_channels_and_more_than_one_block_are_averaged_alike(tmp_path, monkeypatch, channels):
    path = written(tmp_path / "clip.wav", encoded("WAV", "FLOAT", channels=channels, length=3000))
    expected = as_soundfile_reads(path)
    assert load_audio(path).equal(expected)
    monkeypatch.setattr(reading, "BLOCK", 64 * channels)
    assert torch.allclose(load_audio(path), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3", "AIFF"])
def test_blocks_change_no_sample(tmp_path, monkeypatch, container):
    path = written(tmp_path / "clip.sound", encoded(container, rate=44100, length=30000))
    monkeypatch.setattr(reading, "BLOCK", 777)
    assert load_audio(path).equal(as_soundfile_reads(path))


@pytest.mark.parametrize("container", UNCHECKED)
def test_other_containers_are_read_without_a_length_check(tmp_path, container):
    data = encoded(container, length=300)
    path = tmp_path / "clip.sound"
    assert load_audio(written(path, data)).equal(as_soundfile_reads(path))
    assert containers.examine(io.BytesIO(data[:-100])) == containers.ContainerInfo()


@pytest.mark.parametrize("container", FORMATS)
def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, container):
    data = encoded(container, length=300)
    path = tmp_path / "clip.sound"
    assert load_audio(written(path, data)).shape[-1] == 300
    for end in range(0, len(data), max(1, len(data) // 150)):
        with pytest.raises(AudioError, match=r"clip\.sound"):
            load_audio(written(path, data[:end]))
    with pytest.raises(AudioError, match=r"clip\.sound"):
        load_audio(written(path, data[:-1]))


def test_the_error_of_a_cut_file_states_what_is_missing(tmp_path):
    path = tmp_path / "clip.sound"
    for container, words in {
        "WAV": "its data chunk should have 2000 bytes, but has 1900;",
        "AIFF": "its SSND chunk should have 2008 bytes, but has 1908;",
        "OGG": "its Ogg page at byte 3[0-9]{3} of 3[0-9]{3} is truncated or damaged",
        "MP3": "its Xing header should have 1[0-9]{3} bytes, but has 1[0-9]{3};",
    }.items():
        with pytest.raises(AudioError, match=words):
            load_audio(written(path, encoded(container)[:-100]))
    ogg = encoded("OGG", length=60000)
    last = ogg.rindex(b"OggS")
    with pytest.raises(AudioError, match=f"its last Ogg page is missing after byte {last}"):
        load_audio(written(path, ogg[:last]), strict=True)
    before = ogg.rindex(b"OggS", 0, last)
    with pytest.raises(AudioError, match="missing, duplicate or unordered"):
        load_audio(written(path, ogg[:before] + ogg[last:]))


def test_what_a_header_says_beyond_what_is_there_is_refused(tmp_path):
    path = tmp_path / "clip.sound"
    flac = encoded("FLAC", length=300)
    with pytest.raises(AudioError, match=r"2359\d{6} samples per channel are more than"):
        load_audio(written(path, replaced(flac, 21, bytes([flac[21] & 0xF0, 0x8C, 0xA0, 0, 1]))))
    with pytest.raises(AudioError, match="should have 65535 samples per channel, but has 300;"):
        load_audio(written(path, replaced(flac, 22, (65535).to_bytes(4, "big"))))
    aiff = encoded("AIFF", length=300)
    with pytest.raises(AudioError, match="should have 5000 samples per channel, but has 300;"):
        load_audio(
            written(path, replaced(aiff, aiff.index(b"COMM") + 10, (5000).to_bytes(4, "big")))
        )


def test_lengths_that_a_writer_could_not_know_are_no_promise(tmp_path):
    path, whole = tmp_path / "clip.sound", encoded("WAV", "FLOAT")
    expected = as_soundfile_reads(written(path, whole))
    size = whole.index(b"data") + 4
    # ffmpeg and SoX into a pipe, and a header that was never finished
    for unknown in (0xFFFFFFFF, 0x7FFFF000, 0x7FFFEFFC, 0x7FFFFFFF, 0):
        written(path, replaced(whole, size, unknown.to_bytes(4, "little")))
        note = f"data chunk states {unknown} bytes, a placeholder, and 4000 bytes are there"
        with pytest.warns(AudioWarning, match=note):
            assert load_audio(path).equal(expected)
        with pytest.raises(AudioError, match=f"{note}; .*strict=True"):
            load_audio(path, strict=True)
    au = encoded("AU")
    expected = as_soundfile_reads(written(path, au))
    assert load_audio(written(path, replaced(au, 8, b"\xff" * 4))).equal(expected)
    flac = encoded("FLAC", length=9000)
    expected = as_soundfile_reads(written(path, flac))
    unknown = replaced(
        flac, 21, bytes([flac[21] & 0xF0, 0, 0, 0, 0])
    )  # soundfile.read asks for 2^63 samples of memory
    assert load_audio(written(path, unknown)).equal(expected)


def test_chunks_and_tags_around_the_sound_are_no_matter(tmp_path):
    path, odd = tmp_path / "clip.sound", encoded("WAV", "PCM_U8", length=301)
    expected = as_soundfile_reads(written(path, odd))
    note = b"LIST" + (5).to_bytes(4, "little") + b"INFOx" + b"\0"
    fmt = odd.index(b"fmt ")
    unpadded = odd[: odd.index(b"data") + 8 + 301]
    for data in (odd, unpadded, odd + note, odd + note[:-4], odd[:fmt] + note + odd[fmt:]):
        assert load_audio(written(path, data)).equal(expected)
    tag = b"ID3\x04\0\0\0\0\x01\x02" + bytes(130)
    for container in ("WAV", "AIFF", "FLAC", "MP3"):
        data = encoded(container)
        expected = as_soundfile_reads(written(path, data))
        assert load_audio(written(path, tag + data)).equal(expected)
        with pytest.raises(AudioError):
            load_audio(written(path, (tag + data)[:-100]))
    for container in ("OGG", "MP3"):
        data = encoded(container)
        expected = as_soundfile_reads(written(path, data))
        assert load_audio(written(path, data + b"TAG" + bytes(125))).equal(expected)


def test_a_chained_ogg_is_read_to_its_end(tmp_path):
    path = tmp_path / "clip.ogg"
    sounds = [encoded("OGG", length=length) for length in (900, 5000, 1)]
    parts = [load_audio(written(path, data), normalize="none") for data in sounds]
    assert load_audio(written(path, b"".join(sounds)), normalize="none").equal(torch.cat(parts, -1))
    with pytest.raises(AudioError, match="16000 and 8000 Hz"):
        load_audio(written(path, sounds[0] + encoded("OGG", rate=8000)))
    with pytest.raises(AudioError, match="truncated or damaged"):
        load_audio(written(path, b"".join(sounds)[:-20]))


def test_mp3_counts(tmp_path):
    path, data = tmp_path / "clip.mp3", encoded("MP3", rate=44100, length=60000)
    second = 417  # bytes of a frame of 128 kbit/s at 44.1 kHz, which the counts stand in
    assert data[second : second + 2] == data[:2]
    tag = data.index(b"Xing")
    count = int.from_bytes(data[tag + 8 : tag + 12], "big")
    own_frame_counted = replaced(data, tag + 8, (count + 1).to_bytes(4, "big"))
    assert load_audio(written(path, own_frame_counted)).shape[-1] >= 60000
    with pytest.raises(AudioError, match="samples per channel, but has"):
        load_audio(written(path, replaced(data, tag + 8, (count + 9).to_bytes(4, "big"))))
    vbri = (
        b"VBRI"
        + bytes([0, 1, 0, 0, 0, 75])
        + len(data).to_bytes(4, "big")
        + count.to_bytes(4, "big")
    )
    stated = containers.examine(
        io.BytesIO(replaced(replaced(data, 4, bytes(second - 4)), 36, vbri))
    )
    assert stated.fault is None
    assert 60000 - 3 * 1152 < stated.samples <= 60000
    with pytest.raises(AudioError, match="VBRI header should have"):
        load_audio(written(path, replaced(replaced(data, 4, bytes(second - 4)), 36, vbri)[:-1]))


def test_mp3_without_counts_is_read_whole_or_refused(tmp_path):
    path = tmp_path / "clip.mp3"
    noise = encoded("MP3", rate=48000, length=60000, bitrate_mode="CONSTANT", compression_level=0)
    bare = noise[noise.index(noise[:2], 4) :]
    for data in (bare, bare[:-50]):  # cut within its last frame: nothing says that there was more
        wav = load_audio(written(path, data))
        assert wav.equal(as_soundfile_reads(path))
        assert wav.shape[-1] > 58000
    varied = encoded("MP3", rate=44100, length=60000)[
        417:
    ]  # its first frame is longer than the others
    assert (
        as_soundfile_reads(written(path, varied)).shape[-1] < 30000
    )  # a guess, and half of the sound is gone
    with pytest.raises(
        AudioError,
        match=r"should have [56]\d{4} samples per channel, but has [12]\d{4};",
    ):
        load_audio(path)


def test_bounds_are_named(tmp_path, monkeypatch):
    path = written(tmp_path / "clip.wav", encoded("WAV", "FLOAT", channels=2))
    for name, value, words in (
        ("MAX_BYTES", 1000, "more than the limit of 1000;"),
        ("MAX_SAMPLES", 999, "1000 samples per channel are more than the limit of 999;"),
        ("MAX_CHANNELS", 1, "2 channels are outside 1 to 1"),
        ("RATES", (8000, 15999), "16000 Hz is outside 8000 to 15999 Hz"),
        ("MAX_LEVEL", 1e-3, "above 0.001"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(reading, name, value)
            with pytest.raises(AudioError, match=words):
                load_audio(path)
    with pytest.raises(AudioError, match="are more than 268435456 at 32000 Hz"):
        load_audio(written(path, encoded("WAV", "PCM_U8", rate=100, length=900_000)), 32000)
    flac = encoded("FLAC", length=9000)
    monkeypatch.setattr(reading, "MAX_SAMPLES", 5000)
    monkeypatch.setattr(reading, "BLOCK", 1000)
    with pytest.raises(
        AudioError, match="6000 or more samples per channel are more than the limit of 5000"
    ):
        load_audio(written(path, replaced(flac, 21, bytes([flac[21] & 0xF0, 0, 0, 0, 0]))))
    many = b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 20 + encoded("WAV")[12:]
    monkeypatch.setattr(chunks, "MAX_CHUNKS", 20)
    assert containers.examine(io.BytesIO(many[:-9])).fault is None
    monkeypatch.setattr(chunks, "MAX_CHUNKS", 30)
    assert "should have" in containers.examine(io.BytesIO(many[:-9])).fault


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "is NaN;"),
        (np.inf, "is infinity;"),
        (-np.inf, "is -infinity;"),
        (-3e20, r"is -3e\+20, and its size is above 1.1e\+12;"),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_first_bad_sample_is_named(tmp_path, monkeypatch, value, words, channels):
    samples = np.zeros((4000, channels), np.float32)
    samples[1000, -1] = samples[3000] = value
    soundfile.write(tmp_path / "a.wav", samples, 8000, subtype="FLOAT")
    monkeypatch.setattr(reading, "BLOCK", 600)
    place = r"sample 1000 \(0.125 s\)" + (" of channel 2" if channels == 2 else "")
    with pytest.raises(AudioError, match=rf"a\.wav: {place} {words} export the file again"):
        load_audio(tmp_path / "a.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_an_audio_error(tmp_path):
    path = written(tmp_path / "clip.wav", encoded("WAV"))
    path.chmod(0)
    with pytest.raises(AudioError, match="Permission denied"):
        load_audio(path)


@pytest.mark.parametrize("name", ["", "a\0b.wav", "x" * 5000 + ".wav", "clip.raw"])
def test_odd_names_are_audio_errors(tmp_path, name):
    written(tmp_path / "clip.raw", bytes(100))
    with pytest.raises(AudioError):
        load_audio(os.path.join(tmp_path, name))


@pytest.mark.parametrize("transform", [LogMel(), LogSTFT()], ids=["mel", "stft"])
@pytest.mark.parametrize("silent", [True, False])
def test_one_sample_and_silence_come_through(tmp_path, transform, silent):
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.array([0.0 if silent else 0.5]), 8000)
    for normalize in ("peak", "rms", "none"):
        wav = load_audio(path, transform.sample_rate, normalize=normalize)
        assert wav.shape == (1, 1, transform.sample_rate // 8000)
        assert wav.any() != silent
        spec = transform(wav)
        assert spec.db.isfinite().all()
        assert spec.to_wav().shape == wav.shape
        assert spec.to_wav().any() != silent


@pytest.mark.torture
def test_an_hour_comes_in(tmp_path, figure):
    rate, hours = torture((100, 1), (48000, 1))
    path = tmp_path / "clip.flac"
    with soundfile.SoundFile(path, "w", rate, 2, subtype="PCM_16", format="FLAC") as file:
        for _ in range(60):
            file.write(np.full((rate * 60 * hours, 2), 0.25, dtype="float32"))
    wav = load_audio(path, normalize="none")
    assert wav.shape == (1, 1, rate * 3600 * hours)
    assert (wav == 0.25).all()
    figure("a clip of an hour", f"{wav.shape[-1]} samples, stereo at {rate} Hz: read whole")
