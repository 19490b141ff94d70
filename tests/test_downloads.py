"""Downloads from a server that does all that a server can do wrong: the right file or none, in bounded time."""

import csv
import hashlib
import http.server
import io
import json
import random
import shutil
import ssl
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import replace

import pytest
import soundfile
import torch
from conftest import torture

from audiointerp import downloads, transfer
from audiointerp.connection import Patience, check_url
from audiointerp.dataset import ESC50
from audiointerp.downloads import Source, download
from audiointerp.errors import ArgumentError, AudioInterpError, DownloadError
from audiointerp.transfer import fetch

pytestmark = pytest.mark.torture
BODY = random.Random(0).randbytes(200_000)
OTHER = random.Random(1).randbytes(200_000)
MD5 = hashlib.md5(BODY).hexdigest()
HASTE = Patience(timeout=torture(0.25, 0.5), grace=torture(0.5, 1.0), slowest=1e6, tries=3, pause=0.01)
LIMIT = 15.0  # seconds for any case: 3 tries of at most 1 s, each perhaps redirected five times


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = len(self.server.asked)
        self.server.asked.append(dict(self.headers))
        steps = self.server.steps
        self.close_connection = True
        with suppress(OSError):  # the client has gone
            steps[min(number, len(steps) - 1)](self)

    def log_message(self, *arguments):
        pass

    def say(self, status, body=b"", length=None, **headers):
        """Send an answer; ``length`` is what it claims, False for no claim."""
        self.send_response(status)
        if length is not False:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, data, pause=0.02):
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.over.wait(pause):
                return


@pytest.fixture
def serve():
    """Start a server that answers its requests by these steps, the last again and again."""
    running = []

    def start(*steps, context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        server.steps, server.asked, server.over = steps, [], threading.Event()
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/file"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.over.set()
        server.shutdown()
        server.server_close()


def part_asked_for(handler, body, tag):
    """Where a range begins that this version of the file may answer; None for the whole."""
    wanted, version = handler.headers.get("Range"), handler.headers.get("If-Range")
    if wanted is None or version not in (None, tag):
        return None
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def whole(body=BODY, tag='"1"', stop=None, extra=0):
    """A good server; ``stop`` cuts what it sends after so many bytes, ``extra`` is added to what it claims."""

    def step(handler):
        start = part_asked_for(handler, body, tag)
        headers = {"ETag": tag} if tag else {}
        if start is not None and start >= len(body):
            handler.say(416, Content_Range=f"bytes */{len(body)}")
        elif start is not None:
            rest = body[start:]
            handler.say(
                206,
                rest[:stop],
                len(rest) + extra,
                Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}",
                **headers,
            )
        else:
            handler.say(200, body[:stop], len(body) + extra, **headers)

    return step


def says(status, body=b"no", **headers):
    return lambda handler: handler.say(status, body, **headers)


def to(url):
    return lambda handler: handler.say(302, Location=url)


def raw(data, pause=None):
    def step(handler):
        if pause is None:
            handler.wfile.write(data)
            handler.wfile.flush()
        else:
            handler.drip(data, pause)

    return step


def hang(data=b""):
    def step(handler):
        handler.wfile.write(data)
        handler.wfile.flush()
        handler.server.over.wait(30)

    return step


def endless(head):
    def step(handler):
        handler.wfile.write(head)
        while not handler.server.over.is_set():
            handler.wfile.write(bytes(2**16))

    return step


def chunked(body, end=b"0\r\n\r\n"):
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:99], body[99:]))
    return raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + end)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
RIGHT = {
    "at once": [whole()],
    "cut, then continued": [whole(stop=70_000), whole()],
    "cut twice": [whole(stop=70_000), whole(stop=70_000), whole()],
    "cut at once": [whole(stop=0), whole()],
    "500 twice": [says(500), says(503), whole()],
    "too many requests": [says(429), whole()],
    "ignores the range": [whole(stop=70_000), says(200, BODY, ETag='"1"')],
    "the file changes between tries": [whole(OTHER, '"0"', stop=70_000), whole()],
    "changes and ignores If-Range": [
        whole(OTHER, '"0"', stop=70_000),
        says(206, BODY[70_000:], Content_Range="bytes 70000-199999/200000", ETag='"1"'), whole(),
    ],
    "changes its size and ignores If-Range": [
        whole(OTHER, None, stop=70_000), says(206, BODY[70_000:], Content_Range="bytes 70000-199998/199999"), whole(),
    ],
    "changes under no name": [
        whole(OTHER, None, stop=70_000), says(206, BODY[70_000:], Content_Range="bytes 70000-199999/200000"), whole(),
    ],
    "another range": [whole(stop=70_000), says(206, BODY[:130_000], Content_Range="bytes 0-129999/200000"), whole()],
    "a range unasked": [says(206, BODY[9:], Content_Range="bytes 9-199999/200000"), whole()],
    "a range of nonsense": [whole(stop=70_000), says(206, BODY[70_000:], Content_Range="bytes */²"), whole()],
    "416": [whole(stop=70_000), says(416), whole()],
    "claims more, then not": [whole(extra=999), whole()],
    "hangs before the answer": [hang(), whole()],
    "hangs in the head": [hang(b"HTTP/1.1 200 OK\r\nContent-"), whole()],
    "hangs in the body": [hang(HEAD + BODY[:70_000]), whole()],
    "drips its head": [raw(b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 90, 0.02), whole()],
    "drips its body": [raw(HEAD + BODY, 0.02), whole()],
    "drips a chunk's size": [raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 9999, 0.02), whole()],
    "nonsense": [raw(b"\0\1\2 nonsense\r\n\r\n"), whole()],
    "an endless head": [endless(b"HTTP/1.1 200 OK\r\nX: "), whole()],
    "chunks": [chunked(BODY)],
    "chunks cut": [chunked(BODY, b""), chunked(BODY)],
    "chunks of nonsense": [raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), whole()],
    "closed instead of counted": [raw(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)],
    "redirected": [to("/elsewhere"), whole()],
}  # fmt: skip
NONE = {
    "claims less": [whole(BODY + b"x" * 9)],
    "claims less than it sends": [says(200, BODY, length=199_990)],
    "claims more": [whole(extra=999)],
    "wrong bytes": [whole(OTHER)],
    "nothing": [says(200, b"")],
    "no content": [says(204, b"")],
    "404": [says(404)],
    "403": [says(403)],
    "500": [says(500)],
    "416 always": [says(416)],
    "hangs": [hang()],
    "hangs in every body": [hang(HEAD + BODY[:9])],
    "closes": [raw(b"")],
    "too large by its claim": [says(200, BODY, length=10**12)],
    "a claim of nonsense": [raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc")],
    "endless": [endless(b"HTTP/1.1 200 OK\r\n\r\n")],
    "endless chunks": [endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n")],
    "an endless redirect": [endless(b"HTTP/1.1 302 Found\r\nLocation: /file\r\n\r\n")],
    "a loop": [to("/file")],
    "a long way": [lambda handler: handler.say(302, Location=f"/file{len(handler.server.asked)}")],
    "to a file": [to("file:///etc/hostname")],
    "to ftp": [to("ftp://127.0.0.1/file")],
    "to data": [to("data:,abc")],
    "to plain http elsewhere": [to("http://example.invalid/file")],
    "to a name like this machine's": [to("http://127.0.0.1.example.invalid/file")],
    "to nowhere": [to("http://[::1/file")],
    "to a port of nonsense": [to("http://127.0.0.1:port/file")],
    "without a place": [says(302)],
    "packed": [says(200, BODY, Content_Encoding="gzip")],
    "packed unknown": [says(200, BODY, Content_Encoding="br")],
}  # fmt: skip


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


@pytest.fixture
def call(in_this_process, tmp_path):
    return lambda *arguments: in_this_process(*arguments, place=tmp_path)


def test_the_command(call, serve, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "Patience", lambda: HASTE)
    monkeypatch.setitem(downloads.BACKBONES, "cnn6", Source("https://127.0.0.1:9/x", "Cnn6.pth", MD5, 10**6))
    server = serve(whole(stop=9), whole())
    done = call("download", "cnn6", "--from", server.url)
    assert done == (0, "pretrained/Cnn6.pth is there, whole\n", "")
    assert (tmp_path / "pretrained" / "Cnn6.pth").read_bytes() == BODY
    assert call("download", "cnn6") == done  # without a server
    for arguments, message in (
        (["cnn99"], "unknown download 'cnn99'; choose one of: cnn14, cnn10, cnn6, esc50"),
        (["cnn10", "--from", "http://example.org/x"], "only https"),
        (["cnn10", "--from", "file:///etc/passwd"], "only https"),
        (["cnn10", "--from", serve(says(404, X="y")).url], "the server says 404"),
        (["cnn10", "--from", serve(whole()).url], "gives another file than the one wanted"),
        (["cnn10", "--out", "pretrained/Cnn6.pth", "--from", server.url], "Cnn6.pth"),
    ):
        status, out, err = call("download", *arguments)
        assert (status, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert message in err
    assert {path.name for path in tmp_path.rglob("*")} == {"pretrained", "Cnn6.pth"}
    assert "audiointerp download cnn14" in call("download", "--help")[1]


def test_sources_are_the_reference_page_s():
    assert {source.md5 for source in downloads.BACKBONES.values()} == {
        "541141fa2ee191a88f24a3219fff024e", "bfb1f1f9968938fa8ef4012b8471f5f6", "e25e26b84585b14c7754c91e48efc9be",
    }  # fmt: skip
    for source in (*downloads.BACKBONES.values(), downloads.ESC50_ARCHIVE):
        assert check_url(source.url)
    with pytest.raises(ArgumentError):
        download("../x", ".")
    code = "import sys, audiointerp.downloads; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def clip_bytes(seconds=5.0):
    buffer = io.BytesIO()
    soundfile.write(buffer, torch.zeros(round(100 * seconds)).numpy(), 100, format="WAV", subtype="PCM_U8")
    return buffer.getvalue()


def esc50_zip(change=lambda rows, files: None):
    """An archive in the form of the data set's repository, its clips at 100 Hz."""
    rows = [
        [f"{n % 5 + 1}-{n}-A-{n // 40}.wav", n % 5 + 1, n // 40, f"class{n // 40}", n % 2 == 0] for n in range(2000)
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
    server = serve(whole(body, stop=99_999), whole(body))
    done = call("download", "esc50", "--from", server.url)
    assert done == (0, "data/ESC-50 is there, whole\n", "")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["ESC-50"]
    assert len(ESC50(tmp_path / "data" / "ESC-50", (5,))) == 400
    asked = len(server.asked)
    assert call("download", "esc50", "--from", server.url) == done
    assert len(server.asked) == asked
    next((tmp_path / "data" / "ESC-50" / "audio").iterdir()).unlink()
    status, _, err = call("download", "esc50", "--from", server.url)
    assert status == 1
    assert "data/ESC-50: is not a whole ESC-50: 1 clips are missing" in err


CHANGES = {
    "a clip is missing": (lambda rows, files: files.pop("audio/1-0-A-0.wav"), "1 clips are missing, 1-0-A-0.wav say"),
    "a clip too many": (lambda rows, files: files.update({"audio/x.wav": CLIP}), "1 files are not in its table, 'x.wav'"),
    "a short clip": (lambda rows, files: files.update({"audio/1-0-A-0.wav": clip_bytes(4.99)}), "1 clips are not audio of 5 s"),
    "a clip of text": (lambda rows, files: files.update({"audio/1-0-A-0.wav": b"text"}), "1 clips are not audio of 5 s"),
    "a row is missing": (lambda rows, files: rows.pop(), "its table has not 40 clips in each class"),
    "another fold": (lambda rows, files: rows[0].__setitem__(1, 2), "its table has not 400 clips in each fold"),
    "a fold of its own": (lambda rows, files: rows[0].__setitem__(1, 6), "fold is '6'"),
    "a name that leads out": (lambda rows, files: rows[0].__setitem__(0, "../x.wav"), "not the name of a file"),
    "an entry that leads out": (lambda rows, files: files.update({"../../canary": b"x"}), "not a path inside"),
    "a bomb": (lambda rows, files: files.update({"zeros": bytes(3 * 10**7)}), "unpacks to more"),
    "no table": (lambda rows, files: rows.clear(), "holds no clips"),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(CHANGES)[:: torture(6, 1)])
def test_or_esc50_does_not_come(kind, serve, tmp_path):
    change, message = CHANGES[kind]
    with pytest.raises(DownloadError, match=message):
        download("esc50", tmp_path, url=serve(whole(esc50_zip(change))).url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body", [BODY, b"", b"PK\x05\x06" + bytes(18), esc50_zip(lambda rows, files: rows.clear())[:-30]]
)
def test_no_archive_at_all(body, serve, tmp_path):
    with pytest.raises(AudioInterpError):
        download("esc50", tmp_path, url=serve(whole(body)).url)
    assert list(tmp_path.iterdir()) == []
