"""Pages of several clips, and what a page holds of a clip, without a browser."""

import base64
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import noise
from hypothesis import given
from hypothesis import strategies as st

import audiointerp as ai
from audiointerp.cli.clip_sources import sound_files_of
from audiointerp.display import many_clips, write_clips
from audiointerp.display.clip_data import clip_data
from audiointerp.display.encoding import gain_map, rank_map
from audiointerp.errors import ArgumentError
from audiointerp.interpretation import top
from audiointerp.scoring import SHARES


def unpacked(text, kind):
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), kind)


def gains_of(coded):
    """As maps.js reads them."""
    codes = unpacked(coded["codes"], "<u2").astype(np.float64)
    step = (coded["high"] - coded["low"]) / 65534
    return np.where(codes == 0, 0, 10 ** ((coded["high"] - (65535 - codes) * step) / 20))


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_rank_map_holds_the_exact_mask_of_each_share(seed, has_ties):
    values = torch.randn(1, 1, 7, 11, generator=torch.Generator().manual_seed(seed))
    if has_ties:
        values = values.round()
    ranks = rank_map(values, SHARES)
    for number, share in enumerate(SHARES):
        assert np.array_equal(ranks <= number, top(values, share)[0, 0].numpy() == 1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 3.0, 50.0, 140.0]))
def test_gains_come_back_and_silence_and_one_exactly(seed, spread):
    drawn = torch.rand(1, 1, 5, 9, generator=torch.Generator().manual_seed(seed))
    gain = 10 ** (-spread * drawn.double() / 20)
    gain[..., 0], gain[..., 1] = 0, 1
    back = gains_of(gain_map(gain))
    expected = gain.flatten().numpy()
    assert np.array_equal(back == 0, expected == 0)
    assert np.array_equal(back[expected == 1], expected[expected == 1])
    audible = expected > 0
    error = 20 * np.log10(back[audible] / expected[audible])
    assert np.abs(error).max() <= 0.5 * 160 / 65534 + 1e-9


@pytest.fixture(scope="module")
def results():
    from conftest import small_classifier

    classifier = small_classifier()
    clip = noise(1.0)
    return [
        replace(ai.interpret(classifier, clip, "saliency", mask, compared=2), clip="a.wav")
        for mask in ("topK_30", "bin", "minmax_pos")
    ]


def test_a_page_judges_each_share_as_interpret_does(results):
    data = clip_data(results[:1])
    judged = data["methods"][0]["shares"]
    assert len(judged) == len(data["shares"]) == len(data["random"]["p"]) == 19
    assert judged[5]["verdict"] == str(results[0].verdict)
    for number in (0, 11):
        share = data["shares"][number]
        classifier = results[0].classifier
        asked = ai.interpret(classifier, results[0].wav, "saliency", share, compared=0)
        assert judged[number]["pKept"] == pytest.approx(asked.heard["p_in"], abs=1e-5)
        assert judged[number]["pRemoved"] == pytest.approx(asked.heard["p_out"], abs=1e-5)
        p_random = data["random"]["p"][number]
        assert judged[number]["asGood"] == sum(p >= asked.heard["p_in"] for p in p_random)
    assert json.loads(json.dumps(data, allow_nan=False)) == json.loads(json.dumps(data))


def test_other_masks_are_held_by_name(results):
    named = clip_data(results)["methods"][0]["named"]
    assert [(mask["name"], mask["kind"]) for mask in named] == [
        ("bin", "binary"),
        ("minmax_pos", "soft"),
    ]
    assert np.array_equal(unpacked(named[0]["map"], "u1"), results[1].mask.flatten().numpy())
    expected = results[2].spectrogram.masked(results[2].mask).gain.flatten().double().numpy()
    error = np.abs(gains_of(named[1]["keptGain"]) - expected)
    assert (error <= 2e-4 * expected).all()


def test_a_page_without_a_classifier_has_no_p_of_shares(results):
    data = clip_data([replace(results[0], classifier=None)])
    assert data["methods"][0]["shares"] == data["random"]["p"] == []
    assert data["start"]["judged"]["verdict"] == str(results[0].verdict)


def test_many_clips_have_a_page_each(results, tmp_path, monkeypatch):
    plain = replace(results[0], classifier=None)
    clips = [replace(plain, clip=name) for name in ("a.wav", "<b>.wav", "c.wav")]
    one = write_clips(iter(clips), 3, tmp_path / "one", "three clips", lossless=True)
    assert one.read_text().count("<section") == 3
    monkeypatch.setattr(many_clips, "MOST_CLIPS", 2)
    index = write_clips(iter(clips), 3, tmp_path / "folder", "three clips")
    text = index.read_text()
    assert text.count("<section") == 0
    addresses = re.findall(r'<li><a href="([^"]+)">', text)
    assert addresses == [f"clips/{number:04d}.html" for number in (1, 2, 3)]
    for address, clip in zip(addresses, clips, strict=True):
        written = (index.parent / address).read_text()
        assert written.count("<section") == 1
        assert "audio/mpeg" in written
        assert "audio/flac" not in written
        assert clip.clip.replace("<", "&lt;").replace(">", "&gt;") in written
    assert "<b>.wav" not in text


def test_files_and_folders_are_taken_in_order(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b.wav", "a.flac", "notes.txt"):
        (folder / name).touch()
    single = tmp_path / "single.wav"
    assert sound_files_of([single, folder]) == [single, folder / "a.flac", folder / "b.wav"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match="this folder has no sound file"):
        sound_files_of([tmp_path / "empty"])
