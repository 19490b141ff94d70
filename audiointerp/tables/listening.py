"""What the answers of a listening test say: the share that was named right, and how clear."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import AudioInterpError
from ..util import split_names
from .bootstrap import FEWEST, bootstrap_interval

CLARITIES = ("1", "2", "3", "4", "5")
KEY_COLUMNS = ("test", "number", "recording", "explained", "method", "labels")
ANSWER_COLUMNS = ("test", "number", "sound", "clarity")


def read_answers(
    sheets: Sequence[str | os.PathLike[str]], key: str | os.PathLike[str]
) -> tuple[pd.DataFrame, int]:
    r"""Read filled answer sheets of one listening test, and say which answers are right.

    An answer is right if it names the explained class. What was left open is empty (NaN).

    Args:
        sheets: ``answers.csv`` of one or more listeners.
        key: the file that :func:`~audiointerp.display.write_blind_test` kept apart.

    Returns:
        A row for each sound and listener: ``method``, ``recording``, ``right`` (1 or 0),
        ``clarity`` (1 to 5), ``listener`` (the sheet's number); and the number of labels.

    Raises:
        AudioInterpError: a file is no such table, is of another test, or holds an answer that is
            neither a label nor a clarity.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     answers, key = Path(folder, "answers.csv"), Path(folder, "key.csv")
    ...     _ = answers.write_text("test,number,sound,clarity\n0a,1,dog,4\n")
    ...     _ = key.write_text("test,number,recording,explained,method,labels\n"
    ...                        "0a,1,day 1,dog,lime,cat|dog\n")
    ...     read_answers([answers], key)[0][["method", "right", "clarity"]].values.tolist()
    [['lime', 1.0, 4.0]]
    """
    by_number = _read_table(Path(key), KEY_COLUMNS).set_index("number")
    rows = []
    for listener, sheet in enumerate(sheets, 1):
        path = Path(sheet)
        answers = _read_table(path, ANSWER_COLUMNS)
        if answers["number"].duplicated().any():
            raise AudioInterpError(f"{path}: a number stands there twice; give one answer each")
        for answer in answers.to_dict("records"):
            number = str(answer["number"])
            if number not in by_number.index or by_number.at[number, "test"] != answer["test"]:
                raise AudioInterpError(
                    f"{path}: sound {number} of test {answer['test']} is not in {key}; give the "
                    "key of this test"
                )
            known = by_number.loc[number].to_dict()
            right, clarity = _checked(path, answer, known)
            rows.append(
                {
                    "method": known["method"],
                    "recording": known["recording"],
                    "right": right,
                    "clarity": clarity,
                    "listener": listener,
                }
            )
    return pd.DataFrame(rows), len(split_names(by_number["labels"].iloc[0]))


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        # Spreadsheets put a mark before the first name, and some save semicolons.
        table = pd.read_csv(
            path, dtype=str, keep_default_na=False, encoding="utf-8-sig", sep=None, engine="python"
        )
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise AudioInterpError(f"{path}: cannot be read as a table ({error})") from error
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        raise AudioInterpError(f"{path}: lacks {', '.join(missing) or 'rows'}")
    return table


def _checked(
    path: Path, answer: Mapping[Any, Any], known: Mapping[Any, Any]
) -> tuple[float, float]:
    """Return right and clarity of an answer, NaN where nothing was answered."""
    sound, clarity = answer["sound"].strip(), answer["clarity"].strip()
    place = f"{path}: sound {answer['number']}"
    if clarity and clarity not in CLARITIES:
        raise AudioInterpError(f"{place}: the clarity is {clarity!r}; it is a number from 1 to 5")
    labels = split_names(known["labels"])
    if sound and sound != "cannot tell" and sound not in labels:
        raise AudioInterpError(
            f"{place}: {sound!r} is none of the labels; write one of {', '.join(labels)}, "
            "cannot tell, or nothing"
        )
    right = float(sound == known["explained"]) if sound else np.nan
    return right, float(clarity) if clarity else np.nan


def listening_text(answers: pd.DataFrame, classes: int) -> str:
    """Return the share right and the mean clarity by method, with intervals over recordings.

    Args:
        answers: of :func:`read_answers`.
        classes: the number of labels; guessing is right once in so many times.

    Raises:
        AudioInterpError: nothing was answered.

    >>> answers = pd.DataFrame({"method": ["lime"] * 2, "recording": ["a", "b"],
    ...                         "right": [1.0, 0.0], "clarity": [4.0, 3.0], "listener": 1})
    >>> print(listening_text(answers, 10))
    method  right (%)  clarity  answers
    lime    50         3.5      2
    2 recordings: too few for an interval. Guessing would be right in 10 %.
    """
    answered = answers[answers[["right", "clarity"]].notna().any(axis=1)]
    if answered.empty:
        raise AudioInterpError("the answer sheets are empty; nothing was answered")
    lines: list[tuple[str, ...]] = [("method", "right (%)", "clarity", "answers")]
    for method, part in answered.groupby("method", sort=False):
        values = part[["right", "clarity"]].to_numpy(float) * [100.0, 1.0]
        lows, highs = bootstrap_interval(values, part["recording"].tolist())
        means = part[["right", "clarity"]].mean().to_numpy(float) * [100.0, 1.0]
        cells = zip(means, lows, highs, (0, 1), strict=True)
        lines.append((str(method), *(_with_ends(*cell) for cell in cells), str(len(part))))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = []
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        texts.append("  ".join(padded).rstrip())
    recordings = answered["recording"].nunique()
    note = (
        f"In brackets, 95 % intervals over {recordings} recordings."
        if recordings >= FEWEST
        else f"{recordings} recordings: too few for an interval."
    )
    left_open = len(answers) - len(answered)
    note += f" {left_open} sounds were not answered." * bool(left_open)
    return "\n".join([*texts, f"{note} Guessing would be right in {100 / classes:.0f} %."])


def _with_ends(mean: float, low: float, high: float, decimals: int) -> str:
    if np.isnan(mean):
        return "–"
    ends = "" if np.isnan(low) else f" [{low:.{decimals}f}, {high:.{decimals}f}]"
    return f"{mean:.{decimals}f}{ends}"
