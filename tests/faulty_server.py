"""A local HTTP server that answers requests by a list of steps, good or faulty."""

import hashlib
import http.server
import random
import threading
from contextlib import contextmanager, suppress

BODY = random.Random(0).randbytes(200_000)
OTHER = random.Random(1).randbytes(200_000)
MD5 = hashlib.md5(BODY).hexdigest()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = len(self.server.requests)
        self.server.requests.append(dict(self.headers))
        steps = self.server.steps
        self.close_connection = True
        # The client may close the connection early.
        with suppress(OSError):
            steps[min(number, len(steps) - 1)](self)

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", length=None, **headers):
        """Send an answer; ``length`` is the stated Content-Length, of the body if None."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving():
    """Give a function that starts a server; its last step answers all further requests."""
    running = []

    def start(*steps, context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        server.steps, server.requests, server.over = steps, [], threading.Event()
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/file"
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        running.append(server)
        return server

    try:
        yield start
    finally:
        for server in running:
            server.over.set()
            server.shutdown()
            server.server_close()


def whole(body=BODY):
    """Send all of a body."""
    return lambda handler: handler.answer(200, body)


def cut(stop, body=BODY):
    """State the length of the body, and close the connection after ``stop`` bytes."""
    return lambda handler: handler.answer(200, body[:stop], len(body))


def status(code, **headers):
    return lambda handler: handler.answer(code, b"no", **headers)


def redirect(url):
    return lambda handler: handler.answer(302, Location=url)


def raw(data):
    return lambda handler: handler.wfile.write(data)


def hang(data=b""):
    """Send some bytes, then nothing more; the connection stays open."""

    def step(handler):
        handler.wfile.write(data)
        handler.wfile.flush()
        handler.server.over.wait(30)

    return step


def endless(head):
    """Send zeros until the client gives up."""

    def step(handler):
        handler.wfile.write(head)
        while not handler.server.over.is_set():
            handler.wfile.write(bytes(2**16))

    return step


def chunked(body, end=b"0\r\n\r\n"):
    return raw(CHUNKED + b"%x\r\n%s\r\n" % (len(body), body) + end)


COMPLETE = {
    "at once": [whole()],
    "connection dropped": [cut(70_000), whole()],
    "connection dropped twice": [cut(70_000), cut(0), whole()],
    "server errors": [status(500), status(503), whole()],
    "too many requests": [status(429), whole()],
    "another file first": [whole(OTHER), whole()],
    "hangs before the answer": [hang(), whole()],
    "hangs in the head": [hang(b"HTTP/1.1 200 OK\r\nContent-"), whole()],
    "hangs in the body": [hang(HEAD + BODY[:70_000]), whole()],
    "not HTTP": [raw(b"\0\1\2 nonsense\r\n\r\n"), whole()],
    "chunked": [chunked(BODY)],
    "chunks cut": [chunked(BODY, b""), chunked(BODY)],
    "invalid chunk size": [raw(CHUNKED + b"zz\r\n"), whole()],
    "no length stated": [raw(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)],
    "redirected": [redirect("/elsewhere"), whole()],
}
"""Steps after which the complete file arrives."""
FAILED = {
    "states too small a length": ([lambda handler: handler.answer(200, BODY, 199_990)], "checksum"),
    "states too large a length": (
        [lambda handler: handler.answer(200, BODY, 200_999)],
        "connection",
    ),
    "wrong content": ([whole(OTHER)], "checksum is wrong"),
    "empty": ([whole(b"")], "checksum is wrong"),
    "no content": ([status(204)], "server answers 204"),
    "a part that was not requested": ([status(206)], "server answers 206"),
    "not found": ([status(404)], "server answers 404"),
    "forbidden": ([status(403)], "server answers 403"),
    "server error": ([status(500)], "server answers 500"),
    "hangs": ([hang()], "does not answer"),
    "hangs in every body": ([hang(HEAD + BODY[:9])], "connection failed"),
    "closes": ([raw(b"")], "connection failed"),
    "states to be too large": ([lambda handler: handler.answer(200, BODY, 10**12)], "larger than"),
    "endless": ([endless(b"HTTP/1.1 200 OK\r\n\r\n")], "larger than the limit"),
    "endless chunks": ([endless(CHUNKED + b"fffffff\r\n")], "larger than the limit"),
    "redirect with an endless body": (
        [endless(b"HTTP/1.1 302 Found\r\nLocation: /file\r\n\r\n")],
        "more than 5 redirects",
    ),
    "redirect loop": ([redirect("/file")], "more than 5 redirects"),
    "redirect to a file": ([redirect("file:///etc/hostname")], "only https"),
    "redirect to ftp": ([redirect("ftp://127.0.0.1/file")], "only https"),
    "redirect to data": ([redirect("data:,abc")], "only https"),
    "redirect to plain http": ([redirect("http://example.invalid/file")], "only https"),
    "redirect to a look-alike": ([redirect("http://127.0.0.1.example.invalid/file")], "only https"),
    "redirect to a broken address": ([redirect("http://[::1/file")], "malformed"),
    "redirect without an address": ([status(302)], "server answers 302"),
}
"""Steps that never give the file, and what the error says."""
