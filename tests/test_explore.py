"""The kernel's side of the explorer: boxes, counts, jobs, messages and their faults; no browser."""

import ast
import base64
import builtins
import html
import json
import sys
import threading
import zlib

import numpy as np
import pytest
import soundfile
import torch
from conftest import noise, small_classifier
from torch import nn

import audiointerp as ai
from audiointerp.display import Explorer
from audiointerp.display.explore_box import box_mask
from audiointerp.display.explore_clips import Source, sources_of
from audiointerp.display.explore_count import QUIZ_PARTS, Count, Quiz
from audiointerp.display.explore_jobs import Cancelled, Job, Jobs
from audiointerp.display.explore_methods import usable_methods
from audiointerp.display.explore_pins import python_line
from audiointerp.scoring import verdict_of

PATIENCE = 60.0


def asked(explorer, kind, *buffers, **values):
    return explorer.receive({"kind": kind, "id": "1", **values}, buffers)


def fault(explorer, kind, *buffers, **values):
    answer = asked(explorer, kind, *buffers, **values)
    assert answer["kind"] == "error", answer
    return answer["text"]


def opened(explorer, number=0):
    """Open a clip, and wait for its first method."""
    assert asked(explorer, "open", number=number) == {"kind": "answer", "id": "1"}
    (job,) = explorer.jobs.by_name.values()
    assert job.wait(PATIENCE)
    assert job.state == "done", job.text
    return explorer


@pytest.fixture(scope="module")
def classifier():
    return small_classifier()


@pytest.fixture(scope="module")
def shown(classifier):
    """An explorer with a clip that is open; tests leave its methods as they are."""
    clips = [(noise(1.0, seed=1), "label0"), (noise(1.0, seed=2), "label2")]
    return opened(Explorer(classifier, clips, ["saliency", "rise"]))


def test_a_box_is_a_mask_by_hand():
    mask = box_mask((4, 5), [1, 3], [0, 2])
    by_hand = torch.zeros(4, 5)
    by_hand[1, 0] = by_hand[1, 1] = by_hand[2, 0] = by_hand[2, 1] = 1
    assert torch.equal(mask[0, 0], by_hand)
    assert torch.equal(box_mask((4, 5), [0, 4], [0, 5]), torch.ones(1, 1, 4, 5))


@pytest.mark.parametrize(
    ("bins", "frames", "text"),
    [
        ([2, 2], [0, 1], "the box is empty: bins 2 to 2"),
        ([0, 1], [3, 1], "the box is empty: frames 3 to 1"),
        ([-1, 1], [0, 1], "the box lies outside: bins -1 to 1 of 0 to 4"),
        ([0, 1], [0, 6], "the box lies outside: frames 0 to 6 of 0 to 5"),
        ([0.5, 1], [0, 1], "two whole numbers"),
        ([True, 2], [0, 1], "two whole numbers"),
        (None, [0, 1], "two whole numbers"),
        ([0, float("nan")], [0, 1], "two whole numbers"),
    ],
)
def test_a_box_that_is_none_is_refused(bins, frames, text):
    with pytest.raises(ai.ArgumentError, match=text):
        box_mask((4, 5), bins, frames)


def test_p_of_a_box_is_that_of_the_sounds(classifier, shown):
    """The same p as from the library's own road: mask, sound, features, network."""
    frames = shown.clip.shape[1]
    values = {"bins": [3, 40], "frames": [0, frames // 2], "method": 0}
    result = shown.clip.first
    target = int(result.attribution.target)
    mask = torch.zeros_like(result.mask)
    mask[..., 3:40, : frames // 2] = 1
    for is_kept in (True, False):
        answer = asked(shown, "box", is_kept=is_kept, **values)
        entry = answer["entry"]
        parts = {"pKept": mask if is_kept else 1 - mask, "pRemoved": 1 - mask if is_kept else mask}
        for name, part in parts.items():
            wav = result.spectrogram.masked(part).to_wav().float()
            p = classifier.probabilities(classifier.transform(wav).db)[0, target]
            assert entry[name] == pytest.approx(float(p), abs=1e-5)
        held = np.frombuffer(zlib.decompress(base64.b64decode(entry["map"])), np.uint8)
        assert np.array_equal(held.reshape(shown.clip.shape), parts["pKept"][0, 0].numpy())
    (method, *_) = shown.clip.data["methods"]
    assert [named["name"] for named in method["named"]] == ["all but the box"]


def test_a_box_is_compared_with_random_masks_afterwards(classifier, shown):
    events = []
    shown.on_event = events.append
    asked(shown, "box", bins=[0, 30], frames=[0, 50], is_kept=True, method=0)
    assert shown.jobs.by_name["box"].wait(PATIENCE)
    (event,) = [event for event in events if event["kind"] == "box"]
    mask = box_mask(shown.clip.shape, [0, 30], [0, 50])
    place = {"bins": [0, 30], "frames": [0, 50], "isKept": True}
    first = shown.clip.first
    verdict = verdict_of(classifier, first.spectrogram, first.attribution, mask, f"box {place}")
    assert event["entry"]["verdict"] == str(verdict)
    assert len(verdict.p_random) == 30


def test_only_the_last_of_two_boxes_is_compared(shown):
    events = []
    shown.on_event = events.append
    gate = threading.Event()
    shown.jobs.submit("gate", lambda job: gate.wait(PATIENCE))
    for end in (10, 20):
        asked(shown, "box", bins=[0, end], frames=[0, 50], is_kept=True, method=0)
    gate.set()
    assert shown.jobs.by_name["box"].wait(PATIENCE)
    boxes = [event["entry"]["bins"] for event in events if event["kind"] == "box"]
    assert boxes == [[0, 20]]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"bins": [0, 0], "frames": [0, 1]}, "the box is empty"),
        ({"bins": [0, 65], "frames": [0, 1]}, "the box lies outside: bins 0 to 65 of 0 to 64"),
        ({"bins": [0, 1], "frames": [0, 1], "method": 7}, "method 7 of "),
        ({"bins": [0, 1]}, "frames"),
    ],
)
def test_a_fault_of_a_box_is_an_answer(shown, values, text):
    assert text in fault(shown, "box", **{"method": 0, "is_kept": True, **values})


def test_nothing_can_be_asked_of_a_clip_that_is_not_there(classifier):
    explorer = Explorer(classifier, [noise(1.0)], ["saliency"])
    for kind, values in {
        "box": {"bins": [0, 1], "frames": [0, 1], "is_kept": True, "method": 0},
        "guess": {"label": "label0"},
        "ask": {"target": None, "against": None},
        "pin": {},
        "export": {},
    }.items():
        assert "explain the clip first" in fault(explorer, kind, **values)
    assert "choose a clip first" in fault(explorer, "explain", method="saliency")
    assert "clip 1 of 1" in fault(explorer, "open", number=1)
    assert "clip True of 1" in fault(explorer, "open", number=True)
    assert "clip None of 1" in fault(explorer, "open", number=None)


def test_wrong_messages_are_answered(shown):
    assert "unknown message 'opne'" in fault(shown, "opne")
    assert "a message is a dict, not a list" in shown.receive([])["text"]
    assert "unknown method 'salency'; did you mean 'saliency'?" in fault(
        shown, "explain", method="salency"
    )
    assert "unknown label 'dog'" in fault(shown, "ask", target="dog", against=None)
    assert "TypeError" in fault(shown, "guess", nonsense=1)


def test_methods_are_checked_when_the_explorer_is_made(classifier):
    with pytest.raises(ai.ArgumentError, match="did you mean 'gradcam'"):
        Explorer(classifier, [noise(1.0)], ["grad_cam"])
    with pytest.raises(ai.ArgumentError, match="background"):
        Explorer(classifier, [noise(1.0)], ["shap"])
    with pytest.raises(ai.ArgumentError, match="a list of at least one"):
        Explorer(classifier, [noise(1.0)], "gradcam")
    with pytest.raises(ai.ArgumentError, match="names of METHODS"):
        Explorer(classifier, [noise(1.0)], [ai.Saliency(classifier.network)])
    with pytest.raises(ai.ArgumentError, match="Classifier"):
        Explorer(classifier.network, [noise(1.0)])


def test_a_function_is_offered_methods_without_gradients_only():
    function = ai.Classifier.from_function(
        lambda wavs: np.full((len(wavs), 2), 0.5),
        ["a", "b"],
        sample_rate=16000,
        duration=1.0,
        normalize="none",
    )
    methods = usable_methods(function)
    assert methods[0] == "occlusion"
    assert {"rise", "lime", "kernel_shap"} <= set(methods)
    assert not {"gradcam", "saliency", "shap"} & set(methods)


def test_counts_of_a_quiz_by_hand():
    quiz = Quiz(seed=3)
    rights = []
    for guess in ("kept", "kept", "random", "kept", "random"):
        part = quiz.ask()
        # A question that is open is not drawn again.
        assert quiz.ask() == part
        rights.append(part == guess)
        assert quiz.answer(guess) == part
    assert quiz.count == Count(sum(rights), 5)
    assert 0 < quiz.count.right < 5


def test_a_quiz_draws_both_parts_about_as_often():
    quiz = Quiz(seed=0)
    drawn = []
    for _ in range(400):
        drawn.append(quiz.ask())
        quiz.answer("kept")
    # Six standard deviations of a fair coin.
    assert abs(drawn.count("kept") - 200) < 60
    assert set(drawn) == set(QUIZ_PARTS)


def test_a_quiz_is_answered_once_and_only_when_it_was_asked(classifier):
    explorer = opened(Explorer(classifier, [noise(1.0)], ["saliency"]))
    assert "a clip that was guessed" in fault(explorer, "quiz")
    asked(explorer, "guess", label=None)
    assert "nothing was asked" in fault(explorer, "answer", part="kept")
    part = asked(explorer, "quiz")["part"]
    assert "unknown answer 'original'" in fault(explorer, "answer", part="original")
    answer = asked(explorer, "answer", part=part)
    assert (answer["isRight"], answer["part"]) == (True, part)
    assert "nothing was asked" in fault(explorer, "answer", part=part)
    assert explorer.state()["quiz"] == [1, 1]
    opened(explorer)
    assert explorer.state()["quiz"] == [1, 1]


def test_the_class_and_the_name_are_hidden_until_a_guess(classifier, tmp_path):
    folder = tmp_path / "secret_label1"
    folder.mkdir()
    soundfile.write(folder / "secret.wav", noise(1.0)[0, 0].numpy(), 32000)
    soundfile.write(folder / "other.wav", noise(1.0, seed=4)[0, 0].numpy(), 32000)
    clips = [(folder / "secret.wav", "label1"), (folder / "other.wav", "label0")]
    explorer = opened(Explorer(classifier, clips, ["saliency"]))
    before = json.dumps(explorer.state())
    assert "secret" not in before
    assert explorer.state()["guess"] is None
    predicted = explorer.clip.first.predicted
    wrong = next(label for label in classifier.labels if label != predicted)
    answer = asked(explorer, "guess", label=wrong)
    assert (answer["predicted"], answer["truth"]) == (predicted, "label1")
    assert "guessed already" in fault(explorer, "guess", label=wrong)
    state = explorer.state()
    assert state["clips"] == ["Clip 1: secret.wav", "Clip 2"]
    assert state["guesses"] == [0, 1]
    opened(explorer, 1)
    asked(explorer, "guess", label=explorer.clip.first.predicted)
    assert explorer.state()["guesses"] == [1, 2]


def test_why_one_class_rather_than_another(classifier):
    explorer = opened(Explorer(classifier, [noise(1.0)], ["saliency"]))
    predicted = explorer.clip.first.predicted
    other = next(label for label in classifier.labels if label != predicted)
    assert "choose two classes" in fault(explorer, "ask", target=None, against=predicted)
    asked(explorer, "ask", target=None, against=other)
    assert explorer.jobs.by_name["saliency"].wait(PATIENCE)
    clip = explorer.clip
    assert clip.first.question == f"{predicted} rather than {other}"
    expected = ai.interpret(classifier, noise(1.0), "saliency", target=predicted, against=other)
    assert clip.data["methods"][0]["shares"][5]["pKept"] == pytest.approx(
        expected.verdict.p_kept, abs=1e-5
    )
    line = asked(explorer, "pin", method=0, number=5, cell=None)["line"]
    assert line.endswith(f"'saliency', 'topK_30', target='{predicted}', against='{other}')")


class Slow(nn.Module):
    """A network that waits at a gate once it is closed."""

    def __init__(self, network, gate, reached):
        super().__init__()
        self.network, self.gate, self.reached = network, gate, reached

    def __deepcopy__(self, memo):
        return Slow(self.network, self.gate, self.reached)

    def forward(self, db):
        if threading.current_thread().name == "audiointerp":
            self.reached.set()
            assert self.gate.wait(PATIENCE)
        return self.network(db)


def test_a_method_is_cancelled_and_boxes_are_answered_meanwhile(classifier):
    gate, reached = threading.Event(), threading.Event()
    gate.set()
    slow = ai.Classifier(
        Slow(classifier.network, gate, reached).eval(),
        classifier.transform,
        classifier.labels,
        classifier.duration,
    )
    explorer = opened(Explorer(slow, [noise(1.0)], ["saliency", "rise"]))
    gate.clear()
    reached.clear()
    asked(explorer, "explain", method="rise")
    assert reached.wait(PATIENCE)
    states = {method["name"]: method["state"] for method in explorer.state()["methods"]}
    assert states == {"saliency": "done", "rise": "running"}
    answer = asked(explorer, "box", bins=[0, 9], frames=[0, 9], is_kept=True, method=0)
    assert answer["kind"] == "answer"
    asked(explorer, "cancel", method="rise")
    job = explorer.jobs.by_name["rise"]
    gate.set()
    assert job.wait(PATIENCE)
    assert job.state == "cancelled", job.text
    assert list(explorer.clip.results) == ["saliency"]
    assert explorer.jobs.by_name["box"].wait(PATIENCE)
    network = explorer._copied().network
    assert not network._forward_pre_hooks
    # It can be asked for again.
    asked(explorer, "explain", method="rise")
    assert explorer.jobs.by_name["rise"].wait(PATIENCE)
    assert list(explorer.clip.results) == ["saliency", "rise"]
    names = [method["name"] for method in explorer.clip.data["methods"]]
    assert names == ["saliency", "rise"]


def test_what_waits_does_not_begin_once_it_is_cancelled():
    jobs, gate, done = Jobs(), threading.Event(), []
    first = jobs.submit("first", lambda job: gate.wait(PATIENCE))
    second = jobs.submit("second", lambda job: done.append("second"))
    third = jobs.submit("third", lambda job: done.append("third"))
    jobs.cancel("second")
    gate.set()
    assert all(job.wait(PATIENCE) for job in (first, second, third))
    assert (second.state, third.state, done) == ("cancelled", "done", ["third"])


def test_a_job_that_fails_says_why_and_the_next_one_runs():
    def fail(job):
        raise ai.ModelError("no such layer")

    jobs = Jobs()
    failed, next_one = jobs.submit("a", fail), jobs.submit("b", lambda job: None)
    assert failed.wait(PATIENCE)
    assert next_one.wait(PATIENCE)
    assert (failed.state, failed.text) == ("failed", "no such layer")
    assert next_one.state == "done"


def test_a_network_is_watched_and_left_as_it_was():
    job, network = Job("x", print), nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    with job.watched(network):
        network(torch.zeros(5, 1, 2, 3))
        assert job.done == 5
        job.cancel()
        with pytest.raises(Cancelled):
            network(torch.zeros(5, 1, 2, 3))
    assert not any(module._forward_pre_hooks for module in network.modules())


def float_bytes(samples):
    return np.asarray(samples, "<f4").tobytes()


@pytest.mark.parametrize(
    ("samples", "rate", "text"),
    [
        ([0.1, float("nan")], 16000, "NaN"),
        ([0.1, float("inf")], 16000, "NaN, infinity"),
        ([0.1, 0.2], 0, "sample rate 0"),
        ([0.1, 0.2], 44100.5, "sample rate 44100.5"),
        ([0.1, 0.2], None, "sample rate None"),
        ([], 16000, "not a clip"),
    ],
)
def test_a_recording_that_is_none_is_refused(shown, samples, rate, text):
    clip = shown.clip
    assert text in fault(shown, "record", float_bytes(samples), rate=rate)
    assert shown.clip is clip


def test_bytes_that_are_no_sound_are_refused(shown):
    assert "no list of float32" in fault(shown, "record", b"abc", rate=16000)
    assert "one sound at a time" in fault(shown, "record", rate=16000)
    assert "text.wav" in fault(shown, "upload", b"not a sound", name="../text.wav")


def test_an_upload_and_a_recording_are_explained(classifier, tmp_path):
    samples = noise(0.5, 16000)[0, 0]
    soundfile.write(tmp_path / "own.wav", samples.numpy(), 16000, subtype="FLOAT")
    explorer = Explorer(classifier, [noise(1.0)], ["saliency"])
    content = memoryview((tmp_path / "own.wav").read_bytes())
    for kind, buffer, values in (
        ("upload", content, {"name": "own.wav"}),
        ("record", memoryview(float_bytes(samples)), {"rate": 16000}),
    ):
        assert asked(explorer, kind, buffer, **values)["kind"] == "answer"
        assert explorer.jobs.by_name["saliency"].wait(PATIENCE)
        result = explorer.clip.first
        expected = ai.interpret(classifier, tmp_path / "own.wav", "saliency", compared=0)
        assert torch.allclose(result.wav, expected.wav, atol=1e-6)
        assert explorer.state()["number"] is None


def test_lists_of_clips(classifier, tmp_path):
    (tmp_path / "a.wav").touch()
    paths = sources_of([tmp_path / "a.wav", "b.wav"], classifier)
    assert [source.name for source in paths] == ["a.wav", "b.wav"]
    assert paths[0].code == repr(str(tmp_path / "a.wav"))
    assert [source.name for source in sources_of(tmp_path / "a.wav", classifier)] == ["a.wav"]
    pairs = sources_of([(noise(1.0), "label2")], classifier)
    assert (pairs[0].label(), pairs[0].code) == ("label2", "clips[0][0]")
    with pytest.raises(ai.ArgumentError, match="no clip"):
        sources_of([], classifier)


def test_the_code_of_a_folder_reads_its_clips_as_they_were_shown(tmp_path):
    """With the level that the classifier takes, not with a peak of 1."""
    levels = small_classifier()
    levels.normalize = "none"
    for number, label in enumerate(levels.labels):
        (tmp_path / label).mkdir()
        samples = 0.01 * noise(1.0, seed=number).numpy().ravel()
        soundfile.write(tmp_path / label / "a.wav", samples, levels.sample_rate)
    for source in sources_of(tmp_path, levels):
        again = eval(source.code, {"ai": ai, "classifier": levels})
        assert again.equal(source.load())
        assert again.abs().max() < 0.1


def test_the_line_makes_it_again(classifier, shown):
    """Run what a pin says: the mask and p are those of the page."""
    asked(shown, "box", bins=[2, 30], frames=[10, 60], is_kept=False, method=0)
    line = asked(shown, "pin", method=0, number=2, cell=0)["line"]
    clips = [(noise(1.0, seed=1), "label0")]
    names = {"ai": ai, "torch": torch, "classifier": classifier, "clips": clips}
    *before, last = ast.parse(line).body
    exec(compile(ast.Module(before, []), "line", "exec"), names)
    again = eval(compile(ast.Expression(last.value), "line", "eval"), names)
    entry = shown.clip.data["methods"][0]["named"][0]
    assert again.verdict.p_kept == pytest.approx(entry["pKept"], abs=1e-5)
    assert float(again.mask.sum()) == again.mask.numel() - 28 * 50


def test_the_strongest_window_of_a_long_clip_is_shown_and_said(classifier):
    clips = [torch.cat([0.01 * noise(1.0), noise(1.5, seed=2)], -1)]
    explorer = opened(Explorer(classifier, clips, ["saliency"]))
    result = explorer.clip.first
    begin, end = result.limits
    assert result.wav.shape[-1] == 32000 < clips[0].shape[-1]
    assert result.clip == f"clip 0, {begin:.2f} to {end:.2f} s"
    assert html.escape(result.window_note()) in explorer.clip.section
    line = asked(explorer, "pin", method=0, number=5, cell=None)["line"]
    again = eval(line, {"ai": ai, "classifier": classifier, "clips": clips})
    assert again.limits == result.limits
    assert torch.equal(again.wav, result.wav)


def test_lines_of_shares():
    source = Source("a.wav", "'a.wav'", str)
    line = python_line(source, "rise", "topK_55", (None, None), (2, 3))
    assert line == "ai.interpret(classifier, 'a.wav', 'rise', 'topK_55')"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"method": 9, "number": 0, "cell": None}, "method 9"),
        ({"method": 0, "number": 99, "cell": None}, "share 99"),
        ({"method": 0, "number": 0, "cell": 5}, "mask 5"),
    ],
)
def test_a_pin_of_what_is_not_there_is_refused(shown, values, text):
    assert text in fault(shown, "pin", **values)


def test_pins_are_one_page(classifier):
    explorer = opened(Explorer(classifier, [noise(1.0), noise(1.0, seed=4)], ["saliency"]))
    page = asked(explorer, "export")["html"]
    assert page.count("<section") == 1
    asked(explorer, "pin", method=0, number=3, cell=None)
    opened(explorer, 1)
    asked(explorer, "pin", method=0, number=4, cell=None)
    page = asked(explorer, "export")["html"]
    assert page.count("<section") == 2
    assert page.count("data-overview") >= 1
    assert [pin.line.split("'")[-2] for pin in explorer.pins] == ["topK_20", "topK_25"]


def test_a_clip_that_cannot_be_read_is_said(classifier, tmp_path):
    explorer = Explorer(classifier, [tmp_path / "missing.wav"], ["saliency"])
    asked(explorer, "open", number=0)
    assert explorer.jobs.by_name["saliency"].wait(PATIENCE)
    (method,) = explorer.state()["methods"]
    assert method["state"] == "failed"
    assert "missing.wav" in method["text"]


def test_without_anywidget_one_line_names_the_extra(classifier, monkeypatch):
    importing = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "anywidget":
            raise ImportError("No module named 'anywidget'")
        return importing(name, *arguments, **keywords)

    monkeypatch.delitem(sys.modules, "anywidget", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ai.ArgumentError, match=r"pip install 'audiointerp\[explore\]'"):
        ai.explore(classifier, [noise(1.0)])


def test_the_widget_answers_and_keeps_what_it_shows(classifier):
    pytest.importorskip("anywidget", reason="anywidget is not installed")
    explorer = ai.explore(classifier, [noise(1.0)], ["saliency"])
    sent = []
    explorer.widget.send = lambda content, buffers=None: sent.append(content)
    explorer._asked(explorer.widget, {"kind": "open", "number": 0, "id": "7"}, [])
    assert sent[0] == {"kind": "answer", "id": "7"}
    assert explorer.jobs.by_name["saliency"].wait(PATIENCE)
    assert {"kind": "section"} in sent
    assert explorer.widget.section == explorer.clip.section
    assert explorer.widget.state == explorer.state()
    assert json.loads(json.dumps(explorer.widget.state)) == explorer.widget.state
    assert explorer._saved_page().count("audiointerp-frame") >= 1
