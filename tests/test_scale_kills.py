"""A worker and the driver of a Ray cluster are killed: the rows are those of the local engine."""

import tempfile
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="needs pyarrow (the extra scale)")
pytest.importorskip("ray", reason="needs Ray (the extra ray)")

from twenty_kills import twenty_kills


def test_two_kills_change_nothing(esc10):
    # Short, since sockets are in it.
    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp") as folder:
        tally = twenty_kills(Path(folder), kills=2, clips=24, workers=1, seed=1)
    assert tally.kills == {"worker": 1, "driver": 1}
    assert tally.compared >= 1
    assert tally.surviving == []
