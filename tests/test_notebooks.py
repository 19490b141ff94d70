"""The notebooks run on the synthetic set, share equal cells, and are committed without sounds."""

import base64
import io
import json
import re
from itertools import combinations

import notebooks
import numpy as np
import pytest
import torch
from conftest import small_classifier
from made_results import made_rows
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebooks import NAMES, OWN, ROOT, faults, read, share, with_parameters, without_sounds
from PIL import Image

from audiointerp.dataset.noise import NOISES
from audiointerp.dataset.synthetic import Synthetic
from audiointerp.display.report import interpretation_html, players_html
from audiointerp.experiments.study import EXPERIMENTS, TRANSFORMS
from audiointerp.model.classifier import Classifier
from audiointerp.predict import interpret
from audiointerp.scoring.columns import COLUMNS

SMALL = {"CLIPS": 1, "MASKS": ["topK_30", "sigmoid"]}
SIZES = {
    "train_model_stft": {"EPOCHS": 1, "CLIPS": 3},
    "train_model_mel": {"EPOCHS": 1, "CLIPS": 10},
    "experiments_stft": SMALL | {"METHODS": ["saliency", "gradcam"]},
    "experiments_mel": SMALL | {"METHODS": ["saliency"], "MASKS": None},
    "experiments_mel_noise1": SMALL | {"METHODS": ["gradcam", "shap"]},
    "experiments_mel_noise2": SMALL | {"METHODS": ["gradcam"], "METHOD": "random"},
    "experiments_mel_noise3": SMALL,
    "tables": {"RESULTS": "results_made"},
    "your_own_model": {"EPOCHS": 2, "TRAINING_CLIPS": 20, "TEST_CLIPS": 2},
    "recordings": {"SECONDS": 20, "EVENTS": 2, "THRESHOLD": 0.1},
}
SILENT = {"parameters", "forest", "score", "export", "write"}
"""Cells that show nothing."""
QUICK = ("train_model_mel", "experiments_mel_noise3", "tables")
"""One of each kind, for make ci: the others share their cells, see the tests below."""
SMALLER = """
exec('''
import audiointerp.dataset.synthetic
from audiointerp.interpretation import LIME, METHODS

class SmallLIME(LIME):
    def __init__(self, network):
        super().__init__(network, samples=512)

METHODS["lime"] = SmallLIME
audiointerp.dataset.synthetic.CLIPS_PER_CLASS = 1
''', {})
"""
"""Runs before a kernel's first cell, and leaves no name: 10 clips a fold, where there are 80; fewer
samples of LIME, which refuses fewer than two for each segment."""


def synthetic_classifier(features):
    small = small_classifier(10, transform=TRANSFORMS[features])
    return Classifier(
        small.network, small.transform, Synthetic((5,)).labels, 5.0, {"command": "a test"}
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for features in TRANSFORMS:
        synthetic_classifier(features).save(folder / f"synthetic_{features}_cnn10.safetensors")
    return folder


@pytest.fixture
def place(tmp_path, weights, monkeypatch):
    """A folder with networks for a small synthetic set and without data; one core is used."""
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "smaller.py").write_text(SMALLER)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("AUDIOINTERP_DATA", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "weights").symlink_to(weights)
    return tmp_path


def results_for_tables(place):
    rows = made_rows(methods=("saliency", "gradcam"), masks=("topK_30", "sigmoid"), clips=4)
    for experiment in EXPERIMENTS.values():
        for method in ("saliency", "gradcam"):
            folder = place / "results_made" / experiment.transform / experiment.name / method
            folder.mkdir(parents=True)
            chosen = rows[(rows["experiment"] == experiment.name) & (rows["method"] == method)]
            chosen[list(COLUMNS)].to_csv(folder / "metrics.csv", index=False)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.whole if name in QUICK else pytest.mark.long)
        for name in NAMES
    ],
)
def test_each_runs_from_a_clean_kernel(name, place):
    """Its output could be committed: no warning on stderr and no path of this machine."""
    if name == "tables":
        results_for_tables(place)
    executed = notebooks.executed(
        with_parameters(read(ROOT / f"{name}.ipynb"), SIZES[name]), place, timeout=240
    )
    shown_text = json.dumps(executed)
    assert "the synthetic set" in shown_text or name == "tables"
    assert ("data:audio/" in shown_text) == (name != "tables")
    assert shown_text.count("image/png") >= 2 or name == "tables"
    silent = notebooks.to_commit(executed)
    assert faults(silent) == []
    assert (notebooks.HOW_TO_HEAR in json.dumps(silent)) == (name != "tables")
    if name.startswith("experiments"):
        assert "0 of them errors" in shown_text
        assert (place / "results_synthetic_1_clips").is_dir()
    if name.startswith("train"):
        assert list((place / "trained" / "trial").glob("synthetic_*.safetensors"))


@pytest.fixture(scope="module")
def committed():
    return {name: read(ROOT / f"{name}.ipynb") for name in NAMES}


def test_what_is_committed_is_whole_and_clean(committed):
    assert {path.stem for path in ROOT.glob("*.ipynb")} == set(NAMES)
    for name, notebook in committed.items():
        assert faults(notebook) == [], name
        kinds = [cell.cell_type for cell in notebook.cells]
        first = notebook.cells[kinds.index("code")]
        assert first.metadata.tags == ["parameters"]
        assert all(isinstance(cell.source, str) and cell.source.strip() for cell in notebook.cells)
        assert SIZES[name].keys() <= set(re.findall(r"^(\w+) =", first.source, re.M))


def test_they_are_short(committed):
    counts = {name: len(notebook.cells) for name, notebook in committed.items()}
    assert max(counts.values()) < 25, counts


def test_every_parameter_is_used(committed):
    for name, notebook in committed.items():
        first, *others = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        for parameter in re.findall(r"^(\w+) =", first, re.M):
            assert any(re.search(rf"\b{parameter}\b", source) for source in others), (
                f"{name}: {parameter}"
            )


def test_what_is_committed_was_run(committed):
    for name, notebook in committed.items():
        silent = [
            cell.id for cell in notebook.cells if cell.cell_type == "code" and not cell.outputs
        ]
        assert set(silent) <= SILENT, f"{name}: make notebooks"


def test_cells_of_one_id_are_one_cell(committed):
    for (name, notebook), (other_name, other) in combinations(committed.items(), 2):
        sources = {cell.id: cell.source for cell in other.cells}
        for cell in notebook.cells:
            if cell.id not in OWN and cell.id in sources:
                assert cell.source == sources[cell.id], (
                    f"{cell.id} of {name} and {other_name}: spread it by --share"
                )


def test_the_noise_notebooks_differ_in_one_parameter_alone(committed):
    three = [committed[f"experiments_mel_noise{number}"] for number in (1, 2, 3)]
    for notebook, noise in zip(three, NOISES, strict=True):
        assert notebook.cells[1].source.startswith(f'EXPERIMENT = "mel_{noise}"\n')
    first, second, third = map(sources_without_experiment, three)
    assert first == second == third


def test_the_experiments_differ_in_title_and_experiment_alone(committed):
    names = [name for name in NAMES if name.startswith("experiments")]
    first, *others = [sources_without_experiment(committed[name])[1:] for name in names]
    assert len(others) == 4
    assert all(other == first for other in others)


def sources_without_experiment(notebook):
    cells = with_parameters(notebook, {"EXPERIMENT": ""}).cells
    return [(cell.id, cell.source) for cell in cells]


def test_what_leads(committed):
    """Two clips, chosen by their verdicts; and in the tables the forest plot and a small table."""
    codes = {name: codes_of(committed[name]) for name in ("experiments_mel", "tables")}
    _, start, two, *_ = codes["experiments_mel"]
    assert "load_or_train" in start
    assert "verdict.head, result.verdict.is_removed" in two
    _, lead, *_ = codes["tables"]
    assert "forest_plot(lead.differences" in lead
    assert lead.endswith("lead.shown_means.round(3)")
    clip_name = re.compile(r"\d-\d+-[A-Z]-\d+")
    assert not any(clip_name.search(source) for source in codes["experiments_mel"])


def codes_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_shared_cells_are_spread(committed):
    source = share(committed["experiments_mel"], committed["experiments_mel"])
    next(cell for cell in source.cells if cell.id == "listen").source = "changed"
    for name, notebook in committed.items():
        changed = [
            old.id
            for old, new in zip(notebook.cells, share(source, notebook).cells, strict=True)
            if old != new
        ]
        assert changed == (["listen"] if name.startswith("experiments") else [])


def test_parameters_are_replaced_by_name(committed):
    changed = with_parameters(committed["experiments_mel"], {"CLIPS": 3, "METHODS": ["lime"]})
    cell = next(cell for cell in changed.cells if cell.id == "parameters")
    values = {}
    exec(cell.source, values)
    assert (values["CLIPS"], values["METHODS"], values["EXPERIMENT"]) == (3, ["lime"], "mel_clean")
    with pytest.raises(
        ValueError, match=r"no parameter CLIP_COUNT; there are: EXPERIMENT, NOISE, DATA"
    ):
        with_parameters(committed["experiments_mel"], {"CLIP_COUNT": 3})


def shown(**data):
    """A notebook of one cell that shows something; names are kinds with _ for /."""
    forms = {kind.replace("_", "/", 1): content for kind, content in data.items()}
    return new_notebook(cells=[new_code_cell("x", outputs=[new_output("display_data", forms)])])


def printed(text, name="stdout"):
    return new_notebook(
        cells=[new_code_cell("x", outputs=[new_output("stream", name=name, text=text)])]
    )


def with_widgets():
    notebook = printed("fine")
    notebook.metadata["widgets"] = {"state": 1}
    return notebook


def with_error():
    error = {"ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": []}
    return new_notebook(cells=[new_code_cell("1/0", outputs=[new_output("error", **error)])])


def with_attachment():
    sound = {"x.wav": {"audio/wav": "AAAA"}}
    return new_notebook(cells=[new_markdown_cell("x", attachments=sound)])


def with_source(cell):
    return new_notebook(cells=[cell])


# The paths are invented: no machine has them, and the rule must find them.
DATA_CELL = with_source(new_code_cell('DATA = "/mnt/data/ESC-50"'))
WORDS_CELL = with_source(new_markdown_cell("see /mnt/data"))
SOUND_LINK = '<a href="data:audio/flac;base64,AAAA">x</a>'
FLAC_LINK = '<a href="data:x/y;base64,ZkxhQwAA">'
# The paths of nobody's machine: what must be found in a notebook.
BROKEN = {
    "an error": (with_error(), "ZeroDivisionError"),
    "stderr": (printed("a line", "stderr"), "wrote to stderr"),
    "a warning": (printed("x.py:1: UserWarning: old"), "a warning in text"),
    "a path in print": (printed("read /home/me/data.csv"), "absolute path '/home/me"),
    "a path in a table": (shown(text_html="<td>/mnt/data</td>"), "absolute path '/mnt/data"),
    "a home": (printed("~/data"), "absolute path '~/data"),
    "a drive": (printed(r"in C:\data"), "absolute path"),
    "a file": (shown(text_html='<a href="file:///x">'), "absolute path 'file://"),
    "a path in a cell": (DATA_CELL, "absolute path '/mnt/data"),
    "a path in words": (WORDS_CELL, "absolute path '/mnt/data"),
    "a player": (shown(text_html="<audio controls></audio>"), "a sound in text/html"),
    "a sound's address": (shown(text_html=SOUND_LINK), "a sound in text/html"),
    "a sound": (shown(audio_wav="AAAA"), "a sound in audio/wav"),
    "a sound under another name": (
        shown(application_x="UklGRiQAAABXQVZF"),
        "a sound in application/x",
    ),
    "a sound in a link": (shown(text_html=FLAC_LINK), "a sound in text/html"),
    "a sound attached": (with_attachment(), "a sound in audio/wav"),
    "widgets": (with_widgets(), "state of widgets"),
    "bytes": (shown(image_png="A" * 1_500_000), "bytes are more than 1500000"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_notebook_that_breaks_a_rule_is_named(rule):
    notebook, complaint = BROKEN[rule]
    (found,) = faults(notebook)
    assert complaint in found


def test_warnings_of_cut_clips_are_left_out_and_no_others():
    cut = (
        "/x/y.py:94: AudioWarning: /data/a.ogg: only the first 5 of 7 s are used, the last 2 s are "
        "cut off, as of any longer file of this data set\n  return self.dataset[0]\n"
    )
    assert notebooks.to_commit(printed(cut + cut, "stderr")).cells[0].outputs == []
    (left,) = notebooks.to_commit(printed(f"{cut}another line\n", "stderr")).cells[0].outputs
    assert left.text == "another line\n"
    silent = "/x/y.py:9: AudioWarning: /data/a.ogg: is silent\n"
    assert faults(notebooks.to_commit(printed(silent, "stderr")))
    assert notebooks.to_commit(printed("", "stdout")).cells[0].outputs == []


def test_bars_are_left_out():
    notebook = shown(text_plain="0%|  | 0/8", **{notebooks.WIDGET: {"model_id": "x"}})
    notebook.cells += shown(text_plain="a figure").cells
    first, second = notebooks.to_commit(notebook).cells
    assert (first.outputs, second.outputs[0].data["text/plain"]) == ([], "a figure")


def test_what_looks_like_a_fault_and_is_none():
    picture = "iVBOR/mnt/data+/home/me/UklGRdata" * 3
    for fine in (
        printed("weights/made.safetensors and ../shared/data, and/or 1/2, https://doi.org/10/abc"),
        shown(image_png=picture, text_plain="<Figure size 640x480 with 1 Axes>"),
        shown(text_html=f'<img src="data:image/png;base64,{picture}"></td></tr>'),
    ):
        assert faults(fine) == []


def test_sounds_are_taken_out_and_pictures_and_gains_stay(classifier):
    from IPython.display import Audio

    result = interpret(classifier, torch.randn(1, 1, 32000) * 0.1)
    html = f'{players_html(result)}<img alt="picture" src="data:image/png;base64,iVBOR">'
    player = Audio(result.wav[0].numpy(), rate=32000)
    outputs = [
        new_output("display_data", {"text/html": html, "text/plain": repr(result)}),
        new_output("display_data", {"text/html": player._repr_html_(), "text/plain": repr(player)}),
        new_output("display_data", {"audio/wav": "UklGR"}),
        new_output(
            "display_data",
            {"application/json": {"src": "data:audio/wav;base64,UklGR"}, "image/png": "iVBOR"},
        ),
        new_output(
            "display_data", {"application/javascript": "new Audio('data:audio/wav;base64,UklGR')"}
        ),
        new_output(
            "display_data",
            {"text/html": '<AUDIO controls>\n<source></AUDIO> and <audio src="x.wav"> end'},
        ),
        new_output("display_data", {"text/html": interpretation_html(result)}),
        new_output("stream", name="stdout", text="data:audio/wav;base64,UklGR"),
    ]
    notebook = new_notebook(
        cells=[new_code_cell("x", outputs=outputs)], metadata={"widgets": {"state": "data:audio/x"}}
    )
    silent = without_sounds(notebook)
    assert len(faults(notebook)) > 7
    assert faults(silent) == []
    # The notebook itself is not changed.
    assert "<audio" in json.dumps(notebook)
    first, second, third, fourth, fifth, sixth, framed, last = silent.cells[0].outputs
    assert framed.data["text/html"].count(notebooks.LEFT_OUT) == 3
    assert first.data["text/html"].count(notebooks.LEFT_OUT) == 5
    assert re.findall(r"[+-]\d+\.\d dB", first.data["text/html"]) == re.findall(
        r"[+-]\d+\.\d dB", html
    )
    assert re.findall(r"<img[^>]*>", first.data["text/html"]) == re.findall(r"<img[^>]*>", html)
    assert first.data["text/plain"] == repr(result)
    assert fourth.data == {"image/png": "iVBOR"}
    assert sixth.data["text/html"].startswith(f"{notebooks.LEFT_OUT} and {notebooks.LEFT_OUT} end")
    for output in (first, second, third, fifth, sixth, framed, last):
        assert notebooks.HOW_TO_HEAR in json.dumps(output)


def test_pictures_become_light_and_keep_their_colours(classifier):
    """Rare colours too: a few blue bins in a grey picture are the attribution."""
    result = interpret(classifier, torch.randn(1, 1, 32000) * 0.1, "saliency")
    picture = io.BytesIO()
    result.plot().savefig(picture, format="png", dpi=90)
    png = base64.b64encode(picture.getvalue()).decode()
    html = f'<img src="data:image/png;base64,{png}">'
    light = (
        notebooks.with_light_pictures(shown(text_html=html, image_png=png)).cells[0].outputs[0].data
    )
    assert light["image/png"] in light["text/html"]
    assert len(light["image/png"]) < 0.6 * len(png)
    assert light["text/html"].replace(light["image/png"], png) == html
    before, after = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")).astype(int)
        for picture in (png, light["image/png"])
    )
    assert np.abs(after - before).max() <= 16


def test_a_notebook_is_written_only_if_it_is_clean(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    parameters = new_code_cell("WORDS = 'fine'", metadata={"tags": ["parameters"]})
    path = tmp_path / "one.ipynb"
    notebooks.write(
        new_notebook(cells=[parameters, new_code_cell("print(WORDS)\n1 / len(WORDS)")]), path
    )
    before = path.read_bytes()
    assert "/home/me" in notebooks.make("one", {"WORDS": "/home/me/x"}, tmp_path)[0]
    assert "ZeroDivisionError" in notebooks.make("one", {"WORDS": ""}, tmp_path)[0]
    assert path.read_bytes() == before
    assert notebooks.make("one", {}, tmp_path) == []
    assert [output.output_type for output in read(path).cells[1].outputs] == [
        "stream",
        "execute_result",
    ]
    with pytest.raises(CellExecutionError):
        notebooks.executed(with_parameters(read(path), {"WORDS": ""}), tmp_path)
