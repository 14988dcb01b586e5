"""What only WSGI has: an environ that everybody writes into, and threads that are used again."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from jwt_middleware import current_user, wsgi
from jwt_middleware.user import ANONYMOUS
from tests.worlds import SECRET, Clock, WSGIWorld


@pytest.fixture
def gate() -> WSGIWorld:
    """A gate with a secret."""
    return WSGIWorld(secret_key=SECRET, clock=Clock())


def environ_of(token: str) -> dict[str, Any]:
    """The environ of a request with a token."""
    return {"REQUEST_METHOD": "GET", "wsgi.url_scheme": "http", "HTTP_AUTHORIZATION": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("subject", "remote_user"),
    [
        pytest.param("42", "42", id="plain"),
        pytest.param("ada@example.com", "ada@example.com", id="mail"),
        pytest.param("Zoë", "Zoë", id="latin-1"),
        pytest.param("Ода", None, id="not-latin-1"),
        pytest.param("a\nb", None, id="line-end"),
        pytest.param("a\x00b", None, id="nul"),
    ],
)
def test_remote_user_holds_what_an_environ_can_carry(gate, subject, remote_user):
    """PEP 3333 strings are latin-1; a name beyond that is found in the typed user alone."""
    answer = gate.request(token=gate.auth.issue(subject))
    environ = answer.seen[0].surroundings
    assert environ.get("REMOTE_USER") == remote_user
    assert environ["AUTH_TYPE"] == "Bearer"
    assert answer.user.identity == subject


def test_the_body_of_the_app_is_handed_on_as_it_is(gate):
    """No wrapping, so that streaming and `wsgi.file_wrapper` keep working."""
    body = iter([b"a", b"b"])
    middleware = wsgi.JWTMiddleware(lambda environ, start_response: body, auth=gate.auth)
    environ = environ_of(gate.auth.issue("42"))
    assert middleware(environ, lambda *_: None) is body


def test_a_thread_that_is_used_again_forgets_the_last_user(gate):
    """The variable is set on every request, anonymous ones included."""
    open_gate = WSGIWorld(secret_key=SECRET, optional_paths="/", clock=Clock())
    assert open_gate.request(token=open_gate.auth.issue("42")).seen[0].current.identity == "42"
    assert open_gate.request().seen[0].current is ANONYMOUS


def test_threads_each_have_their_own_user(gate):
    """Eight threads, one middleware, no mix-up."""
    barrier = threading.Barrier(8)
    wrong: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        barrier.wait(10)
        if current_user() is not environ["jwt_middleware.user"]:
            wrong.append(environ)
        return []

    middleware = wsgi.JWTMiddleware(app, auth=gate.auth)
    environs = [environ_of(gate.auth.issue(str(n))) for n in range(8)]
    threads = [threading.Thread(target=middleware, args=(environ, lambda *_: None)) for environ in environs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {environ["REMOTE_USER"] for environ in environs} == set("01234567")


def test_a_path_that_is_not_utf_8_is_not_exempt():
    """It has no meaning that a rule could match."""
    gate = WSGIWorld(secret_key=SECRET, exempt_paths="/static/**", clock=Clock())
    assert gate.request(extra={"PATH_INFO": "/static/\xff"}).status == 401


def test_a_custom_header_is_found():
    """JWT_HEADER_NAME and a bare token, as some gateways send it."""
    gate = WSGIWorld(secret_key=SECRET, header_name="X-Access-Token", header_type="", clock=Clock())
    token = gate.auth.issue("42")
    assert gate.request(headers=[("X-Access-Token", token)]).user.identity == "42"
    assert gate.request(token=token).status == 401
