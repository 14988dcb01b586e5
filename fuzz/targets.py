"""What must hold for any bytes at all. Each target raises `AssertionError` where it does not, or what else it finds."""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache

from fuzz.rulefiles import rulesfile, verdicts
from jwt_middleware import InvalidToken, User
from jwt_middleware.asgi import JWTAuth as AsyncAuth
from jwt_middleware.gate.rules import Need, Rules, is_plain
from jwt_middleware.parsing import exempt_paths
from jwt_middleware.token import keys
from jwt_middleware.wsgi import JWTAuth
from tests.worlds import NOW, SECRET, ASGIWorld, Clock, WSGIWorld

__all__ = ["TARGETS"]

_EXEMPT = ("/health", "/static/**", "/a/b/**")
_ACCEPTED, _REFUSED = {200}, {400, 401}


def _b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


@cache
def _auth() -> JWTAuth:
    return JWTAuth(clock=Clock(), secret_key=SECRET)


def token(data: bytes) -> None:
    """Take a token as it is, or sign a header and a payload for it: a user whose claims are true, or `InvalidToken`."""
    kind, _, rest = data.partition(b"\n")
    raw = rest
    if kind == b"signed":
        header, _, payload = rest.partition(b"\n")
        message = _b64(header) + b"." + _b64(payload)
        raw = message + b"." + _b64(keys.from_secret(SECRET.encode(), ()).sign(message))
    try:
        user = _auth().core.verifier.verify(raw)
    except InvalidToken as error:
        refused = error
    else:
        _check_accepted(kind, user, payload if kind == b"signed" else b"")
        return
    assert str(refused.reason)
    assert refused.detail.isascii()


def _check_accepted(kind: bytes, user: User, payload: bytes) -> None:
    assert kind == b"signed", "a token that nobody signed"
    assert user.identity == json.loads(payload)["sub"]
    assert user.claims["exp"] > NOW - 30
    json.dumps(user.claims, allow_nan=False).encode()


@cache
def _worlds() -> tuple[ASGIWorld, WSGIWorld]:
    logging.disable(logging.CRITICAL)
    settings = {"secret_key": SECRET, "clock": Clock(), "exempt_paths": _EXEMPT, "optional_paths": ("/maybe",)}
    return ASGIWorld(auth=AsyncAuth(**settings)), WSGIWorld(auth=JWTAuth(**settings))


def headers(data: bytes) -> None:
    """Send one header a line: both adapters give the same verdict, which is 200, 400 or 401."""
    good = _auth().issue("42").encode()
    found = []
    for line in data.split(b"\n")[:6]:
        name, _, value = line.partition(b":")
        text = name.decode("latin-1").strip().lower()
        if text.isascii() and text.replace("-", "").isalnum():
            found.append((text, value.replace(b"$", good)))
    seen = []
    for world in _worlds():
        answer = world.request("/private", headers=found)
        seen.append((answer.status, answer.error, answer.user.identity if answer.passed else None))
    assert seen[0] == seen[1], f"the adapters differ: {seen}"
    assert seen[0][0] in _ACCEPTED | _REFUSED
    if seen[0][0] in _ACCEPTED:
        credentials = [value for name, value in found if name == "authorization"]
        assert [good in value for value in credentials] == [True], "nobody's request passed"


_RULES = Rules(_EXEMPT, ("/maybe",))


def rules(data: bytes) -> None:
    """Match any path by rules of any kind: what is exempt is plainly below a pattern, and never when re-encoded."""
    raw, _, pattern = data.partition(b"\n")
    path = raw.decode("utf-8", "replace")
    need = _RULES.verdict("GET", path, raw).need
    if need is not Need.TOKEN:
        assert is_plain(path)
        assert path in ("/health", "/maybe") or path.startswith(("/static/", "/a/b/"))
        assert not {"", ".", ".."} & set(path.split("/")[1:-1]), path
        for spoilt in (f"/{path}", f"{path}/..", f"{path};x", f"{path}\\", f"{path}%2e", f"{path}\0", path[1:]):
            assert _RULES.verdict("GET", spoilt, spoilt.encode("utf-8", "replace")).need is Need.TOKEN, spoilt
        assert _RULES.verdict("GET", path, raw + b"%2F").need is Need.TOKEN
    try:
        patterns = exempt_paths(pattern.decode("utf-8", "replace"))
    except ValueError:
        return
    own = Rules(patterns, ())
    assert own.verdict("GET", "/never-listed/by-anybody/x").need is Need.TOKEN or any(
        "/never-listed" in one for one in patterns
    )
    if own.verdict("GET", path, raw).need is Need.NOTHING:
        assert any(path == one or path.startswith(one.removesuffix("**")) for one in patterns)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "token": token, "headers": headers, "rules": rules, "rulesfile": rulesfile, "verdicts": verdicts,
}  # fmt: skip
