"""A browser for the tests of pages, and what they ask it; see test_page_in_browser.py."""

import atexit
import base64
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Every sound that starts or stops is written down, with its buffer.
RECORD_VOICES = """
window.voices = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset) {
  const voice = { when, offset, end: Infinity, buffer: this.buffer, context: this.context };
  this.voice = voice;
  window.voices.push(voice);
  return start.apply(this, arguments);
};
const stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.stop = function (when) {
  this.voice.end = when;
  return stop.apply(this, arguments);
};
"""
SAMPLES_OF_LAST_VOICE = """() => {
  const { buffer } = window.voices.at(-1);
  const samples = new Float32Array(buffer.numberOfChannels * buffer.length);
  for (let k = 0; k < buffer.numberOfChannels; k++) {
    samples.set(buffer.getChannelData(k), k * buffer.length);
  }
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let k = 0; k < bytes.length; k += 8192) {
    text += String.fromCharCode(...bytes.subarray(k, k + 8192));
  }
  return btoa(text);
}"""
# The playhead is the only column of the canvas that is white from top to bottom.
PLAYHEAD = """() => {
  const canvas = document.querySelector("canvas.stage");
  const scale = canvas.width / canvas.clientWidth;
  const rows = [5, 60, 120, 180].map((y) => canvas.getContext("2d")
    .getImageData(0, Math.round(y * scale), canvas.width, 1).data);
  const isWhite = (x) => rows.every((row) =>
    row[4 * x] === 255 && row[4 * x + 1] === 255 && row[4 * x + 2] === 255);
  const found = [];
  for (let x = 0; x < canvas.width; x++) if (isWhite(x)) found.push(x);
  const middle = found.reduce((sum, x) => sum + x + 0.5, 0) / found.length;
  return { x: middle / scale, count: found.length / scale };
}"""
# The time that is heard, from the sound that was started last, not from the page's own state.
HEARD = """() => {
  const voice = window.voices.at(-1);
  return voice.offset + voice.context.currentTime - voice.when;
}"""
# What is heard before and after the page draws its next frame, and the playhead in that frame: a
# busy machine can take long to draw it, and longer to look at it.
DRAWN_PLAYHEAD = f"""() => new Promise((resolve, reject) => {{
  const heard = {HEARD};
  const playhead = {PLAYHEAD};
  const ask = window.requestAnimationFrame;
  const timer = setTimeout(() => reject(new Error("the page draws no frame")), 5000);
  window.requestAnimationFrame = (draw) => ask((time) => {{
    const before = heard();
    draw(time);
    const after = heard();
    window.requestAnimationFrame = ask;
    clearTimeout(timer);
    resolve([before, after, playhead().x]);
  }});
}})"""
OUTLINE = """() => {
  const canvas = document.querySelector("canvas.stage");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let k = 0; k < data.length; k += 4) {
    text += data[k] === 95 && data[k + 1] === 240 && data[k + 2] === 255 ? "1" : "0";
  }
  return text;
}"""
CONTRASTS = """() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const over = (colours) => {
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return context.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((value) =>
      value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faults = [];
  const texts = "h1, p, button, label, th, summary, span, b, option";
  for (const element of document.querySelectorAll(texts)) {
    if (!element.checkVisibility() || !element.textContent.trim()) continue;
    const backgrounds = [];
    for (let box = element; box; box = box.parentElement) {
      backgrounds.unshift(getComputedStyle(box).backgroundColor);
    }
    const behind = luminance(over(backgrounds));
    const text = luminance(over([...backgrounds, getComputedStyle(element).color]));
    const ratio = (Math.max(behind, text) + 0.05) / (Math.min(behind, text) + 0.05);
    if (ratio < 4.5) faults.push(`${element.textContent.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return faults;
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, audio, canvas")]
  .filter((element) => element.checkVisibility() && !element.matches("[aria-hidden=true]"))
  .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim()
    || element.closest("label")?.textContent.trim()))
  .map((element) => element.outerHTML.slice(0, 80))"""


@cache
def opened_browser():
    """Start Debian's Chromium; one for all tests. Skips with a reason where it is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    manager = sync_api.sync_playwright().start()
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    # A microphone that beeps, and that nobody is asked for.
    arguments += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = manager.chromium.launch(executable_path=CHROMIUM, args=arguments)
    atexit.register(manager.stop)
    return manager, browser


def faults_of_axe(page):
    """What axe-core, which checks the rules of WCAG that a program can, finds in a page."""
    axe_core = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")
    script = (Path(axe_core.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.evaluate(script)
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{fault['id']}: {node['html'][:160]}" for fault in found for node in fault["nodes"]]


class Opened:
    """A page in a tab of its own, with the faults it reports and what it asks of a network."""

    def __init__(self, browser, path, width=1000, scheme="light", scripts=True, waits=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
            accept_downloads=True,
        )
        self.context.set_default_timeout(20000)
        self.context.add_init_script(RECORD_VOICES)
        self.page = self.context.new_page()
        self.faults, self.requests, self.dialogs = [], [], []
        self.page.on("console", lambda line: self.faults.append(f"{line.type}: {line.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.dialogs.append(dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        if scripts and waits:
            self.page.wait_for_selector("[data-started] >> nth=-1")

    def choose(self, part):
        """Press the button of a part, and wait until its sound is loaded."""
        self.page.click(f"[data-part={part}]")
        self.settle()

    def settle(self):
        """Wait until the sounds that were asked for are there."""
        self.page.evaluate(
            "async () => { for (const c of components.filter((each) => each.sounds))"
            " await c.samples(c.state.part); }"
        )

    def load(self, cell):
        """Choose a cell of the first clip's grid, and wait until its mask is there."""
        self.page.click(f"[data-cell='{cell}'] >> nth=0")
        self.page.wait_for_selector(f"[data-cell='{cell}'][aria-pressed=true] >> nth=0")
        self.settle()

    def saved(self, folder, name):
        """Save the present sound as a user does, and return the path of the file."""
        with self.page.expect_download() as download:
            self.page.click("[data-save=wav]")
        path = folder / name
        download.value.save_as(path)
        return path

    def played(self):
        """The samples of the sound that was started last, one channel after the other."""
        text = self.page.evaluate(SAMPLES_OF_LAST_VOICE)
        return np.frombuffer(base64.b64decode(text), "<f4")

    def verdict(self):
        return self.page.inner_text("[data-verdict]")

    def pressed(self):
        return self.page.get_attribute("[data-part][aria-pressed=true]", "data-part")


def si_sdr(reference, estimate):
    """The scale-invariant signal-to-distortion ratio in dB."""
    reference, estimate = (np.asarray(each, dtype=np.float64) for each in (reference, estimate))
    target = (estimate @ reference) / (reference @ reference) * reference
    return 10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target)))
