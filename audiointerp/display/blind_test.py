"""A listening test: kept parts in random order, as loud as each other, with an answer sheet."""

import csv
import html
import io
import math
import os
import random
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from zlib import crc32

from torch import Tensor

from ..errors import ArgumentError
from ..processing import save_audio
from ..util import join_names, make_folder, write_text
from .document import part, script_json

LEVEL = -26.0
"""The level of every sound, RMS in dB below full scale."""
LOUDEST_GAIN = 60.0
"""Largest gain of a quiet part, in dB."""
UNSURE = "cannot tell"
ANSWER_HEADS = ("test", "number", "sound", "clarity")
KEY_HEADS = (
    *("test", "number", "clip", "recording", "label", "explained", "method", "mask", "gain_db"),
    "labels",
)


@dataclass(frozen=True, eq=False)
class BlindSound:
    """One sound of a listening test.

    Attributes:
        clip, recording: what it is a part of.
        label: of the clip; empty if not known.
        explained: the explained class, which is the right answer.
        method: what chose the part.
        mask: its name.
        wav: ``(1, C, L)``.
        sample_rate: in Hz.

    >>> import torch
    >>> BlindSound("a", "a", "dog", "dog", "lime", "bin", torch.zeros(1, 1, 8), 8000).method
    'lime'
    """

    clip: str
    recording: str
    label: str
    explained: str
    method: str
    mask: str
    wav: Tensor
    sample_rate: int


def write_blind_test(
    sounds: Iterable[BlindSound],
    labels: Sequence[str],
    out: str | os.PathLike[str],
    key: str | os.PathLike[str],
    seed: int = 0,
) -> int:
    """Write a listening test: sounds, a page to hear and answer, an answer sheet, and the key.

    Nothing in the folder says which sound is of which method, nor do the times of its files. The
    order depends on the seed alone.

    Args:
        sounds: the sounds, e.g. from a generator.
        labels: what a listener chooses from.
        out: the folder: ``index.html``, ``answers.csv``, ``sounds/``.
        key: the file of the key, outside of the folder.
        seed: of the order.

    Returns:
        How many sounds could not be made as loud as the others, since their peaks do not allow it.

    Raises:
        ArgumentError: the key would lie in the folder, the folder holds a test, or there is no
            sound.

    >>> import tempfile, torch
    >>> sound = BlindSound("a", "a", "dog", "dog", "lime", "bin", torch.ones(1, 1, 8), 8000)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_blind_test([sound], ["dog"], f"{folder}/test", f"{folder}/key.csv")
    ...     sorted(os.listdir(f"{folder}/test"))
    0
    ['answers.csv', 'index.html', 'sounds']
    """
    folder, key = Path(out), Path(key)
    _check_places(folder, key)
    with tempfile.TemporaryDirectory() as unordered:
        written = _written(sounds, Path(unordered))
        random.Random(seed).shuffle(written)
        # Copies, made in the order of the test: a file that is renamed keeps the time at which it
        # was written, which says of which method it is.
        for number, (path, *_) in enumerate(written, 1):
            shutil.copyfile(path, make_folder(folder / "sounds") / f"{number:03d}.wav")
    test = f"{crc32(repr([(seed, s.clip, s.method) for _, s, *_ in written]).encode()):08x}"
    key_rows = []
    for number, (_, sound, gain, _) in enumerate(written, 1):
        names = (sound.clip, sound.recording, sound.label, sound.explained, sound.method)
        gain_db = f"{20 * math.log10(gain):.1f}"
        key_rows.append((test, number, *names, sound.mask, gain_db, join_names(labels)))
    numbers = range(1, len(written) + 1)
    make_folder(key.parent)
    write_text(key, _csv(KEY_HEADS, key_rows))
    write_text(folder / "answers.csv", _csv(ANSWER_HEADS, [(test, n, "", "") for n in numbers]))
    write_text(folder / "index.html", _page(test, len(written), labels))
    return sum(is_limited for *_, is_limited in written)


def _written(
    sounds: Iterable[BlindSound], folder: Path
) -> list[tuple[Path, BlindSound, float, bool]]:
    """Write sounds into a folder; return file, sound, gain, and whether its peak allows less.

    Raises:
        ArgumentError: there is no sound.
    """
    written: list[tuple[Path, BlindSound, float, bool]] = []
    for sound in sounds:
        path = folder / f"{len(written)}.wav"
        gain, is_limited = matching_gain(sound.wav)
        save_audio(path, sound.wav * gain, sound.sample_rate, subtype="PCM_16")
        written.append((path, sound, gain, is_limited))
    if not written:
        raise ArgumentError("a listening test needs at least one sound")
    return written


def matching_gain(wav: Tensor) -> tuple[float, bool]:
    """Return the gain that brings a sound to :data:`LEVEL`, and whether its peak allows less.

    A silent sound stays as it is.

    >>> import torch
    >>> tone = 0.001 * torch.sin(torch.arange(8000) / 5)[None, None]
    >>> gain, is_limited = matching_gain(tone)
    >>> round(20 * math.log10(float((tone * gain).square().mean().sqrt())), 2), is_limited
    (-26.0, False)
    """
    rms, peak = float(wav.double().square().mean().sqrt()), float(wav.abs().max())
    if rms == 0:
        return 1.0, False
    wanted = 10 ** (LEVEL / 20) / rms
    gain = min(wanted, 1 / peak, 10 ** (LOUDEST_GAIN / 20))
    return gain, gain < 0.99 * wanted


def _check_places(folder: Path, key: Path) -> None:
    if folder.resolve() in (key.resolve(), *key.resolve().parents):
        raise ArgumentError(
            f"the key {key} would lie in the test's folder {folder}, where listeners see it; give "
            "another place by --key"
        )
    for path in (folder / "answers.csv", key):
        # Answers that a listener has given must never be lost.
        if path.exists():
            raise ArgumentError(f"{path} exists: a listening test is not overwritten; give another")


def _csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads, *rows])
    return text.getvalue()


def _page(test: str, count: int, labels: Sequence[str]) -> str:
    options = "".join(
        f'<option value="{html.escape(label)}">{html.escape(label.replace("_", " "))}</option>'
        for label in (*labels, UNSURE)
    )
    questions = "".join(_question(number, options) for number in range(1, count + 1))
    return Template(part("blind.html")).substitute(
        count=count, questions=questions, test=script_json(test), style=part("blind.css")
    )


def _question(number: int, options: str) -> str:
    scale = "".join(
        f'<label><input type="radio" name="clarity{number}" value="{value}"> {value}</label>'
        for value in range(1, 6)
    )
    return (
        f'<fieldset data-number="{number}"><legend>Sound {number}</legend>'
        f'<audio controls preload="none" aria-label="Sound {number}" '
        f'src="sounds/{number:03d}.wav"></audio>'
        f'<label>Which sound? <select><option value=""></option>{options}</select></label>'
        f'<span role="radiogroup" aria-label="How clear, 1 to 5">How clear? {scale}</span>'
        "</fieldset>"
    )
