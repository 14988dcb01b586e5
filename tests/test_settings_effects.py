"""For each setting one proof that it changes behaviour, through both adapters. Whoever adds a setting adds a row."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError, Unavailable, asgi, wsgi
from jwt_middleware.settings import Settings
from tests.login.conftest import HASH, PASSWORD
from tests.servers import Server, binary
from tests.token.forge import (
    AUDIENCE,
    IAT,
    ISSUER,
    LONG_SECRET,
    OLD_SECRET,
    claims,
    jwk,
    private,
    private_pem,
    public_pem,
    token,
)
from tests.token.forge import jwks_file as write_jwks
from tests.worlds import NOW, SECRET, Clock, World

Protect = Callable[..., World]


@dataclasses.dataclass
class Stage:
    """What a proof may use."""

    protect: Protect
    clock: Clock
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def status(self, text: str, **settings: Any) -> int:
        """Return how an app with these settings answers a token."""
        return self.protect(**settings).request(token=text).status

    def sqlite(self) -> str:
        return f"sqlite:///{self.folder}/store.db"


PROOFS: dict[str, Callable[[Stage], None]] = {}


def proof(function: Callable[[Stage], None]) -> Callable[[Stage], None]:
    """Enter a function as the proof of the setting that it is named after."""
    PROOFS[function.__name__] = function
    return function


def test_each_setting_has_its_proof() -> None:
    """The table covers exactly the fields of `Settings`."""
    assert PROOFS.keys() == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Settings)])
def test_a_setting_changes_behaviour(
    name: str, protect: Protect, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting the same request ends another way than without it."""
    PROOFS[name](Stage(protect, clock, tmp_path, monkeypatch))


# --- keys ------------------------------------------------------------------------------------------------------------


@proof
def secret_key(stage: Stage) -> None:
    """Tokens of this secret pass, tokens of another do not."""
    assert stage.status(token(key=SECRET), secret_key=SECRET) == 200
    assert stage.status(token(key=SECRET), secret_key=OLD_SECRET) == 401


@proof
def previous_secret_keys(stage: Stage) -> None:
    """Tokens of the old secret go on passing."""
    assert stage.status(token(key=OLD_SECRET)) == 401
    assert stage.status(token(key=OLD_SECRET), secret_key=SECRET, previous_secret_keys=OLD_SECRET) == 200


@proof
def public_key(stage: Stage) -> None:
    """Tokens of the private half pass."""
    for kind, status in (("ES256", 200), ("other ES256", 401)):
        text = token(key=private("ES256"), alg="ES256")
        assert stage.status(text, public_key=public_pem(kind), allow_any_audience=True) == status


@proof
def private_key(stage: Stage) -> None:
    """It signs what passes."""
    world = stage.protect(private_key=private_pem("ES256"), audience=AUDIENCE)
    assert world.request(token=world.auth.issue("42")).user.identity == "42"


@proof
def keys_dir(stage: Stage) -> None:
    """A key in the folder verifies under the name of its file."""
    folder = stage.folder / "keys"
    folder.mkdir()
    (folder / "a.pem").write_text(public_pem("ES256"))
    for kid, status in (("a", 200), ("b", 401)):
        text = token(key=private("ES256"), alg="ES256", header={"kid": kid})
        assert stage.status(text, keys_dir=folder, allow_any_audience=True) == status


@proof
def jwks_file(stage: Stage) -> None:
    """A key in the set verifies, one that is not in it does not."""
    file = write_jwks(stage.folder, jwk("ES256", kid="a"))
    for kind, status in (("ES256", 200), ("other ES256", 401)):
        text = token(key=private(kind), alg="ES256", header={"kid": "a"})
        assert stage.status(text, jwks_file=file, allow_any_audience=True) == status


@proof
def algorithms(stage: Stage) -> None:
    """The secret does the hash that is named, and no other."""
    for named, status in (("HS512", 200), ("HS256", 401)):
        assert stage.status(token(key=LONG_SECRET, alg="HS512"), secret_key=LONG_SECRET, algorithms=named) == status


# --- token policy ----------------------------------------------------------------------------------------------------


@proof
def issuer(stage: Stage) -> None:
    """Tokens of another issuer are refused."""
    assert stage.status(token(claims(iss="x"))) == 200
    assert stage.status(token(claims(iss="x")), issuer=ISSUER) == 401
    assert stage.status(token(claims(iss=ISSUER)), issuer=ISSUER) == 200


@proof
def audience(stage: Stage) -> None:
    """Tokens for us pass, where without the setting no token with `aud` does."""
    assert stage.status(token(claims(aud=AUDIENCE))) == 401
    assert stage.status(token(claims(aud=AUDIENCE)), audience=AUDIENCE) == 200
    assert stage.status(token(), audience=AUDIENCE) == 401


@proof
def allow_any_audience(stage: Stage) -> None:
    """Tokens for others pass."""
    assert stage.status(token(claims(aud="x"))) == 401
    assert stage.status(token(claims(aud="x")), allow_any_audience=True) == 200


@proof
def leeway(stage: Stage) -> None:
    """A token that has just expired passes, or does not."""
    for seconds, status in ((30, 200), (5, 401)):
        assert stage.status(token(claims(exp=IAT - 10)), leeway=seconds) == status


@proof
def max_age(stage: Stage) -> None:
    """A token that was issued long ago is refused, also when it is already in the cache."""
    text = token(claims(iat=IAT - 100, exp=IAT + 1000))
    assert stage.status(text) == 200
    assert stage.status(text, max_age=60) == 401
    world = stage.protect(max_age=110, leeway=0, cache_seconds=600)
    assert world.request(token=text).status == 200
    stage.clock.now = NOW + 10
    assert world.request(token=text).status == 401


@proof
def max_lifetime(stage: Stage) -> None:
    """A token that lives too long is refused."""
    assert stage.status(token(claims(exp=IAT + 901))) == 200
    assert stage.status(token(claims(exp=IAT + 901)), max_lifetime=900) == 401


@proof
def required_claims(stage: Stage) -> None:
    """A token without the claim is refused."""
    assert stage.status(token()) == 200
    assert stage.status(token(), required_claims="tenant") == 401
    assert stage.status(token(claims(tenant="a")), required_claims="tenant") == 200


@proof
def token_types(stage: Stage) -> None:
    """A `typ` that is not named is refused."""
    assert stage.status(token(header={"typ": "JWT"})) == 200
    assert stage.status(token(header={"typ": "JWT"}), token_types="at+jwt") == 401


@proof
def max_token_bytes(stage: Stage) -> None:
    """Longer tokens are refused."""
    text = token(claims(x="x" * 1000))
    assert stage.status(text) == 200
    assert stage.status(text, max_token_bytes=1000) == 401


@proof
def identity_claim(stage: Stage) -> None:
    """Another claim names the user."""
    text = token(claims(user_id=7))
    assert stage.protect().request(token=text).user.identity == "42"
    assert stage.protect(identity_claim="user_id").request(token=text).user.identity == "7"


@proof
def scope_claims(stage: Stage) -> None:
    """Scopes are found elsewhere."""
    text = token(claims(scope="read", rights="write"))
    assert stage.protect().request(token=text).user.scopes == ("read",)
    assert stage.protect(scope_claims="rights").request(token=text).user.scopes == ("write",)


@proof
def roles_claims(stage: Stage) -> None:
    """Roles are found elsewhere."""
    text = token(claims(roles=["a"], app={"groups": ["b"]}))
    assert stage.protect().request(token=text).user.roles == ("a",)
    assert stage.protect(roles_claims="app.groups").request(token=text).user.roles == ("b",)


# --- where the token is ----------------------------------------------------------------------------------------------


@proof
def header_name(stage: Stage) -> None:
    """The token is looked for in another header, and no more in the usual one."""
    world = stage.protect(header_name="X-Api-Token")
    assert world.request(token=token()).status == 401
    assert world.request(headers=[("X-Api-Token", f"Bearer {token()}")]).status == 200


@proof
def header_type(stage: Stage) -> None:
    """Another scheme, or none, stands before the token."""
    world = stage.protect(header_type="Token")
    assert world.request(token=token()).status == 401
    assert world.request(headers=[("Authorization", f"Token {token()}")]).status == 200
    assert stage.protect(header_type="").request(headers=[("Authorization", token())]).status == 200


# --- who may pass ----------------------------------------------------------------------------------------------------


@proof
def exempt_paths(stage: Stage) -> None:
    """No token is looked at there."""
    assert stage.protect().request("/health").status == 401
    world = stage.protect(exempt_paths="/health")
    assert world.request("/health", token="junk").user.identity == ""
    assert world.request("/healthy").status == 401


@proof
def optional_paths(stage: Stage) -> None:
    """Anonymous requests pass there, bad tokens do not."""
    world = stage.protect(optional_paths="/news")
    assert world.request("/news").user.identity == ""
    assert world.request("/news", token=token()).user.identity == "42"
    assert world.request("/news", token="junk").status == 401


@proof
def required_scopes(stage: Stage) -> None:
    """A token without the scope is refused."""
    text = token(claims(scope="read"))
    assert stage.status(text) == 200
    assert stage.status(text, required_scopes="read") == 200
    assert stage.status(text, required_scopes="read,write") == 403


@proof
def rules_file(stage: Stage) -> None:
    """Its rules decide: who may pass, and where no token is needed."""
    file = stage.folder / "rules.toml"
    file.write_text('[[rule]]\npath = "/health"\nexempt = true\n[[rule]]\npath = "/**"\nroles = "admin"\n')
    assert stage.protect().request("/health").status == 401
    world = stage.protect(rules_file=file)
    assert world.request("/health").user.identity == ""
    assert world.request(token=token()).status == 403
    assert world.request(token=token(claims(roles=["admin"]))).status == 200


@proof
def cors_preflight(stage: Stage) -> None:
    """A true preflight reaches the app, or does not."""
    headers = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")]
    for on, status in ((True, 200), (False, 401)):
        assert stage.protect(cors_preflight=on).request(method="OPTIONS", headers=headers).status == status


@proof
def allowed_origins(stage: Stage) -> None:
    """A page of that origin may read why it was refused."""
    headers = [("Origin", "https://app.example")]
    assert stage.protect().request(headers=headers).header("Access-Control-Allow-Origin") is None
    answer = stage.protect(allowed_origins="https://app.example").request(headers=headers)
    assert answer.header("Access-Control-Allow-Origin") == "https://app.example"


@proof
def require_https(stage: Stage) -> None:
    """A token that came over plain HTTP is refused."""
    world = stage.protect(require_https=True)
    assert world.request(token=token(), scheme="http").status == 400
    assert world.request(token=token(), scheme="https").status == 200


@proof
def trusted_proxies(stage: Stage) -> None:
    """A proxy's word counts for HTTPS if it is trusted. (For the client's address: tests/test_failed_attempts.py.)"""
    for proxies, status in (("10.0.0.0/8", 200), ("192.168.0.0/16", 400)):
        world = stage.protect(require_https=True, trusted_proxies=proxies)
        headers = [("X-Forwarded-Proto", "https")]
        assert world.request(token=token(), peer="10.1.2.3", headers=headers).status == status


@proof
def failed_attempts(stage: Stage) -> None:
    """Who has failed too often is told to wait."""
    for settings, statuses in (({}, [401, 401]), ({"failed_attempts": "1/year"}, [401, 429])):
        world = stage.protect(store_url=stage.sqlite(), **settings)
        assert [world.request(token="junk").status for _ in range(2)] == statuses


# --- store and revocation --------------------------------------------------------------------------------------------


@proof
def store_url(stage: Stage) -> None:
    """With a store tokens can be revoked, for a second process as well; without one they cannot."""
    with pytest.raises(ConfigurationError):
        stage.protect().revoke_subject("42")
    one, two = (stage.protect(store_url=stage.sqlite()) for _ in range(2))
    text = one.auth.issue("42")
    assert two.request(token=text).status == 200
    one.revoke_subject("42")
    assert two.request(token=text).status == 401


@proof
def revocation(stage: Stage) -> None:
    """`off` does not ask the store; `direct` needs one."""
    world = stage.protect(store_url=stage.sqlite())
    text = world.auth.issue("42")
    world.revoke_subject("42")
    assert world.request(token=text).status == 401
    assert stage.status(text, store_url=stage.sqlite(), revocation="off") == 200
    with pytest.raises(ConfigurationError, match="JWT_REVOCATION=direct needs JWT_STORE_URL"):
        stage.protect(revocation="direct")


@proof
def store_prefix(stage: Stage) -> None:
    """All that we write to Redis begins with it, and two prefixes do not see each other."""
    server = Server(binary("valkey-9"), stage.folder).start()
    try:
        settings = {"store_url": server.url(), "store_timeout": 10}
        one, other = (stage.protect(**settings, store_prefix=prefix) for prefix in ("shop", "blog"))
        text = one.auth.issue("42")
        one.revoke_subject("42")
        assert one.request(token=text).status == 401
        assert other.request(token=text).status == 200
        assert all(b"shop" in key for key in server.admin("KEYS", "*"))
    finally:
        server.kill()


@proof
def store_timeout(stage: Stage) -> None:
    """A store that is busy for a while: too long for one setting, not for the other."""
    patient = stage.protect(store_url=stage.sqlite(), store_timeout=30)
    hasty = stage.protect(store_url=stage.sqlite(), store_timeout=0.02)
    patient.revoke_subject("somebody")  # makes the file
    lock = sqlite3.connect(stage.folder / "store.db", isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        hasty.revoke_subject("42")
    release = threading.Timer(0.2, lock.execute, ["COMMIT"])
    release.start()
    patient.revoke_subject("42")
    release.join()
    lock.close()


# --- issuing ---------------------------------------------------------------------------------------------------------


@proof
def access_token_expires(stage: Stage) -> None:
    """Our tokens live as long as it says."""
    world = stage.protect(access_token_expires="1h", leeway=0, cache_seconds=0)
    text = world.auth.issue("42")
    stage.clock.now = NOW + 3599
    assert world.request(token=text).status == 200
    stage.clock.now = NOW + 3600
    assert world.request(token=text).status == 401


@proof
def jwks_path(stage: Stage) -> None:
    """The public keys are where it says, and nowhere else."""
    settings = {"private_key": private_pem("ES256"), "audience": AUDIENCE}
    for chosen, found in ((None, "/.well-known/jwks.json"), ("/keys", "/keys"), ("", None)):
        world = stage.protect(**settings, jwks_path=chosen)
        for path in ("/.well-known/jwks.json", "/keys"):
            assert world.request(path).status == (200 if path == found else 401)


@proof
def client_id(stage: Stage) -> None:
    """Our tokens name it."""
    for settings, expected in (({}, "first-party"), ({"client_id": "web"}, "web")):
        world = stage.protect(**settings)
        assert world.request(token=world.auth.issue("42")).user.claims["client_id"] == expected


def only_bob(user: Any) -> bool:
    """Stand for an app's hook that `JWT_CHECK_USER` names."""
    return bool(user.identity == "bob")


@proof
def check_user(stage: Stage) -> None:
    """The app's function may say no."""
    assert stage.protect().request(token=token()).status == 200
    assert stage.protect(check_user=f"{__name__}:only_bob").request(token=token()).status == 401


# --- signing in ------------------------------------------------------------------------------------------------------


def only_ada(name: str, password: str) -> str | None:
    """Stand for an app's function that `JWT_AUTHENTICATE` names."""
    return "42" if (name, password) == ("ada", PASSWORD) else None


def sign_in(stage: Stage, *, path: str = "/auth/token", **settings: Any) -> Any:
    """Serve people who sign in, and let one do so: the world, and the answer."""
    people = {"authenticate": f"{__name__}:only_ada"} if "users_file" not in settings else {}
    fixed = {"issuer": ISSUER, "audience": AUDIENCE, "store_url": stage.sqlite(), "store_timeout": 5}
    world = stage.protect(**(fixed | people | settings))
    return world, ask(world, path, username="ada", password=PASSWORD)


def ask(world: World, path: str, **parameters: str) -> Any:
    """Send JSON."""
    kind = [("Content-Type", "application/json")]
    return world.request(path, method="POST", headers=kind, body=json.dumps(parameters).encode(), host="localhost")


def refreshed(world: World, answer: Any) -> Any:
    return ask(world, "/auth/refresh", refresh_token=json.loads(answer.body)["refresh_token"])


def cookies(answer: Any) -> str:
    return "".join(value for name, value in answer.headers if name.lower() == "set-cookie")


@proof
def authenticate(stage: Stage) -> None:
    """The app's function says who somebody is; without it nobody can sign in."""
    assert ask(stage.protect(), "/auth/token", username="ada", password=PASSWORD).error == "unauthorized"
    world, answer = sign_in(stage)
    assert world.request(token=json.loads(answer.body)["access_token"]).user.identity == "42"


@proof
def users_file(stage: Stage) -> None:
    """Who is in the file can sign in."""
    file = stage.folder / "users.json"
    file.write_text(json.dumps({"users": {"ada": {"password": HASH, "subject": "42"}}}))
    world, answer = sign_in(stage, users_file=file)
    assert answer.status == 200
    assert ask(world, "/auth/token", username="bob", password=PASSWORD).error == "invalid_grant"


@proof
def clients_file(stage: Stage) -> None:
    """Which machine is in the file gets a token."""
    file = stage.folder / "clients.json"
    file.write_text(json.dumps({"clients": {"reporting": {"secret": HASH}}}))
    world, _ = sign_in(stage, clients_file=file)
    for client, status in (("reporting", 200), ("billing", 401)):
        answer = ask(world, "/auth/token", grant_type="client_credentials", client_id=client, client_secret=PASSWORD)
        assert answer.status == status


@proof
def refresh_token_expires(stage: Stage) -> None:
    """A session that is not refreshed for so long is over."""
    world, answer = sign_in(stage, refresh_token_expires=50)
    stage.clock.now += 51
    assert refreshed(world, answer).error == "invalid_grant"


@proof
def session_expires(stage: Stage) -> None:
    """A session is over then, though it was used."""
    world, answer = sign_in(stage, session_expires=50)
    stage.clock.now += 40
    answer = refreshed(world, answer)
    assert answer.status == 200
    stage.clock.now += 11
    assert refreshed(world, answer).error == "invalid_grant"


@proof
def refresh_grace(stage: Stage) -> None:
    """A refresh token is good for so long after its first use."""
    for grace, status in ((20, 200), (5, 401)):
        world, answer = sign_in(stage, refresh_grace=grace)
        assert refreshed(world, answer).status == 200
        stage.clock.now += 10
        assert refreshed(world, answer).status == status


@proof
def login_attempts(stage: Stage) -> None:
    """One account may be tried so often."""
    world, _ = sign_in(stage, login_attempts="2/hour")
    assert ask(world, "/auth/token", username="ada", password=PASSWORD).status == 200
    assert ask(world, "/auth/token", username="ada", password=PASSWORD).status == 429


@proof
def auth_prefix(stage: Stage) -> None:
    """Signing in is served there."""
    assert sign_in(stage, path="/api/session/token", auth_prefix="/api/session")[1].status == 200


@proof
def token_location(stage: Stage) -> None:
    """Tokens come in cookies, and not in the body."""
    _, answer = sign_in(stage, token_location="cookies")
    assert "__Host-access_token=" in cookies(answer)
    assert "access_token" not in json.loads(answer.body)


@proof
def cookie_secure(stage: Stage) -> None:
    """Cookies may go over plain HTTP, on this machine."""
    _, answer = sign_in(stage, token_location="cookies", cookie_secure=False)
    assert cookies(answer).startswith("access_token=")
    assert "Secure" not in cookies(answer)


@proof
def cookie_samesite(stage: Stage) -> None:
    """The access token's cookie says so."""
    _, answer = sign_in(stage, token_location="cookies", cookie_samesite="None")
    assert "SameSite=None" in cookies(answer)


# --- behaviour -------------------------------------------------------------------------------------------------------


@proof
def forward_claims(stage: Stage) -> None:
    """The app finds a claim in a header, where a client's word stood."""
    for settings, expected in (({}, "eve"), ({"forward_claims": "X-User=sub"}, "42")):
        answer = stage.protect(**settings).request(token=token(), headers=[("X-User", "eve")])
        seen = answer.seen[0].surroundings
        assert seen.get("HTTP_X_USER") == expected or (b"x-user", expected.encode()) in seen["headers"]


@proof
def realm(stage: Stage) -> None:
    """The challenge names it."""
    assert stage.protect().request().header("WWW-Authenticate") == 'Bearer realm="api"'
    assert stage.protect(realm="My API").request().header("WWW-Authenticate") == 'Bearer realm="My API"'


@proof
def metrics_path(stage: Stage) -> None:
    """We answer there ourselves."""
    assert stage.protect().request("/numbers", host="localhost").status == 401
    answer = stage.protect(metrics_path="/numbers").request("/numbers", host="localhost")
    assert (answer.status, answer.passed) == (200, False)
    assert b"jwt_middleware_requests_total" in answer.body


TOLD: list[Any] = []


def note(event: Any) -> None:
    """Stand for an app's hook that `JWT_ON_EVENT` names."""
    TOLD.append(event)


@proof
def on_event(stage: Stage) -> None:
    """The app's function is told."""
    TOLD.clear()
    assert stage.protect().request().status == 401
    assert TOLD == []
    assert stage.protect(on_event=f"{__name__}:note").request().status == 401
    assert [event.name for event in TOLD] == ["request.refused"]


def _verifications(world: World, times: int) -> int:
    """Count how often the signature of one token is verified when it is sent some times."""
    verifier = world.auth.core.verifier
    verify, calls = verifier.verify, []
    verifier.verify = lambda text: (calls.append(text), verify(text))[1]
    text = token()
    for _ in range(times):
        assert world.request(token=text).status == 200
    return len(calls)


@proof
def cache_seconds(stage: Stage) -> None:
    """A verified token is remembered, or verified each time."""
    assert _verifications(stage.protect(), 3) == 1
    assert _verifications(stage.protect(cache_seconds=0), 3) == 3


@proof
def cache_bytes(stage: Stage) -> None:
    """Without memory nothing is remembered."""
    assert _verifications(stage.protect(cache_bytes="1MiB"), 3) == 1
    assert _verifications(stage.protect(cache_bytes=0), 3) == 3


def sample_app(*_: Any) -> None:
    """Stand for an app that `JWT_APP` names."""


@proof
def app(stage: Stage) -> None:
    """`jwt_middleware.asgi:app` and `.wsgi:app` wrap what it names; without it they say what to set."""
    stage.monkeypatch.setenv("JWT_SECRET_KEY", SECRET)
    for adapter in (asgi, wsgi):
        with pytest.raises(ConfigurationError, match=r"JWT_APP=package\.module:app"):
            _fresh(adapter).app  # noqa: B018 - the access itself is what raises
    stage.monkeypatch.setenv("JWT_APP", f"{__name__}:sample_app")
    for adapter in (asgi, wsgi):
        assert _fresh(adapter).app.app is sample_app


def _fresh(module: Any) -> Any:
    """Import a second copy of a module, as a server process would."""
    spec = importlib.util.spec_from_file_location(module.__name__ + "_again", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
