"""``make reproduce``: what is done is left out, what has changed is made again, a kill resumes."""

import re
import sys

import pytest
import reproduce
from reproduce import RECORD, ROOT, Step, duration, run, steps

from audiointerp.util import read_json


def copier(name, source, target):
    """A step that copies a file, and leaves a line in a log each time."""
    code = (
        f"open('log', 'a').write({name!r} + chr(10)); "
        f"text = open({source!r}).read().upper(); open({target!r}, 'w').write(text)"
    )
    return Step(name, ["python", "-c", code], [source], [target])


@pytest.fixture
def chain(tmp_path):
    """Two steps, of which the second takes what the first makes."""
    (tmp_path / "rows").write_text("a")
    return [copier("first", "rows", "page"), copier("second", "page", "figures")]


def log(root):
    return (root / "log").read_text().split()


def test_what_is_done_is_left_out(chain, tmp_path, capsys):
    assert run(chain, tmp_path)
    assert run(chain, tmp_path)
    assert log(tmp_path) == ["first", "second"]
    text = capsys.readouterr().out
    assert re.search(r"^\[1/2\] first: done before, in \d+ s$", text, re.M)
    assert len(re.findall(r"^all of it: \d+ s$", text, re.M)) == 2
    assert run(chain, tmp_path, again=True)
    assert log(tmp_path) == ["first", "second"] * 2


def test_what_has_changed_is_made_again(chain, tmp_path):
    assert run(chain, tmp_path)
    (tmp_path / "rows").write_text("b")
    assert run(chain, tmp_path)
    assert log(tmp_path) == ["first", "second"] * 2
    assert (tmp_path / "figures").read_text() == "B"
    # By hand.
    (tmp_path / "page").write_text("x")
    assert run(chain, tmp_path)
    assert log(tmp_path)[4:] == ["first"]
    assert (tmp_path / "page").read_text() == "B"


def test_changed_code_makes_all_again(chain, tmp_path):
    assert run(chain, tmp_path)
    (tmp_path / "audiointerp").mkdir()
    (tmp_path / "audiointerp" / "new.py").write_text("")
    assert run(chain, tmp_path)
    assert log(tmp_path) == ["first", "second"] * 2


@pytest.mark.parametrize("edited", ["rows", "audiointerp/display/page/clip.js"])
def test_what_changes_during_a_step_is_no_part_of_it(edited, tmp_path):
    """The step read the former content; it is made again."""
    path = tmp_path / edited
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "rows").write_text("a")
    path.write_text("a")
    step = copier("first", "rows", "page")
    edit = f"; open({edited!r}, 'w').write('b')"
    editing = Step("first", [*step.command[:2], step.command[2] + edit], ["rows"], ["page"])
    assert run([editing], tmp_path)
    assert (tmp_path / "page").read_text() == "A"
    assert run([editing], tmp_path)
    assert log(tmp_path) == ["first", "first"]
    # This time it found what it left.
    assert run([editing], tmp_path)
    assert log(tmp_path) == ["first", "first"]


def test_a_step_may_write_into_what_it_reads(tmp_path):
    """Done once, it is left out; by hand changed, it is made again."""
    (tmp_path / "page").write_text("a")
    step = copier("figures", "page", "page")
    assert run([step], tmp_path)
    assert run([step], tmp_path)
    assert log(tmp_path) == ["figures"]
    (tmp_path / "page").write_text("b")
    assert run([step], tmp_path)
    assert log(tmp_path) == ["figures"] * 2


@pytest.mark.parametrize("name", ["page.js", "page.css", "page.html"])
def test_changed_pages_make_all_again(name, chain, tmp_path):
    page = tmp_path / "audiointerp" / "display" / "page" / name
    page.parent.mkdir(parents=True)
    page.write_text("a")
    assert run(chain, tmp_path)
    page.write_text("b")
    assert run(chain, tmp_path)
    assert log(tmp_path) == ["first", "second"] * 2


def test_all_files_of_the_package_are_code():
    found = {path for pattern in reproduce.CODE for path in ROOT.glob(pattern)}
    kinds = {path.suffix for path in found}
    assert kinds >= {".py", ".csv", ".js", ".css", ".html"}
    package = [path for path in (ROOT / "audiointerp").rglob("*") if path.is_file()]
    # Types alone, and what Python leaves behind.
    rest = {path.suffix for path in package if path not in found}
    assert rest <= {".pyi", ".typed", ".pyc"}


def test_after_a_failure_the_same_command_goes_on(chain, tmp_path, capsys):
    failing = Step("second", ["python", "-c", "raise SystemExit(7)"], ["page"], ["figures"])
    assert not run([chain[0], failing], tmp_path)
    assert "second: exit status 7 after 0 s; the same command goes on" in capsys.readouterr().err
    assert list(read_json(tmp_path / RECORD)) == ["first"]
    assert run(chain, tmp_path)
    assert log(tmp_path) == ["first", "second"]


def test_a_damaged_record_is_no_record(chain, tmp_path):
    (tmp_path / RECORD).write_text("{")
    assert run(chain, tmp_path)
    assert log(tmp_path) == ["first", "second"]


def test_the_programs_are_those_of_this_environment():
    assert reproduce.program(["python", "x.py"])[0].startswith(sys.prefix)


def test_the_steps_are_of_what_is_there():
    """Their commands are known, and what they make is committed, but for tables and rows."""
    for step in steps("data"):
        program, first, *_ = step.command
        if program == "python":
            assert (ROOT / first).is_file()
        else:
            known = (ROOT / "docs" / "reproduce.md").read_text()
            assert f"audiointerp {first}" in known
        tracked = set(step.makes) - {"tables", "results/fills/fills.csv"}
        assert all((ROOT / path).exists() for path in tracked), step.name
        for pattern in step.made_of:
            # Results not packed are CSV files.
            assert "metrics" in pattern or list(ROOT.glob(pattern)), pattern
    assert [step.name for step in steps("data")][-1] == "figures"


def test_unknown_steps_are_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text("")
    monkeypatch.setenv("AUDIOINTERP_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "vality"])
    with pytest.raises(SystemExit):
        reproduce.main()
    assert "vality: there is tables, supplementary, validity" in capsys.readouterr().err


def test_durations():
    assert [duration(59.4), duration(59.6), duration(3600)] == ["59 s", "1 min 0 s", "60 min 0 s"]
