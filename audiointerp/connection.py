"""Connections that are encrypted, lead nowhere else, and end: every read of one is bounded in time."""

import functools
import http.client
import io
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import DownloadError

LOCAL = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout: seconds for a connection, and for each read.
        grace: seconds that a try may take beyond what ``slowest`` gives it.
        slowest: bytes a second, on the mean of a try; so a try takes at most ``grace + size / slowest`` seconds.
        tries: how often a file is asked for.
        pause: seconds before the second try; doubled before each further one.
    """

    timeout: float = 20.0
    grace: float = 60.0
    slowest: float = 2.0**15
    tries: int = 5
    pause: float = 1.0


class TryAgain(Exception):
    """A failure that another try may not meet."""


def check_url(url: str, local: bool = False) -> str:
    """The URL, if it is one of HTTPS; with ``local``, plain HTTP to this machine is allowed too.

    >>> check_url("https://zenodo.org/records/3987831")
    'https://zenodo.org/records/3987831'

    Raises:
        DownloadError: it is anything else.
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (local and parts.scheme == "http" and parts.hostname in LOCAL)
        plain = url.isprintable() and " " not in url and bool(parts.hostname) and parts.port != 0
        fine = secure and plain
    except ValueError:
        fine = False
    if not fine:
        raise DownloadError(
            f"{url!r:.200}: only https:// addresses are fetched (http:// of 127.0.0.1 with local=True or --from)"
        )
    return url


def said(error: BaseException) -> str:
    """What went wrong on the network, in one line."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(reason).split()) or type(reason).__name__


def open_url(url: str, headers: dict[str, str], local: bool, patience: Patience) -> Any:
    """An open answer whose every read is bounded in time.

    Raises:
        HTTPError: the server refuses.
        TryAgain: it cannot be reached, or breaks off.
        DownloadError: the address, or one that it redirects to, is not allowed.
    """
    opener = urllib.request.OpenerDirector()  # without the handlers of file:, ftp: and data:
    for handler in (
        urllib.request.ProxyHandler(), urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(),
        _Redirects(local), _Http(patience), _Https(patience),
    ):  # fmt: skip
        opener.add_handler(handler)
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=patience.timeout)
    except (urllib.error.HTTPError, DownloadError):
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TryAgain(said(error)) from error
    if response is None:
        raise DownloadError(f"{url!r:.200}: not an address that can be fetched")
    return response


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a few redirects, to where :func:`check_url` allows."""

    max_redirections = 5
    max_repeats = 2

    def __init__(self, local: bool) -> None:
        self.local = local

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        fp.close()  # or all of its content would be read, into memory
        check_url(newurl, self.local and req.type == "http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Http(urllib.request.HTTPHandler):
    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience

    def http_open(self, req: Any) -> Any:
        return self.do_open(_bounded(http.client.HTTPConnection, self.patience), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self.patience = patience

    def https_open(self, req: Any) -> Any:
        return self.do_open(_bounded(http.client.HTTPSConnection, self.patience), req)


def _bounded(kind: Callable[..., Any], patience: Patience) -> Callable[..., Any]:
    def connect(host: str, **settings: Any) -> Any:
        connection = kind(host, **settings)
        connection.response_class = functools.partial(_Response, patience)
        return connection

    return connect


class _Response(http.client.HTTPResponse):
    """An answer that is read through :class:`_Paced`, its first line already."""

    def __init__(self, patience: Patience, sock: socket.socket, *arguments: Any, **settings: Any) -> None:
        super().__init__(sock, *arguments, **settings)
        self.fp = io.BufferedReader(_Paced(self.fp, sock, patience))


class _Paced(io.RawIOBase):
    """A connection on which a server that trickles is left: each byte buys time, and none buys much."""

    def __init__(self, file: Any, sock: socket.socket, patience: Patience) -> None:
        self.file, self.sock, self.patience = file, sock, patience
        self.start, self.received = time.monotonic(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        allowed = self.patience.grace + self.received / self.patience.slowest
        left = self.start + allowed - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"slower than {self.patience.slowest:.0f} bytes a second")
        self.sock.settimeout(min(left, self.patience.timeout))
        count: int = self.file.raw.readinto(buffer)
        self.received += count
        return count

    def close(self) -> None:
        self.file.close()
        super().close()
