"""One task, written with each library: the lines that docs/compare.md counts.

Usage: python tests/one_task.py

The task: explain why a network on log-mel levels decided for the class of a clip; keep the 30 % of
the bins with the largest attribution; write the kept part as a sound; and say with which p the
network still hears the class in it, and how many of 20 random masks do as well.

``clip.wav`` is mono at 32 kHz with a peak of 1. The other libraries know neither sounds nor
spectrograms, so what they lack is written by hand, as short as it can be without being wrong.
"""

import ast
import inspect
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import librosa
import numpy as np
import soundfile
import torch

import audiointerp as ai

RATE, WINDOW, HOP = 32000, 1024, 320


class Answer(NamedTuple):
    """The mask, p of the class in the kept sound, and the random masks that do as well."""

    mask: torch.Tensor
    p: float
    as_good: int


def with_audiointerp(classifier, path, out):
    result = ai.interpret(classifier, path, "gradcam", "topK_30", compared=20)
    ai.save_audio(out, result.kept, classifier.sample_rate)
    return Answer(result.mask, result.verdict.p_kept, result.verdict.as_good)


def with_captum(classifier, path, out):
    from captum.attr import LayerAttribution, LayerGradCam

    network, stft, filters, levels = opened(classifier, path)
    target = int(network(levels).argmax(1))
    method = LayerGradCam(network, network.conv_block4.conv2)
    # The layer's axes are (time, frequency), and the sign is wanted.
    cells = method.attribute(levels, target, relu_attributions=False).transpose(2, 3)
    values = LayerAttribution.interpolate(cells, levels.shape[2:], "bilinear").detach()
    return by_hand(network, stft, filters, levels, values, target, out)


def with_grad_cam(classifier, path, out):
    from pytorch_grad_cam import GradCAM

    network, stft, filters, levels = opened(classifier, path)
    target = int(network(levels).argmax(1))
    layers, turned = [network.conv_block4.conv2], lambda cells: cells.transpose(2, 3)
    with GradCAM(network, layers, reshape_transform=turned) as method:
        values = torch.from_numpy(method(levels, targets=None))[None]
    return by_hand(network, stft, filters, levels, values, target, out)


def with_shap(classifier, path, out):
    import shap

    network, stft, filters, levels = opened(classifier, path)
    target = int(network(levels).argmax(1))
    background = levels.flip(3).roll(100, 3).repeat(2, 1, 1, 1)
    method = shap.DeepExplainer(network, background)
    # shap's own check raises for networks whose sums differ a little, and shows nothing then.
    values = method.shap_values(levels, check_additivity=False)[..., target]
    return by_hand(network, stft, filters, levels, torch.from_numpy(values), target, out)


def with_quantus(classifier, path, out):
    import quantus

    network, stft, filters, levels = opened(classifier, path)
    target = int(network(levels).argmax(1))
    arrays = levels.numpy(), np.array([target])
    values = quantus.explain(network, *arrays, method="Saliency")
    # Its scores replace p of the kept part; the sound is by hand all the same.
    flipping = quantus.PixelFlipping(features_in_step=1002, disable_warnings=True)
    flipping(network, *arrays, a_batch=values)
    return by_hand(network, stft, filters, levels, torch.from_numpy(values), target, out)


def opened(classifier, path):
    network = classifier.network.eval()
    samples, _ = soundfile.read(path, dtype="float32")
    bands = librosa.filters.mel(
        sr=RATE, n_fft=WINDOW, n_mels=64, fmin=50, fmax=14000, htk=True, norm=None
    )
    filters = torch.from_numpy(bands)
    stft = transformed(torch.from_numpy(samples))
    return network, stft, filters, levels_of(stft, filters)


def transformed(samples):
    window = torch.hann_window(WINDOW)
    return torch.stft(samples, WINDOW, HOP, window=window, return_complex=True, pad_mode="reflect")


def levels_of(stft, filters):
    return 10 * (filters @ stft.abs() ** 2).clamp_min(1e-10).log10()[None, None]


def by_hand(network, stft, filters, levels, values, target, out):
    mask = most(values)
    sound = heard_part(stft, filters, levels, mask)
    soundfile.write(out, sound.numpy(), RATE, subtype="FLOAT")
    p = p_of(network, sound, filters, target)
    as_good = 0
    for seed in range(20):
        noise = torch.rand(levels.shape, generator=torch.Generator().manual_seed(seed))
        part = heard_part(stft, filters, levels, most(noise))
        as_good += p_of(network, part, filters, target) >= p
    return Answer(mask, p, as_good)


def most(values):
    flat = values.flatten()
    mask = torch.zeros(flat.shape)
    mask[flat.argsort(descending=True, stable=True)[: round(0.3 * flat.numel())]] = 1
    return mask.view_as(values)


def heard_part(stft, filters, levels, mask):
    # A level above -100 dB times the mask is a gain of the band; bins get that of their bands.
    gains = torch.where(mask == 1, 1.0, 10 ** ((levels + 100) * (mask - 1) / 20) * (mask > 0))
    weights = filters / filters.sum(0).clamp_min(1e-9)
    uncovered = filters.sum(0) == 0
    nearest = filters.argmax(1).float()[:, None] - torch.arange(filters.shape[1])
    weights[nearest.abs().argmin(0)[uncovered], uncovered.nonzero()[:, 0]] = 1
    window = torch.hann_window(WINDOW)
    # Without a length, the last samples are lost; with it, a masked end can be loud.
    length = (stft.shape[1] - 1) * HOP
    return torch.istft(stft * (weights.T @ gains[0, 0]), WINDOW, HOP, window=window, length=length)


def p_of(network, sound, filters, target):
    with torch.no_grad():
        levels = levels_of(transformed(sound), filters)
        return float(network(levels).softmax(1)[0, target])


WAYS = {
    "audiointerp": with_audiointerp,
    "captum": with_captum,
    "pytorch-grad-cam": with_grad_cam,
    "shap": with_shap,
    "Quantus": with_quantus,
}


def lines_of(function):
    """Count the lines of code of a function and of those of this file that it calls."""
    reached, ahead = set(), [function.__name__]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            tree = ast.parse(inspect.getsource(globals()[name]))
            names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            ahead += [each for each in names if inspect.isfunction(globals().get(each))]
    return sum(code_lines(inspect.getsource(globals()[name])) for name in reached)


def code_lines(source):
    """Count the lines that are neither empty nor comments, without the line of ``def``."""
    lines = [line.strip() for line in source.splitlines()]
    return len([line for line in lines if line and not line.startswith(("#", "def "))])


def table(answers):
    """Format the table of docs/compare.md, which changes with the code alone."""
    rows = ["| with | lines | p of the kept part | random masks that do as well, of 20 |"]
    rows.append("|---|---|---|---|")
    for name, answer in answers.items():
        lines = lines_of(WAYS[name])
        rows.append(f"| {name} | {lines} | {answer.p:.2f} | {answer.as_good} |")
    return "\n".join(rows)


def write_clip(path):
    """Write the clip of the task: a synthetic siren."""
    ai.save_audio(path, ai.Synthetic(folds=(5,))[0][0][None], RATE)


def main():
    """Do the task in each way and print the table."""
    classifier = ai.load("synthetic-mel")
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder) / "clip.wav", Path(folder) / "kept.wav"
        write_clip(clip)
        answers = {name: way(classifier, clip, out) for name, way in WAYS.items()}
    sys.stdout.write(table(answers) + "\n")


if __name__ == "__main__":
    main()
