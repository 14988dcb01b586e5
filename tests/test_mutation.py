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
KEYS, CREDENTIALS = "tests/token/test_keys.py", "tests/gate/test_credentials.py"
CACHE, RULES = "tests/gate/test_cache.py", "tests/gate/test_rules.py"
AUTHENTICATOR, HOOK, BOTH = "tests/gate/test_authenticator.py", "tests/test_check_user.py", "tests/test_adapters.py"


class Mutant(NamedTuple):
    """One mistake.

    Attributes:
        name: what is done wrong.
        file: below `jwt_middleware`.
        aim: the test file that must notice.
        old: the line, or a part of it that stands nowhere else in the file.
        new: what stands there instead.
    """

    name: str
    file: str
    aim: str
    old: str
    new: str


MUTANTS = [
    Mutant("signature-not-checked", "token/verifier.py", VERIFIER,
           "if key.verifies(message, decoded):", "if True:"),
    Mutant("header-remembered-unsigned", "token/verifier.py", VERIFIER,
           "memory.good_headers.get(header) or self._candidates(header, memory.keys)",
           "memory.good_headers.setdefault("
           "header, memory.good_headers.get(header) or self._candidates(header, memory.keys))"),
    Mutant("crit-ignored", "token/verifier.py", VERIFIER,
           '("crit", "b64", "zip", "enc")', '("b64", "zip", "enc")'),
    Mutant("algorithm-not-bound-to-key", "token/keys.py", KEYS,
           "[key for key in found if alg in key.names]", "list(found)"),
    Mutant("another-spelling", "token/jws.py", JWS, "if part[-1] in _LAST[rest]:", "if True:"),
    Mutant("good-on-the-second-of-exp", "token/claims.py", CLAIMS,
           "if expires <= now", "if expires < now"),
    Mutant("audience-not-checked", "token/claims.py", CLAIMS,
           "if not self._any_audience and", "if False and"),
    Mutant("audience-of-others", "token/claims.py", CLAIMS,
           "return audience is None  #", "return True  #"),
    Mutant("issuer-may-be-absent", "token/claims.py", CLAIMS,
           'claims.get("iss") !=', 'claims.get("iss", self._issuer) !='),
    Mutant("refresh-token-passes", "token/claims.py", CLAIMS,
           'frozenset({"refresh", ', "frozenset({"),
    Mutant("bound-token-passes", "token/claims.py", CLAIMS,
           'else ("events", "cnf", *', 'else ("events", *'),
    Mutant("true-is-a-date", "token/claims.py", CLAIMS,
           "(type(value) is int or type(value) is float)", "isinstance(value, (int, float))"),
    Mutant("empty-identity", "token/claims.py", CLAIMS,
           "if type(value) is str and value:", "if type(value) is str:"),
    Mutant("good-on-the-second-of-until", "gate/cache.py", CACHE,
           "self._clock() < entry.until and", "self._clock() <= entry.until and"),
    Mutant("until-not-honoured", "gate/cache.py", CACHE,
           "return entry if entry is not None and self._clock() < entry.until else None", "return entry"),
    Mutant("evicted-meanwhile", "gate/cache.py", CACHE, "if epoch != self.epoch or ", "if "),
    Mutant("eviction-not-counted", "gate/cache.py", CACHE,
           "gone = frozenset(items)\n        with self._lock:\n            self.epoch += 1",
           "gone = frozenset(items)\n        with self._lock:"),
    Mutant("old-generation-not-evicted", "gate/cache.py", CACHE,
           "(self._young, self._old):", "(self._young,):"),
    Mutant("epoch-read-too-late", "gate/authenticator.py", AUTHENTICATOR,
           "self.cache.remember(credential, entry, epoch)", "self.cache.remember(credential, entry, self.cache.epoch)"),
    Mutant("kept-beyond-exp", "gate/authenticator.py", AUTHENTICATOR,
           'min(user.claims["exp"] + self._leeway, self._clock() + self._cache_seconds)',
           "self._clock() + self._cache_seconds"),
    Mutant("revocation-ignored", "gate/authenticator.py", BOTH,
           "if self.revocation is not None:\n                await", "if False:\n                await"),
    Mutant("revocation-asked-once", "gate/authenticator.py", BOTH,
           "if self.revocation is not None:\n                await",
           "if self.revocation is not None and new:\n                await"),
    Mutant("cut-off-leaves-its-second", "truth/store.py", BOTH,
           "int(issued_at) <= -mark", "int(issued_at) < -mark"),
    Mutant("anything-but-false-is-yes", "gate/usercheck.py", HOOK,
           "if await self._ask(user) is not True:", "if await self._ask(user) is False:"),
    Mutant("token-and-more", "gate/credentials.py", CREDENTIALS,
           "if not characters or characters.translate(None, _B64TOKEN):",
           "if not characters or characters[:1].translate(None, _B64TOKEN):"),
    Mutant("two-credentials-are-none", "gate/credentials.py", BOTH,
           " or self._ours_among_others.search(raw, 0, _LOOK):", ":"),
    Mutant("ambiguous-is-plain", "gate/rules.py", RULES,
           "if path is None or is_ambiguous(path, raw_path):", "if path is None:"),
    Mutant("encoded-is-plain", "gate/rules.py", BOTH,
           " or _ENCODED.search(raw_path) is not None", ""),
    Mutant("parameters-are-plain", "gate/rules.py", RULES, r"[\\;%#?", r"[\\%#?"),
    Mutant("exempt-is-a-prefix", "gate/rules.py", BOTH,
           "path in self._exact or", "path.startswith(tuple(self._exact)) or"),
    Mutant("below-is-beside", "gate/rules.py", RULES,
           'tuple(p.removesuffix("**")', 'tuple(p.removesuffix("/**")'),
    Mutant("full-path-matched", "asgi.py", BOTH,
           'below_mount(self.path, self._scope.get("root_path", ""))', "self.path"),
    Mutant("odd-method-has-no-rule", "gate/rules.py", RULES,
           "_upper(method) if method == method.upper() != HANDSHAKE else None", "_upper(method)"),
    Mutant("one-scope-is-enough", "gate/demands.py", RULES,
           "all(name in found for name in every)", "any(name in found for name in every)"),
    Mutant("demands-not-checked", "gate/admission.py", RULES,
           "demand.check(user, self._clock())", "pass"),
    Mutant("absent-passes", "gate/admission.py", BOTH,
           "if verdict.need is Need.OPTIONAL:", "if True:"),
    Mutant("remembered-passes-unjudged", "gate/admission.py", BOTH,
           "self._require_https or rules.binding", "False"),
    Mutant("anybody-is-a-proxy", "gate/transport.py", BOTH,
           "if forwarded_proto and self._is_trusted(peer):", "if forwarded_proto:"),
    Mutant("identity-from-outside", "wsgi.py", BOTH,
           "_remove_own_keys(environ)\n        identity", "pass\n        identity"),
    Mutant("last-credential-wins", "asgi.py", BOTH,
           'value if credential is None else credential + b"," + value', "value"),
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


def _tested(copy: Path, file: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-p", "no:cacheprovider", file]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.long
@pytest.mark.parametrize("file", sorted({mutant.aim for mutant in MUTANTS}))
def test_without_a_mistake_the_tests_pass(file: str, copied: Path) -> None:
    """Else they would seem to notice anything."""
    done = _tested(copied, file)
    assert done.returncode == pytest.ExitCode.OK, done.stdout[-3000:]


@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_is_noticed(mutant: Mutant, copied: Path) -> None:
    """By a test that fails, and not by a file that cannot be loaded."""
    file = copied / "jwt_middleware" / mutant.file
    file.write_text(file.read_text("utf-8").replace(mutant.old, mutant.new), "utf-8")
    done = _tested(copied, mutant.aim)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-3000:] + done.stderr[-1000:]
