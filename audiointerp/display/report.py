"""HTML pages to look at and listen to: self-contained, for notebooks and files."""

import html
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from PIL import Image

from ..interpretation import (
    LARGEST_GAP,
    additivity_gap,
    noise_share,
    outside_share,
    surrogate_fit,
)
from ..metrics import FROM_AREA, METRICS, PERCENT, YES_OR_NO
from ..processing import save_audio
from ..scoring import ExplainedClip, Verdict, attribution_cells, layer_cell
from ..util import atomic_write, make_folder, write_json, write_text
from .clip_data import first_of
from .component import clip_section
from .document import document, framed
from .method_titles import METHOD_TITLES
from .overview import overview, overview_item
from .pixels import DPI, pixels_address
from .players import players_table
from .still import still_picture

WRITTEN = ("original.wav", "kept.wav", "removed.wav", "picture.png", "scores.json", "index.html")
"""Files that :func:`write_interpretation` writes; existing files are replaced."""
_STYLE = """
body{font-family:system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}
.audiointerp table{border-collapse:collapse;margin:.5rem 0}
.audiointerp td,.audiointerp th{padding:.2rem .7rem;text-align:left;border-bottom:1px solid #ddd}
.audiointerp img{max-width:100%}.audiointerp audio{height:2.2rem;vertical-align:middle}
.listening audio{width:10.5rem}
.listening td,.listening th{padding:.2rem .4rem;font-variant-numeric:tabular-nums}
"""
_LEGEND = (
    "<p>Levels in dB, the loudest 80 dB. A share keeps the bins with the largest attribution. In "
    "the table, p <i>on features</i> is that of the masked features from which a sound was made; "
    "it can differ widely from p of the sound.</p>"
)


def interpretation_html(result: ExplainedClip) -> str:
    """HTML of one interpretation for a notebook: its page in a frame, with sounds and scripts.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> interpretation_html(result)[:7]
    '<iframe'
    """
    title = result.clip or f"Why {result.question}?"
    return framed(interpretation_page(title, [[result]]))


def interpretation_page(
    title: str,
    clips: Sequence[Sequence[ExplainedClip]],
    lossless: bool = False,
    truths: Sequence[str | None] | None = None,
) -> str:
    """Complete HTML document of explained clips, to see, hear and touch; it needs no other file.

    Args:
        title: of the page.
        clips: for each clip, its results by one or several methods or masks; the page shows the
            first at first.
        lossless: see :func:`~audiointerp.display.component.clip_section`.
        truths: the labels of the clips, where they are known.

    Raises:
        ArgumentError: the results of a clip are not of one clip and question.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> interpretation_page("noise", [[result]]).count("<section")
    1
    """
    labelled = list(zip(clips, truths or [None] * len(clips), strict=True))
    sections = [explained_section(results, lossless, truth) for results, truth in labelled]
    if len(clips) > 1:
        items = [overview_item(results, truth=truth) for results, truth in labelled]
        sections.insert(0, overview(items))
    return document(title, sections)


def explained_section(
    results: Sequence[ExplainedClip], lossless: bool = False, truth: str | None = None
) -> str:
    """Return the section of one clip with its notes: legend and scores by method.

    Args:
        results: see :func:`~audiointerp.display.component.clip_section`.
        lossless: see there.
        truth: see there.

    Raises:
        ArgumentError: the results are not of one clip and question.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, torch.randn(32000), "saliency", compared=0)
    >>> explained_section([result]).count("Scores and notes")
    1
    """
    return clip_section(results, _notes(results), lossless, truth=truth)


def players_html(result: ExplainedClip) -> str:
    """HTML fragment with the players of one interpretation, without figure and scores.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> players_html(result).count("<audio")
    5
    """
    return f'<div class="audiointerp">{_question(result)}{players_table(result)}</div>'


def page(title: str, fragments: Sequence[str]) -> str:
    r"""Complete HTML document of fragments, with style.

    >>> page("Why a dog?", ["<p>text</p>"]).endswith("<h1>Why a dog?</h1><p>text</p></html>\n")
    True
    """
    title = html.escape(title)
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>{''.join(fragments)}</html>\n"
    )


def write_interpretation(
    result: ExplainedClip,
    out: str | os.PathLike[str],
    title: str,
    lossless: bool = False,
    truth: str | None = None,
) -> None:
    """Write one interpretation to a folder, which is created if it does not exist.

    Writes ``original.wav``, ``kept.wav`` and ``removed.wav`` (``result.sounds``; 32-bit float, not
    rescaled), ``picture.png``, ``scores.json`` (an undefined score is null), and ``index.html``, a
    page with all of them.

    Args:
        result: of :func:`~audiointerp.predict.interpret`.
        out: the folder.
        title: title of the page.
        lossless: see :func:`~audiointerp.display.component.clip_section`; the WAV files are in any
            case.
        truth: the label of the clip, if it is known.

    Raises:
        AudioInterpError: a file cannot be written.

    >>> import pathlib, tempfile
    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> result = ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_interpretation(result, folder, "noise.wav")
    ...     sorted(path.name for path in pathlib.Path(folder).iterdir()) == sorted(WRITTEN)
    True
    """
    pixels = still_picture(result)
    address = pixels_address(pixels)
    section = clip_section([result], _notes([result]), lossless, address, truth=truth)
    written_page = document(title, [section])
    folder = make_folder(out)
    for name, wav in result.sounds:
        save_audio(folder / f"{name}.wav", wav, result.sounds.sample_rate)
    with atomic_write(folder / "picture.png") as part:
        Image.fromarray(pixels).save(part, "PNG", dpi=(DPI, DPI))
    scores = {
        "clip": result.clip,
        "limits": result.limits,
        "predicted": result.predicted,
        "explained": result.explained,
        "against": result.against,
        "method": result.attribution.method,
        "mask": result.mask_name,
        **{name: getattr(result, name) for name in ("protocol", "on", "fill")},
        "scores": dict(result.scores),
        "heard": dict(result.heard),
        "verdict": None if result.verdict is None else _verdict_record(result.verdict),
        "outside": outside_share(result.attribution),
        **attribution_cells(result.attribution),
    }
    write_json(folder / "scores.json", scores)
    write_text(folder / "index.html", written_page)


def _verdict_record(verdict: Verdict) -> dict[str, Any]:
    return {"text": str(verdict), "as_good": verdict.as_good, **asdict(verdict)}


def method_notes(result: ExplainedClip) -> list[str]:
    """Return what a reader should know of a map: how well SHAP, LIME or random masks tell it.

    >>> import torch, audiointerp as ai
    >>> classifier = ai.Classifier(ai.Cnn6(2, base_channels=2), ai.LogMel(), ["dog", "rain"])
    >>> method_notes(ai.interpret(classifier, 0.1 * torch.randn(1, 1, 32000), "saliency"))
    []
    """
    gap, outside = additivity_gap(result.attribution), outside_share(result.attribution)
    notes = [] if math.isnan(gap) else [f"SHAP's additivity gap: {gap:.1e}"]
    if abs(outside) > LARGEST_GAP:
        notes.append(
            f"{outside:.0%} of f(x) - E f(b) lies outside the values shown, in frames of padding "
            f"or of another window; give clips as long as the network's input to see all of it"
        )
    fit, noise = surrogate_fit(result.attribution), noise_share(result.attribution)
    if not math.isnan(fit):
        notes.append(f"R² of LIME's linear model: {fit:.2f}")
    if not math.isnan(noise) and not result.arbitrary:
        of = "map's" if len(result.attribution.info["noise_share"]) == 1 else "noisiest window's"
        notes.append(f"{noise:.0%} of the {of} variance is noise of its random masks")
    return notes


def _notes(results: Sequence[ExplainedClip]) -> str:
    """Return what is folded away below a clip: legend, and the scores of each method."""
    first_of(results)
    remarks = []
    for result in results:
        method = _title_of(result)
        remarks += [f"{method}: {note}." for note in method_notes(result)]
    return _LEGEND + _scores(results) + "".join(f"<p>{html.escape(each)}</p>" for each in remarks)


def _title_of(result: ExplainedClip) -> str:
    method = result.attribution.method
    return METHOD_TITLES.get(method, method)


def _question(result: ExplainedClip) -> str:
    method, mask = html.escape(result.attribution.method), html.escape(result.mask_name)
    layer = str(layer_cell(result.attribution))
    about = f"{method}, mask {mask}" + html.escape(layer and f", {layer}")
    notes = html.escape(" ".join(filter(None, (result.window_note(), result.rate_note()))))
    question = f"<p>Why <b>{html.escape(result.question)}</b>? {about}.{notes and f' {notes}'}</p>"
    if result.verdict is None:
        return question
    details = html.escape(" ".join(result.verdict.details))
    return f"<p><b>{html.escape(str(result.verdict))}</b> {details}</p>{question}"


def _score_text(name: str, value: float) -> str:
    if math.isnan(value):
        return "undefined"
    if name in YES_OR_NO:
        return "yes" if value > 0 else "no"
    return f"{value:.1f}" if name in PERCENT else f"{value:.3f}"


def _head(name: str) -> str:
    return f"{name} (%)" if name in PERCENT and name not in YES_OR_NO else name


def _is_binary(result: ExplainedClip) -> bool:
    return bool(((result.mask == 0) | (result.mask == 1)).all())


def _scores(results: Sequence[ExplainedClip]) -> str:
    """Return one table of the scores, a row for each method, with the p that they are made of.

    Of a 0/1 mask, SPS, COMP and nCOMP follow from AREA, and are left out.
    """
    hidden = FROM_AREA if all(map(_is_binary, results)) else ()
    names = [name for name in METRICS if name not in hidden]
    heads = "".join(
        f'<th title="{METRICS[name].title}" scope="col">{_head(name)}' for name in names
    )
    ps = "".join(f'<th scope="col">{head}' for head in ("p", "p kept", "p removed"))
    rows = ""
    for result in results:
        row = [f"<td>{html.escape(result.mask_name)}<td>{result.on}"]
        row += [f"<td>{result.scores[name]:.3f}" for name in ("p", "p_in", "p_out")]
        for name in names:
            is_told = _is_binary(result) and name in FROM_AREA
            row.append(f"<td>{'' if is_told else _score_text(name, result.scores[name])}")
        rows += f'<tr><th scope="row">{html.escape(_title_of(result))}{"".join(row)}'
    return (
        '<div class="scroll" tabindex="0" role="group" aria-label="Scores by method"><table>'
        f'<thead><tr><th scope="col">method<th scope="col">mask<th scope="col">scores on{ps}{heads}'
        f"</thead><tbody>{rows}</tbody></table></div>"
    )
