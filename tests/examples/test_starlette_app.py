"""The Starlette example and its FastAPI variant, by their own test client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from tests.examples.conftest import bearer

ADA = {"username": "ada", "password": "analytical engine"}
BOB = {"username": "bob", "password": "builds things"}
EXEMPT = {"app": "/login,/health", "fastapi_app": "/login,/health,/docs,/docs/oauth2-redirect,/openapi.json"}


@pytest.fixture(scope="module", params=EXEMPT)
def module(request: pytest.FixtureRequest, load: Callable[..., ModuleType]) -> ModuleType:
    """Either module, loaded with the settings of the README."""
    return load("starlette_app", request.param, exempt=EXEMPT[request.param])


@pytest.fixture
def client(module: ModuleType) -> Iterator[TestClient]:
    """Starlette's test client, which goes through the middleware."""
    with TestClient(module.app) as client:
        yield client


only_starlette = pytest.mark.parametrize("module", ["app"], indirect=True)
only_fastapi = pytest.mark.parametrize("module", ["fastapi_app"], indirect=True)


def token(client: TestClient, who: dict[str, str] = ADA) -> str:
    """Sign in."""
    return client.post("/login", json=who).json()["token"]


def test_the_tutorials_walk(client: TestClient) -> None:
    """Sign in by JSON, use the token, sign out, and the token is dead."""
    answer = client.post("/login", json={"username": "ada", "password": "analytical engine"})
    assert (answer.status_code, list(answer.json())) == (200, ["token"])
    headers = bearer(answer.json()["token"])
    seen = client.get("/protected", headers=headers).json()
    assert seen["message"] == "This is protected"
    assert (seen["user"]["identity"], seen["user"]["name"]) == ("ada", "Ada Lovelace")
    assert client.post("/logout", headers=headers).status_code == 204
    assert client.get("/protected", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "who", [ADA | {"password": "wrong"}, ADA | {"username": "nobody"}, {"username": "", "password": ""}], ids=str
)
def test_wrong_credentials(client: TestClient, who: dict[str, str]) -> None:
    """A wrong password and an unknown user get the same answer."""
    answer = client.post("/login", json=who)
    assert (answer.status_code, list(answer.json().values())) == (401, ["Invalid credentials"])


@only_starlette
@pytest.mark.parametrize("body", [b"", b"[]", b'"ada"', b"\xff", b'{"username": ["ada"], "password": 1}'], ids=repr)
def test_credentials_of_another_shape(client: TestClient, body: bytes) -> None:
    """A body of another shape signs nobody in."""
    assert client.post("/login", content=body).status_code == 401


@pytest.mark.parametrize("path", ["/protected", "/reports", "/nothing-here"])
def test_without_a_token(client: TestClient, path: str) -> None:
    """Every path is closed that is not exempt, unknown ones included."""
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_health_is_open(client: TestClient) -> None:
    """A probe needs no token."""
    assert client.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize(("who", "status"), [(ADA, 200), (BOB, 403)], ids=["ada", "bob"])
def test_scopes(client: TestClient, who: dict[str, str], status: int) -> None:
    """Only a token with the scope gets the reports."""
    assert client.get("/reports", headers=bearer(token(client, who))).status_code == status


def test_a_sign_out_that_is_not_stored(client: TestClient, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store does not confirm, the answer is 503 and never 204."""

    async def down(_: object) -> None:
        raise module.Unavailable("down")

    headers = bearer(token(client))
    monkeypatch.setattr(module.auth, "revoke", down)
    answer = client.post("/logout", headers=headers)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


@only_starlette
def test_a_websocket_with_a_token(client: TestClient) -> None:
    """The WebSocket greets the user of the token."""
    with client.websocket_connect("/ws", headers=bearer(token(client))) as websocket:
        assert websocket.receive_json() == {"message": "Hello Ada Lovelace"}


@only_starlette
@pytest.mark.parametrize("headers", [{}, bearer("x.y.z")], ids=["no token", "a bad token"])
def test_a_websocket_without_a_good_token(client: TestClient, headers: dict[str, str]) -> None:
    """The handshake is answered by 401, and the app is not called."""
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/ws", headers=headers):
        pass
    assert refused.value.status_code == 401


@only_starlette
def test_a_websocket_after_sign_out(client: TestClient) -> None:
    """A revoked token opens no WebSocket either."""
    headers = bearer(token(client))
    client.post("/logout", headers=headers)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ws", headers=headers):
        pass


@only_fastapi
@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect", "/openapi.json"])
def test_the_docs_are_open(client: TestClient, path: str) -> None:
    """The interactive docs load all they need without a token."""
    assert client.get(path).status_code == 200


@only_fastapi
def test_the_docs_offer_to_authorize(client: TestClient) -> None:
    """The schema says that the protected paths take a bearer token, and that the open ones do not."""
    paths: dict[str, Any] = client.get("/openapi.json").json()["paths"]
    assert paths["/protected"]["get"]["security"] == [{"HTTPBearer": []}]
    assert "security" not in paths["/login"]["post"]
