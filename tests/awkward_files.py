"""Awkward sound files, and docs/files.md, which says what is read of each.

Usage: python tests/awkward_files.py OUT_MD

The table of the page is made by reading the files: by libsndfile alone, and by this library.
"""

import io
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from audiointerp.errors import AudioError
from audiointerp.processing.audio import load_audio

LENGTH = 16000
PAGE = """# Sound files: what is read, and what is said

A recording that is read only in part still looks and sounds like a recording. The length that a
file states is therefore compared with what it holds, in both directions, for WAV (also RF64), AIFF,
AU, FLAC, Ogg and MP3; W64 and CAF are not checked.

- **A truncated file is refused** with an `AudioError`: its header promises more than is there.
- **A length that was never filled in** is read to the end of the file, with an `AudioWarning` that
  says what was stated and what was read. Recorders that are switched off and programs that write
  into a pipe leave such lengths: 0, 2,000,000,000, and numbers near 2^31 and 2^32. A WAV file that
  states twice its samples, or up to 16 bytes too many, is read in the same way, if the size of the
  whole file in its header is right; if that is too large as well, the file is truncated. An Ogg
  file of whole pages without the closing one is read, too.
- **A file that holds more than it states** is read whole: the samples that follow the stated ones
  in WAV, AIFF, AU and FLAC. A recorder that updates the header every few seconds and loses power
  leaves such a file. The `AudioWarning` says what was stated and what is there. Bytes that are
  probably no samples are not read, and the `AudioWarning` says how many there are: fewer than 1024,
  text, or 64 KiB of zeros; also anything that follows other chunks. AIFF states its length twice
  (SSND, COMM): if COMM promises more than is there, the file is truncated.
- **Files joined into one** are read to the end of the last one: MP3, Ogg, WAV, AIFF and AU, at one
  sample rate. Ogg allows this, and players of MP3 do it. In WAV, AIFF and AU the second file is
  outside of what the header states, and other programs read the first alone or refuse the file, so
  there is an `AudioWarning`.
- **Channels that cancel** (stereo in antiphase) leave rounding noise in their mean. Where the mean
  is more than 60 dB below the channels, peak and RMS normalisation would make it loud, so the file
  is refused; `normalize="none"` gives an `AudioWarning`.
- `load_audio(path, strict=True)` refuses every file that gives a warning.
  `warnings.simplefilter("error", audiointerp.errors.AudioWarning)` does so everywhere.

Of the formats AU and FLAC, 0xFFFFFFFF and 0 are the defined values of an unknown length; they give
no warning.

## Other places

- **Data sets.** `LabelledClips` and `ESC50` cut clips to `duration`. The first clip that is cut by
  more than 5 % gives an `AudioWarning` with its name and the seconds that are cut off. In ESC-10
  two files are longer: `1-172649-F-40` (7.0 s) and `1-17808-B-12` (7.2 s).
  `duration=None` takes whole files: `interpret` and `score` accept clips of different lengths,
  `compute_features`, and so training, refuses them.
- **Folders.** `LabelledClips.from_folder` takes every ending of a format that the installed
  libsndfile decodes. Audio that it cannot decode (`.m4a`, `.aac`, `.wma`, ...) is an error that
  gives the ffmpeg command, so no clip is left out silently. `._*` files of macOS are skipped.
- **Levels.** Samples are nominally in [-1, 1]. A spectrogram of samples above 100, e.g. 16-bit
  integers that were only converted to float, gives an `AudioWarning`.
- **Writing.** `save_audio` refuses to clip: a sample above 1 does not fit into a format of integers
  (FLAC, 16-bit WAV). The default for WAV, 32-bit float, holds it.

## Twenty-seven awkward files

Each holds one second of sound at 16 kHz (16,000 samples per channel), unless stated otherwise. The
columns count the samples per channel that libsndfile {version} reads by itself and that
`load_audio` returns. `python tests/awkward_files.py docs/files.md` writes this page.

| file | libsndfile | load_audio | what it says |
|---|---|---|---|
{rows}
"""


def encoded(container: str, subtype: str | None = None, rate: int = 16000, **form: object) -> bytes:
    """A second of noise, as a file."""
    sound = 0.2 * np.random.default_rng(0).standard_normal(LENGTH)
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=container, subtype=subtype, **form)
    return file.getvalue()


def replaced(data: bytes, position: int, new: bytes) -> bytes:
    """The file with other bytes at a position."""
    return data[:position] + new + data[position + len(new) :]


def wav_stating(size: int, *, also_riff: bool = False) -> bytes:
    """A WAV file whose data chunk states this size in bytes."""
    wav = encoded("WAV", "PCM_16")
    wav = replaced(wav, wav.index(b"data") + 4, size.to_bytes(4, "little"))
    return replaced(wav, 4, (size + 36).to_bytes(4, "little")) if also_riff else wav


def rf64_stating(size: int) -> bytes:
    """An RF64 file whose ds64 chunk states this size in bytes."""
    rf64 = encoded("RF64", "PCM_16")
    return replaced(rf64, rf64.index(b"ds64") + 16, size.to_bytes(8, "little"))


def au_stating(size: int) -> bytes:
    """An AU file that states this size in bytes."""
    return replaced(encoded("AU", "PCM_16"), 8, size.to_bytes(4, "big"))


def aiff_stating(size: int, samples: int) -> bytes:
    """An AIFF file whose SSND chunk states this size, and its COMM chunk this number of samples."""
    aiff = encoded("AIFF", "PCM_16")
    aiff = replaced(aiff, aiff.index(b"SSND") + 4, size.to_bytes(4, "big"))
    return replaced(aiff, aiff.index(b"COMM") + 10, samples.to_bytes(4, "big"))


def flac_stating(samples: int) -> bytes:
    """A FLAC file that states this number of samples."""
    flac = encoded("FLAC", "PCM_16")
    return replaced(flac, 22, samples.to_bytes(4, "big"))


def ogg_without_its_last_page() -> bytes:
    """An Ogg Vorbis file of a recorder that was switched off."""
    ogg = encoded("OGG", "VORBIS")
    return ogg[: ogg.rindex(b"OggS")]


def antiphase(subtype: str) -> bytes:
    """A stereo WAV file whose channels differ in sign only."""
    tone = 0.5 * np.sin(np.arange(LENGTH) / 5)
    file = io.BytesIO()
    channels = np.stack([tone, -tone], 1)
    soundfile.write(file, channels, 16000, format="WAV", subtype=subtype)
    return file.getvalue()


ID3 = b"ID3\x04\0\0\0\0\x01\x02" + bytes(130)
AWKWARD: dict[str, Callable[[], bytes]] = {
    "WAV, data size 0": lambda: wav_stating(0),
    "WAV, data and RIFF size 0": lambda: replaced(wav_stating(0), 4, bytes(4)),
    "WAV, data size 0x7FFFFFFF": lambda: wav_stating(0x7FFFFFFF),
    "WAV, data size 0x7FFFF000 (SoX)": lambda: wav_stating(0x7FFFF000),
    "WAV, data size 0xFFFFFFFF (ffmpeg)": lambda: wav_stating(0xFFFFFFFF),
    "WAV, data size 2,000,000,000": lambda: wav_stating(2_000_000_000),
    "WAV, twice the data size": lambda: wav_stating(4 * LENGTH),
    "WAV, data size 16 too many": lambda: wav_stating(2 * LENGTH + 16),
    "WAV, half the data size": lambda: wav_stating(LENGTH, also_riff=True),
    "WAV, second half missing": lambda: encoded("WAV", "PCM_16")[: 44 + LENGTH],
    "WAV and another one appended": lambda: 2 * encoded("WAV", "PCM_16"),
    "RF64, data size 2^64 - 1": lambda: rf64_stating(2**64 - 1),
    "AIFF, half the size and samples": lambda: aiff_stating(8 + LENGTH, LENGTH // 2),
    "AIFF, half the samples": lambda: aiff_stating(8 + 2 * LENGTH, LENGTH // 2),
    "AIFF, size and samples 0": lambda: aiff_stating(0, 0),
    "AU, size 0": lambda: au_stating(0),
    "AU, half the size": lambda: au_stating(LENGTH),
    "AU, size unknown": lambda: au_stating(0xFFFFFFFF),
    "FLAC, half the samples": lambda: flac_stating(LENGTH // 2),
    "FLAC, last quarter missing": lambda: encoded("FLAC", "PCM_16")[: 3 * LENGTH // 2],
    "Ogg, closing page missing": ogg_without_its_last_page,
    "Ogg, last 100 bytes missing": lambda: encoded("OGG", "VORBIS")[:-100],
    "Ogg, three joined": lambda: 3 * encoded("OGG", "VORBIS"),
    "MP3, three joined": lambda: 3 * encoded("MP3"),
    "MP3, three joined, with ID3 tags": lambda: 3 * (ID3 + encoded("MP3") + b"TAG" + bytes(125)),
    "WAV, 16 bits, stereo in antiphase": lambda: antiphase("PCM_16"),
    "WAV, float, stereo in antiphase": lambda: antiphase("FLOAT"),
}


def read_by_libsndfile(path: Path) -> str:
    """The samples per channel that libsndfile reads, or that it refuses the file."""
    try:
        return str(len(soundfile.read(path)[0]))
    except soundfile.SoundFileError:
        return "error"


def read_by_library(path: Path) -> tuple[str, str]:
    """The samples that ``load_audio`` returns, and the warning or error without the path."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            count = str(load_audio(path).shape[-1])
            text = "; ".join(str(warning.message) for warning in caught)
        except AudioError as error:
            count, text = "error", str(error)
    return count, text.replace(f"{path}: ", "").replace(str(path), path.name)


def table_rows() -> Iterator[str]:
    """The rows of the table: each file is written, and read twice."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.sound")
        for name, make in AWKWARD.items():
            path.write_bytes(make())
            count, text = read_by_library(path)
            yield f"| {name} | {read_by_libsndfile(path)} | {count} | {text} |"


def page() -> str:
    """The text of docs/files.md."""
    version = soundfile.__libsndfile_version__
    return PAGE.format(version=version, rows="\n".join(table_rows()))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
