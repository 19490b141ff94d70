"""A server that does all that a server can do wrong: ``RIGHT`` are cases that end in the file, ``NONE`` those that cannot."""

import hashlib
import http.server
import random
import threading
from contextlib import contextmanager, suppress

from conftest import torture

from audiointerp.connection import Patience

BODY = random.Random(0).randbytes(200_000)
OTHER = random.Random(1).randbytes(200_000)
MD5 = hashlib.md5(BODY).hexdigest()
HASTE = Patience(timeout=torture(0.25, 0.5), grace=torture(0.5, 1.0), slowest=1e6, tries=3, pause=0.01)


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


@contextmanager
def serving():
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

    try:
        yield start
    finally:
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
