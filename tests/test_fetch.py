"""Downloads from a faulty server: the complete file or none, and an error of one line."""

import contextlib
import shutil
import ssl
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from faulty_server import (
    BODY,
    COMPLETE,
    FAILED,
    HEAD,
    MD5,
    OTHER,
    cut,
    hang,
    redirect,
    serving,
    status,
    whole,
)

from audiointerp.downloads.fetch import check_url
from audiointerp.downloads.fetch import fetch as fetch_file
from audiointerp.errors import DownloadError

pytestmark = pytest.mark.torture
MOST_SECONDS = 10.0


@pytest.fixture
def serve():
    with serving() as start:
        yield start


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Short timeouts, and no pause between tries."""
    monkeypatch.setattr("audiointerp.downloads.fetch.TIMEOUT", 0.25)
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


def fetch(url, path, md5=MD5):
    return fetch_file(url, path, md5=md5, largest=1_000_000, local=True)


@pytest.mark.parametrize("kind", COMPLETE)
def test_the_file_arrives_complete(kind, serve, tmp_path, capsys):
    server = serve(*COMPLETE[kind])
    path = fetch(server.url, tmp_path / "new" / "file")
    assert path.read_bytes() == BODY
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]
    requests = len(server.requests)
    assert fetch(server.url, path) == path
    assert len(server.requests) == requests, "downloaded again"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", FAILED)
def test_a_failed_download_leaves_nothing(kind, serve, tmp_path):
    steps, message = FAILED[kind]
    server = serve(*steps)
    start = time.monotonic()
    with pytest.raises(DownloadError, match=message) as error:
        fetch(server.url, tmp_path / "file")
    assert time.monotonic() - start < MOST_SECONDS
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    assert len(server.requests) <= 6


def test_what_cannot_succeed_is_not_retried(serve, tmp_path):
    for code in (404, 403):
        server = serve(status(code))
        with pytest.raises(DownloadError):
            fetch(server.url, tmp_path / "file")
        assert len(server.requests) == 1


def test_no_network(tmp_path):
    with pytest.raises(DownloadError, match="the connection failed; check the network"):
        fetch("https://127.0.0.1:9/file", tmp_path / "file")


def test_a_wrong_file_is_replaced_by_the_right_one_only(serve, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OTHER)
    with pytest.raises(DownloadError, match="404"):
        fetch(serve(status(404)).url, path)
    assert path.read_bytes() == OTHER
    fetch(serve(whole()).url, path)
    assert path.read_bytes() == BODY


def test_without_a_checksum_any_complete_file_is_accepted(serve, tmp_path):
    server = serve(cut(70_000, OTHER), whole(OTHER))
    assert fetch(server.url, tmp_path / "file", md5=None).read_bytes() == OTHER
    assert len(server.requests) == 2


def has_bytes(folder):
    # A file may go between its listing and the question for its size.
    with contextlib.suppress(FileNotFoundError):
        return any(entry.stat().st_size for entry in folder.iterdir())
    return False


def test_a_killed_process_leaves_no_file_of_that_name(serve, tmp_path):
    code = (
        "import sys; from audiointerp.downloads.fetch import fetch; "
        "fetch(sys.argv[1], sys.argv[2], md5=sys.argv[3], largest=10**6, local=True)"
    )
    server = serve(hang(HEAD + BODY[:150_000]), whole())
    path = tmp_path / "file"
    process = subprocess.Popen([sys.executable, "-c", code, server.url, path, MD5])
    while not has_bytes(tmp_path):
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not path.exists()
    assert fetch(server.url, path).read_bytes() == BODY


def test_a_full_disk(serve, tmp_path):
    """A limit on the size of files, in a process of its own, stands for a full disk."""
    code = (
        "import resource, signal, sys\n"
        "from audiointerp.downloads.fetch import fetch\n"
        "from audiointerp.errors import DownloadError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))\n"
        "try: fetch(sys.argv[1], sys.argv[2], md5=sys.argv[3], largest=10**6, local=True)\n"
        "except DownloadError as error: print(error)"
    )
    command = [sys.executable, "-c", code, serve(whole()).url, tmp_path / "file", MD5]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"{tmp_path / 'file'}: cannot be written (File too large)\n"
    assert list(tmp_path.iterdir()) == []


REFUSED_ADDRESSES = [
    "http://zenodo.org/x",
    "file:///etc/passwd",
    "ftp://a/b",
    "data:,x",
    "//a/b",
    "",
    "https://",
    "https:a",
    "http://localhost.evil/x",
    "http://evil@127.0.0.1.evil/",
    "https://a:0x/",
    "https://[::1",
    "https://a b",
    "https://a/\r\nX: y",
    "javascript:1",
    "HTTP://a/",
]


@pytest.mark.parametrize("url", REFUSED_ADDRESSES)
def test_addresses_that_are_not_fetched(url):
    for local in (False, True):
        with pytest.raises(DownloadError, match="only https"):
            check_url(url, local)


def test_plain_http_to_this_machine_must_be_allowed():
    with pytest.raises(DownloadError, match="only https"):
        check_url("http://127.0.0.1:80/x")
    assert check_url("http://127.0.0.1:80/x", local=True)


def test_https_certificates_are_verified_and_no_redirect_leads_to_http(
    serve, tmp_path, monkeypatch
):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    if (
        shutil.which("openssl") is None
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs openssl to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    path = tmp_path / "files" / "file"
    with pytest.raises(DownloadError, match="certificate cannot be verified"):
        fetch(serve(whole(), context=context).url, path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    plain = serve(whole())
    with pytest.raises(DownloadError, match="only https"):
        fetch(serve(redirect(plain.url), context=context).url, path)
    assert plain.requests == []
    server = serve(cut(70_000), redirect("/other"), whole(), context=context)
    assert fetch(server.url, path).read_bytes() == BODY
