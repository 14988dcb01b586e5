"""Mistakes that would open a door, each made on purpose in a copy of the package: the tests aimed at it notice.

`make mutate` makes thousands of changes by machine, in functions alone (docs/mutation.md). These few were chosen by
hand, constants and properties among them, and are made each time the long suite runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
VERIFIER, CLAIMS, JWS = "tests/token/test_verifier.py", "tests/token/test_claims.py", "tests/token/test_jws.py"
KEYS, SECRETS, CREDENTIALS = "tests/token/test_keys.py", "tests/token/test_secrets.py", "tests/gate/test_credentials.py"
CACHE, RULES, CORNERS = "tests/gate/test_cache.py", "tests/gate/test_rules.py", "tests/test_corners.py"
AUTHENTICATOR, HOOK, BOTH = "tests/gate/test_authenticator.py", "tests/test_check_user.py", "tests/test_adapters.py"


class Mutant(NamedTuple):
    """One mistake.

    Attributes:
        name: what is done wrong.
        file: below `jwt_middleware`.
        old: the line, or a part of it that stands nowhere else in the file.
        new: what stands there instead.
        aim: the test file that must notice.
    """

    name: str
    file: str
    old: str
    new: str
    aim: str


MUTANTS = [
    Mutant("signature-not-checked", "token/verifier.py", "if key.verifies(message, decoded):", "if True:", VERIFIER),
    Mutant("header-remembered-unsigned", "token/verifier.py",
           "self._good_headers.get(header) or self._candidates(header)",
           "self._good_headers.setdefault(header, self._good_headers.get(header) or self._candidates(header))", VERIFIER),
    Mutant("crit-ignored", "token/verifier.py", '("crit", "b64", "zip", "enc")', '("b64", "zip", "enc")', VERIFIER),
    Mutant("algorithm-not-bound-to-key", "token/keys.py", "[key for key in found if alg in key.names]", "list(found)", KEYS),
    Mutant("small-order-in-other-sign", "token/keys.py", "raw[:31] + bytes([raw[31] & 0x7F])", "raw", KEYS),
    Mutant("another-spelling", "token/jws.py", "if part[-1] in _LAST[rest]:", "if True:", JWS),
    Mutant("good-on-the-second-of-exp", "token/claims.py", "if expires <= now", "if expires < now", CLAIMS),
    Mutant("audience-not-checked", "token/claims.py", "if not self._any_audience and", "if False and", CLAIMS),
    Mutant("audience-of-others", "token/claims.py", "return audience is None  #", "return True  #", CLAIMS),
    Mutant("issuer-may-be-absent", "token/claims.py", 'claims.get("iss") !=', 'claims.get("iss", self._issuer) !=', CLAIMS),
    Mutant("refresh-token-passes", "token/claims.py", 'frozenset({"refresh", ', "frozenset({", CLAIMS),
    Mutant("bound-token-passes", "token/claims.py", 'else ("events", "cnf", *', 'else ("events", *', CLAIMS),
    Mutant("true-is-a-date", "token/claims.py", "(type(value) is int or type(value) is float)",
           "isinstance(value, (int, float))", CLAIMS),
    Mutant("empty-identity", "token/claims.py", "if type(value) is str and value:", "if type(value) is str:", CLAIMS),
    Mutant("good-on-the-second-of-until", "gate/cache.py", "self._clock() < entry.until and", "self._clock() <= entry.until and",
           CACHE),
    Mutant("until-not-honoured", "gate/cache.py", "return entry if entry is not None and self._clock() < entry.until else None",
           "return entry", CACHE),
    Mutant("evicted-meanwhile", "gate/cache.py", "if epoch != self.epoch or ", "if ", CACHE),
    Mutant("eviction-not-counted", "gate/cache.py", "self.epoch += 1", "pass", CACHE),
    Mutant("old-generation-not-evicted", "gate/cache.py", "(self._young, self._old):", "(self._young,):", CACHE),
    Mutant("epoch-read-too-late", "gate/authenticator.py", "self.cache.remember(credential, entry, epoch)",
           "self.cache.remember(credential, entry, self.cache.epoch)", AUTHENTICATOR),
    Mutant("revocation-ignored", "gate/authenticator.py", "if self.revocation is not None:\n            await", "if False:\n            await", BOTH),
    Mutant("revocation-asked-once", "gate/authenticator.py", "if self.revocation is not None:\n            await",
           "if self.revocation is not None and new:\n            await", BOTH),
    Mutant("cut-off-leaves-its-second", "truth/store.py", "int(issued_at) <= -mark", "int(issued_at) < -mark", BOTH),
    Mutant("anything-but-false-is-yes", "gate/usercheck.py", "if verdict is not True:", "if verdict is False:", HOOK),
    Mutant("token-and-more", "gate/credentials.py", "_B64TOKEN.fullmatch(token)", "_B64TOKEN.match(token)", CREDENTIALS),
    Mutant("two-credentials-are-none", "gate/credentials.py", " or self._ours_among_others.search(raw, 0, _LOOK):", ":", BOTH),
    Mutant("ambiguous-is-plain", "gate/rules.py", "if path is None or is_ambiguous(path, raw_path):", "if path is None:", RULES),
    Mutant("encoded-is-plain", "gate/rules.py", " or _ENCODED.search(raw_path) is not None", "", RULES),
    Mutant("parameters-are-plain", "gate/rules.py", r"[\\;%#?", r"[\\%#?", RULES),
    Mutant("exempt-is-a-prefix", "gate/rules.py", "path in self._exact or", "path.startswith(tuple(self._exact)) or", RULES),
    Mutant("below-is-beside", "gate/rules.py", 'tuple(p.removesuffix("**")', 'tuple(p.removesuffix("/**")', RULES),
    Mutant("full-path-matched", "asgi.py", 'below_mount(self.path, self._scope.get("root_path", ""))', "self.path", BOTH),
    Mutant("odd-method-has-no-rule", "gate/rules.py", "_upper(method) if method == method.upper() != HANDSHAKE else None",
           "_upper(method)", RULES),
    Mutant("true-is-one", "gate/demands.py", "type(each) is type(value) and each == value", "each == value", RULES),
    Mutant("one-scope-is-enough", "gate/demands.py", "all(name in found for name in every)", "any(name in found for name in every)",
           RULES),
    Mutant("demands-not-checked", "gate/admission.py", "demand.check(user, self._clock())", "pass", RULES),
    Mutant("absent-passes", "gate/admission.py", "if verdict.need is Need.OPTIONAL:", "if True:", BOTH),
    Mutant("remembered-passes-unjudged", "gate/admission.py", "self._require_https or rules.binding", "False", BOTH),
    Mutant("anybody-is-a-proxy", "gate/transport.py", "if forwarded_proto and self._is_trusted(peer):", "if forwarded_proto:", BOTH),
    Mutant("identity-from-outside", "wsgi.py", "_remove_own_keys(environ)\n        identity", "pass\n        identity", BOTH),
    Mutant("last-credential-wins", "asgi.py", 'value if credential is None else credential + b"," + value', "value", BOTH),
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_line_is_still_there(mutant: Mutant) -> None:
    """Exactly once, or the list must be looked at again."""
    assert (ROOT / "jwt_middleware" / mutant.file).read_text("utf-8").count(mutant.old) == 1


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package, beside the same tests."""
    shutil.copytree(ROOT / "jwt_middleware", tmp_path / "jwt_middleware")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _tested(copy: Path, *files: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-p", "no:cacheprovider", *files]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.long
def test_without_a_mistake_the_tests_pass(copied: Path) -> None:
    """Else they would seem to notice anything."""
    done = _tested(copied, *sorted({mutant.aim for mutant in MUTANTS}))
    assert done.returncode == pytest.ExitCode.OK, done.stdout[-3000:]


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_is_noticed(mutant: Mutant, copied: Path) -> None:
    """By a test that fails, and not by a file that cannot be loaded."""
    file = copied / "jwt_middleware" / mutant.file
    file.write_text(file.read_text("utf-8").replace(mutant.old, mutant.new), "utf-8")
    done = _tested(copied, mutant.aim)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-3000:] + done.stderr[-1000:]
