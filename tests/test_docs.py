"""The documents are true: generated pages are current, links lead somewhere, and the quick start runs as printed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jwt_middleware import Reason
from jwt_middleware.settings import DECLARATIONS, variable

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_generated_pages_are_current():
    """`make docs` would change nothing."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate
    finally:
        sys.path.pop(0)
    for path, page in generate.PAGES.items():
        assert path.read_text("utf-8") == page(), f"{path.name} is stale: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link names a file of this repository."""
    for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(page):
    """No page promises a variable that the code does not know."""
    known = {variable(name) for name in DECLARATIONS} | {f"{variable(name)}_FILE" for name in DECLARATIONS}
    generic = {"JWT_", "JWT_NAME", "JWT_NAME_FILE", "JWT_ALLOW_", "JWT_REQUIRE"}
    for name in set(re.findall(r"\bJWT_[A-Z_]*", page.read_text("utf-8"))):
        assert name in known | generic, name


def test_every_test_that_is_named_exists():
    """A promise names the test that holds it; the test is there."""
    for page in PAGES:
        for name in re.findall(r"`((?:tests|benchmarks|docs|examples)/[\w/.]*)`", page.read_text("utf-8")):
            assert (ROOT / name).exists(), (page.name, name)


def test_the_architecture_names_every_module():
    """The drawing shows the house as it stands."""
    drawing = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for module in (ROOT / "jwt_middleware").rglob("*.py"):
        name = module.parent.name if module.stem == "__init__" else module.stem
        assert name.strip("_") in drawing, module


def test_reasons_are_a_closed_list_of_codes():
    """Dashboards are built on them: lower case, no spaces, none twice."""
    assert all(re.fullmatch(r"[a-z_]+", reason.value) for reason in Reason)
    assert len({reason.value for reason in Reason}) == len(Reason)


def test_the_rules_page_runs_as_printed(tmp_path, monkeypatch, capsys):
    """The example file is taken as it is, and each `explain` says what the page says."""
    from jwt_middleware.cli import main

    page = (ROOT / "docs/rules.md").read_text("utf-8")
    toml, console = (re.search(rf"^```{kind}\n(.*?)^```", page, re.M | re.S)[1] for kind in ("toml", "console"))
    (tmp_path / "rules.toml").write_text(toml)
    monkeypatch.setenv("JWT_RULES_FILE", str(tmp_path / "rules.toml"))
    printed = re.split(r"^\$ jwt-middleware (.*)\n", console, flags=re.M)[1:]
    assert len(printed) == 6
    for command, output in zip(printed[::2], printed[1::2]):
        assert main(command.split()) == 0
        assert capsys.readouterr().out == output


def test_the_rules_page_names_every_key():
    """The table is whole."""
    from jwt_middleware.gate.rulebook import KEYS

    page = (ROOT / "docs/rules.md").read_text("utf-8")
    assert all(f"`{key}`" in page for key in KEYS)


OPERATIONS = (ROOT / "docs/operations.md").read_text("utf-8")


def test_the_audit_hook_runs_as_printed(protect, tmp_path, monkeypatch):
    """Five lines, named by the setting: each refusal is a line of JSON."""
    block = next(b for b in re.findall(r"^```python\n(.*?)^```", OPERATIONS, re.M | re.S) if "# audit.py" in b)
    (tmp_path / "audit.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "audit", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JWT_ON_EVENT", "audit:write")
    world = protect(required_scopes="read")
    assert world.request("/orders").status == 401
    assert world.request("/orders\n", token=world.auth.issue("ada")).status == 403
    first, second = map(json.loads, (tmp_path / "audit.jsonl").read_text().splitlines())
    sys.modules.pop("audit").trail.close()
    assert first == {
        "name": "request.refused", "time": 3_999_996_000.0, "status": 401, "error": "unauthorized", "reason": "missing",
        "detail": "no Authorization header", "method": "GET", "path": "/orders", "address": "127.0.0.1",
        "issuer": None, "subject": None, "token_id": None, "session_id": None,
    }  # fmt: skip
    assert (second["reason"], second["path"], second["subject"]) == ("missing_scope", "/orders\n", "ada")


def test_the_metrics_that_are_named_exist(protect):
    """Names, labels, outcomes and reasons of the page, its alert rules included, are those of a reading."""
    world = protect(metrics_path="/metrics")
    assert world.request().status == 401
    read = world.request("/metrics", host="localhost").body.decode()
    there = set(re.findall(r"^(jwt_middleware_\w+)\{", read, re.M))
    assert set(re.findall(r"\bjwt_middleware_\w+", OPERATIONS)) == there
    assert set(re.findall(r'outcome="(\w+)"', OPERATIONS)) <= set(re.findall(r'outcome="(\w+)"', read))
    for group in re.findall(r"without \(([\w, ]+)\)", OPERATIONS):
        assert set(group.split(", ")) <= {"pid", "outcome", "reason", "issuer"}
    for reasons in re.findall(r'reason=~"([\w|]+)"', OPERATIONS):
        assert set(reasons.split("|")) <= {reason.value for reason in Reason}


SIGNING_IN = ROOT / "docs/signing-in.md"


def test_the_users_file_of_the_signing_in_page_works_as_printed(tmp_path):
    """It is taken as it is, and its user signs in with the password that the page names."""
    from jwt_middleware.login.users import Account, authority
    from jwt_middleware.settings import Settings
    from jwt_middleware.truth._blocking import BlockingIO
    from jwt_middleware.truth.io import run

    (tmp_path / "users.json").write_text(
        re.search(r"^```json\n(.*?)^```", SIGNING_IN.read_text("utf-8"), re.M | re.S)[1]
    )
    found = authority(Settings(users_file=tmp_path / "users.json"), BlockingIO(None, 1), problems := [])
    assert problems == []
    account = run(found.authenticate("ada", "correct horse battery staple"))
    assert account == Account("42", ("read", "write"), {"name": "Ada L", "roles": ("admin",)})


DJANGO_USERS = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"], USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create_user("ada", password="sesame", first_name="Ada", last_name="L")
"""
DJANGO_ASKS = """
from jwt_middleware.login.users import Account, Hook
from jwt_middleware.truth._blocking import BlockingIO
from jwt_middleware.truth.io import run
hook = Hook(sign_in, BlockingIO(None, 1), frozenset())
assert run(hook.authenticate("ada", "sesame")) == Account("1", ("read", "write"), {"name": "Ada L"})
assert run(hook.authenticate("ada", "wrong")) is None
assert run(hook.authenticate("bob", "sesame")) is None
"""


def test_the_function_of_the_signing_in_page_works_as_printed():
    """With Django's own users, in a process of its own."""
    printed = re.search(r"^```python\n(.*?)^```", SIGNING_IN.read_text("utf-8"), re.MULTILINE | re.DOTALL)[1]
    code = DJANGO_USERS + printed + DJANGO_ASKS
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_keys_page_names_commands_that_there_are():
    """Each command line on it is one that would be taken."""
    from jwt_middleware.cli import main

    page = (ROOT / "docs/keys.md").read_text("utf-8")
    lines = [
        found.split() for found in re.findall(r"jwt-middleware (keys (?:new|rotate|retire|list|jwks)[^#`\n)]*)", page)
    ]
    assert len(lines) >= 10
    for words in lines:
        assert main([*words, "--help"]) == 0, words


def test_the_flask_quick_start_runs_as_printed(tmp_path):
    """A stranger copies two blocks and gets what the comments say."""
    app = next(block for block in blocks("python") if "flask" in block)
    script = next(block for block in blocks("bash") if "flask run" in block)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "app.py").write_text(app)
    script = script.replace("127.0.0.1:5000", f"127.0.0.1:{port}")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FLASK_RUN_PORT": str(port),
    }
    started = time.monotonic()
    shell = subprocess.Popen(
        ["bash", "-euc", script + "\nkill $!"],
        cwd=tmp_path, env=environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = shell.communicate(timeout=60)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, (output, time.monotonic() - started)
    assert re.search("HTTP/1.1 401 unauthorized", output, re.IGNORECASE)
    assert 'WWW-Authenticate: Bearer realm="api"' in output
    assert re.search(r'{"hello":\s*"ada"}', output), output


def test_the_fastapi_quick_start_runs_as_printed(tmp_path, monkeypatch):
    """The other block, through FastAPI's own client."""
    from starlette.testclient import TestClient

    from jwt_middleware.cli import main

    block = next(block for block in blocks("python") if "fastapi" in block)
    monkeypatch.setenv("JWT_SECRET_KEY", "nV8vQ2kD5xJtC0aZpY7rLwE3uHbG6mFs")
    names: dict[str, object] = {"__name__": "app"}
    exec(compile(block, "README.md", "exec"), names)
    token = names["auth"].issue("ada", scope="read")
    with TestClient(names["app"]) as client:
        assert client.get("/").status_code == 401
        answer = client.get("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.json() == {"hello": "ada", "scopes": ["read"]}
    assert main(["token", "verify", token]) == 0


def test_the_sign_in_block_runs_as_printed(tmp_path, monkeypatch):
    """Issue, verify and revoke, as the README shows them."""
    import contextvars

    block = next(block for block in blocks("python") if "auth.revoke(" in block)
    monkeypatch.setenv("JWT_SECRET_KEY", "nV8vQ2kD5xJtC0aZpY7rLwE3uHbG6mFs")
    monkeypatch.setenv("JWT_STORE_URL", f"sqlite:///{tmp_path}/store.db")

    def run() -> None:
        before, revoke, after = block.partition("auth.revoke(current_user())")
        names: dict[str, object] = {}
        exec(before, names)
        from jwt_middleware.user import set_current

        set_current(names["auth"].verify(names["token"]))
        exec(revoke + after, names)

    contextvars.Context().run(run)
