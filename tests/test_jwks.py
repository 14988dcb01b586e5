"""`/.well-known/jwks.json`: our public keys for everybody, and nothing else of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jwt import PyJWKSet

from jwt_middleware.token import keychain
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import AUDIENCE, ISSUER, jwk, jwks_file, private_pem, public_pem
from tests.worlds import SECRET, Answer, Clock, World

Protect = Callable[..., World]
PATH = "/.well-known/jwks.json"
SECRET_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ring in the middle of a rotation, and somebody else's public key in it."""
    made = tmp_path / "keys"
    made.mkdir()
    for name, pem in (
        ("a.old", public_pem("ES256")), ("b", private_pem("EdDSA")), ("c.next", private_pem("RS256")),
        ("d", public_pem("ES384")),
    ):  # fmt: skip
        (made / f"{name}.pem").write_text(pem)
    return made


@pytest.fixture
def world(protect: Protect, folder: Path) -> World:
    return protect(keys_dir=folder, audience=AUDIENCE)


def kids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    assert not answer.passed
    return [key["kid"] for key in json.loads(answer.body)["keys"]]


def test_it_holds_our_own_keys_in_every_state(world: World) -> None:
    """What signs, what has signed and what will: each with its name, `use` and `alg`; another's key is not ours."""
    published = json.loads(world.request(PATH).body)["keys"]
    assert published == [
        jwk("ES256", kid="a", use="sig", alg="ES256"),
        jwk("EdDSA", kid="b", use="sig", alg="EdDSA"),
        jwk("RS256", kid="c", use="sig", alg="RS256"),
    ]
    assert not SECRET_MEMBERS & {member for key in published for member in key}


def test_others_verify_by_it(world: World, tmp_path: Path, clock: Clock) -> None:
    """PyJWT reads it, and so does another service of ours that has it as a file."""
    body = world.request(PATH).body
    assert {key.key_id for key in PyJWKSet.from_json(body.decode()).keys} == {"a", "b", "c"}
    (tmp_path / "jwks.json").write_bytes(body)
    other = JWTAuth(
        jwks_file=tmp_path / "jwks.json", audience=AUDIENCE, clock=lambda: world.auth.core.authenticator._clock()
    )
    assert other.verify(world.auth.issue("42")).identity == "42"


def test_its_headers(world: World) -> None:
    """It may be kept for 15 minutes and read by any page; the type is the one that every client takes."""
    answer = world.request(PATH)
    tag = answer.header("ETag")
    assert tag is not None
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag), "a strong one"
    assert answer.header("Content-Type") == "application/json"
    assert answer.header("Content-Length") == str(len(answer.body))
    assert answer.header("Cache-Control") == "public, max-age=900"
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("WWW-Authenticate") is None


@pytest.mark.parametrize("kept", ["{tag}", "W/{tag}", '"x", {tag}', '"a,b", W/"c" , {tag}', "*"])
def test_who_has_it_already_gets_304(kept: str, world: World) -> None:
    """RFC 9110 section 13.1.2: compared weakly, one of several, or any."""
    tag = world.request(PATH).header("ETag")
    answer = world.request(PATH, headers=[("If-None-Match", kept.format(tag=tag))])
    assert (answer.status, answer.body, answer.passed) == (304, b"", False)
    assert answer.header("ETag") == tag
    assert answer.header("Cache-Control") == "public, max-age=900"
    assert answer.header("Access-Control-Allow-Origin") == "*"
    assert answer.header("Content-Length") is None


@pytest.mark.parametrize("kept", ['"x"', "", "x", '"', "W/", '"{tag}"'])
def test_who_has_another_gets_it_whole(kept: str, world: World) -> None:
    """Whatever a client sends there, it gets the keys."""
    tag = world.request(PATH).header("ETag")
    assert kids(world.request(PATH, headers=[("If-None-Match", kept.format(tag=tag))])) == ["a", "b", "c"]


def test_its_tag_changes_with_the_keys_and_only_with_them(
    world: World, protect: Protect, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same keys have the same tag in every process; another key, and 304 is over at the next look."""
    tag = world.request(PATH).header("ETag")
    other = protect(keys_dir=folder, audience=AUDIENCE)
    assert other.request(PATH).header("ETag") == tag
    (folder / "a.old.pem").unlink()
    now = keychain.monotonic()
    monkeypatch.setattr(keychain, "monotonic", lambda: now + 2)
    answer = world.request(PATH, headers=[("If-None-Match", str(tag))])
    assert kids(answer) == ["b", "c"]
    assert answer.header("ETag") != tag


def test_head_is_get_without_a_body(world: World) -> None:
    """RFC 9110 section 9.3.2."""
    whole, head = world.request(PATH), world.request(PATH, method="HEAD")
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "PROPFIND"])
def test_other_methods_are_not_allowed(method: str, world: World) -> None:
    """405 says what is, with a token or without."""
    for text in (None, world.auth.issue("42")):
        answer = world.request(PATH, method=method, token=text)
        assert (answer.status, answer.error, answer.header("Allow")) == (405, "invalid_request", "GET, HEAD")


def test_neither_tokens_nor_rules_matter(protect: Protect, folder: Path, tmp_path: Path) -> None:
    """It is public: no token is asked for, a bad one is no matter, no rule closes it, plain HTTP will do."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\npath = "/**"\nscopes = ["admin"]\n')
    world = protect(
        keys_dir=folder, audience=AUDIENCE, rules_file=rules, required_scopes="read", require_https=True,
        exempt_paths="/health",
    )  # fmt: skip
    for headers in ([], [("Authorization", "Bearer x")], [("Authorization", "Basic Og==")], [("Cookie", "a=b")]):
        assert kids(world.request(PATH, headers=headers)) == ["a", "b", "c"]
    assert world.request("/other", scheme="https", token=world.auth.issue("42")).status == 403


def test_it_is_below_the_mount_point(world: World) -> None:
    """The path is the app's own, wherever the app is mounted."""
    assert kids(world.request(PATH, mount="/api")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "path", ["//.well-known/jwks.json", "/./.well-known/jwks.json", f"{PATH}/", f"{PATH};x", f"/x{PATH}"]
)
def test_other_spellings_are_other_paths(path: str, world: World) -> None:
    """Nothing is published where it was not asked for."""
    assert world.request(path).status == 401


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(lambda folder: {"secret_key": SECRET}, id="secret"),
        pytest.param(lambda folder: {"public_key": public_pem("ES256"), "audience": AUDIENCE}, id="public-key"),
        pytest.param(
            lambda folder: {"jwks_file": jwks_file(folder, jwk("ES256")), "audience": AUDIENCE, "issuer": ISSUER},
            id="jwks-of-another",
        ),
        pytest.param(
            lambda folder: {"private_key": private_pem("ES256"), "audience": AUDIENCE, "jwks_path": ""}, id="off"
        ),
    ],
)
def test_who_has_nothing_to_publish_leaves_the_path_to_the_app(
    settings: Callable[[Path], dict[str, Any]], protect: Protect, tmp_path: Path
) -> None:
    """Secrets are never published, nor the keys of others, nor anything once it is switched off."""
    world = protect(**settings(tmp_path), exempt_paths=PATH)
    assert world.request(PATH).passed
    assert world.middleware._own is None


def test_a_lone_private_key_is_published(protect: Protect) -> None:
    """JWT_PRIVATE_KEY, under its thumbprint, and not the keys of another issuer beside it."""
    world = protect(private_key=private_pem("ES256"), audience=AUDIENCE)
    (only,) = kids(world.request(PATH))
    assert len(only) == 43
    assert only in world.request(PATH).body.decode()


def test_another_issuers_keys_are_never_passed_on(protect: Protect, tmp_path: Path) -> None:
    """Whoever trusts our set must not come to trust somebody else's keys by it."""
    world = protect(
        private_key=private_pem("ES256"), jwks_file=jwks_file(tmp_path, jwk("RS256", kid="idp")), audience=AUDIENCE
    )
    assert "idp" not in world.request(PATH).body.decode()
    assert len(kids(world.request(PATH))) == 1


@pytest.mark.parametrize("path", ["keys", "/keys/**", "/a,/b", "/a//b", "/a/../b", "/{x}", "/a?b", "/a b"])
def test_a_path_that_is_none_refuses_to_start(path: str) -> None:
    """One plain path, or nothing."""
    from jwt_middleware import ConfigurationError

    with pytest.raises(ConfigurationError, match="JWT_JWKS_PATH takes"):
        JWTAuth(private_key=private_pem("ES256"), audience=AUDIENCE, jwks_path=path)
