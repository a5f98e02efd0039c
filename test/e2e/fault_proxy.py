# SPDX-License-Identifier: Apache-2.0
"""A proxy between a client and the Kubernetes API server that fails on demand.

It ends the client's TLS with a certificate of its own, speaks HTTP/1.1 to both sides and passes everything through, any
number of watches at once, until a fault is injected:

    with FaultProxy("https://10.244.0.1:6443", ca="pki/ca.crt", token="…") as proxy:
        start_client(kubeconfig=proxy.kubeconfig)
        injection = proxy.inject(status(429, retry_after=2), match=r"/migrationtasks", method="PATCH", times=3)
        injection.wait(3)           # until it has struck three times
        proxy.freeze()              # half-open: what is connected now never hears anything again

Only Python's standard library; the certificate is made by the openssl command. Must not know what the objects mean.
"""

import asyncio
import collections
import contextlib
import ctypes
import dataclasses
import http
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

LINE_MAX = 64 << 20
CLONE_NEWNET = 0x40000000
_NO_LINGER = struct.pack("ii", 1, 0)
_REASONS = {409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests", 401: "Unauthorized",
            403: "Forbidden", 404: "NotFound", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class _Gone(Exception):
    """The exchange is over: the client's connection is to be closed without a word more."""


@dataclasses.dataclass
class Request:
    method: str
    path: str
    """With the query."""
    headers: list
    body: bytes
    user_agent: str = ""
    status: int = 0
    """Of the answer that the client got; 0 while there is none."""
    at: float = 0.0
    """time.monotonic() of its arrival."""


# ---- faults ---------------------------------------------------------------------------------------------------------
# A fault is an async function of an _Exchange. It answers the client in its own way.

def status(code, message="injected by the fault proxy", retry_after=None):
    """The API server is not asked; the client gets this status, with a Status object."""
    async def fault(exchange):
        headers = [("Retry-After", str(retry_after))] if retry_after is not None else []
        await exchange.reply(code, _status_object(code, message), headers)
    return fault


def error_event(code=410, after=0):
    """An ERROR event in a watch's stream after so many events, then the stream's end."""
    async def fault(exchange):
        stream = await exchange.forward()
        await exchange.lines(stream, after)
        event = {"type": "ERROR", "object": _status_object(code, "injected by the fault proxy")}
        await exchange.send(json.dumps(event).encode() + b"\n")
        await exchange.end()
    return fault


def garbage(after=0, text=b'{"type":"ADDED","object":{"metadata":{"name":\n'):
    """A line that is no JSON after so many events."""
    async def fault(exchange):
        stream = await exchange.forward()
        await exchange.lines(stream, after)
        await exchange.send(text)
        await exchange.pipe(stream)
    return fault


def truncated(after=0):
    """After so many events (of an answer of one piece: in it) a chunk that is announced whole and given by half."""
    async def fault(exchange):
        stream = await exchange.forward()
        await exchange.half(stream, after)
        await exchange.close()
    return fault


def reset(after=0):
    """After so many events half of the next one, then a TCP reset."""
    async def fault(exchange):
        stream = await exchange.forward()
        await exchange.half(stream, after)
        exchange.reset()
    return fault


def ended(after=0):
    """The stream ends in good order after so many events."""
    async def fault(exchange):
        stream = await exchange.forward()
        await exchange.lines(stream, after)
        await exchange.end()
    return fault


def slow(delay=0.0005, piece=1):
    """The answer's body comes in pieces of so many bytes, each in a packet of its own, with a pause between them."""
    async def fault(exchange):
        stream = await exchange.forward()
        async for data in stream:
            for at in range(0, len(data), piece):
                await exchange.send(data[at:at + piece])
                await asyncio.sleep(delay)
        await exchange.end()
    return fault


def silence(after=None):
    """Half-open: after so many events (None: before any answer) nothing comes any more, and nobody says why."""
    async def fault(exchange):
        if after is not None:
            stream = await exchange.forward()
            await exchange.lines(stream, after)
        await asyncio.sleep(86400)
    return fault


def lost_reply():
    """The API server does what it was asked to do, but the client's connection is reset before it hears of it."""
    async def fault(exchange):
        stream = await exchange.forward(head=False)
        async for _ in stream:
            pass
        exchange.reset()
    return fault


def lost_request():
    """The connection is reset before the API server hears of it."""
    async def fault(exchange):
        exchange.reset()
    return fault


def delayed(seconds):
    """All as it should be, but late."""
    async def fault(exchange):
        await asyncio.sleep(seconds)
        await exchange.pipe(await exchange.forward())
    return fault


def close_after():
    """The answer says `Connection: close` and the connection is closed: what GOAWAY is to HTTP/2."""
    async def fault(exchange):
        exchange.last = True
        await exchange.pipe(await exchange.forward())
    return fault


def _status_object(code, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": _REASONS.get(code, "Unknown"), "code": code}


class Injection:
    """A fault that waits for its requests. times=None: all of them until removed."""

    def __init__(self, fault, match, method, times):
        self.fault, self.match, self.method = fault, re.compile(match), method
        self.left, self.hits = times, 0
        self._changed = threading.Condition()

    def take(self, request):
        with self._changed:
            if self.left == 0 or (self.method and self.method != request.method) or not self.match.search(request.path):
                return False
            self.left = None if self.left is None else self.left - 1
            self.hits += 1
            self._changed.notify_all()
            return True

    def wait(self, hits=1, timeout=60):
        """Until it has struck so many times."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits >= hits, timeout):
                raise AssertionError(f"{self.hits} of {hits} requests for {self.match.pattern} came in {timeout} s")

    def remove(self):
        with self._changed:
            self.left = 0


# ---- one request and its answer --------------------------------------------------------------------------------------

class _Exchange:
    """One request of a client's connection, as faults see it."""

    def __init__(self, connection, request):
        self.connection, self.request = connection, request
        self.last = False
        self.chunked = False
        self.piece = b""  # what was read beyond the lines that were given

    async def _write(self, data):
        await self.connection.thawed.wait()
        self.connection.writer.write(data)
        await self.connection.writer.drain()

    async def reply(self, code, document, headers=()):
        body = json.dumps(document).encode()
        await self._head(code, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
        await self._write(body)

    async def _head(self, code, headers):
        self.request.status = code
        if self.last:
            headers = [(name, value) for name, value in headers if name.lower() != "connection"] + [("Connection", "close")]
        lines = [f"HTTP/1.1 {code} {http.HTTPStatus(code).phrase if code in _HTTP_CODES else 'Unknown'}"]
        await self._write("\r\n".join(lines + [f"{name}: {value}" for name, value in headers] + ["", ""]).encode("latin-1"))

    async def forward(self, head=True):
        """Asks the API server and passes its status and headers on; the body's pieces are what is returned."""
        code, headers, body = await self.connection.ask(self.request)
        self.chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
        if head:
            await self._head(code, headers)
        return body

    async def send(self, data, announced=None):
        """announced: how long the chunk is said to be."""
        if not data:
            return
        if self.chunked:
            data = b"%x\r\n%s%s" % (announced or len(data), data, b"" if announced else b"\r\n")
        await self._write(data)

    async def end(self):
        if self.chunked:
            await self._write(b"0\r\n\r\n")

    async def pipe(self, stream):
        await self.send(self.piece)
        async for data in stream:
            await self.send(data)
        await self.end()

    async def _next_line(self, stream):
        """A line with its end; at the end of the stream what is left, which may be nothing."""
        while b"\n" not in self.piece:
            try:
                self.piece += await anext(stream)
            except StopAsyncIteration:
                line, self.piece = self.piece, b""
                return line
        line, newline, self.piece = self.piece.partition(b"\n")
        return line + newline

    async def lines(self, stream, count):
        for _ in range(count):
            await self.send(await self._next_line(stream))

    async def half(self, stream, after):
        await self.lines(stream, after)
        line = await self._next_line(stream)
        await self.send(line[:len(line) // 2], announced=len(line))
        await asyncio.sleep(0.05)  # so that it is not overtaken by the end

    async def close(self):
        self.connection.writer.close()
        raise _Gone

    def reset(self):
        self.connection.reset()
        raise _Gone


_HTTP_CODES = {code.value for code in http.HTTPStatus}


async def _read_head(reader):
    """The first line and the headers; (None, None) at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        return None, None
    first, *rest = head.decode("latin-1").split("\r\n")
    return first, [tuple(part.strip() for part in line.split(":", 1)) for line in rest if ":" in line]


def _header(headers, name):
    return next((value for n, value in headers if n.lower() == name), "")


async def _read_body(reader, headers):
    """The body's pieces, out of their chunks. What ends too early raises, so that the client sees it, too."""
    if "chunked" in _header(headers, "transfer-encoding").lower():
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
    else:
        left = int(_header(headers, "content-length") or 0)
        while left:
            data = await reader.read(min(left, 65536))
            if not data:
                raise ConnectionResetError("the answer is shorter than announced")
            left -= len(data)
            yield data


class _Connection:
    """One client's connection, and the one to the API server that belongs to it."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.outer, self.writer = proxy, reader, writer
        self.reader = asyncio.StreamReader(limit=LINE_MAX)  # fed by _pump, so that the client's end is seen at once
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.upstream = None

    def reset(self):
        with contextlib.suppress(OSError):
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.writer.transport.abort()

    async def _pump(self):
        with contextlib.suppress(ConnectionError, ssl.SSLError, OSError):
            while data := await self.outer.read(65536):
                self.reader.feed_data(data)
        self.reader.feed_eof()

    async def serve(self):
        pump = asyncio.ensure_future(self._pump())
        work = asyncio.ensure_future(self._requests())
        try:
            # A client that leaves takes its watch at the API server with it.
            await asyncio.wait({pump, work}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, work):
                task.cancel()
            await asyncio.gather(pump, work, return_exceptions=True)
            self._drop_upstream()
            self.writer.close()

    async def _requests(self):
        with contextlib.suppress(_Gone, ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, OSError):
            while await self._request():
                pass

    async def _request(self):
        first, headers = await _read_head(self.reader)
        if first is None:
            return False
        method, path, _ = first.split(" ", 2)
        body = b"".join([piece async for piece in _read_body(self.reader, headers)])
        request = Request(method, path, headers, body, _header(headers, "user-agent"), at=time.monotonic())
        self.proxy.note(request)
        exchange = _Exchange(self, request)
        fault = self.proxy.take_fault(request)
        if "upgrade" in _header(headers, "connection").lower():
            await self._tunnel(request)
        elif fault:
            await fault(exchange)
            self._drop_upstream()  # the answer may not have been read to its end
        else:
            await exchange.pipe(await exchange.forward())
        return not exchange.last and _header(headers, "connection").lower() != "close"

    # -- the API server's side

    def _drop_upstream(self):
        if self.upstream:
            self.upstream[1].close()
        self.upstream = None

    async def _send_upstream(self, request):
        headers = [(name, value) for name, value in request.headers
                   if name.lower() not in ("host", "transfer-encoding", "content-length", "accept-encoding")]
        headers.append(("Host", self.proxy.upstream_netloc))
        if request.body or request.method not in ("GET", "HEAD", "DELETE"):
            headers.append(("Content-Length", str(len(request.body))))
        lines = [f"{request.method} {request.path} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers]
        self.upstream[1].write("\r\n".join(lines + ["", ""]).encode("latin-1") + request.body)
        await self.upstream[1].drain()

    async def ask(self, request):
        """Status, headers and the body's pieces. A kept connection that the API server has closed is made anew."""
        kept = self.upstream is not None
        if not kept:
            self.upstream = await self.proxy.connect()
        try:
            await self._send_upstream(request)
            first, headers = await _read_head(self.upstream[0])
        except ConnectionError:
            first = None
        if first is None:
            self._drop_upstream()
            if kept:
                return await self.ask(request)
            raise ConnectionResetError("the API server closed the connection")
        code = int(first.split(" ", 2)[1])
        headers = [(name, value) for name, value in headers if name.lower() not in ("connection", "keep-alive")]
        empty = request.method == "HEAD" or code in (204, 304)
        return code, headers, _read_body(self.upstream[0], [] if empty else headers)

    async def _tunnel(self, request):
        """kubectl exec and the like: bytes both ways."""
        self._drop_upstream()
        self.upstream = await self.proxy.connect()
        await self._send_upstream(request)
        request.status = 101

        async def copy(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        await asyncio.wait({asyncio.ensure_future(copy(self.reader, self.upstream[1])),
                            asyncio.ensure_future(copy(self.upstream[0], self.writer))},
                           return_when=asyncio.FIRST_COMPLETED)
        raise _Gone


# ---- the proxy -------------------------------------------------------------------------------------------------------

class FaultProxy:
    """upstream_server: "https://HOST:PORT"; ca: the file of its certificate authority; token: what the kubeconfig for
    clients holds (the client's own credentials are passed on as they are). address: where to listen; port 0: a free one.
    netns: a file such as /proc/PID/ns/net; all sockets live in that network namespace."""

    def __init__(self, upstream_server, ca, token=None, address="127.0.0.1", port=0, netns=None):
        split = urllib.parse.urlsplit(upstream_server)
        self.upstream_netloc = split.netloc
        self._upstream = (split.hostname, split.port or 443)
        self._upstream_tls = ssl.create_default_context(cafile=ca)
        self._token, self._address, self._wanted_port, self._netns = token, address, port, netns
        self._lock = threading.Lock()
        self._injections = []
        self._connections = set()
        self._listener = None
        self.port = None
        self.requests = collections.deque(maxlen=100000)
        """Every Request since the start."""

    # -- start and stop

    def start(self):
        self.directory = tempfile.mkdtemp(prefix="kubeferry-fault-proxy-")
        self._make_certificate()
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._failure = None
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True, name="fault-proxy")
        self._thread.start()
        started.wait()
        if self._failure:
            self._thread.join()
            raise self._failure
        self.kubeconfig = os.path.join(self.directory, "kubeconfig")
        self.write_kubeconfig(self.kubeconfig)
        return self

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _make_certificate(self):
        self.ca = os.path.join(self.directory, "ca.crt")
        self._key = os.path.join(self.directory, "tls.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-keyout", self._key, "-out", self.ca, "-subj", "/CN=fault-proxy", "-addext",
                        f"subjectAltName=IP:{self._address},IP:127.0.0.1,DNS:localhost"], check=True, capture_output=True)

    def _run(self, started):
        asyncio.set_event_loop(self._loop)
        try:
            if self._netns:
                _enter_network_namespace(self._netns)
            self._loop.run_until_complete(self._listen())
        except OSError as e:
            self._failure = e
            started.set()
            return
        started.set()
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _listen(self):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.ca, self._key)
        tls.set_alpn_protocols(["http/1.1"])
        self._listener = await asyncio.start_server(self._accept, self._address, self.port or self._wanted_port, ssl=tls, limit=LINE_MAX,
                                                    ssl_handshake_timeout=30, ssl_shutdown_timeout=1, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        connection = _Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        except asyncio.CancelledError:
            connection.reset()
        finally:
            self._connections.discard(connection)

    async def connect(self):
        host, port = self._upstream
        return await asyncio.open_connection(host, port, ssl=self._upstream_tls, server_hostname=host, limit=LINE_MAX,
                                             ssl_shutdown_timeout=1)

    def _call(self, function):
        """function() in the loop's thread; its result."""
        async def run():
            result = function()
            return await result if asyncio.iscoroutine(result) else result
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    # -- for tests

    @property
    def url(self):
        return f"https://{self._address}:{self.port}"

    def write_kubeconfig(self, path, token=None):
        """JSON, which is YAML, too. token: another identity than the proxy's."""
        with open(self.ca, encoding="ascii") as f:
            ca = f.read()
        import base64
        user = {"token": token or self._token} if token or self._token else {}
        document = {"apiVersion": "v1", "kind": "Config", "current-context": "faulty",
                    "clusters": [{"name": "faulty", "cluster": {
                        "server": self.url, "certificate-authority-data": base64.b64encode(ca.encode()).decode()}}],
                    "users": [{"name": "client", "user": user}],
                    "contexts": [{"name": "faulty", "context": {"cluster": "faulty", "user": "client"}}]}
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            json.dump(document, f)
        return path

    def inject(self, fault, match="", method=None, times=1):
        """The next `times` requests (None: all) whose path with query is found by the regular expression `match` get the
        fault. The oldest injection that fits a request takes it."""
        injection = Injection(fault, match, method, times)
        with self._lock:
            self._injections.append(injection)
        return injection

    def clear(self):
        """No faults any more; what is under way stays as it is."""
        with self._lock:
            for injection in self._injections:
                injection.remove()
            self._injections.clear()

    def break_connections(self):
        """All connections of now are reset."""
        def work():
            for connection in list(self._connections):
                connection.reset()
            return len(self._connections)
        return self._call(work)

    def freeze(self):
        """Half-open: on all connections of now nothing comes any more. New ones work."""
        def work():
            for connection in self._connections:
                connection.thawed.clear()
            return len(self._connections)
        return self._call(work)

    def down(self):
        """Connections are refused, and those of now reset."""
        def work():
            self._listener.close()
            for connection in list(self._connections):
                connection.reset()
        self._call(work)

    def up(self):
        self._call(self._listen)

    def open_connections(self):
        return self._call(lambda: len(self._connections))

    # -- for connections

    def note(self, request):
        self.requests.append(request)

    def take_fault(self, request):
        with self._lock:
            self._injections = [i for i in self._injections if i.left != 0]
            candidates = list(self._injections)
        return next((injection.fault for injection in candidates if injection.take(request)), None)


def _enter_network_namespace(path):
    """This thread alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(fd)
