"""Download one file over HTTPS: complete and with the right checksum, or not at all.

pooch downloads to a temporary name, checks the hash, retries and renames. This module adds limits:
which addresses are allowed (also after a redirect), and how large the file may be.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from tqdm import tqdm

from ..errors import DownloadError
from ..util import make_folder, one_line

LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")
HEADERS = {"User-Agent": "audiointerp", "Accept-Encoding": "identity"}
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each read."""
RETRIES = 2
MOST_REDIRECTS = 5
BUSY_STATUSES = (408, 429)
"""Client errors that a later try may not meet."""
CHUNK = 2**16
LONGEST_REASON = 200


def check_url(url: str, local: bool = False) -> str:
    """Return a URL if it may be fetched: any HTTPS address.

    Args:
        url: the address.
        local: whether to allow plain HTTP to this machine as well.

    Raises:
        DownloadError: the URL is of another kind, or malformed.

    >>> check_url("https://zenodo.org/records/3987831")
    'https://zenodo.org/records/3987831'
    """
    try:
        parts = urlsplit(url)
        is_local = local and parts.scheme == "http" and parts.hostname in LOCAL_HOSTS
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_local = is_complete = False
    is_secure = url.lower().startswith("https:")
    if not (is_complete and (is_secure or is_local) and url.isprintable() and " " not in url):
        raise DownloadError(
            f"{url!r:.200}: only https:// addresses are allowed (--from: also http://127.0.0.1)"
        )
    return url


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    md5: str | None,
    largest: int,
    local: bool = False,
) -> Path:
    """Download a file to ``path``, unless the right one is already there.

    A failed download starts again; it is not resumed. A killed process may leave a temporary file
    (``tmp…``) in the folder, but never an incomplete file at ``path``.

    Args:
        url: the address.
        path: the file to write. A file there with another checksum is replaced.
        md5: the expected checksum; if None, an existing file is kept unchecked.
        largest: the most bytes to accept.
        local: whether to allow plain HTTP to this machine.

    Returns:
        The path of the file.

    Raises:
        DownloadError: the server cannot be reached, refuses, sends another file or too many bytes,
            or redirects to an address that is not allowed; or the file cannot be written.

    >>> fetch("http://example.org/x", "x", md5=None, largest=10)
    Traceback (most recent call last):
    audiointerp.errors.DownloadError: 'http://example.org/x': only https:// addresses are ...
    """
    check_url(url, local)
    path = Path(path)
    storage = pooch.Pooch(
        make_folder(path.parent),
        base_url="",
        registry={path.name: f"md5:{md5}" if md5 else None},
        urls={path.name: url},
        retry_if_failed=RETRIES,
    )
    # A server asked over HTTPS must not redirect to plain HTTP.
    local = local and url.startswith("http:")
    try:
        with _quiet_pooch():
            storage.fetch(path.name, downloader=partial(_download, largest=largest, local=local))
    # The errors of requests are OSErrors too, so they come first.
    except (requests.RequestException, ValueError) as error:
        raise DownloadError(f"{url}: {_reason(error)}") from error
    except OSError as error:
        raise DownloadError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def _download(url: str, output_file: str, _: Any, *, largest: int, local: bool) -> None:
    """Write the content of a URL to a file; a downloader as pooch calls it."""
    with _Session() as session, _open(session, url, local) as response:
        if response.status_code in BUSY_STATUSES or response.status_code >= 500:
            response.raise_for_status()
        if response.status_code != 200:
            raise DownloadError(f"{url}: the server answers {response.status_code}")
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        progress = tqdm(
            total=total, desc="download", unit="B", unit_scale=True, disable=None, leave=False
        )
        with open(output_file, "wb") as file, progress:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                progress.update(len(chunk))
                if max(file.tell(), total or 0) > largest:
                    raise DownloadError(f"{url}: larger than the limit of {largest} bytes")


class _Session(requests.Session):
    """Returns redirects as they are: requests follows them anywhere, and reads all they contain."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _open(session: requests.Session, url: str, local: bool) -> requests.Response:
    """Request a URL and follow redirects, each to an allowed address only."""
    target = url
    for _ in range(MOST_REDIRECTS + 1):
        check_url(target, local)
        response = session.get(target, headers=HEADERS, timeout=TIMEOUT, stream=True)
        if not response.is_redirect:
            return response
        response.close()
        try:
            target = urljoin(target, response.headers["Location"])
        except ValueError as error:
            raise DownloadError(f"{url}: redirects to a malformed address") from error
    raise DownloadError(f"{url}: more than {MOST_REDIRECTS} redirects")


def _reason(error: Exception) -> str:
    """Describe why a download failed after all retries."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code}; try again later"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate cannot be verified"
    if isinstance(error, requests.Timeout):
        return f"the server does not answer within {TIMEOUT:g} s"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection failed; check the network and try again"
    if isinstance(error, requests.RequestException):
        return one_line(error, LONGEST_REASON)
    return "the checksum is wrong: this is not the expected file; nothing was kept"


@contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch's notes about retries and hashes off the terminal."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
