"""Mistakes on the command line: an error of one line, and nothing is written; and the help."""

import pytest

INTERPRET = ["interpret", "clip.flac", "--weights", "mel.safetensors"]
RUN = ["run", "mel_clean", "--weights", "mel.safetensors"]
MISTAKES = {
    "no clip": (
        ["interpret", "none.wav", "--weights", "mel.safetensors"],
        "none.wav: no such audio file",
    ),
    "no audio": (
        ["interpret", "mel.safetensors", "--weights", "mel.safetensors"],
        "not an audio file",
    ),
    "no weights": (
        ["interpret", "clip.flac", "--weights", "none.safetensors"],
        "none.safetensors: no such weights file",
    ),
    "audio as weights": (
        ["interpret", "clip.flac", "--weights", "clip.flac"],
        "not a safetensors file",
    ),
    "method": ([*INTERPRET, "--method", "magic"], "unknown method 'magic'"),
    "mask": ([*INTERPRET, "--mask", "magic"], "unknown mask 'magic'"),
    "method in capitals": (
        [*INTERPRET, "--method", "GradCAM"],
        "unknown method 'GradCAM'; did you mean 'gradcam'?",
    ),
    "mask in small letters": (
        [*INTERPRET, "--mask", "topk_20"],
        "unknown mask 'topk_20'; did you mean 'topK_20'?",
    ),
    "mask of nothing": (
        [*RUN, "--masks", "bin,topK_0"],
        "topK_k_pos with 0 < k < 100",
    ),
    "methods with commas": (
        [*INTERPRET, "--method", "saliency, gradcam"],
        "give each method by itself: --method saliency --method gradcam",
    ),
    "label with swapped letters": ([*INTERPRET, "--target", "sirne"], "did you mean 'siren'?"),
    "label": ([*INTERPRET, "--target", "dog"], "unknown label 'dog'"),
    "background": ([*INTERPRET, "--method", "shap"], "in a shell, --background"),
    "no background": (
        [*INTERPRET, "--method", "shap", "--background", "nowhere"],
        "background nowhere",
    ),
    "device": ([*INTERPRET, "--device", "warp"], "device 'warp'"),
    "inversion": ([*INTERPRET, "--inversion", "x"], "unknown inversion"),
    "experiment": (
        ["run", "mel_cow", "--weights", "mel.safetensors"],
        "unknown experiment 'mel_cow'",
    ),
    "features": (
        ["run", "stft_clean", "--weights", "mel.safetensors"],
        "needs a classifier on stft",
    ),
    "folds": ([*RUN, "--folds", "9"], "unknown fold"),
    "fold words": ([*RUN, "--folds", "five"], "give whole numbers"),
    "nothing": ([*RUN, "--methods", ","], "different names"),
    "no data": ([*RUN, "--data", "nowhere"], "nowhere: no such data folder"),
    "no table": ([*RUN, "--data", "background"], "table of clips is missing"),
    "subset": (
        [*RUN, "--data", "data", "--subset", "esc3"],
        "unknown subset 'esc3'",
    ),
    "noise to a clean experiment": (
        [*RUN, "--noise", "clip.flac"],
        "is on clean clips",
    ),
    "noise": (
        ["run", "mel_horse", "--weights", "mel.safetensors", "--noise", "none.wav"],
        "none.wav: no such audio file",
    ),
    "train transform": (["train", "--features", "cqt"], "unknown transform 'cqt'"),
    "network": (
        ["train", "--data", "data", "--network", "Cnn99", "--epochs", "1"],
        "unknown network 'Cnn99'",
    ),
    "train subset": (["train", "--subset", "esc10"], "needs a data folder"),
    "train device": (["train", "--data", "data", "--device", "warp"], "device 'warp'"),
    "train noises": (["train", "--noises", "white,cow"], "unknown noise 'cow'"),
    "crossval noise-trained": (
        ["crossval", "mel_horse_noise_trained"],
        "is for a network that heard noise in training",
    ),
    "label of an example": (
        ["interpret", "--example", "rain", "--label", "dog"],
        "--label dog: --example rain has a label",
    ),
    "train no noises": (["train", "--noises", ""], "--noises '': give one or more different"),
    "train out": (["train", "--data", "data", "--out", "clip.flac"], "is a file; give a folder"),
    "train name": (["train", "--data", "data", "--name", "a/b"], "--name a/b"),
    "seed": (
        ["train", "--data", "data", "--seeds", "99999999999999999999"],
        "seed=99999999999999999999",
    ),
    "seeds twice": (["train", "--data", "data", "--seeds", "1,1"], "different names"),
    "long name": (["interpret", "x" * 300, "--weights", "mel.safetensors"], "File name too long"),
    "table by score": (["tables", "results", "--by", "FF"], "unknown column 'FF'"),
    "table to folder": (["tables", "results", "--out", "."], "names a folder"),
    "rate": (["train", "--data", "data", "--learning-rate", "-1"], "learning_rate=-1.0"),
    "table by nothing": (["tables", "results", "--by", ""], "different names"),
    "no masks": ([*RUN, "--masks", ""], "different names"),
    "no results": (["tables", "nowhere"], "holds no results"),
    "on": ([*RUN, "--on", "ears"], "unknown on 'ears'"),
    "protocol": ([*INTERPRET, "--protocol", "x"], "unknown protocol 'x'"),
    "against": ([*INTERPRET, "--against", "dog"], "unknown label 'dog'"),
    "against itself": (
        [*INTERPRET, "--target", "2", "--against", "2"],
        "against itself",
    ),
    "validate without a card": (
        ["validate", "--weights", "mel.safetensors"],
        "mel.json: the card beside the weights",
    ),
    "validate stft": (["validate", "--weights", "stft.safetensors"], "needs a classifier on mel"),
    "out is a file": ([*INTERPRET, "--out", "clip.flac"], "clip.flac"),
}


def compute_in_vain(*arguments, **keywords):
    raise AssertionError("the clips of training folds were computed before the mistake was told")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_written(call, place, mistake, monkeypatch):
    monkeypatch.setattr("audiointerp.scoring.ood_reference", compute_in_vain)
    monkeypatch.setattr("audiointerp.cli.runs.training_background_of", compute_in_vain)
    arguments, message = MISTAKES[mistake]
    before = sorted(place.rglob("*"))
    done = call(*arguments, place=place)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("audiointerp: ")
    assert message in done.stderr
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [["interpret"], ["sing"], ["run", "mel_clean", "--loudness", "3"], ["train", "--epochs", "x"]],
)
def test_usage_errors_exit_with_2(call, arguments):
    done = call(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["crossval", "demo", "train", "interpret", "run", "tables", "report", "validate"]
)
def test_help_has_an_example(call, command):
    done = call(command, "--help")
    assert done.returncode == 0
    assert f"audiointerp {command}" in done.stdout
    # That a call raises is for who calls the function.
    assert "Raises" not in done.stdout
