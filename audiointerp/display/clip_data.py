"""What the page of a clip holds for its script: numbers, maps and the settings of the STFT."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ArgumentError, ModelError
from ..processing import Spectrogram
from ..scoring import (
    SHARES,
    ExplainedClip,
    RandomShares,
    Verdict,
    affordable_shares,
    layer_cell,
    protocol_of,
    random_shares,
    share_verdicts,
)
from ..util import FLOOR
from .captions import RANGE
from .encoding import gain_map, level_map, packed, rank_map
from .fast_copies import with_fast_copies
from .fewer_frames import in_columns
from .method_titles import METHOD_TITLES
from .page_sound import PageSound, page_sound, sound_data

LIKELIEST = 3
"""Classes whose p stands at the head of a page."""
SAME_P = 1e-3
"""The largest difference of p of one clip by one network, in batches of other sizes."""


def clip_data(results: Sequence[ExplainedClip], sound: PageSound | None = None) -> dict[str, Any]:
    """Return the data of one clip, explained by one or several methods or masks, for its page.

    Where a result knows its classifier, each share of the bins is judged by its sounds, and random
    maps too.

    Args:
        results: of one clip and one question; the first is what the page shows at first.
        sound: what the page holds of the clip; by default as FLAC, if it is short.

    Returns:
        Values that JSON can hold.

    Raises:
        ArgumentError: there is no result, or they are not of one clip and question.
        ModelError: the classifier's network was changed since.

    >>> import audiointerp as ai
    >>> network = ai.Cnn6(2, base_channels=2)
    >>> classifier = ai.Classifier(network, ai.LogMel(), ["dog", "rain"], 1.0)
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency", compared=0)
    >>> data = clip_data([result])
    >>> len(data["methods"][0]["shares"]), data["shares"][data["start"]["number"]]
    (19, 0.3)
    """
    results = with_fast_copies(results)
    first = first_of(results)
    spectrogram = first.spectrogram
    shares, random = list(SHARES), None
    if first.classifier is not None:
        shares = affordable_shares(first.classifier, spectrogram)
        random = random_shares(
            first.classifier, spectrogram, first.attribution, shares, fill=first.fill
        )
    methods = _methods(results, shares, random)
    return {
        "clip": first.clip,
        "question": first.question,
        "likeliest": likeliest(first),
        "seconds": first.wav.shape[-1] / first.sample_rate,
        "sound": sound_data(first, page_sound(first) if sound is None else sound),
        "grid": _grid(spectrogram),
        "fillGain": _fill_gain(first),
        "shares": shares,
        "random": _random(random, spectrogram, shares),
        "methods": methods,
        "start": _start(first, methods, shares),
        "scores": {name: None if value != value else value for name, value in first.scores.items()},
    }


def likeliest(result: ExplainedClip) -> list[tuple[str, float]]:
    """Return the three likeliest classes of a clip with their p.

    >>> import audiointerp as ai
    >>> network = ai.Cnn6(2, base_channels=2)
    >>> classifier = ai.Classifier(network, ai.LogMel(), ["dog", "rain"], 1.0)
    >>> len(likeliest(ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)))
    2
    """
    probs = result.attribution.probs[0]
    top = probs.topk(min(LIKELIEST, len(probs)))
    return [
        (result.labels[index], p)
        for index, p in zip(top.indices.tolist(), top.values.tolist(), strict=True)
    ]


def first_of(results: Sequence[ExplainedClip]) -> ExplainedClip:
    """Return the first of some results, if they are of one clip and one question.

    Raises:
        ArgumentError: there is no result, or they are not of one clip and question.

    >>> import audiointerp as ai
    >>> network = ai.Cnn6(2, base_channels=2)
    >>> classifier = ai.Classifier(network, ai.LogMel(), ["dog", "rain"], 1.0)
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> first_of([result, result]) is result
    True
    """
    if not results:
        raise ArgumentError("a page needs at least one result of interpret()")
    first = results[0]
    for result in results:
        if result.question != first.question or not torch.equal(result.wav, first.wav):
            raise ArgumentError(
                f"one clip and question a section: {result.question!r} of {result.clip} is not "
                f"{first.question!r} of {first.clip}"
            )
    return first


def _grid(spectrogram: Spectrogram) -> dict[str, Any]:
    """Return the bins and frames, their levels as drawn, and the way from bands to STFT bins."""
    transform, db = spectrogram.transform, spectrogram.db
    bands, frames = db.shape[2:]
    high = max(float(db.max()), FLOOR + 1)
    low = max(FLOOR, high - RANGE)
    drawn = in_columns(db, "loudest")
    unit_gains = torch.eye(bands, dtype=torch.float64)[None, None]
    lifting = transform.lift(unit_gains)[0, 0]
    is_stft = lifting.shape[0] == bands and torch.equal(lifting, unit_gains[0, 0])
    return {
        "bins": bands,
        "frames": frames,
        "columns": drawn.shape[-1],
        "low": low,
        "high": high,
        "levels": packed(level_map(drawn, low, high)),
        "stftBins": lifting.shape[0],
        "frequencies": [round(hertz, 2) for hertz in transform.frequencies.tolist()],
        "lifting": None if is_stft else packed(lifting.numpy().astype("<f4")),
    }


def _fill_gain(result: ExplainedClip) -> dict[str, Any] | None:
    """Return the gains of removed bins, or None if they are silent."""
    if result.fill == "silence":
        return None
    nothing = torch.zeros_like(result.mask)
    return gain_map(result.spectrogram.masked(nothing, fill=result.fill).gain)


def _random(
    random: RandomShares | None, spectrogram: Spectrogram, shares: Sequence[float]
) -> dict[str, Any]:
    if random is None:
        return {"map": packed(np.zeros(spectrogram.db.shape[2:], dtype=np.uint8)), "p": []}
    return {"map": packed(rank_map(random.maps[:1], shares)), "p": random.p.tolist()}


def _methods(
    results: Sequence[ExplainedClip], shares: Sequence[float], random: RandomShares | None
) -> list[dict[str, Any]]:
    """Return one entry for each method: its map, its shares judged, and its other masks."""
    methods: dict[str, dict[str, Any]] = {}
    for result in results:
        name = result.attribution.method
        if name not in methods:
            methods[name] = {
                "name": name,
                "title": METHOD_TITLES.get(name, name),
                "layer": str(layer_cell(result.attribution)),
                "map": packed(rank_map(result.attribution.values.cpu(), shares)),
                "shares": _judged_shares(result, shares, random),
                "named": [],
            }
        number = share_number(result, shares)
        if number is None:
            methods[name]["named"].append(_named(result))
        elif methods[name]["shares"] and result.verdict is not None and result.verdict.p_random:
            # It was compared with more random masks, of its own shape too.
            p_random = result.verdict.p_random
            methods[name]["shares"][number] = {
                **judged(result.verdict),
                "moreRandom": [min(p_random), max(p_random)],
            }
    return list(methods.values())


def _judged_shares(
    result: ExplainedClip, shares: Sequence[float], random: RandomShares | None
) -> list[dict[str, Any]]:
    if random is None or result.classifier is None:
        return []
    verdicts = share_verdicts(
        result.classifier, result.spectrogram, result.attribution, shares, random, result.fill
    )
    now = verdicts[0].p
    then = now if result.verdict is None else result.verdict.p
    if abs(now - then) > SAME_P:
        raise ModelError(
            f"the network was changed after this explanation was made: p of the clip was "
            f"{then:.3f}, is {now:.3f}; explain it again (does p depend on the batch? See check)"
        )
    return [judged(verdict) for verdict in verdicts]


def judged(verdict: Verdict) -> dict[str, Any]:
    """Return what a page says of one mask.

    >>> verdict = Verdict("dog", 0.9, 0.8, 0.1, (0.3,), True, True, False, 0.3, 0.6, 0.1)
    >>> judged(verdict)["asGood"], judged(verdict)["verdict"][:10]
    (0, 'Ahead of 1')
    """
    return {
        "verdict": str(verdict),
        "details": " ".join(verdict.details),
        "pKept": verdict.p_kept,
        "pRemoved": verdict.p_removed,
        "asGood": verdict.as_good,
        "compared": len(verdict.p_random),
        "isAhead": verdict.is_ahead,
    }


def share_number(result: ExplainedClip, shares: Sequence[float]) -> int | None:
    """Return the number of the share that a result's mask keeps, or None if it is another mask.

    >>> import audiointerp as ai
    >>> network = ai.Cnn6(2, base_channels=2)
    >>> classifier = ai.Classifier(network, ai.LogMel(), ["dog", "rain"], 1.0)
    >>> wav = torch.randn(32000)
    >>> results = [ai.interpret(classifier, wav, "saliency", m) for m in ("topK_30", "minmax")]
    >>> [share_number(result, [0.1, 0.3]) for result in results]
    [1, None]
    """
    match = re.fullmatch(r"topK_([0-9.]+)", result.mask_name)
    if match is None or protocol_of(result.protocol).listening_domain != "db":
        return None
    percentages = [round(100 * share, 4) for share in shares]
    percentage = float(match[1])
    return percentages.index(percentage) if percentage in percentages else None


def _named(result: ExplainedClip) -> dict[str, Any]:
    """Return a mask that is no share of the slider: its bins or gains, and its verdict."""
    mask = result.mask.cpu()
    is_binary = bool(((mask == 0) | (mask == 1)).all())
    named: dict[str, Any] = {
        "name": result.mask_name,
        "kind": "binary" if is_binary else "soft",
        "map": packed((mask[0, 0] >= 0.5).numpy().astype(np.uint8)),
        **_judged_result(result),
    }
    if not is_binary:
        named["keptGain"] = gain_map(_gain(result, result.mask))
        named["removedGain"] = gain_map(_gain(result, 1 - result.mask))
    return named


def _judged_result(result: ExplainedClip) -> Mapping[str, Any]:
    if result.verdict is not None:
        return judged(result.verdict)
    return {
        "verdict": "Not judged.",
        "details": "",
        "pKept": result.heard["p_in"],
        "pRemoved": result.heard["p_out"],
        "asGood": 0,
        "compared": 0,
        "isAhead": False,
    }


def _gain(result: ExplainedClip, mask: Tensor) -> Tensor:
    domain = protocol_of(result.protocol).listening_domain
    return result.spectrogram.masked(mask, domain, result.fill).gain


def _start(
    result: ExplainedClip, methods: Sequence[Mapping[str, Any]], shares: Sequence[float]
) -> dict[str, Any]:
    """Return the mask that the page shows at first: the one that was asked for."""
    number = share_number(result, shares)
    if number is not None:
        verdict = _judged_result(result)
        return {"method": 0, "cell": None, "number": number, "judged": verdict}
    area = float(result.mask.mean())
    nearest = min(range(len(shares)), key=lambda index: abs(shares[index] - area))
    names = [named["name"] for named in methods[0]["named"]]
    return {"method": 0, "cell": names.index(result.mask_name), "number": nearest, "judged": None}
