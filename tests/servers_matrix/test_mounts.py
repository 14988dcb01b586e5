"""An app below a mount point: `JWT_EXEMPT_PATHS` names paths as the app sees them, whatever the server calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers_matrix.outcomes import REFUSED, others
from tests.servers_matrix.processes import APPS, FRAMEWORKS, KINDS, Process, environment
from tests.servers_matrix.sites import RULES
from tests.servers_matrix.spellings import twisted
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import bearer, request

long = pytest.mark.long


@dataclass(frozen=True)
class Mount:
    """How a server is told that its app lives below /mnt.

    Attributes:
        options: on its command line.
        env: in its environment.
        sent: what a client's path begins with; nothing where the server itself puts /mnt before it.
        outside: what becomes of /public, which is not below /mnt, without a token.
    """

    options: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    sent: str = "/mnt"
    outside: int = 401


MOUNTS = {
    "uvicorn-h11": Mount(("--root-path", "/mnt"), sent=""),
    "uvicorn-httptools": Mount(("--root-path", "/mnt"), sent=""),
    "hypercorn": Mount(("--root-path", "/mnt"), outside=200),  # Starlette serves its /public there, too
    "granian-asgi": Mount(("--url-path-prefix", "/mnt"), outside=200),
    "daphne": Mount(("--root-path", "/mnt"), outside=200),
    "gunicorn-sync": Mount(env={"SCRIPT_NAME": "/mnt"}, outside=500),  # gunicorn's own: the app is not asked
    "gunicorn-gthread": Mount(env={"SCRIPT_NAME": "/mnt"}, outside=500),
    "waitress": Mount(("--url-prefix", "/mnt"), outside=200),  # it serves the app there too: then the path is /public
    "granian-wsgi": Mount(("--url-path-prefix", "/mnt")),
}
FIRST = {"asgi": "starlette", "wsgi": "flask"}
CASES = [
    pytest.param(kind, app, id=f"{kind}-{app}", marks=() if app == FIRST[KINDS[kind].world] else long)
    for kind in MOUNTS
    for app in FRAMEWORKS[KINDS[kind].world]
]


@pytest.mark.parametrize(("kind", "app"), CASES)
def test_mounted_by_the_server(launch: Callable[..., Process], tmp_path: Path, kind: str, app: str) -> None:
    """With a root path or a SCRIPT_NAME only what comes after it counts, and nothing passes for it that is not."""
    mount, world = MOUNTS[kind], KINDS[kind].world
    process = launch(kind, *mount.options)
    (tmp_path / "rules.toml").write_text(RULES)
    mine = {"JWT_EXEMPT_PATHS": "/public,/mnt/secret", "JWT_RULES_FILE": str(tmp_path / "rules.toml")}
    env = environment(JWT_APP=f"{APPS}:{app}_app", **mine, **mount.env)
    process.serve(f"jwt_middleware.{world}:app", env, f"{mount.sent}/public")

    def status(path: str) -> int:
        return process.ask("GET", path, may_fail=True).status

    assert process.ask("GET", f"{mount.sent}/public").json()["user"] == ""
    assert process.ask("GET", f"{mount.sent}/me", bearer(token("ada"))).json()["user"] == "ada"
    refused = ("/me", "/mnt/public", "/secret", "", "/", "/public/")
    assert {path: status(f"{mount.sent}{path}" or "/") for path in refused} == dict.fromkeys(refused, 401)
    assert status(f"{mount.sent}public" if mount.sent else "/mntpublic") == 401
    if mount.sent:
        assert status("/public") == mount.outside
        assert status("/mnt/../public") != 200
        assert kind == "waitress" or status("//mnt/public") != 200  # waitress makes /mnt/public of it
    assert_rules_below(process, mount.sent)


def assert_rules_below(process: Process, mount: str) -> None:
    """Check that rules are about paths below the mount, however the path or the mount is spelled."""
    plain, admin = (f"Authorization: Bearer {token('ada', **claims)}" for claims in ({}, {"roles": ["admin"]}))

    def outcome(target: str, *fields: str) -> str:
        return process.knock(request(f"GET {target} HTTP/1.1", *fields), may_fail=True).outcome

    def outcomes(path: str, *fields: str) -> dict[str, str]:
        # granian's WSGI decodes slashes, and waitress drops those at the beginning, before anybody sees them.
        told = (spelling for spelling in twisted(path) if not spelling.lower().startswith(("/%2f", "//")))
        below = (spelling for spelling in told if not mount or spelling.startswith("/"))
        return {mount + spelling: outcome(mount + spelling, *fields) for spelling in below}

    assert outcome(f"{mount}/health").startswith("app: nobody")
    assert outcome(f"{mount}/admin/users", admin).startswith("app: ada")
    assert outcome(f"{mount}/admin/users", plain) == "403 insufficient_scope"
    assert others(outcomes("/admin/users", plain), {"403 insufficient_scope", "server: 400", "server: 404"}) == {}
    for path in ("/public", "/health"):
        assert others(outcomes(path), {*REFUSED, "server: 404"}) == {}
    if mount:
        odd = ("/MNT{}", "/mnt/../mnt{}", "/./mnt{}", "/mnt%2f{}", "/mnt;x{}", "/x/mnt{}", "/mnt/mnt{}", "/mnt%00{}")
        found = {target: outcome(target.format("/admin/users"), plain) for target in odd}
        assert not [name for name, seen in found.items() if seen == "app: ada GET /admin/users"]


@pytest.mark.parametrize(
    ("kind", "app"),
    [
        pytest.param("uvicorn-httptools", "mounted_asgi_app", id="uvicorn-httptools-starlette"),
        pytest.param("gunicorn-gthread", "mounted_wsgi_app", id="gunicorn-gthread-dispatcher"),
        pytest.param("hypercorn", "mounted_asgi_app", id="hypercorn-starlette", marks=long),
        pytest.param("granian-asgi", "mounted_asgi_app", id="granian-asgi-starlette", marks=long),
        pytest.param("daphne", "mounted_asgi_app", id="daphne-starlette", marks=long),
        pytest.param("gunicorn-sync", "mounted_wsgi_app", id="gunicorn-sync-dispatcher", marks=long),
        pytest.param("waitress", "mounted_wsgi_app", id="waitress-dispatcher", marks=long),
        pytest.param("granian-wsgi", "mounted_wsgi_app", id="granian-wsgi-dispatcher", marks=long),
    ],
)
def test_mounted_by_the_app(launch: Callable[..., Process], kind: str, app: str) -> None:
    """Wrapped inside another app's mount, exempt paths are those of the wrapped app."""
    process = launch(kind)
    process.serve("tests.servers_matrix.served:app", environment(MATRIX_APP=app), "/inner/public")
    assert process.ask("GET", "/inner/public").json()["user"] == ""
    assert process.ask("GET", "/inner/me", bearer(token("ada"))).json()["user"] == "ada"
    for path in ("/inner/me", "/inner/inner/public", "/inner/public/"):
        assert process.ask("GET", path).verdict == (401, "unauthorized")
    assert process.ask("GET", "/public").status == 404
