"""The page of a clip in a browser: what it shows, plays and computes is what Python computed."""

import base64
import io
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from browser import (
    CONTRASTS,
    DRAWN_PLAYHEAD,
    NAMELESS,
    OUTLINE,
    PLAYHEAD,
    Opened,
    faults_of_axe,
    opened_browser,
    si_sdr,
)
from conftest import noise, small_classifier

import audiointerp as ai
from audiointerp.display import METHOD_TITLES, interpretation_html, interpretation_page
from audiointerp.processing import LogMel, LogSTFT, masked_sound
from audiointerp.scoring import layer_cell

SECONDS = 2.0
EVIL = "<script>alert(1)</script>"
# Frames without centre, Kaldi's window, a transform whose length is no power of two.
KALDI = LogMel(
    16000,
    400,
    160,
    40,
    20.0,
    None,
    "kaldi",
    window="povey",
    center=False,
    preemphasis=0.97,
)
TRANSFORMS = {"mel": LogMel(), "stft": LogSTFT(), "kaldi": KALDI}


@pytest.fixture(scope="session")
def browser():
    return opened_browser()[1]


def sixteen_bit_noise(rate, seconds=SECONDS):
    """A clip of noise and a tone that FLAC holds exactly."""
    time = torch.arange(round(seconds * rate)) / rate
    wav = noise(seconds, rate) + 0.3 * torch.sin(2 * torch.pi * (300 + 400 * time) * time)
    wav[..., : rate // 2] *= 0.01
    return (wav / wav.abs().max() * 32767).round() / 32768


@pytest.fixture(scope="module")
def classifier():
    return small_classifier(duration=SECONDS)


@pytest.fixture(scope="module")
def results(classifier):
    """Two methods, with the share of the slider, a soft mask, and a 0/1 mask that is no share."""
    wav = sixteen_bit_noise(32000)
    asked = (("gradcam", "topK_30"), ("gradcam", "bin"), ("saliency", "minmax_pos"))
    return [ai.interpret(classifier, wav, method, mask, target=1) for method, mask in asked]


@pytest.fixture(scope="module")
def path(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    other = replace(results[0], clip="another.wav", classifier=None)
    text = interpretation_page("two clips", [results, [other]], lossless=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(browser, path):
    opened = Opened(browser, path)
    yield opened
    opened.context.close()


@pytest.fixture
def page(opened):
    """The page as it is when it is opened, but for what a browser has loaded."""
    opened.page.evaluate("() => { playingNow?.pause(); location.hash = '#clip=0'; }")
    opened.page.click("[data-part=original]")
    opened.load("0,s5")
    opened.page.evaluate("() => { components[0].player.setLoop(null); window.voices = []; }")
    opened.page.evaluate("() => components[0].player.seek(0)")
    opened.settle()
    return opened.page


def test_nothing_is_reported_and_nothing_is_asked_of_a_network(opened, page, path):
    page.click("[data-part=kept]")
    page.click("[data-part=random]")
    opened.settle()
    assert opened.faults == []
    addresses = [url for url in opened.requests if not url.startswith("blob:null/")]
    assert addresses == [path.as_uri()]


def test_the_verdict_stands_first(opened, page, results):
    assert opened.verdict() == str(results[0].verdict)
    text = page.inner_text("section >> nth=0")
    assert text.startswith(str(results[0].verdict))
    assert results[0].verdict.details[1] in text
    assert re.search(r"Likeliest classes: label\d [.1]\d+, label\d \.\d+, label\d \.\d+", text)


@pytest.mark.parametrize("part", ["original", "kept", "removed"])
def test_what_plays_is_what_to_wav_gives(part, opened, page, results):
    page.click("[data-play]")
    opened.choose(part)
    expected = {"original": results[0].wav, "kept": results[0].kept, "removed": results[0].removed}
    assert opened.pressed() == part
    assert si_sdr(expected[part].flatten(), opened.played()) > 80
    # A browser divides the positive samples of FLAC by 2**15 - 1, one step of 16 bits at the most.
    assert np.abs(opened.played() - expected[part].flatten().numpy()).max() < 1.1 * 2**-15


@pytest.mark.parametrize(
    ("name", "fill"), [("mel", "silence"), ("stft", "background"), ("kaldi", "silence")]
)
def test_saved_sounds_are_those_of_the_library(name, fill, browser, tmp_path):
    """For a share, a 0/1 mask and a soft one; kept and removed add up where they should."""
    classifier = small_classifier(transform=TRANSFORMS[name], duration=0.7)
    wav = sixteen_bit_noise(classifier.sample_rate, 0.7)
    asked = [
        ai.interpret(classifier, wav, "saliency", mask, fill=fill, compared=0)
        for mask in ("topK_30", "bin", "minmax_pos")
    ]
    # Without a classifier no p is computed for the other shares, which takes no time.
    results = [replace(result, classifier=None) for result in asked]
    written = tmp_path / "page.html"
    written.write_text(interpretation_page(name, [results], lossless=True), encoding="utf-8")
    opened = Opened(browser, written)
    original, _ = soundfile.read(opened.saved(tmp_path, "original.wav"))
    assert si_sdr(wav.flatten(), original) > 90
    for cell, result in zip(("0,s5", "0,n0", "0,n1"), results, strict=True):
        opened.load(cell)
        sounds = {}
        for part, expected in (("kept", result.kept), ("removed", result.removed)):
            opened.choose(part)
            sounds[part], rate = soundfile.read(opened.saved(tmp_path, f"{part}.wav"))
            assert rate == classifier.sample_rate
            if float(expected.abs().max()) > 1e-6:
                assert si_sdr(expected.flatten(), sounds[part]) > 80, (result.mask_name, part)
            else:
                assert np.abs(sounds[part]).max() < 1e-6
        if fill == "silence" and result.mask_name != "minmax_pos":
            assert si_sdr(original, sounds["kept"] + sounds["removed"]) > 120
    assert opened.faults == []
    opened.context.close()


@pytest.fixture(scope="module")
def song():
    """A quiet stereo recording at 44.1 kHz, its sides differ, FLAC holds it exactly."""
    left, right = sixteen_bit_noise(44100, 0.7), sixteen_bit_noise(44100, 0.7).flip(-1)
    both = torch.cat([left, (32767 * 0.1 * right).round() / 32768], 1)[0]
    return both / 8, 44100


@pytest.mark.parametrize(
    ("name", "fill", "channels"),
    [("mel", "silence", 2), ("mel", "background", 2), ("kaldi", "silence", 1)],
)
def test_a_file_is_played_with_its_own_rate_and_channels(
    name, fill, channels, song, browser, tmp_path
):
    """The parts are those of masked_sound: for a share, a 0/1 mask and a soft one."""
    wav, rate = song[0][:channels], song[1]
    soundfile.write(tmp_path / "song.wav", wav.T.numpy(), rate, subtype="FLOAT")
    classifier = small_classifier(transform=TRANSFORMS[name], duration=0.7)
    settings = {"fill": fill, "compared": 0, "windows": "all"}
    asked = [
        ai.interpret(classifier, tmp_path / "song.wav", "saliency", mask, **settings)
        for mask in ("topK_30", "bin", "minmax_pos")
    ]
    results = [replace(result, classifier=None) for result in asked]
    written = tmp_path / "page.html"
    written.write_text(interpretation_page(name, [results], lossless=True), encoding="utf-8")
    opened = Opened(browser, written)
    original, saved_rate = soundfile.read(opened.saved(tmp_path, "original.wav"), always_2d=True)
    assert (original.shape[1], saved_rate) == (channels, rate)
    assert si_sdr(wav.T.flatten(), original.flatten()) > 90
    opened.page.click("[data-play]")
    for cell, result in zip(("0,s5", "0,n0", "0,n1"), results, strict=True):
        opened.load(cell)
        sounds = {}
        for part in ("kept", "removed"):
            expected = getattr(result.sounds, part)[0]
            opened.choose(part)
            saved = opened.saved(tmp_path, f"{part}.wav")
            sounds[part], saved_rate = soundfile.read(saved, always_2d=True)
            assert (sounds[part].shape, saved_rate) == (expected.T.shape, rate)
            assert float(expected.abs().max()) > 1e-6
            for own, wanted in zip(sounds[part].T, expected, strict=True):
                assert si_sdr(wanted, own) > 80, (result.mask_name, part)
            assert np.abs(sounds[part] - expected.T.numpy()).max() < 1.1 * 2**-15
        if fill == "silence" and result.mask_name != "minmax_pos":
            total = sounds["kept"] + sounds["removed"]
            assert si_sdr(original.flatten(), total.flatten()) > 120
    opened.page.click("[data-play]")
    assert np.array_equal(opened.played(), sounds["removed"].T.flatten().astype("<f4"))
    note = f"{'2 channels' if channels == 2 else 'one channel'} at 44100 Hz"
    assert note in opened.page.inner_html("details.notes")
    assert opened.faults == []
    opened.context.close()


def test_a_long_sound_is_mp3_and_says_how_far_it_is(song, browser, tmp_path):
    """Its parts are made of what the MP3 holds; a new choice takes the place of the last."""
    wav, rate = song[0].repeat(1, 9), song[1]
    path = tmp_path / "song.wav"
    soundfile.write(path, wav.T.numpy(), rate, subtype="FLOAT")
    classifier = small_classifier(duration=0.7)
    result = ai.interpret(classifier, path, "saliency", compared=0, windows="all")
    result = replace(result, classifier=None)
    written = tmp_path / "page.html"
    text = interpretation_page("song", [[result]])
    written.write_text(text, encoding="utf-8")
    held = base64.b64decode(re.search('data-original src="data:audio/mpeg;base64,([^"]+)', text)[1])
    decoded = torch.from_numpy(soundfile.read(io.BytesIO(held), dtype="float32")[0].T.copy()) / 8
    # Half a sample late, noise would have nothing in common with itself.
    assert si_sdr(wav[0], decoded[0]) > 5
    part = result.spectrogram.masked(result.mask)
    expected = masked_sound(part, decoded[None, :, : wav.shape[1]], rate)[0]
    opened = Opened(browser, written)
    opened.page.evaluate(
        "() => { window.said = []; const { sounds } = components[0]; const say = sounds.onProgress;"
        " sounds.onProgress = (share) => { window.said.push(share); say(share); }; }"
    )
    opened.page.click("[data-play]")
    # At once, so that the first is not there yet.
    opened.page.evaluate(
        "() => { for (const part of ['removed', 'kept'])"
        " document.querySelector(`[data-part=${part}]`).click(); }"
    )
    opened.settle()
    for own, wanted in zip(opened.played().reshape(2, -1), expected, strict=True):
        # Two decoders of MP3 differ so much.
        assert si_sdr(wanted, own) > 50
    said = opened.page.evaluate("window.said")
    assert max(said) > 0.5
    assert opened.page.inner_text("[data-gain]") == ""
    kept_keys = opened.page.evaluate("[...components[0].sounds.kept.keys()]")
    assert kept_keys == ["0 5 share kept"]
    assert opened.faults == []
    opened.context.close()


def test_play_right_after_a_part_never_starts_with_the_original(opened, page, results):
    """Both clicks come before the part is made; nothing but the part is ever started."""
    started = page.evaluate(
        """async () => {
          const [clip] = components;
          clip.sounds.kept.clear();
          clip.root.querySelector("[data-part=kept]").click();
          clip.root.querySelector("[data-play]").click();
          const isSilent = window.voices.length === 0;
          for (let k = 0; k < 500 && !clip.player.isPlaying; k++) {
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
          await new Promise((resolve) => setTimeout(resolve, 150));
          return [isSilent, window.voices.length, clip.player.isPlaying];
        }"""
    )
    assert started == [True, 1, True]
    assert si_sdr(results[0].kept.flatten(), opened.played()) > 80


def test_a_second_press_takes_play_back_while_the_part_is_made(page):
    count = page.evaluate(
        """async () => {
          const [clip] = components;
          clip.sounds.kept.clear();
          clip.root.querySelector("[data-part=removed]").click();
          clip.root.querySelector("[data-play]").click();
          clip.root.querySelector("[data-play]").click();
          await clip.partIsThere;
          await new Promise((resolve) => setTimeout(resolve, 100));
          return window.voices.length;
        }"""
    )
    assert count == 0


def test_the_chart_shows_the_random_masks_of_the_asked_share_too(page, results):
    """A bar from the least to the largest p of the verdict's masks, at its share."""
    p_random = results[0].verdict.p_random
    bar = page.locator("section >> nth=0").locator("rect.range")
    assert bar.count() == 1
    names = ("x", "y", "width", "height")
    x, y, width, height = (float(bar.get_attribute(name)) for name in names)
    marker = page.locator("circle.kept >> nth=0")
    assert float(marker.get_attribute("cx")) == pytest.approx(x + width / 2)
    bottom, top = 170 - 26, 12
    drawn = [(bottom - edge) / (bottom - top) for edge in (y + height, y)]
    assert drawn == pytest.approx([min(p_random), max(p_random)], abs=1e-3)
    text = page.inner_text("[data-compared] >> nth=0")
    masks = f"8 at each share; the bar is of {len(p_random)}, at 30\xa0%"
    assert text == f"of parts that random masks keep: {masks}"


def test_there_are_never_two_sounds(opened, page):
    """But for a crossfade of a few milliseconds; and one clip stops the other."""
    page.check("[data-loop] >> nth=0")
    page.click("[data-play]")
    for part in ("kept", "removed", "random", "original"):
        opened.choose(part)
        page.wait_for_timeout(60)
    page.keyboard.press("ArrowRight")
    page.click("[data-clips] a >> nth=1")
    page.wait_for_selector("section:nth-of-type(2)[data-started]")
    assert not page.evaluate("components[0].player.isPlaying")
    page.keyboard.press(" ")
    page.evaluate("components[0].player.play()")
    page.evaluate("components[1].player.play()")
    page.wait_for_timeout(60)
    voices = page.evaluate("window.voices.map(({ when, end }) => [when, end])")
    assert len(voices) == 9
    for (_, end), (when, _) in itertools.pairwise(voices):
        assert end <= when + 0.02, voices
    assert page.get_attribute("[data-play] >> nth=0", "aria-label") == "Play"


def test_another_sound_goes_on_where_the_last_one_was(opened, page):
    page.check("[data-loop] >> nth=0")
    page.click("[data-play]")
    for part in ("kept", "removed", "random", "original"):
        page.wait_for_timeout(90)
        opened.choose(part)
    voices = page.evaluate("window.voices.map(({ when, offset }) => [when, offset])")
    assert len(voices) == 5
    for (before, from_time), (when, offset) in itertools.pairwise(voices):
        assert offset == pytest.approx((from_time + when - before) % SECONDS, abs=0.02)


def test_a_click_goes_there_and_the_playhead_is_at_its_time(page):
    box = page.locator("canvas.stage >> nth=0").bounding_box()
    left, width = 46, box["width"] - 46
    for share in (0.25, 0.8):
        page.mouse.click(box["x"] + left + share * width, box["y"] + 100)
        assert page.inner_text("[data-time] >> nth=0") == f"{share * SECONDS:.2f} of 2.00 s"
        playhead = page.evaluate(PLAYHEAD)
        assert playhead["x"] == pytest.approx(left + share * width, abs=2)
        assert playhead["count"] == pytest.approx(2, abs=1)


def test_the_playhead_follows_the_sound(page):
    page.set_viewport_size({"width": 400, "height": 900})
    page.wait_for_timeout(100)
    page.check("[data-loop] >> nth=0")
    page.click("[data-play]")
    width = page.locator("canvas.stage >> nth=0").bounding_box()["width"] - 46
    for _ in range(4):
        page.wait_for_timeout(150)
        before, after, x = page.evaluate(DRAWN_PLAYHEAD)
        start, end = (46 + heard % SECONDS / SECONDS * width for heard in (before, after))
        if start <= end:
            assert start - 2 <= x <= end + 2
        else:
            # The sound began anew while the frame was drawn.
            assert x >= start - 2 or x <= end + 2
    page.set_viewport_size({"width": 1000, "height": 900})


def test_a_drag_repeats_a_part(opened, page):
    box = page.locator("canvas.stage >> nth=0").bounding_box()
    left, width = box["x"] + 46, box["width"] - 46
    page.mouse.move(left + 0.5 * width, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(left + 0.6 * width, box["y"] + 60, steps=3)
    page.mouse.up()
    assert page.is_checked("[data-loop]")
    page.click("[data-play]")
    page.wait_for_timeout(500)
    time = float(page.inner_text("[data-time] >> nth=0").split(" ")[0])
    assert 0.5 * SECONDS - 0.01 <= time <= 0.6 * SECONDS + 0.01
    page.uncheck("[data-loop]")
    assert page.evaluate("components[0].player.loop") is None


def test_the_slider_moves_outline_sound_and_p_together(opened, page, classifier, results, tmp_path):
    opened.choose("kept")
    before = page.evaluate(OUTLINE)
    page.locator("[data-keep] >> nth=0").fill("11")
    opened.settle()
    after = page.evaluate(OUTLINE)
    assert before.count("1") > 100
    assert after.count("1") > 100
    assert before != after
    asked = ai.interpret(classifier, results[0].wav, "gradcam", "topK_60", target=1)
    p_kept, p_removed = asked.verdict.p_kept, asked.verdict.p_removed
    assert f"(p {p_kept:.3f})".replace("0.", ".") in opened.verdict()
    assert f"(p {p_removed:.3f})".replace("0.", ".") in page.inner_text("[data-details] >> nth=0")
    assert page.inner_text("[data-share] >> nth=0") == "60 %"
    heights = page.evaluate(
        "[...document.querySelectorAll('.chart circle')].slice(0, 2)"
        ".map((dot) => Number(dot.getAttribute('cy')))"
    )
    expected = [12 + (1 - p) * (170 - 12 - 26) for p in (p_removed, p_kept)]
    assert heights == pytest.approx(expected, abs=0.01)
    kept, _ = soundfile.read(opened.saved(tmp_path, "kept.wav"))
    assert si_sdr(asked.kept.flatten(), kept) > 80


def test_each_cell_of_the_grid_loads_its_mask(opened, page, results):
    for cell, result in (("0,n0", results[1]), ("1,n0", results[2]), ("0,s5", results[0])):
        opened.load(cell)
        assert opened.verdict() == str(result.verdict)
        method = METHOD_TITLES[result.attribution.method]
        layer = str(layer_cell(result.attribution))
        about = f"{method}, mask {result.mask_name}{layer and f', {layer}'}"
        assert page.inner_text("[data-about] >> nth=0") == about
        button = page.locator(f"[data-cell='{cell}'] >> nth=0")
        assert button.get_attribute("aria-pressed") == "true"
        assert button.inner_text() == f"{result.verdict.p_kept:.3f}".removeprefix("0")
        is_hatched = "hatched" in (button.get_attribute("class") or "")
        assert is_hatched == (not result.verdict.is_explained)


def test_loudness_is_matched_only_when_asked_and_its_gain_shown(opened, page, results):
    opened.choose("removed")
    assert page.inner_text("[data-gain] >> nth=0") == ""
    page.check("[data-match] >> nth=0")
    opened.settle()
    rms, own = (float(wav.square().mean().sqrt()) for wav in (results[0].wav, results[0].removed))
    gain = min(20 * np.log10(rms / own), -20 * np.log10(float(results[0].removed.abs().max())))
    shown = page.inner_text("[data-gain] >> nth=0").replace("−", "-")
    assert float(shown.split(" ")[0]) == pytest.approx(gain, abs=0.051)
    page.uncheck("[data-match] >> nth=0")
    opened.settle()
    assert page.inner_text("[data-gain] >> nth=0") == ""


def test_a_hover_tells_time_frequency_level_and_attribution(page, results):
    box = page.locator("canvas.stage >> nth=0").bounding_box()
    width, height = box["width"] - 46, box["height"] - 22
    db = results[0].spectrogram.db[0, 0]
    frame, band = 150, 40
    x = box["x"] + 46 + (frame + 0.5) / db.shape[1] * width
    page.mouse.move(x, box["y"] + (1 - (band + 0.5) / db.shape[0]) * height)
    text = page.inner_text("[data-hover] >> nth=0").replace("−", "-").replace("\xa0", " ")
    time, hertz, level, attribution = text.split(" · ")
    assert float(time.split(" ")[0]) == pytest.approx(SECONDS * (frame + 0.5) / 201, abs=0.011)
    assert hertz == f"{float(results[0].spectrogram.transform.frequencies[band]):.0f} Hz"
    assert float(level.split(" ")[0]) == pytest.approx(float(db[band, frame]), abs=0.7)
    values = results[0].attribution.values[0, 0]
    rank = float((values > values[band, frame]).double().mean())
    share = int(attribution.split(" ")[-2]) / 100 if "top" in attribution else 1.0
    assert share - 0.051 <= rank <= share + 0.001


def test_the_whole_way_by_keyboard(opened, page):
    page.locator("canvas.stage >> nth=0").focus()
    page.keyboard.press("2")
    opened.settle()
    assert opened.pressed() == "kept"
    page.keyboard.press(" ")
    page.wait_for_timeout(100)
    assert page.evaluate("components[0].player.isPlaying")
    page.keyboard.press(" ")
    assert not page.evaluate("components[0].player.isPlaying")
    before = page.evaluate("components[0].player.now()")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("components[0].player.now()") == pytest.approx(before + 0.1, abs=1e-6)
    page.keyboard.press("ArrowUp")
    assert page.inner_text("[data-share] >> nth=0") == "35 %"
    page.keyboard.press("l")
    assert page.is_checked("[data-loop] >> nth=0")
    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("JSON.stringify({ ...document.activeElement.dataset })"))
    for control in ('"keep"', '"cell"', '"save"', '"layer"'):
        assert any(control in names for names in reached), control


def test_every_control_has_a_name(page):
    assert page.evaluate(NAMELESS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_and_a_phone_need_not_scroll_sideways(scheme, browser, path):
    narrow = Opened(browser, path, width=400, scheme=scheme)
    assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert narrow.page.evaluate(CONTRASTS) == []
    narrow.page.click("details.notes summary >> nth=0")
    assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert faults_of_axe(narrow.page) == []
    colour = narrow.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")
    narrow.context.close()


def test_without_scripts_a_picture_and_players_are_there(browser, path):
    plain = Opened(browser, path, scripts=False)
    section = plain.page.locator("section >> nth=0")
    assert section.locator("img").evaluate("image => image.complete && image.naturalWidth > 500")
    names = [player.get_attribute("aria-label") for player in section.locator("audio").all()]
    assert names == ["Original", "Kept", "Removed"]
    for player in section.locator("audio").all():
        assert player.is_visible()
        duration = player.evaluate(
            "async player => { player.muted = true; await player.play(); return player.duration; }"
        )
        assert duration == pytest.approx(SECONDS, abs=0.1)
    plain.context.close()


def test_clips_are_sorted_filtered_and_shown_by_the_hash(results, browser, tmp_path):
    plain = replace(results[0], classifier=None)
    unexplained = replace(plain.verdict, is_clip=True, is_kept=False)
    explained = replace(unexplained, is_kept=True, p_random=(0.0,) * 20, p_kept=0.8)
    clips = [
        replace(plain, clip="b.wav", verdict=replace(unexplained, p_kept=0.5)),
        replace(plain, clip="c.wav", verdict=replace(unexplained, p_kept=0.1)),
        replace(plain, clip="a.wav", verdict=explained),
    ]
    written = tmp_path / "page.html"
    text = interpretation_page("three", [[clip] for clip in clips])
    written.write_text(text, encoding="utf-8")
    opened = Opened(browser, written, width=400)
    page = opened.page

    def names():
        return [name.inner_text() for name in page.locator("[data-clips] b").all()]

    def shown():
        return page.get_attribute("section:not([hidden])", "aria-label")

    assert (names(), shown()) == (["b.wav", "c.wav", "a.wav"], "b.wav")
    wrong = page.locator("[data-filter] option[value=wrong]")
    assert wrong.is_disabled()
    assert "labels are not known, see interpret --label" in wrong.inner_text()
    page.select_option("[data-sort]", "p of the kept part")
    assert names() == ["c.wav", "b.wav", "a.wav"]
    page.select_option("[data-filter]", "in doubt or not explained")
    page.wait_for_timeout(50)
    assert names() == ["c.wav", "b.wav"]
    page.click("[data-clips] a >> nth=0")
    page.wait_for_selector("section[aria-label='c.wav'][data-started]")
    assert shown() == "c.wav"
    assert "clip=1" in page.url
    # Another tab with the same address shows the same.
    again = opened.context.new_page()
    again.goto(page.url)
    again.wait_for_selector("section[aria-label='c.wav'][data-started]")
    assert again.input_value("[data-filter]") == "in doubt or not explained"
    assert again.locator("[data-clips] b").count() == 2
    page.go_back()
    page.wait_for_timeout(100)
    assert shown() == "b.wav"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert opened.faults == []
    opened.context.close()


def test_a_label_that_is_markup_stays_text(results, browser, tmp_path):
    evil = replace(
        results[0],
        labels=(EVIL,) * 3,
        clip=EVIL,
        classifier=None,
        verdict=replace(results[0].verdict, question=EVIL),
    )
    written = tmp_path / "page.html"
    written.write_text(interpretation_page(EVIL, [[evil]]), encoding="utf-8")
    opened = Opened(browser, written)
    assert opened.dialogs == []
    assert opened.faults == []
    assert EVIL in opened.verdict()
    verdict = opened.verdict()
    opened.page.locator("[data-keep]").fill("11")
    assert opened.verdict() == "Not judged: p was not computed for this share."
    opened.page.locator("[data-keep]").fill("5")
    assert opened.verdict() == verdict
    assert opened.page.inner_text("h1") == EVIL
    opened.context.close()


def test_in_a_notebook_the_page_is_a_frame_that_fits(results, browser, tmp_path):
    written = tmp_path / "cell.html"
    result = replace(results[0], classifier=None)
    written.write_text(f"<p>cell</p>{interpretation_html(result)}", encoding="utf-8")
    context = browser.new_context(viewport={"width": 900, "height": 800})
    page = context.new_page()
    page.goto(written.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator("[data-started]").wait_for(timeout=20000)
    assert frame.locator("[data-verdict]").inner_text() == str(results[0].verdict)
    page.wait_for_timeout(200)
    heights = page.locator("iframe").evaluate(
        "frame => [frame.clientHeight, frame.contentDocument.documentElement.scrollHeight]"
    )
    assert heights[0] >= heights[1] - 2
    context.close()


def test_a_copy_without_sounds_says_so_and_still_shows(results, browser, tmp_path):
    silent = [replace(results[0], classifier=None)]
    text = re.sub(r"<audio.*?</audio>", "", interpretation_page("silent", [silent]))
    written = tmp_path / "page.html"
    written.write_text(text, encoding="utf-8")
    opened = Opened(browser, written)
    assert "The sound was left out" in opened.page.inner_text("[data-problem]")
    opened.page.click("[data-part=kept]")
    opened.page.click("[data-play]")
    opened.page.locator("[data-keep]").fill("11")
    assert opened.page.inner_text("[data-share]") == "60 %"
    assert opened.faults == []
    opened.context.close()
