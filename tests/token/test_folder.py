"""The folder of keys: names say what each key may do, and nothing else in it matters."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jwt_middleware import ConfigurationError
from jwt_middleware.token import folder as files
from jwt_middleware.token.folder import KeyFile, Reader, State
from jwt_middleware.token.keys import KeyProblem
from jwt_middleware.wsgi import JWTAuth
from tests.token.forge import (
    AUDIENCE,
    LONG_SECRET,
    OLD_SECRET,
    OTHER_SECRET,
    private,
    private_pem,
    public_pem,
    token,
    verifying,
)
from tests.worlds import SECRET, Clock

Fill = Callable[..., Path]
PUBLIC = {"audience": AUDIENCE}


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Write files into a folder: `fill({"a.pem": …})`."""

    def write(contents: dict[str, str | bytes]) -> Path:
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def auth(folder: Path, **settings: Any) -> JWTAuth:
    return JWTAuth(keys_dir=folder, clock=Clock(), **settings)


def problems(folder: Path, **settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        auth(folder, **settings)
    return caught.value.problems


def secret(text: str) -> str:
    return "base64:" + base64.b64encode(text.encode()).decode()


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kid", "state", "kind"),
    [
        ("a.pem", "a", State.CURRENT, "pem"),
        ("a.next.pem", "a", State.NEXT, "pem"),
        ("a.old.pem", "a", State.OLD, "pem"),
        ("a.secret", "a", State.CURRENT, "secret"),
        ("a.next.secret", "a", State.NEXT, "secret"),
        ("a.old.secret", "a", State.OLD, "secret"),
        ("a.b.pem", "a.b", State.CURRENT, "pem"),
        ("a.next.old.pem", "a.next", State.OLD, "pem"),
        ("20250101T000000.000000Z-x_-y.next.pem", "20250101T000000.000000Z-x_-y", State.NEXT, "pem"),
        ("a\nb.pem", "a\nb", State.CURRENT, "pem"),
    ],
)
def test_a_name_says_what_the_key_may_do(name: str, kid: str, state: State, kind: str, fill: Fill) -> None:
    """The key's name, its state and its kind, and from these the name of the file again."""
    (found,) = files.files(fill({name: ""}))
    assert (found.kid, found.state, found.kind, found.name) == (kid, state, kind, name)
    assert found.path.exists()


def test_other_files_are_left_alone(fill: Fill) -> None:
    """Hidden files (a copy under way, a link of Kubernetes), notes and back-ups are no keys."""
    names = [".a.pem", ".a.pem.unfinished", "..data", ".pem", ".next.pem", "a.pem~", "a.txt", "README", "a.PEM", "pem"]
    folder = fill(dict.fromkeys(names, "junk") | {"a.pem": private_pem("ES256")})
    assert [file.name for file in files.files(folder)] == ["a.pem"]
    assert auth(folder, **PUBLIC).issue("42")
    assert {name for name, *_ in files.look(folder)} == {"a.pem"}


def test_a_key_can_be_followed_through_its_states(fill: Fill) -> None:
    """One file becomes another by its state alone."""
    (file,) = files.files(fill({"a.next.pem": ""}))
    assert file.being(State.CURRENT).name == "a.pem"
    assert file.being(State.OLD) == KeyFile(file.folder, "a", State.OLD, "pem")
    assert file.since == file.path.stat().st_mtime


# --- what each state may do ------------------------------------------------------------------------------------------


def test_next_and_old_keys_verify_and_never_sign(fill: Fill) -> None:
    """Whatever their names sort like, and though their private halves are there."""
    folder = fill(
        {
            "a.old.pem": private_pem("EdDSA"),
            "b.pem": private_pem("ES256"),
            "c.next.pem": private_pem("ES384"),
            "z.old.pem": public_pem("ES512"),
        }
    )
    ring = auth(folder, **PUBLIC).core.keys
    assert ring.signing is not None
    assert ring.signing.kid == "b"
    assert [(key.kid, key.private is not None) for key in ring.verifying.keys] == [
        ("a", False), ("b", True), ("c", False), ("z", False),
    ]  # fmt: skip
    verify = verifying(keys_dir=folder, allow_any_audience=True)
    for kid, alg in (("a", "EdDSA"), ("b", "ES256"), ("c", "ES384"), ("z", "ES512")):
        assert verify(token(key=private(alg), alg=alg, header={"kid": kid})).identity == "42"


@pytest.mark.parametrize("state", ["next", "old"])
def test_without_a_key_that_may_sign_nothing_is_issued(state: str, fill: Fill) -> None:
    """A private half alone is no right to sign."""
    with pytest.raises(ConfigurationError, match="issuing needs"):
        auth(fill({f"a.{state}.pem": private_pem("ES256")}), **PUBLIC).issue("42")


def test_of_one_key_in_several_states_the_last_holds(fill: Fill) -> None:
    """A folder that is being copied may hold a key twice: that is no reason to stop, and an old key signs no more."""
    pem = private_pem("ES256")
    ring = auth(fill({"a.next.pem": pem, "a.pem": pem, "b.pem": private_pem("EdDSA")}), **PUBLIC).core.keys
    assert [(key.kid, key.private is not None) for key in ring.verifying.keys] == [("a", True), ("b", True)]
    ring = auth(fill({"b.old.pem": public_pem("EdDSA")}), **PUBLIC).core.keys
    assert ring.signing is not None
    assert ring.signing.kid == "a"
    assert len(ring.verifying.keys) == 2


def test_two_keys_of_one_name_refuse_to_start(fill: Fill) -> None:
    """Two different keys cannot be states of one."""
    folder = fill({"a.pem": private_pem("ES256"), "a.old.pem": public_pem("other ES256")})
    assert problems(folder, **PUBLIC)[0].startswith("two keys have the same kid")


def test_what_is_published_is_our_own(fill: Fill) -> None:
    """Keys with a private half of ours, now or once. A public key of somebody else's verifies, and is not passed on."""
    folder = fill(
        {
            "a.old.pem": public_pem("EdDSA"),
            "b.pem": private_pem("ES256"),
            "c.next.pem": private_pem("ES384"),
            "d.pem": public_pem("RS256"),
        }
    )
    ring = auth(folder, **PUBLIC).core.keys
    assert [key.kid for key in ring.published] == ["a", "b", "c"]


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_secrets(fill: Fill) -> None:
    """HMAC rotates in the same way: tokens name their key, and no audience is needed, as with JWT_SECRET_KEY."""
    folder = fill(
        {"a.old.secret": secret(OLD_SECRET), "b.secret": secret(SECRET) + "\n", "c.next.secret": OTHER_SECRET}
    )
    own = auth(folder)
    issued = own.issue("42")
    assert own.verify(issued).identity == "42"
    assert own.core.keys.signing is not None
    assert own.core.keys.signing.kid == "b"
    assert own.core.keys.published == ()
    verify = verifying(keys_dir=folder)
    for kid, key in (("a", OLD_SECRET), ("b", SECRET), ("c", OTHER_SECRET)):
        assert verify(token(key=key, header={"kid": kid})).identity == "42"
        assert verify(token(key=key)).identity == "42"
    with pytest.raises(Exception, match="no key of ours"):
        verify(token(key=OLD_SECRET, header={"kid": "b"}))


def test_the_hash_of_a_folder_of_secrets_is_named(fill: Fill) -> None:
    """As for JWT_SECRET_KEY: HS256 unless JWT_ALGORITHMS says otherwise."""
    folder = fill({"a.secret": secret(LONG_SECRET)})
    assert verifying(keys_dir=folder, algorithms="HS512")(token(key=LONG_SECRET, alg="HS512", header={"kid": "a"}))


def test_previous_secrets_may_stand_beside_a_folder_of_secrets(fill: Fill) -> None:
    """The way from JWT_SECRET_KEY into a folder: the secret that was goes on verifying."""
    verify = verifying(keys_dir=fill({"a.secret": SECRET}), previous_secret_keys=OLD_SECRET)
    assert verify(token(key=OLD_SECRET)).identity == "42"
    assert verify(token(key=SECRET, header={"kid": "a"})).identity == "42"


@pytest.mark.parametrize(
    ("contents", "settings", "expected"),
    [
        pytest.param(
            {"a.secret": SECRET, "b.pem": private_pem("ES256")}, PUBLIC,
            ["an HMAC secret stands beside public keys: one verifier has one kind (RFC 8725 section 3.1)"], id="mixed",
        ),
        pytest.param(
            {"a.secret": SECRET}, {"secret_key": OTHER_SECRET},
            ["JWT_SECRET_KEY and JWT_KEYS_DIR both hold a signing key: keep one"], id="secret-beside-a-signing-secret",
        ),
        pytest.param(
            {"a.next.pem": private_pem("ES256")}, PUBLIC | {"private_key": private_pem("EdDSA")},
            ["JWT_PRIVATE_KEY and JWT_KEYS_DIR both hold a signing key: keep one"], id="private-key-beside-a-next-key",
        ),
        pytest.param(
            {"a.secret": SECRET[:20]}, PUBLIC,
            ["JWT_KEYS_DIR, file a.secret, is 20 bytes long, HS256 needs 32 (RFC 7518 section 3.2); make a good one "
             "with: jwt-middleware keys new"],
            id="short",
        ),
        pytest.param(
            {"a.secret": public_pem("RS256")}, PUBLIC,
            ["JWT_KEYS_DIR, file a.secret, is a public or private key, not a secret: use JWT_PUBLIC_KEY, "
             "JWT_PRIVATE_KEY or JWT_JWKS_FILE"],
            id="a-public-key",
        ),
        pytest.param(
            {"a.secret": "base64:!!!"}, PUBLIC,
            ["JWT_KEYS_DIR, file a.secret, begins with base64: but what follows is not base64"], id="no-base64",
        ),
        pytest.param(
            {"a.secret": b"\xff" * 40}, PUBLIC, ["JWT_KEYS_DIR, file a.secret, cannot be read"], id="not-ascii"
        ),
        pytest.param(
            {"a.secret": ""}, PUBLIC,
            ["JWT_KEYS_DIR, file a.secret, is set but empty: unset it or give it a value"], id="empty",
        ),
        pytest.param(
            {"a.pem": private_pem("ES256"), "refresh.key": "base64:QUJD"}, PUBLIC,
            ["JWT_KEYS_DIR, file refresh.key, is 3 bytes long, it needs 32"], id="short-refresh-key",
        ),
        pytest.param(
            {"a.pem": private_pem("ES256"), "refresh.old.key": b"\xff"}, PUBLIC,
            ["JWT_KEYS_DIR, file refresh.old.key, cannot be read"], id="unreadable-refresh-key",
        ),
    ],
)  # fmt: skip
def test_a_folder_that_does_not_fit_refuses_to_start(
    contents: dict[str, str | bytes], settings: dict[str, Any], expected: list[str], fill: Fill
) -> None:
    """Each problem names its file, and shows nothing of it."""
    assert list(problems(fill(contents), **settings)) == expected


# --- looking and reading ---------------------------------------------------------------------------------------------


def test_every_change_is_seen(fill: Fill) -> None:
    """Another name, another content of the same length, another owner's rights, a touch: each looks different."""
    folder = fill({"a.pem": "x"})
    seen = [frozenset(files.look(folder))]

    def after(change: Callable[[], object]) -> None:
        change()
        seen.append(frozenset(files.look(folder)))

    path = folder / "a.pem"
    after(lambda: (folder / "b.pem").write_text("x"))
    after(lambda: path.rename(folder / "a.old.pem"))
    after(lambda: (folder / "a.old.pem").chmod(0o600))
    after(lambda: (folder / "c.pem").symlink_to("nowhere"))
    after(lambda: (folder / "nowhere").write_text("x"))
    after(lambda: (folder / "b.pem").unlink())
    assert len(set(seen)) == len(seen)
    assert frozenset(files.look(folder / "missing")) == frozenset()


def test_an_unchanged_file_is_not_read_twice(fill: Fill) -> None:
    """An RSA key takes a tenth of a second: a new name makes no new key, and what is gone is forgotten."""
    folder = fill({"a.next.pem": private_pem("RS256"), "b.pem": private_pem("ES256")})
    first = Reader((), {})
    before = [first.key(file) for file in files.files(folder)]
    (folder / "a.next.pem").rename(folder / "a.pem")
    (folder / "b.pem").unlink()
    second = Reader((), first.read)
    (after,) = (second.key(file) for file in files.files(folder))
    assert after.public is before[0].public
    assert len(second.read) == 1


def test_a_public_key_of_the_same_bytes_is_no_secret(fill: Fill) -> None:
    """What was read as one kind is never taken for the other, though the bytes are known."""
    folder = fill({"a.pem": public_pem("ES256"), "a.secret": public_pem("ES256")})
    reader = Reader((), {})
    pem, secret_file = files.files(folder)
    assert reader.key(pem).names == ("ES256",)
    with pytest.raises(KeyProblem, match="is a public or private key"):
        reader.key(secret_file)
