"""Fetching a file from a server that does all that a server can do wrong: the right file or none, in bounded time."""

import json
import random
import shutil
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from conftest import torture
from faulty_server import BODY, HASTE, HEAD, MD5, NONE, OTHER, RIGHT, hang, raw, says, serving, to, whole

from audiointerp.connection import check_url
from audiointerp.downloads import download
from audiointerp.errors import DownloadError
from audiointerp.transfer import fetch

pytestmark = pytest.mark.torture
LIMIT = 15.0  # seconds for any case: 3 tries of at most 1 s, each perhaps redirected five times


@pytest.fixture
def serve():
    with serving() as start:
        yield start


def outcome(server, folder, md5=MD5, patience=HASTE):
    """The seconds and the error of one fetch; the file is right or absent, and nothing else is left but its part."""
    start, failure = time.monotonic(), None
    try:
        fetch(server.url, folder / "file", md5=md5, largest=1_000_000, local=True, patience=patience)
    except DownloadError as error:
        failure = str(error)
    seconds = time.monotonic() - start
    assert seconds < LIMIT
    left = {path.name for path in folder.iterdir()}
    if failure is None:
        assert (folder / "file").read_bytes() == BODY
        assert left == {"file"}
    else:
        assert left <= {"file.part", "file.part.json"}
        assert "\n" not in failure
    return seconds, failure


@pytest.mark.parametrize("kind", RIGHT)
def test_the_right_file(kind, serve, tmp_path):
    server = serve(*RIGHT[kind])
    assert outcome(server, tmp_path)[1] is None
    asked = len(server.asked)
    assert outcome(server, tmp_path)[1] is None
    assert len(server.asked) == asked, "fetched again"


@pytest.mark.parametrize("kind", NONE)
def test_or_none(kind, serve, tmp_path):
    server = serve(*NONE[kind])
    assert outcome(server, tmp_path)[1] is not None
    assert len(server.asked) <= 3 * 6


def test_a_cut_is_continued_and_nothing_is_fetched_twice(serve, tmp_path, figure):
    """At every byte, by a later call, as after a killed process."""
    once = replace(HASTE, tries=1)
    cuts = sorted({0, 1, 2, 65_535, 65_536, 65_537, 199_999, *random.Random(2).sample(range(200_000), torture(8, 400))})
    for stop in cuts:
        folder = tmp_path / str(stop)
        folder.mkdir()
        server = serve(whole(stop=stop), whole())
        _, failure = outcome(server, folder, patience=once)
        assert f"cut at byte {stop} of 200000" in failure
        assert outcome(server, folder, patience=once)[1] is None
        assert server.asked[1].get("Range") == (f"bytes={stop}-" if stop else None)
        assert server.asked[1].get("If-Range") == ('"1"' if stop else None)
    figure("downloads cut at a byte", f"{len(cuts)} of {len(cuts)} continued there, the right file each time")


def test_a_killed_process_leaves_what_can_be_continued(serve, tmp_path, figure):
    code = (
        "import sys; from audiointerp.transfer import fetch; "
        "fetch(sys.argv[1], sys.argv[2], md5=sys.argv[3], largest=10**6, local=True)"
    )

    def slowly(handler):
        handler.say(200, BODY[:20_000], len(BODY), ETag='"1"')
        for start in range(20_000, len(BODY), 20_000):
            handler.server.over.wait(0.02)
            handler.wfile.write(BODY[start : start + 20_000])

    count, continued = torture(1, 30), 0
    for number in range(count):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = serve(slowly, whole())
        process = subprocess.Popen([sys.executable, "-c", code, server.url, folder / "file", MD5])
        while not (folder / "file.part.json").exists():
            time.sleep(0.001)
        time.sleep(0.15 * number / count)
        process.kill()
        process.wait()
        complete = (folder / "file").exists()
        assert outcome(server, folder)[1] is None
        continued += complete or "Range" in server.asked[-1] or len(server.asked) == 1
    figure(
        "kill -9 of a download",
        f"{count} of {count} the right file by the next call, {continued} without beginning again",
    )


def test_a_part_that_was_complete_needs_no_server(serve, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY)
    server = serve(says(404))
    (tmp_path / "file.part.json").write_text(json.dumps({"url": server.url, "version": None, "total": len(BODY)}))
    assert outcome(server, tmp_path)[1] is None
    assert server.asked == []


NOTES = ["", "[]", "{}", '{"url": 3}', "[" * 99_999, '{"url": "U", "version": "a\\nb: c", "total": 5}',
         '{"url": "U", "version": 7, "total": 5}', '{"url": "https://other", "version": null, "total": 5}']  # fmt: skip


@pytest.mark.parametrize("note", NOTES)
def test_a_part_of_unknown_origin_is_not_continued(note, serve, tmp_path):
    server = serve(whole())
    (tmp_path / "file.part").write_bytes(b"wrong")
    (tmp_path / "file.part.json").write_text(note.replace('"U"', json.dumps(server.url)))
    assert outcome(server, tmp_path)[1] is None
    assert "Range" not in server.asked[0]


def test_without_a_checksum_only_a_named_version_is_continued(serve, tmp_path):
    server = serve(whole(OTHER, None, stop=70_000), whole())
    assert outcome(server, tmp_path, md5=None)[1] is None
    assert "Range" not in server.asked[1]
    server = serve(whole(stop=70_000), whole())
    (tmp_path / "file").unlink()
    assert outcome(server, tmp_path, md5=None)[1] is None
    assert server.asked[1]["Range"] == "bytes=70000-"


def test_a_wrong_file_is_moved_away(serve, tmp_path):
    (tmp_path / "file").write_bytes(OTHER)
    with pytest.raises(DownloadError, match="404"):
        fetch(serve(says(404)).url, tmp_path / "file", md5=MD5, largest=10**6, local=True, patience=HASTE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file.wrong": OTHER}


def test_the_disk_is_looked_at_before(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 150_000))
    server = serve(whole())
    assert "needs 200000 bytes, the disk has 150000 left" in outcome(server, tmp_path)[1]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DownloadError, match="the disk has 150000 left"):
        download("esc50", tmp_path, url=server.url, patience=HASTE)
    assert len(server.asked) == 1


def test_a_disk_that_fills_is_told(serve, tmp_path):
    """/dev/full in the part's place would be a link, which is refused; so a file-size limit, in a process of its own."""
    code = (
        "import resource, signal, sys; from audiointerp.transfer import fetch; from audiointerp.errors import DownloadError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))\n"
        "try: fetch(sys.argv[1], sys.argv[2], md5=sys.argv[3], largest=10**6, local=True)\n"
        "except DownloadError as error: print(error)"
    )
    server = serve(whole())
    done = subprocess.run(
        [sys.executable, "-c", code, server.url, tmp_path / "file", MD5], capture_output=True, text=True
    )
    assert done.stdout == f"{tmp_path / 'file'}: cannot be written (File too large)\n"
    assert not (tmp_path / "file").exists()
    assert outcome(server, tmp_path)[1] is None
    assert server.asked[-1]["Range"].startswith("bytes=")


def test_two_at_once(serve, tmp_path):
    server = serve(hang(HEAD + BODY[:9]))
    said = []

    def first():
        with pytest.raises(DownloadError) as error:
            fetch(server.url, tmp_path / "file", md5=MD5, largest=10**6, local=True, patience=HASTE)
        said.append(str(error.value))

    thread = threading.Thread(target=first)
    thread.start()
    while not server.asked:
        time.sleep(0.01)
    with pytest.raises(DownloadError, match="another process"):
        fetch(server.url, tmp_path / "file", md5=MD5, largest=10**6, local=True, patience=HASTE)
    thread.join()
    assert len(said) == 1


def test_nothing_is_written_through_a_link(serve, tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "file.part").symlink_to("precious")
    with pytest.raises(DownloadError, match=r"file\.part"):
        fetch(serve(whole()).url, tmp_path / "file", md5=MD5, largest=10**6, local=True)
    assert (tmp_path / "precious").read_text() == "precious"


ADDRESSES = ["http://zenodo.org/x", "file:///etc/passwd", "ftp://a/b", "data:,x", "//a/b", "", "https://", "https:a",
             "http://localhost.evil/x", "http://evil@127.0.0.1.evil/", "https://a:0x/", "https://[::1", "https://a b",
             "https://a/\r\nX: y", "javascript:1", "HTTP://a/"]  # fmt: skip


@pytest.mark.parametrize("url", ADDRESSES)
def test_addresses_that_are_not_fetched(url):
    for local in (False, True):
        with pytest.raises(DownloadError, match="only https"):
            check_url(url, local)


def test_plain_http_to_this_machine_is_for_those_who_ask():
    with pytest.raises(DownloadError, match="only https"):
        check_url("http://127.0.0.1:80/x")
    assert check_url("http://127.0.0.1:80/x", local=True)


def test_https_does_not_lead_to_plain_http(serve, tmp_path, monkeypatch):
    key, page = tmp_path / "key.pem", serve(whole())
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", key, "-out", key.with_name("cert.pem"), "-days", "2", "-subj",
               "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]  # fmt: skip
    if shutil.which("openssl") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs openssl to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key.with_name("cert.pem"), key)
    folder = tmp_path / "files"
    folder.mkdir()
    stranger = serve(whole(), context=context)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(stranger, folder)[1]
    monkeypatch.setenv("SSL_CERT_FILE", str(key.with_name("cert.pem")))
    assert "only https" in outcome(serve(to(page.url), context=context), folder)[1]
    assert page.asked == []
    assert outcome(serve(whole(stop=70_000), to("/other"), whole(), context=context), folder)[1] is None
    (folder / "file").unlink()
    assert outcome(serve(raw(HEAD + BODY, 0.02), hang(), whole(), context=context), folder)[1] is None


def test_any_sequence_of_faults(serve, tmp_path, figure):
    steps = [step for case in (*RIGHT.values(), *NONE.values()) for step in case]
    draw, slowest, calls = random.Random(3), 0.0, 0
    count = torture(8, 250)
    for number in range(count):
        folder = tmp_path / str(number)
        folder.mkdir()
        server = serve(*draw.choices(steps, k=draw.randint(1, 4)), whole())
        for _ in range(5):  # the four faults end four calls at most
            seconds, failure = outcome(server, folder)
            calls += 1
            slowest = max(slowest, seconds)
            if failure is None:
                break
        assert failure is None
    figure(
        "a server at fault, any sequence",
        f"{count} sequences, {calls} calls: the right file or none; ≤ {slowest:.1f} s a call",
    )
