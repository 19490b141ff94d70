"""The report of many clips in a browser: a folder whose pages are loaded when they are seen."""

import re
from dataclasses import replace

import pytest
from browser import Opened, faults_of_axe, opened_browser
from conftest import noise, small_classifier

import audiointerp as ai
from audiointerp.display import (
    BlindSound,
    Difference,
    Grid,
    many_clips,
    scores_section,
    write_blind_test,
    write_report,
)

EVIL = "<script>alert(1)</script>"
SCROLLED = "document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def browser():
    return opened_browser()[1]


@pytest.fixture(scope="module")
def clips():
    """Three clips by two methods; the second is wrong, and its name is markup."""
    result = ai.interpret(small_classifier(), noise(1.0), "gradcam", compared=2)
    other = ai.interpret(result.classifier, result.wav, "saliency", compared=2)
    plain = [replace(each, classifier=None) for each in (result, other)]
    truths = (result.predicted, "another", result.predicted)
    names = ("a.wav", EVIL, "c.wav")
    named = []
    for name, truth in zip(names, truths, strict=True):
        named.append(([replace(each, clip=name) for each in plain], truth))
    return named


def scores():
    heads = ("method", "mask", "FF")
    rows = [(method, mask, "0.5") for method in ("lime", EVIL) for mask in ("bin", "minmax")]
    lines = [
        Difference("FF", "lime", "on audio", 0.5, 0.25, 0.75, True),
        Difference("FF", EVIL, "on features", -0.5, -0.75, -0.25, False),
    ]
    lead = Grid(("method", "FF"), (("lime", "0.50 [0.40, 0.60]"), (EVIL, "0.50")), 1, "Means.")
    everything = Grid(heads, tuple(rows), 2, "")
    return [scores_section(lead, everything, everything, lines)]


@pytest.fixture(scope="module")
def folder(clips, tmp_path_factory):
    out = tmp_path_factory.mktemp("folder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many_clips, "MOST_CLIPS", 2)
        write_report(iter(clips), 3, out, "three clips", scores)
    return out


def open_folder(browser, path, width=1000, scheme="light"):
    """Open a report in a tab, and wait until its first clip is drawn."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
    )
    context.set_default_timeout(20000)
    page = context.new_page()
    page.faults, page.requests = [], []
    page.on("console", lambda line: page.faults.append(f"{line.type}: {line.text}"))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("dialog", lambda dialog: page.faults.append(dialog.message) or dialog.dismiss())
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(path.as_uri())
    frame_of(page).locator("[data-started]").wait_for()
    return page


def frame_of(page):
    return page.frame_locator("[data-frame] iframe")


def show(page, number):
    """Choose a clip of the list, and wait until it is drawn."""
    page.click(f"[data-clips] a >> nth={number}")
    page.wait_for_selector(f"[data-frame][data-shown='clips/{number + 1:04d}.html']")
    frame_of(page).locator("[data-started]").wait_for()


@pytest.fixture
def page(browser, folder):
    page = open_folder(browser, folder / "index.html")
    yield page
    page.context.close()


def test_a_clip_is_loaded_when_it_is_seen_and_only_own_files_are_asked_for(page, folder):
    own = {folder.as_uri() + "/" + name for name in ("index.html", "page.css", "page.js")}
    first = f"{folder.as_uri()}/clips/0001.html"
    assert {url for url in page.requests if not url.startswith("blob:")} == own | {first}
    show(page, 1)
    asked = {url for url in page.requests if not url.startswith("blob:")}
    assert asked == own | {first, first.replace("0001", "0002")}
    assert page.locator("[data-frame] iframe").count() == 1
    assert frame_of(page).locator("h1").inner_text() == EVIL
    assert page.faults == []


def test_the_frame_is_as_high_as_its_clip(page):
    frame = page.frames[1]
    inside = frame.evaluate("document.body.offsetHeight")
    page.wait_for_function(
        "height => Math.abs(document.querySelector('iframe').clientHeight - height) < 30",
        arg=inside,
    )
    assert frame.evaluate(f"{SCROLLED} <= document.documentElement.clientWidth")


def test_keys_beside_the_frame_play_the_clip_and_another_clip_ends_it(page):
    page.locator("h1 >> nth=0").click()
    page.keyboard.press("2")
    frame_of(page).locator("[data-part=kept][aria-pressed=true]").wait_for()
    page.keyboard.press(" ")
    frame_of(page).locator("[data-play][aria-label=Pause]").wait_for()
    before = page.frames[1]
    assert before.evaluate("components[0].player.isPlaying")
    show(page, 2)
    # The frame that played is gone, and with it its sound.
    assert before.is_detached()
    assert page.frames[1].evaluate("components[0].player.isPlaying") is False


def test_on_a_phone_a_chosen_clip_comes_into_view_and_gets_the_focus(browser, folder):
    page = open_folder(browser, folder / "index.html", 400)
    page.emulate_media(reduced_motion="reduce")
    # Nothing moves before anything is chosen.
    assert page.evaluate("window.scrollY") == 0
    page.evaluate("document.querySelector('[data-clips]').style.minHeight = '900px'")
    show(page, 1)
    top = "document.querySelector('[data-frame]').getBoundingClientRect().top"
    page.wait_for_function(f"Math.abs({top}) < 2")
    assert page.evaluate("document.activeElement.matches('[data-frame]')")
    stage = frame_of(page).locator("[data-stage]").bounding_box()
    assert stage["y"] < 900
    # Where the clip is seen already, the focus stays in the list.
    wide = open_folder(browser, folder / "index.html", 1200)
    show(wide, 1)
    assert wide.evaluate("window.scrollY") == 0
    assert wide.evaluate("document.activeElement.matches('[data-clips] a')")
    page.context.close()
    wide.context.close()


def test_a_card_says_by_how_many_methods_its_clip_is_explained(page):
    text = page.inner_text("[data-clips] li >> nth=0")
    assert "Explained by none of 2\xa0methods" in text
    assert "by\xa0Grad-CAM" in text
    about = frame_of(page).locator(".about").inner_text()
    assert "Of 2 methods, these explain the clip with topK_30: none." in about


def test_a_wrong_clip_is_marked_and_filtered(page, clips):
    texts = [card.inner_text() for card in page.locator("[data-clips] li").all()]
    show(page, 1)
    label = "The clip is labelled another, wrongly predicted"
    assert label in frame_of(page).locator(".about").inner_text()
    assert ["wrong: it is another" in text for text in texts] == [False, True, False]
    page.select_option("[data-filter]", "wrong")
    page.wait_for_function("document.querySelectorAll('[data-clips] li').length === 1")
    assert page.inner_text("[data-clips] b") == EVIL
    assert page.inner_text("[data-count] >> nth=0") == "1 of 3 clips"


def test_a_list_without_the_shown_clip_shows_its_first(page):
    """Who looks for a wrong clip sees one; a clip that is in the list stays."""
    page.select_option("[data-filter]", "wrong")
    page.wait_for_selector("[data-frame][data-shown='clips/0002.html']")
    assert page.locator("[data-clips] a[aria-current]").inner_text().startswith(EVIL)
    page.select_option("[data-filter]", "all")
    page.wait_for_function("document.querySelectorAll('[data-clips] li').length === 3")
    assert page.get_attribute("[data-frame]", "data-shown") == "clips/0002.html"


def test_the_table_of_all_scores_is_filtered(page, tmp_path):
    page.click("text=All scores: 4 rows")
    choice = page.locator("[data-choices] select")
    assert choice.count() == 2
    choice.nth(1).select_option("minmax")
    rows = page.locator("[data-all-scores] tbody tr:visible")
    assert [row.inner_text().split("\t")[1] for row in rows.all()] == ["minmax", "minmax"]
    assert page.inner_text("[data-score-count]") == "2 of 4 rows"
    with page.expect_download() as download:
        page.click("a[download='scores.csv']")
    download.value.save_as(tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text().startswith("method,mask,FF\nlime,bin,0.5\n")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_a_report_can_be_read_by_all_and_does_not_scroll_sideways(width, scheme, browser, folder):
    page = open_folder(browser, folder / "index.html", width, scheme)
    page.click("text=All scores: 4 rows")
    frame_of(page).locator("details.notes summary").click()
    assert page.evaluate(SCROLLED) <= width
    assert faults_of_axe(page) == []
    assert faults_of_axe(page.frames[1]) == []
    page.context.close()


def test_the_buttons_of_the_transport_stand_in_one_line_on_a_phone(browser, folder):
    page = open_folder(browser, folder / "index.html", 400)
    buttons = frame_of(page).locator(".transport button").all()
    tops = [button.bounding_box()["y"] for button in buttons if button.is_visible()]
    heights = [button.bounding_box()["height"] for button in buttons if button.is_visible()]
    assert max(tops) - min(tops) < 2
    # A name in two lines would be higher.
    assert max(heights) < 45
    page.context.close()


def test_without_scripts_links_lead_to_the_clips_and_scores_are_there(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    links = page.locator("noscript a")
    assert links.count() == 3
    assert page.locator("table >> nth=0").is_visible()
    links.nth(1).click()
    assert page.inner_text("h1") == EVIL
    players = page.locator("audio")
    assert players.count() == 3
    for player in players.all():
        played = "async player => { player.muted = true; await player.play(); return true; }"
        assert player.evaluate(played)
    context.close()


def test_a_listening_test_is_answered_in_a_browser(clips, browser, tmp_path):
    sounds = []
    for results, truth in clips[:2]:
        for result in results:
            names = (result.clip, result.clip, truth, result.explained, result.attribution.method)
            sounds.append(BlindSound(*names, result.mask_name, result.kept, result.sample_rate))
    labels = (*clips[0][0][0].labels, EVIL)
    write_blind_test(sounds, labels, tmp_path / "test", tmp_path / "key.csv")
    opened = Opened(browser, tmp_path / "test" / "index.html", width=400, waits=False)
    page = opened.page
    assert page.evaluate(SCROLLED) <= 400
    assert faults_of_axe(page) == []
    page.select_option("fieldset >> nth=0 >> select", EVIL)
    page.check("fieldset >> nth=0 >> input[value='4']")
    assert page.inner_text("[data-count]") == "1 of 4 answered"
    playing = "[...document.querySelectorAll('audio')].map((player) => !player.paused)"
    for number in range(2):
        page.evaluate(f"document.querySelectorAll('audio')[{number}].play()")
    page.wait_for_function(f"({playing})[0] === false")
    assert page.evaluate(playing).count(True) <= 1
    with page.expect_download() as download:
        page.click("[data-save]")
    download.value.save_as(tmp_path / "answers.csv")
    first, *others = (tmp_path / "answers.csv").read_text().splitlines()[1:]
    assert re.fullmatch(rf"[0-9a-f]{{8}},1,{re.escape(EVIL)},4", first)
    assert all(re.fullmatch(r"[0-9a-f]{8},\d,,", line) for line in others)
    assert opened.faults == []
    opened.context.close()
