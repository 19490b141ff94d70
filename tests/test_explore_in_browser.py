"""The explorer's page in a browser, with its kernel in this process: what a person can do there.

The widget's own script runs in a page that stands for the notebook; test_explore_in_lab.py does it
in a live JupyterLab. The tests share one explorer, and open a clip only where they need another.
"""

import base64
import queue
import re
import threading

import numpy as np
import pytest
import torch
from browser import (
    NAMELESS,
    RECORD_VOICES,
    SAMPLES_OF_LAST_VOICE,
    Opened,
    faults_of_axe,
    opened_browser,
    si_sdr,
)
from conftest import noise, small_classifier

import audiointerp as ai
from audiointerp.display.document import part
from audiointerp.display.explore_count import Quiz
from audiointerp.processing import save_audio

# Milliseconds; a busy machine can take long to explain a clip.
PATIENCE = 60_000
NOTEBOOK = """<!DOCTYPE html><html lang="en"><title>A notebook</title><main id="cell"></main>
<script type="module">
{widget}
const listeners = {{}};
const values = {{}};
const tell = (name, value) => (listeners[name] ?? new Set()).forEach((act) => act(value));
const bytes = (buffer) => btoa(Array.from(new Uint8Array(buffer), (code) =>
  String.fromCharCode(code)).join(""));
const model = {{
  get: (name) => values[name],
  on: (name, act) => (listeners[name] ??= new Set()).add(act),
  off: (name, act) => listeners[name]?.delete(act),
  send: (content, callbacks, buffers) => void askKernel(content, buffers.map(bytes)),
}};
const news = async () => {{
  for (const {{ name, value }} of await newsOfKernel()) {{
    if (name !== "msg:custom") values[name] = value;
    tell(name === "msg:custom" ? name : `change:${{name}}`, value);
  }}
}};
await news();
setInterval(news, 30);
render({{ model, el: document.getElementById("cell") }});
</script></html>"""


class Session:
    """An explorer, and the page that shows it."""

    def __init__(self):
        self.browser = opened_browser()[1]
        classifier = small_classifier()
        # Closed, it holds the network, and with it a method, where it is.
        self.gate = threading.Event()
        self.gate.set()
        classifier.network.register_forward_pre_hook(lambda *_: self.gate.wait(20) and None)
        self.clips = [(noise(1.0, seed=1), "label0"), (noise(1.0, seed=2), "label2")]
        methods = ["gradcam", "saliency", "smoothgrad"]
        self.explorer = ai.explore(classifier, self.clips, methods)
        self.news = queue.SimpleQueue()
        widget = self.explorer.widget
        for name in ("page", "state", "section"):
            self.news.put({"name": name, "value": getattr(widget, name)})
        widget.observe(lambda change: self.put(change.name, change.new), ["state", "section"])
        widget.send = lambda message: self.put("msg:custom", message)
        self.open()

    def open(self):
        script = part("explore_widget.js").replace("export default", "//")
        page = NOTEBOOK.format(widget=script)
        context = self.browser.new_context(viewport={"width": 1000, "height": 900})
        # A microphone needs an origin; nothing listens there.
        context.route(
            "http://localhost/", lambda route: route.fulfill(body=page, content_type="text/html")
        )
        context.set_default_timeout(PATIENCE)
        context.add_init_script(RECORD_VOICES)
        context.expose_function("askKernel", self.ask)
        context.expose_function("newsOfKernel", self.newest)
        self.context, self.page, self.faults = context, context.new_page(), []
        self.page.on("console", lambda line: self.faults.append(f"{line.type}: {line.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto("http://localhost/")
        self.frame = self.page.frame_locator("iframe.audiointerp-frame")
        self.find("guess").wait_for()

    def put(self, name, value):
        self.news.put({"name": name, "value": value})

    def ask(self, message, buffers):
        self.explorer._asked(None, message, [base64.b64decode(each) for each in buffers])

    def newest(self):
        return [self.news.get() for _ in range(self.news.qsize())]

    def find(self, name):
        return self.frame.locator(f"[data-{name}]")

    def inside(self):
        """The frame of the explorer, to evaluate in."""
        return self.page.frames[1]

    def guess(self, number=0):
        """Guess a class, and wait until the clip is shown."""
        self.frame.locator("[data-labels] button").nth(number).click()
        self.find("draw").wait_for()

    def ready(self):
        """See to it that a clip is open and guessed, whichever it is."""
        if self.find("guess").is_visible():
            self.guess()

    def trouble(self):
        self.frame.locator("[data-trouble]:not(:empty)").wait_for()
        return self.find("trouble").inner_text()

    def played(self):
        text = self.inside().evaluate(SAMPLES_OF_LAST_VOICE)
        return np.frombuffer(base64.b64decode(text), "<f4")

    def wait(self, expression):
        self.inside().wait_for_function(expression)


@pytest.fixture(scope="module")
def shared():
    pytest.importorskip("anywidget", reason="anywidget is not installed")
    session = Session()
    yield session
    session.gate.set()
    session.context.close()


@pytest.fixture
def session(shared):
    """The session, in which no test leaves a fault behind."""
    yield shared
    faults = shared.faults[:]
    shared.faults.clear()
    assert faults == []


def faults_in_both_schemes(session):
    faults = []
    for scheme in ("dark", "light"):
        session.page.emulate_media(color_scheme=scheme)
        faults += faults_of_axe(session.inside())
    return faults


def test_the_explorer_can_be_read_by_all(session):
    assert faults_in_both_schemes(session) == []
    session.guess()
    assert faults_in_both_schemes(session) == []
    assert session.inside().evaluate(NAMELESS) == []
    height = "document.querySelector('iframe').clientHeight"
    wide = session.page.evaluate(height)
    session.page.set_viewport_size({"width": 400, "height": 900})
    # The frame is as high as its page, and no higher once it is wide again.
    session.page.wait_for_function(f"{height} > {wide + 200}")
    assert session.inside().evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert session.find("part=random").evaluate(
        "(button) => button.getBoundingClientRect().right"
    ) <= session.find("stage").evaluate("(canvas) => canvas.getBoundingClientRect().right + 1")
    session.page.set_viewport_size({"width": 1000, "height": 900})
    session.page.wait_for_function(f"Math.abs({height} - {wide}) < 30")


def test_one_class_rather_than_another(session):
    session.ready()
    predicted = session.explorer.clip.first.predicted
    other = next(label for label in session.explorer.classifier.labels if label != predicted)
    session.find("against").select_option(predicted)
    assert "choose two classes" in session.trouble()
    assert session.find("against").input_value() == ""
    session.find("against").select_option(other)
    verdict = session.frame.locator(f"[data-verdict]:has-text('{predicted} rather than {other}')")
    verdict.wait_for()
    asked = ai.interpret(
        session.explorer.classifier,
        session.explorer.clip.first.wav,
        target=predicted,
        against=other,
    )
    assert verdict.inner_text() == str(asked.verdict)


def test_nothing_tells_the_class_before_a_guess(session):
    session.find("clips").select_option("1")
    session.find("guess").wait_for()
    for hidden in ("verdict", "methods", "part=kept", "draw", "quiz"):
        assert not session.find(hidden).is_visible()
    session.page.keyboard.press("2")
    assert session.find("part=original").get_attribute("aria-pressed") == "true"
    session.guess(number=2)
    heard = session.explorer.guess["predicted"]
    text = session.find("guessed").inner_text()
    assert text.startswith(f"The classifier hears {heard} (p ")
    assert "you heard label2; " in text
    assert "is labelled label2." in text
    assert session.find("verdict").inner_text() == str(session.explorer.clip.first.verdict)


def test_the_quiz_plays_what_it_asks_for_and_tells_nothing(session):
    session.ready()
    session.explorer.quiz = Quiz()
    result = session.explorer.clip.first
    kept = result.kept.flatten().numpy()
    for number, drawn in enumerate(("kept", "random"), start=1):
        session.explorer.quiz._part = drawn
        session.inside().evaluate("window.voices.length = 0")
        session.find("quiz").click()
        session.wait("window.voices.length > 0")
        assert (si_sdr(kept, session.played()) > 40) == (drawn == "kept")
        for hidden in ("part=kept", "part=random", "gain"):
            assert session.find(hidden).evaluate("(each) => getComputedStyle(each).visibility") == (
                "hidden"
            )
        session.find("answer=kept").click()
        session.frame.locator(f"[data-score]:has-text('{number} right')").or_(
            session.frame.locator(f"[data-score]:has-text('of {number} right')")
        ).wait_for()
        said = "Right: it was the method's" if drawn == "kept" else "Wrong: it was the random"
        assert session.find("score").inner_text().startswith(said)
        assert session.find("answer=kept").is_disabled()
    assert session.find("score").inner_text().endswith("1 of 2 right; guessing gets about half.")


def test_a_box_by_the_keyboard_alone(session):
    session.ready()
    focused = "document.activeElement.dataset"
    session.find("draw").focus()
    for edge, value in (("start", "0.2"), ("end", "0.6"), ("low", "500"), ("high", "4000")):
        session.page.keyboard.press("Tab")
        assert session.inside().evaluate(f"{focused}.edge") == edge
        session.page.keyboard.type(value)
        assert session.find(f"edge={edge}").input_value() == value
    session.page.keyboard.press("Tab")
    assert session.inside().evaluate(f"'keep' in {focused}")
    session.page.keyboard.press("Enter")
    session.frame.locator("[data-box]:not(:empty)").wait_for()
    result = session.explorer.clip.first
    named = [each for method in session.explorer.clip.data["methods"] for each in method["named"]]
    (entry,) = [each for each in named if each["name"] == "box"]
    frequencies = result.spectrogram.transform.frequencies
    mask = torch.zeros_like(result.mask)
    inside = (frequencies >= 499.5) & (frequencies <= 4000.5)
    frames = mask.shape[-1]
    mask[:, :, inside, int(0.2 * frames) : int(np.ceil(0.6 * frames))] = 1
    wav = result.spectrogram.masked(mask).to_wav().float()
    classifier = session.explorer.classifier
    p = classifier.probabilities(classifier.transform(wav).db)[0, int(result.attribution.target)]
    assert entry["pKept"] == pytest.approx(float(p), abs=1e-5)
    shown = re.search(r"p of the box (\S+),", session.find("box").inner_text())[1]
    assert float(shown) == pytest.approx(float(p), abs=6e-4)


def test_what_was_pinned_is_exported_and_made_again_by_its_line(session, tmp_path):
    session.ready()
    session.explorer.pins.clear()
    session.find("method=saliency").click()
    session.find("cell='1,s5'").wait_for()
    session.find("cell='1,s5'").click()
    shown = session.find("verdict").inner_text()
    session.find("pin").click()
    session.find("line").wait_for()
    assert session.find("pins").inner_text() == "1 pinned"
    names = {"ai": ai, "classifier": session.explorer.classifier, "clips": session.clips}
    again = eval(session.find("line").inner_text(), names)
    assert (again.attribution.method, again.mask_name) == ("saliency", "topK_30")
    assert str(again.verdict).split(", ")[0] == shown.split(", ")[0]
    with session.page.expect_download() as download:
        session.find("export").click()
    download.value.save_as(tmp_path / "explored.html")
    opened = Opened(session.browser, tmp_path / "explored.html")
    assert opened.verdict() == shown
    assert opened.faults == []
    opened.context.close()


def test_a_method_shows_its_progress_and_is_cancelled(session):
    session.ready()
    session.gate.clear()
    session.find("method=smoothgrad").click()
    chip = session.frame.locator(".chip.running:has([data-method=smoothgrad])")
    chip.locator("progress").wait_for()
    assert session.find("method=smoothgrad").is_disabled()
    chip.get_by_role("button", name="Cancel SmoothGrad").click()
    job = session.explorer.jobs.by_name["smoothgrad"]
    for _ in range(100):
        session.page.wait_for_timeout(20)
        if job.is_cancelled:
            break
    # It ends at the next call of the network.
    session.gate.set()
    assert job.wait(PATIENCE / 1000)
    assert job.state == "cancelled"
    session.frame.locator(".chip.cancelled [data-method=smoothgrad]").wait_for()
    assert session.find("method=smoothgrad").inner_text() == "SmoothGrad (cancelled)"
    assert "smoothgrad" not in session.explorer.clip.results
    session.find("method=smoothgrad").click()
    session.frame.locator(".chip.done [data-method=smoothgrad]").wait_for()
    assert "smoothgrad" in session.explorer.clip.results


def test_a_file_is_uploaded_and_explained(session, tmp_path):
    session.ready()
    wav = noise(1.0, seed=5)
    save_audio(tmp_path / "mine.wav", wav, 32000)
    session.find("upload").set_input_files(tmp_path / "mine.wav")
    session.find("guess").wait_for()
    assert "mine" not in session.find("guessed").inner_text()
    session.guess()
    assert session.find("guessed").inner_text().endswith(" times.")
    assert "mine.wav" in session.find("guessed").inner_text()
    assert torch.allclose(session.explorer.clip.first.wav, wav / wav.abs().max(), atol=1e-5)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"words", r"no\.wav: "), (bytes(9_100_000), r"has 9\.1 MB; up to 9 MB can be sent")],
)
def test_an_upload_that_cannot_be_taken_leaves_the_clip(session, tmp_path, content, text):
    session.ready()
    clip = session.explorer.clip
    (tmp_path / "no.wav").write_bytes(content)
    session.find("upload").set_input_files(tmp_path / "no.wav")
    assert re.search(text, session.trouble())
    assert session.explorer.clip is clip
    assert session.find("draw").is_visible()


def test_a_recording_is_explained(session):
    session.ready()
    session.find("record").click()
    session.frame.locator("[data-record][aria-pressed=true]").wait_for()
    assert session.find("record").inner_text() == "Stop recording"
    session.page.wait_for_timeout(1500)
    session.find("record").click()
    session.find("guess").wait_for()
    assert session.find("record").inner_text() == "Record"
    session.guess()
    assert session.find("guessed").inner_text().count("recording") == 1
    samples, rate = session.explorer.clip.source.load()
    assert 1.0 < len(samples) / rate < 3.5
    # The browser's beeps are heard.
    assert float(samples.abs().max()) > 0.01
