"""``audiointerp download``: each source arrives complete, or not at all."""

import csv
import io
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import pytest
import soundfile
import torch
from conftest import torture
from faulty_server import BODY, MD5, cut, serving, status, whole

from audiointerp.dataset.esc50 import ESC50
from audiointerp.downloads import sources
from audiointerp.downloads.fetch import check_url
from audiointerp.downloads.sources import Checkpoint, download
from audiointerp.errors import ArgumentError, AudioInterpError, DownloadError

pytestmark = pytest.mark.torture


@pytest.fixture
def serve():
    with serving() as start:
        yield start


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No pause between tries."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def call(in_this_process, tmp_path):
    return lambda *arguments: in_this_process(*arguments, place=tmp_path)


def test_the_command(call, serve, tmp_path, monkeypatch):
    monkeypatch.setitem(sources.CHECKPOINTS, "cnn6", Checkpoint("Cnn6.pth", MD5))
    server = serve(cut(9), whole())
    done = call("download", "cnn6", "--from", server.url)
    assert done == (0, "pretrained/Cnn6.pth is complete\n", "")
    assert (tmp_path / "pretrained" / "Cnn6.pth").read_bytes() == BODY
    # Without a server, since the file is there.
    assert call("download", "cnn6") == done
    for arguments, message in (
        (["cnn99"], "unknown download 'cnn99'; choose one of: cnn14, cnn10, cnn6, esc50"),
        (["cnn10", "--from", "http://example.org/x"], "only https"),
        (["cnn10", "--from", "file:///etc/passwd"], "only https"),
        (["cnn10", "--from", serve(status(404)).url], "the server answers 404"),
        (["cnn10", "--from", serve(whole()).url], "the checksum is wrong"),
        (["cnn10", "--out", "pretrained/Cnn6.pth", "--from", server.url], "Cnn6.pth"),
    ):
        code, out, err = call("download", *arguments)
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert message in err
    assert {path.name for path in tmp_path.rglob("*")} == {"pretrained", "Cnn6.pth"}
    assert "audiointerp download cnn14" in call("download", "--help")[1]


def test_sources_are_the_official_ones():
    assert {checkpoint.md5 for checkpoint in sources.CHECKPOINTS.values()} == {
        "541141fa2ee191a88f24a3219fff024e",
        "bfb1f1f9968938fa8ef4012b8471f5f6",
        "e25e26b84585b14c7754c91e48efc9be",
    }
    for url in (
        *(checkpoint.url for checkpoint in sources.CHECKPOINTS.values()),
        sources.ESC50_URL,
    ):
        assert check_url(url)
    with pytest.raises(ArgumentError):
        download("../x", ".")
    code = "import sys, audiointerp.downloads.sources; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def clip_bytes(seconds=5.0):
    buffer = io.BytesIO()
    soundfile.write(
        buffer, torch.zeros(round(100 * seconds)).numpy(), 100, format="WAV", subtype="PCM_U8"
    )
    return buffer.getvalue()


def esc50_zip(change=lambda rows, files: None):
    """An archive in the form of the data set's repository, its clips at 100 Hz."""
    rows = [
        [f"{n % 5 + 1}-{n}-A-{n // 40}.wav", n % 5 + 1, n // 40, f"class{n // 40}", n % 2 == 0]
        for n in range(2000)
    ]
    files = {f"audio/{row[0]}": CLIP for row in rows} | {"README.md": b"ESC-50"}
    change(rows, files)
    table = io.StringIO()
    csv.writer(table).writerows([["filename", "fold", "target", "category", "esc10"], *rows])
    files["meta/esc50.csv"] = table.getvalue().encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(f"ESC-50-master/{name}", body)
    return buffer.getvalue()


CLIP = clip_bytes()


def test_esc50_comes_whole(call, serve, tmp_path, monkeypatch):
    body = esc50_zip()
    server = serve(cut(99_999, body), whole(body))
    done = call("download", "esc50", "--from", server.url)
    assert done == (0, "data/ESC-50 is complete\n", "")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["ESC-50"]
    assert len(ESC50(tmp_path / "data" / "ESC-50", (5,))) == 400
    requests = len(server.requests)
    assert call("download", "esc50", "--from", server.url) == done
    assert len(server.requests) == requests
    next((tmp_path / "data" / "ESC-50" / "audio").iterdir()).unlink()
    code, _, err = call("download", "esc50", "--from", server.url)
    assert code == 1
    assert "data/ESC-50: is not a complete ESC-50: 1 clips are missing" in err


def add(name, body):
    return lambda rows, files: files.update({name: body})


CHANGES = {
    "a clip is missing": (
        lambda rows, files: files.pop("audio/1-0-A-0.wav"),
        "1 clips are missing, e.g. 1-0-A-0.wav",
    ),
    "a clip too many": (add("audio/x.wav", CLIP), "1 files are not in the table, e.g. 'x.wav'"),
    "a short clip": (add("audio/1-0-A-0.wav", clip_bytes(4.99)), "1 clips are not audio of 5 s"),
    "a clip of text": (add("audio/1-0-A-0.wav", b"text"), "1 clips are not audio of 5 s"),
    "a row is missing": (
        lambda rows, files: rows.pop(),
        "the table does not have 40 clips in each class",
    ),
    "another fold": (
        lambda rows, files: rows[0].__setitem__(1, 2),
        "the table does not have 400 clips in each fold",
    ),
    "an unknown fold": (lambda rows, files: rows[0].__setitem__(1, 6), "fold is '6'"),
    "a clip outside": (
        lambda rows, files: rows[0].__setitem__(0, "../x.wav"),
        "is not a complete ESC-50 ",
    ),
    "an entry outside": (add("../../canary", b"x"), "not a path inside"),
    "a bomb": (add("zeros", bytes(3 * 10**7)), "unpacks to more"),
    "an empty table": (lambda rows, files: rows.clear(), "is not a complete ESC-50"),
}


@pytest.mark.parametrize("kind", list(CHANGES)[:: torture(6, 1)])
def test_or_esc50_does_not_come(kind, serve, tmp_path):
    change, message = CHANGES[kind]
    with pytest.raises(DownloadError, match=message):
        download("esc50", tmp_path, url=serve(whole(esc50_zip(change))).url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [BODY, b"", b"PK\x05\x06" + bytes(18), esc50_zip(lambda rows, files: rows.clear())[:-30]],
)
def test_no_archive_at_all(body, serve, tmp_path):
    with pytest.raises(AudioInterpError):
        download("esc50", tmp_path, url=serve(whole(body)).url)
    assert list(tmp_path.iterdir()) == []
