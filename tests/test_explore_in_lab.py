"""The explorer in a live JupyterLab: guess, draw a box, lose the kernel, open it again; cancel a
method, answer the quiz, upload and record a clip.

Two tests, since JupyterLab and its kernels take most of the time.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import RECORD_VOICES, opened_browser
from lab import TOKEN, Lab, write_notebook

WEIGHTS = Path(__file__).parents[1] / "weights" / "synthetic_mel_cnn10.safetensors"
CELL = """import audiointerp as ai
classifier = ai.Classifier.load("weights.safetensors")
clips = ai.EvenSubset(ai.Synthetic((5,), sample_rate=32000), 2)
explorer = ai.explore(classifier, clips, ["gradcam", "saliency"])
explorer"""
OTHER_CELL = CELL.replace('["gradcam", "saliency"]', '["gradcam", "rise"]')
# Nothing of JupyterLab's own is to be counted, e.g. of a plugin that is slow on a busy machine.
OURS = ("audiointerp", "about:srcdoc", "anywidget", "blob:")
SESSION = "jupyterapp.shell.currentWidget.context.sessionContext"
RUN = """async () => {
  await jupyterapp.restored;
  await jupyterapp.shell.currentWidget.context.sessionContext.ready;
  await jupyterapp.commands.execute("runmenu:run-all");
}"""
PATIENCE = 120_000


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    if not WEIGHTS.exists():
        pytest.skip("installed without its sources")
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(WEIGHTS, folder / "weights.safetensors")
    write_notebook(folder / "explore.ipynb", CELL)
    write_notebook(folder / "other.ipynb", OTHER_CELL)
    server = Lab(folder)
    server.folder = folder
    yield server
    server.close()


@pytest.fixture
def page(lab):
    _, browser = opened_browser()
    context = browser.new_context(viewport={"width": 1200, "height": 1400})
    context.set_default_timeout(PATIENCE)
    context.add_init_script(RECORD_VOICES)
    page = context.new_page()
    page.faults = []
    page.on("console", lambda line: note(page, line.type, line.text, line.location["url"]))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    # The browser is that of all tests.
    context.close()


def note(page, kind, text, address):
    if kind == "error" and any(word in f"{text} {address}" for word in OURS):
        page.faults.append(f"{text} ({address})")


def open_notebook(page, lab, name="explore.ipynb"):
    page.goto(f"{lab.address}lab/tree/{name}?token={TOKEN}&reset")
    page.wait_for_function(f"window.jupyterapp?.shell?.currentWidget && {SESSION}?.session?.kernel")


def draw(page, frame, start, end):
    """Draw a box between two points, which are shares of the picture; return what p is."""
    frame.locator("[data-draw]").click()
    canvas = frame.locator("canvas.stage")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for point, act in ((start, page.mouse.down), (end, page.mouse.up)):
        x, y = (
            box[key] + share * box[size]
            for key, size, share in zip(("x", "y"), ("width", "height"), point, strict=True)
        )
        page.mouse.move(x, y)
        act()
    text = frame.locator("[data-box][data-milliseconds]")
    frame.locator('[data-box][data-milliseconds]:not([data-milliseconds=""])').wait_for()
    return text.inner_text()


@pytest.mark.whole
def test_explore_in_a_notebook(lab, page, record_property):
    open_notebook(page, lab)
    page.evaluate(RUN)
    frame = page.frame_locator("iframe.audiointerp-frame >> nth=0")
    guess = frame.locator("[data-labels] button >> nth=0")
    guess.wait_for()
    # Before a guess nothing tells the class: neither the verdict, nor a part, nor a name.
    assert not frame.locator("[data-verdict]").is_visible()
    assert not frame.locator("[data-part=kept]").is_visible()
    assert not frame.locator("[data-methods]").is_visible()
    guess.click()
    frame.locator("[data-draw]").wait_for()
    assert "The classifier hears" in frame.locator("[data-guessed]").inner_text()
    # The copy that is saved with the notebook is not shown beside the widget.
    assert not page.locator("[data-audiointerp-saved]").is_visible()

    first = draw(page, frame, (0.2, 0.1), (0.5, 0.8))
    record_property("milliseconds", frame.locator("[data-box]").get_attribute("data-milliseconds"))
    kept = frame.locator("[data-verdict]").inner_text()
    assert frame.locator("[data-part=kept]").get_attribute("aria-pressed") == "true"
    frame.locator("[data-box]").evaluate("(text) => { text.dataset.milliseconds = ''; }")
    second = draw(page, frame, (0.55, 0.3), (0.9, 0.9))
    assert first.split(" (")[0] != second.split(" (")[0]
    assert kept != frame.locator("[data-verdict]").inner_text()

    frame.locator("[data-method=saliency]").click()
    frame.locator("[data-cell='1,s5']").wait_for()
    frame.locator("[data-pin]").click()
    line = frame.locator("[data-line]")
    line.wait_for()
    assert line.inner_text().startswith("ai.interpret(classifier, clips[0][0], 'saliency', 'topK_")
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    assert page.faults == []

    for kernel in lab.ask("kernels"):
        lab.ask(f"kernels/{kernel['id']}", "DELETE")
    frame.locator("[data-trouble]:not(:empty)").wait_for()
    assert "run the cell again" in frame.locator("[data-trouble]").inner_text()
    frame.locator("[data-part=removed]").click()
    frame.locator("[data-play]").click()
    frame.locator("[data-play][aria-label=Pause]").wait_for()

    open_notebook(page, lab)
    saved = page.frame_locator("[data-audiointerp-saved] iframe")
    saved.locator("[data-part=kept]").click()
    saved.locator("[data-play]").click()
    saved.locator("[data-play][aria-label=Pause]").wait_for()
    assert saved.locator("body").evaluate("() => window.voices.length") > 0
    assert page.faults == []


@pytest.mark.whole
def test_cancel_quiz_upload_and_record_in_a_notebook(lab, page, tmp_path):
    """The kernel answers what is asked of it while a method runs."""
    open_notebook(page, lab, "other.ipynb")
    page.evaluate(RUN)
    frame = page.frame_locator("iframe.audiointerp-frame >> nth=0")
    guess = frame.locator("[data-labels] button >> nth=0")
    guess.click()
    frame.locator("[data-draw]").wait_for()

    frame.locator("[data-method=rise]").click()
    frame.locator(".chip.running progress").wait_for()
    assert "p of the box" in draw(page, frame, (0.2, 0.1), (0.5, 0.8))
    frame.get_by_role("button", name="Cancel RISE").click()
    frame.locator(".chip.cancelled [data-method=rise]").wait_for()

    for number in (1, 2):
        frame.locator("[data-quiz]").click()
        frame.locator("[data-answer=kept]").click()
        frame.locator(f"[data-score]:has-text('of {number} right')").or_(
            frame.locator(f"[data-score]:has-text('{number} right')")
        ).first.wait_for()
    assert "right; guessing gets about half" in frame.locator("[data-score]").inner_text()

    tone = np.sin(2 * np.pi * 440 * np.arange(32000) / 32000).astype(np.float32)
    soundfile.write(tmp_path / "mine.wav", tone, 32000)
    frame.locator("[data-upload]").set_input_files(tmp_path / "mine.wav")
    guess.click()
    frame.locator("[data-guessed]:has-text('mine.wav')").wait_for()

    frame.locator("[data-record]").click()
    frame.locator("[data-record][aria-pressed=true]").wait_for()
    page.wait_for_timeout(1500)
    frame.locator("[data-record]").click()
    guess.click()
    frame.locator("[data-guessed]:has-text('recording')").wait_for()
    assert frame.locator("[data-trouble]").inner_text() == ""
    assert page.faults == []
