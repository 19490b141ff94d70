"""Damaged sound files are refused or read whole, within limits of time and memory, without crashes.

The files are mutated, written and read in a child process, which reports each file before reading
it. If a decoder crashes the process, the file that caused it is known and kept.
"""

import faulthandler
import io
import json
import random
import resource
import subprocess
import sys
import time
import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ESC10, torture

from audiointerp.errors import AudioError
from audiointerp.processing.audio import load_audio

SECONDS, MEMORY = 1.0, 2**30  # what one file may take
REAL = ("1-100032-A-0", "1-17367-A-10", "1-21934-A-38")
HUGE = (0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**36, 2**63 - 1, 2**64 - 1)


def made_sound(rate, channels):
    """A third of a second of a rising tone, a click, silence and noise."""
    generator = np.random.default_rng(rate + channels)
    seconds = np.arange(rate // 3) / rate
    sound = 0.4 * np.sin(
        2 * np.pi * (200 + 3000 * seconds) * seconds
    ) + 0.05 * generator.standard_normal(len(seconds))
    sound[len(sound) // 2 : len(sound) // 2 + rate // 20] = 0
    sound[len(sound) // 3] = 0.9
    return np.stack([sound * (1 - 0.3 * channel) for channel in range(channels)], 1)


def encoded(rate, channels, container, subtype):
    file = io.BytesIO()
    soundfile.write(file, made_sound(rate, channels), rate, format=container, subtype=subtype)
    return file.getvalue()


def seeds():
    """Sound files by a name whose first word is the container."""
    made = {
        "wav pcm16": encoded(16000, 1, "WAV", "PCM_16"),
        "wav pcm24 stereo": encoded(44100, 2, "WAV", "PCM_24"),
        "wav float": encoded(32000, 1, "WAV", "FLOAT"),
        "wav extensible": encoded(22050, 2, "WAVEX", "PCM_16"),
        "wav adpcm": encoded(16000, 1, "WAV", "IMA_ADPCM"),
        "rf64 pcm16": encoded(16000, 1, "RF64", "PCM_16"),
        "aiff pcm16": encoded(16000, 1, "AIFF", "PCM_16"),
        "flac": encoded(32000, 1, "FLAC", "PCM_16"),
        "flac stereo": encoded(44100, 2, "FLAC", "PCM_24"),
        "ogg vorbis": encoded(32000, 1, "OGG", "VORBIS"),
        "ogg vorbis stereo": encoded(44100, 2, "OGG", "VORBIS"),
        "ogg opus": encoded(48000, 1, "OGG", "OPUS"),
        "mp3": encoded(44100, 1, "MP3", "MPEG_LAYER_III"),
        "mp3 stereo": encoded(16000, 2, "MP3", "MPEG_LAYER_III"),
    }
    paths = [ESC10 / "audio" / f"{name}.ogg" for name in REAL]
    return made | {f"ogg real {path.stem}": path.read_bytes() for path in paths if path.is_file()}


def truncated(data, draw):
    return data[: draw.randrange(len(data))]


def flipped(data, draw):
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        data[place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(data)


def overwritten(data, draw):
    data = bytearray(data)
    at, count = place(data, draw), draw.choice((1, 4, 32, 512))
    data[at : at + count] = draw.choice((bytes(count), b"\xff" * count, draw.randbytes(count)))[
        : len(data) - at
    ]
    return bytes(data)


def with_huge_header(data, draw):
    data = bytearray(data)
    for _ in range(draw.choice((1, 1, 2))):
        count = draw.choice((2, 4, 4, 8))
        value = draw.choice(HUGE) & (256**count - 1)
        at = draw.randrange(min(len(data), 128) - count)
        data[at : at + count] = value.to_bytes(count, draw.choice(("little", "big")))
    return bytes(data)


def pieces(data, draw, count):
    """Cut at ``count`` places, half of them where a chunk, a page or a frame begins."""
    marks = (
        b"OggS",
        b"data",
        b"fmt ",
        b"fact",
        b"SSND",
        b"COMM",
        b"\xff\xfb",
        b"\xff\xf3",
        b"\xff\xf8",
    )
    found = [at for mark in marks if (at := data.find(mark, draw.randrange(len(data)))) > 0] or [1]
    cuts = [
        draw.choice(found) if draw.random() < 0.5 else draw.randrange(len(data))
        for _ in range(count)
    ]
    edges = sorted([0, *cuts, len(data)])
    return [data[begin:end] for begin, end in pairwise(edges)]


def doubled(data, draw):
    first, piece, last = pieces(data, draw, 2)
    return first + piece + piece + last


def swapped(data, draw):
    first, one, other, last = pieces(data, draw, 3)
    return first + other + one + last


def not_finite(data, draw):
    """A NaN or an infinity among the samples of a float WAV: the last half of its file."""
    data = bytearray(data)
    start = data.find(b"data") + 8
    at = start + 4 * draw.randrange((len(data) - start) // 4)
    data[at : at + 4] = np.float32(draw.choice((np.nan, np.inf, -np.inf))).tobytes()
    return bytes(data)


def resealed(data, draw):
    """An Ogg file with right checksums over wrong pages, which so reach the decoder."""
    data = bytearray(draw.choice((flipped, overwritten))(data, draw))
    at = 0
    while data[at : at + 4] == b"OggS" and len(data) >= at + 27:
        end = at + 27 + data[at + 26] + sum(data[at + 27 : at + 27 + data[at + 26]])
        data[at + 22 : at + 26] = bytes(4)
        data[at + 22 : at + 26] = ogg_checksum(data[at:end]).to_bytes(4, "little")
        at = end
    return bytes(data)


def ogg_table():
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = value << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if value >> 31 else 0)
        yield value


OGG_TABLE = list(ogg_table())


def ogg_checksum(page):
    """RFC 3533: the polynomial 0x04C11DB7, high bit first, from 0."""
    sum_ = 0
    for byte in page:
        sum_ = (sum_ << 8 & 0xFFFFFFFF) ^ OGG_TABLE[sum_ >> 24 ^ byte]
    return sum_


def place(data, draw):
    """Half of the damage hits the headers."""
    return draw.randrange(min(len(data), 200) if draw.random() < 0.5 else len(data))


def mutated(files, number):
    """The mutated file of this number, reproducibly: name of the seed, kind of damage, bytes."""
    draw = random.Random(number)
    name = draw.choice(sorted(files))
    kinds = [truncated, flipped, overwritten, with_huge_header, doubled, swapped]
    kinds += (
        [not_finite]
        if name == "wav float"
        else [resealed, resealed]
        if name.startswith("ogg")
        else []
    )
    kind = draw.choice(kinds)
    return name, kind.__name__, kind(files[name], draw)


def stated_samples(name, data):
    """The length that the container states, read without the library; 0 if it states none."""
    if name.startswith("flac") and data[:4] == b"fLaC":
        return int.from_bytes(data[21:26], "big") & (2**36 - 1)
    if name.startswith("wav pcm"):
        try:
            with wave.open(io.BytesIO(data)) as file:
                size = file.getnframes() * file.getnchannels() * file.getsampwidth()
                return file.getnframes() if size < 0x7FFFE000 else 0
        except (wave.Error, EOFError):
            return 0
    return 0


def work(first, last, path, report):
    """The child: read the files of these numbers and tell a line for each."""
    files = seeds()
    for name in sorted(
        files
    ):  # what is loaded once, the decoders and resamplers, is no file's cost
        Path(path).write_bytes(files[name])
        assert load_audio(path, 31991).shape[-1] > 1000
    page = resource.getpagesize()
    virtual = (
        int(Path("/proc/self/statm").read_text().split()[0]) * page
        if sys.platform == "linux"
        else 0
    )
    if virtual:
        resource.setrlimit(resource.RLIMIT_AS, (virtual + MEMORY, virtual + MEMORY))
    before = peak_memory()
    for number in range(first, last):
        name, kind, data = mutated(files, number)
        Path(path).write_bytes(data)
        tell(report, number=number, name=name, kind=kind)
        faulthandler.dump_traceback_later(
            20 * SECONDS, exit=True
        )  # a decoder that hangs is ended here
        start = time.perf_counter()
        try:
            # A length that was never filled in is refused only if strict.
            strict = kind == "truncated" or number % 2 == 0
            wav = load_audio(path, (None, 32000)[number % 2], strict=strict)
            outcome = (
                "accepted"
                if wav.numel() and bool(wav.isfinite().all())
                else "accepted, yet not a sound"
            )
            if wav.shape[-1] < stated_samples(name, data) and number % 2 == 0:
                outcome = "accepted, yet shorter than stated"
        except AudioError as error:
            outcome = (
                "refused"
                if "\n" not in str(error) and str(path) in str(error)
                else f"refused badly: {error}"
            )
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        tell(
            report,
            outcome=outcome,
            seconds=time.perf_counter() - start,
            growth=peak_memory() - before,
        )


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def tell(report, **facts):
    print(json.dumps(facts), file=report, flush=True)


def run_child(first, last, path, log):
    """Run one child over these files: its reports, the file that crashed it, its exit status."""
    results, current = [], None
    command = [sys.executable, __file__, str(first), str(last), str(path)]
    with (
        log.open("ab") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        for line in child.stdout:
            facts = json.loads(line)
            if "number" in facts:
                current = facts
            else:
                results.append(current | facts)
                current = None
    return results, current, child.returncode


def read_in_children(count, folder, log):
    """Read files 0 to ``count`` - 1; the bytes of one that kills its process stay in ``folder``."""
    results = []
    while len(results) < count:
        path = folder / f"from{len(results)}.sound"
        done, current, status = run_child(len(results), count, path, log)
        results += done
        if status and current is None:
            pytest.fail(
                f"the child failed between files: {log.read_text(errors='replace')[-2000:]}"
            )
        if current:
            results.append(
                current
                | {"outcome": f"the process died ({status}) of {path}", "seconds": 0.0, "growth": 0}
            )
    return results


@pytest.mark.torture
def test_mutated_sound_files(tmp_path, figure):
    count = torture(400, 20_000)
    log = tmp_path / "stderr.txt"
    results = read_in_children(count, tmp_path, log)
    assert [result["number"] for result in results] == list(range(count))
    wrong = [result for result in results if result["outcome"] not in {"accepted", "refused"}]
    assert wrong == []
    assert [
        result
        for result in results
        if result["kind"] == "truncated" and result["outcome"] != "refused"
    ] == []
    assert [
        result
        for result in results
        if result["kind"] == "not_finite" and result["outcome"] != "refused"
    ] == []
    assert [result for result in results if result["seconds"] > SECONDS] == []
    assert max(result["growth"] for result in results) < MEMORY
    accepted = sum(result["outcome"] == "accepted" for result in results)
    assert (
        0 < accepted < count / 2
    )  # neither is everything refused nor the damage too small to tell
    assert {result["kind"] for result in results} >= {
        "resealed",
        "flipped",
        "swapped",
        "with_huge_header",
    }
    slowest = max(result["seconds"] for result in results)
    grown = max(result["growth"] for result in results) / 2**20
    cut = sum(result["kind"] == "truncated" for result in results)
    figure(
        "damaged sound files",
        f"{count} files: {count - accepted} refused by an AudioError, {accepted} read whole; "
        f"all {cut} cut ones refused; "
        f"slowest {slowest:.2f} s, memory + {grown:.0f} MiB, no crash",
    )


def test_the_mutations_are_the_same_each_time_and_change_the_file():
    files = seeds()
    made = [mutated(files, number) for number in range(60)]
    assert made == [mutated(files, number) for number in range(60)]
    assert sum(data != files[name] for name, _, data in made) > 50
    page = files["ogg vorbis"][:58]  # the encoder's own checksum is the oracle of this file's
    assert ogg_checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.stdout)
