"""A client on a plain socket, which sends exactly what it is told and reads exactly one answer at a time."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

Headers = Sequence[tuple[str, str]]
TIMEOUT = 30.0


@dataclass(frozen=True)
class Answer:
    """One answer: `headers` in lower case, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return all values of a header, joined; empty if there is none."""
        return ", ".join(value for key, value in self.headers if key == name.lower())

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def verdict(self) -> tuple[int, str]:
        """The status and the `error` of one of our own answers."""
        return self.status, self.json()["error"]

    @property
    def seen(self) -> dict[str, Any] | None:
        """What the app was given, if it was called at all."""
        note = self.header("X-Seen")
        return json.loads(note) if note else None

    @property
    def outcome(self) -> str:
        """What became of the request, in a word: `app: ada GET /me`, `401 unauthorized`, or `server: 400`."""
        if seen := self.seen:
            return f"app: {seen['user'] or 'nobody'} {seen['method']} {seen['path']}"
        if challenge := self.header("WWW-Authenticate"):
            error = re.search(r'error="(\w+)"', challenge)
            return f"{self.status} {error[1] if error else 'unauthorized'}"
        return f"server: {self.status}" if self.status else "server: closed"


CLOSED = Answer(0, (), b"")  # the server hung up without a word


class Wire:
    """One TCP connection to a server. No server of ours may ever answer with a 5xx, unless it is told to."""

    def __init__(self, port: int, *, may_fail: bool = False) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._file = self._socket.makefile("rb")
        self._may_fail = may_fail

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def send(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> None:
        """Send one request; headers go out as given, in latin-1."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def write_if_open(self, data: bytes) -> None:
        """Send bytes, unless the server has closed: which it may."""
        with suppress(ConnectionError):
            self.write(data)

    def start(self, *, final: bool = True) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Read the status and the headers of the next answer, of the final one unless told otherwise."""
        status = 100
        while status == 100:
            line = self._file.readline()
            if not line:
                raise ConnectionError("the server closed the connection without an answer")
            status = int(line.split()[1])
            headers = tuple(self._header_lines())
            if not final:
                break
        assert status < 500 or self._may_fail, f"{line!r} {headers}"
        return status, headers

    def wait_for_continue(self) -> None:
        """Read the 100 that says that somebody is waiting for the body."""
        assert self._file.readline().split()[1] == b"100"
        assert list(self._header_lines()) == []

    def _header_lines(self) -> Iterator[tuple[str, str]]:
        while line := self._file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()

    def chunks(self, headers: Headers) -> Iterator[bytes]:
        """Yield the pieces of the body as they arrive."""
        known = dict(headers)
        if known.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self._file.readline().split(b";")[0], 16):
                yield self._file.read(size)
                self._file.readline()
            self._file.readline()
        elif "content-length" in known:
            yield self._file.read(int(known["content-length"]))
        else:
            while data := self._file.read1():
                yield data

    def answer(self, method: str = "GET") -> Answer:
        """Read one whole answer to a request of this method."""
        return self.finish(*self.start(), method)

    def finish(self, status: int, headers: Headers, method: str = "GET") -> Answer:
        """Read the body of an answer that has been started."""
        empty = method == "HEAD" or status in (204, 304)
        return Answer(status, tuple(headers), b"" if empty else b"".join(self.chunks(headers)))

    def outcome(self) -> str:
        """Read one answer; return what became of the request, also if the server hangs up."""
        try:
            return self.answer().outcome
        except ConnectionError:
            return CLOSED.outcome

    def ask(self, method: str, target: str, headers: Headers = (), body: bytes = b"") -> Answer:
        """Send one request and read its answer."""
        self.send(method, target, headers, body)
        return self.answer(method)

    def rest(self) -> bytes:
        """Read what there is until the server closes."""
        return self._file.read()


def request(line: str, *fields: str | bytes, host: bytes | None = b"localhost", body: bytes = b"") -> bytes:
    """Spell out a request as no client library would let us: texts go out in latin-1."""
    given = [b"Host: " + host] if host is not None else []
    given += [field if isinstance(field, bytes) else field.encode("latin-1") for field in fields]
    return b"\r\n".join([line.encode("latin-1"), *given, b"", body])


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Frame pieces of a body for `Transfer-Encoding: chunked`."""
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def bearer(token: str) -> list[tuple[str, str]]:
    """Return the header that carries a token."""
    return [("Authorization", f"Bearer {token}")]
