"""Pictures and pages: what is drawn is what was computed."""

import base64
import io
import json
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
from conftest import noise, small_classifier

from audiointerp.display import (
    METHOD_TITLES,
    component,
    plot,
    report,
    write_card,
    write_interpretation,
)
from audiointerp.display.report import (
    WRITTEN,
    interpretation_html,
    interpretation_page,
    page,
    players_html,
)
from audiointerp.errors import ArgumentError, ModelError
from audiointerp.fit import Epoch, History, Trained
from audiointerp.interpretation import METHODS
from audiointerp.metrics import FROM_AREA, METRICS
from audiointerp.model import Classifier
from audiointerp.predict import interpret
from audiointerp.processing import save_audio
from audiointerp.processing.spectrogram import LogMel, LogSTFT

# The number of shares in a page is not what is tested here.
pytestmark = pytest.mark.usefixtures("few_shares")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture
def result(classifier):
    return interpret(classifier, torch.randn(1, 1, 32000) * 0.1, "gradcam", "topK_30")


@pytest.mark.parametrize("transform", [LogMel(), LogSTFT()], ids=["mel", "stft"])
def test_axes_are_in_seconds_and_kilohertz(transform):
    rate = transform.sample_rate
    tone = torch.sin(2 * torch.pi * 2000 * torch.arange(2 * rate) / rate)[None, None]
    spec = transform(tone)
    ax = plt.subplots()[1]
    image = plot.spectrogram(spec, ax)
    assert image.get_extent()[1] == pytest.approx(2, abs=0.05)
    loudest = int(np.argmax(image.get_array()[:, 50]))
    marks = dict(
        zip([text.get_text() for text in ax.get_yticklabels()], ax.get_yticks(), strict=True)
    )
    assert marks["2"] == pytest.approx(
        loudest, abs=0.6
    )  # the tone of 2 kHz lies at the mark of 2 kHz
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (s)", "frequency (kHz)")
    low, high = image.get_clim()
    assert (high, high - low) == (pytest.approx(float(spec.db.max())), pytest.approx(80))


def test_pictures_of_an_interpretation(result):
    drawn = plot.attribution(result.attribution.values, result.spectrogram)
    low, high = drawn.get_clim()
    assert low == -high
    shown = plot.mask(result.mask, result.spectrogram)
    assert np.array_equal(shown.get_array(), result.mask[0, 0].numpy())
    kept, removed = plot.kept_and_removed(result)
    assert kept.get_clim() == removed.get_clim()
    assert np.array_equal(kept.get_array(), result.spectrogram.masked(result.mask).db[0, 0].numpy())
    figure = plot.interpretation(result)
    assert len(figure.axes) == 4
    for image in (
        plot.spectrogram(result.spectrogram),
        plot.attribution(torch.zeros_like(result.mask), result.spectrogram),
    ):
        image.figure.canvas.draw()  # a zero attribution is no error


def test_a_written_interpretation_draws_one_picture(result, tmp_path, monkeypatch):
    drawn = []
    draw = report.still_picture
    for module in (report, component):
        monkeypatch.setattr(
            module, "still_picture", lambda *args: drawn.append(draw(*args)) or drawn[-1]
        )
    write_interpretation(result, tmp_path / "new", "noise.wav")
    assert len(drawn) == 1
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(WRITTEN)
    written = plt.imread(tmp_path / "new" / "picture.png")
    assert written.shape[:2] == (406, 1680)
    html = (tmp_path / "new" / "index.html").read_text()
    embedded = re.search(r"image/webp;base64,([^\"]+)", html)[1]
    picture = plt.imread(io.BytesIO(base64.b64decode(embedded)), format="webp")
    assert picture.shape[:2] == (406, 1680)


def test_a_card_leaves_the_classifier_as_it_is(classifier, tmp_path):
    classifier.training = {"seed": 0}
    history = History((Epoch(1, 1.0, 1.0, 0.5, 1.0),), best=1)
    confusion = torch.eye(len(classifier.labels), dtype=torch.int64)
    trained = Trained(0, classifier, history, confusion, last_test_accuracy=0.5, seconds=1.0)
    weights = write_card([trained], tmp_path, "tiny", "the command")
    assert classifier.training == {"seed": 0}
    training = Classifier.load(weights).training
    assert training["command"] == "the command"
    assert training["seed"] == training["outcomes"][0]["seed"] == 0
    assert json.loads((tmp_path / "tiny.json").read_text())["training"] == training


def test_curves_and_confusion():
    history = History(
        tuple(Epoch(n, 1.0, 1.0, accuracy, 1.0) for n, accuracy in ((1, 0.2), (2, 0.9), (3, 0.5))),
        best=2,
    )
    line, dot = plot.learning_curves(history)
    assert line.get_ydata().tolist() == [0.2, 0.9, 0.5]
    assert (dot.get_xdata().tolist(), dot.get_ydata().tolist()) == ([2], [0.9])
    image = plot.confusion(torch.tensor([[3, 0], [1, 2]]), ("a", "b"))
    assert [text.get_text() for text in image.axes.texts] == ["3", "1", "2"]


def test_players_hold_the_sounds(result):
    html = players_html(result)
    sounds = [
        soundfile.read(io.BytesIO(base64.b64decode(data)))[0]
        for data in re.findall(r"audio/flac;base64,([^\"]+)", html)
    ]
    original, kept, kept_loud, removed, removed_loud = sounds
    assert np.abs(original - result.wav[0, 0].numpy()).max() < 1e-3
    assert np.abs(kept + removed - original).max() < 1e-3  # one shared gain
    for quiet, loud in ((kept, kept_loud), (removed, removed_loud)):
        gain = loud.std() / quiet.std()
        assert f"{20 * np.log10(gain):+.1f} dB" in html
    assert "gradcam, mask topK_30" in html
    assert "<img" not in html


def test_a_page_holds_the_clip_once_and_both_parts_for_browsers_without_scripts(result):
    html = interpretation_page("noise", [[result]], lossless=True)
    (original,) = re.findall(r"audio/flac;base64,([^\"]+)", html)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(original)))
    assert rate == result.sample_rate
    assert np.abs(samples - result.wav[0, 0].numpy()).max() < 2**-15
    kept, removed = re.findall(r"audio/mpeg;base64,([^\"]+)", html)
    for data, wav in ((kept, result.kept), (removed, result.removed)):
        heard = soundfile.read(io.BytesIO(base64.b64decode(data)))[0]
        # MP3 leaves out the highest frequencies, which noise has as loud as others.
        assert 0.5 < heard.std() / float(wav.std()) < 1.05
    assert html.count("<th title=") == len(METRICS) - len(FROM_AREA)
    assert html.index("<noscript>") < html.index(kept) < html.index("</noscript>")


def test_each_method_has_a_title():
    """A page had "integrated_gradients" beside "Grad-CAM"."""
    assert list(METHOD_TITLES) == list(METHODS)
    assert len(set(METHOD_TITLES.values())) == len(METHODS)


def test_the_clip_of_a_page_is_mp3_unless_flac_is_asked_for(result, tmp_path):
    """Noise as FLAC took 80 % of a page."""
    original = re.compile(r"data-original src=\"data:audio/(\w+);base64,([^\"]+)")
    sizes = {}
    for lossless, kind in ((False, "mpeg"), (True, "flac")):
        write_interpretation(result, tmp_path, "noise", lossless)
        pages = (tmp_path / "index.html").read_text(), interpretation_page("", [[result]], lossless)
        for html in pages:
            (held,) = original.findall(html)
            assert held[0] == kind
            sizes[kind] = len(held[1])
            assert ("The clip is held as MP3" in html) is not lossless
    assert "data-original src=&quot;data:audio/mpeg" in interpretation_html(result)
    assert sizes["mpeg"] < 0.3 * sizes["flac"]


def test_a_page_leads_with_the_verdict_and_the_likeliest_classes(result):
    html = interpretation_page("noise", [[result]])
    verdict = str(result.verdict).replace('"', "&quot;")
    assert html.index("<h1>") < html.index(verdict) < html.index("Likeliest classes: label")
    unjudged = interpretation_page("noise", [[replace(result, verdict=None, classifier=None)]])
    assert f"<b>Why {result.question}?</b>" in unjudged


def test_a_section_is_of_one_clip_and_question(result, classifier):
    other = interpret(classifier, torch.randn(1, 1, 32000) * 0.1, "gradcam", compared=0)
    with pytest.raises(ArgumentError, match="one clip and question a section"):
        interpretation_page("two", [[result, other]])
    with pytest.raises(ArgumentError, match="at least one result"):
        interpretation_page("none", [[]])


def test_beside_a_player_stands_the_p_of_its_sound(result, tmp_path):
    """The masked features can be classified quite differently from the sound made of them."""
    scores = dict(result.scores) | {"p": 0.111, "p_in": 0.222, "p_out": 0.333}
    heard = {"p": 0.444, "p_in": 0.555, "p_out": 0.666}
    result = replace(result, scores=scores, p_of_sounds=heard)
    html = players_html(result)
    for name, p in heard.items():
        part = {"p": "original", "p_in": "kept", "p_out": "removed"}[name]
        assert re.search(rf"<tr><th>{part}<td><audio [^>]+></audio><td>{p}<td>", html)
        assert str(scores[name]) not in players_html(result)
    assert "<th>p of the sound" in html
    page = interpretation_page("noise", [[result]])
    assert "<td>features<td>0.111<td>0.222<td>0.333<td>" in page
    # Beside the players of a page stands what the verdict says of the same part.
    verdict = replace(result.verdict, p_kept=0.777, p_removed=0.888)
    page = interpretation_page("noise", [[replace(result, verdict=verdict)]])
    assert "</audio> Kept, p .777</p>" in page
    page = interpretation_page("noise", [[replace(result, verdict=None)]])
    assert "</audio> Kept, p .555</p>" in page
    assert "</audio> Removed, p .666</p>" in page
    titles = [ax.get_title() for ax in plot.interpretation(result).axes]
    assert titles[2].endswith("p on features 0.222, p of the sound 0.555")
    assert titles[3].endswith("p on features 0.333, p of the sound 0.666")
    corners = [
        ax.texts[0].get_text()
        for ax in plot.comparison([result], {"gradcam": ""}).axes[:4]
        if ax.texts
    ]
    assert corners == [f"p of the sound {p}" for p in heard.values()]
    write_interpretation(result, tmp_path, "noise.wav")
    record = json.loads((tmp_path / "scores.json").read_text())
    assert (record["scores"]["p_in"], record["heard"]) == (0.222, heard)


def test_the_record_has_the_name_of_the_file_or_none(classifier, tmp_path):
    """A title of the page stood there as the clip."""
    path = tmp_path / "dog 1.wav"
    save_audio(path, noise(1.0), 32000)
    for audio, name in ((path, "dog 1.wav"), (str(path), "dog 1.wav"), (noise(1.0), None)):
        interpret(classifier, audio, "saliency").save(tmp_path / "out")
        assert json.loads((tmp_path / "out" / "scores.json").read_text())["clip"] == name
        page = (tmp_path / "out" / "index.html").read_text()
        assert f"<h1>{name or 'explanation'}</h1>" in page
    interpret(classifier, path, "saliency").save(tmp_path / "out", "Why a dog?")
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["clip"] == "dog 1.wav"
    assert "<h1>Why a dog?</h1>" in (tmp_path / "out" / "index.html").read_text()


def test_names_cannot_break_the_page(result):
    evil = replace(result, labels=("<script>",) * 3, mask_name="<b>")
    assert "<script>" not in page("<script>", []) + players_html(evil)
    plain, named = interpretation_html(result), interpretation_html(evil)
    assert named.count("<script") == plain.count("<script")


def test_a_page_of_a_network_that_was_changed_is_refused():
    """Its chart had p of the network as it is now, beside the p of then."""
    small = small_classifier(3)
    result = interpret(small, noise(1.0), "saliency", compared=0)
    interpretation_html(result)
    with torch.no_grad():
        for parameter in small.network.parameters():
            parameter.mul_(1.5)
    with pytest.raises(ModelError, match=r"changed after .*explain it again"):
        interpretation_html(result)
