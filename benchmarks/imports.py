"""What importing us costs, and what it must not drag in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measure import Row, Sample, compare, in_turn

# asyncio is at home in an ASGI server, not in a WSGI one.
HEAVY = ("argon2", "redis", "starlette", "werkzeug", "flask", "django", "fastapi", "sqlite3", "click", "urllib3")
UNWANTED = {"jwt_middleware.asgi": HEAVY, "jwt_middleware.wsgi": (*HEAVY, "asyncio")}


def rows() -> Iterator[Row]:
    starlette, *ours = in_turn([_import("starlette.applications"), *map(_import, UNWANTED)], rounds=9)
    yield Row("import starlette.applications", min(starlette), "ms")
    for module, mine in zip(UNWANTED, ours, strict=True):
        yield compare(f"import {module}", "ms", mine, "import starlette.applications", starlette)
    for module, unwanted in UNWANTED.items():
        found = [name for name in unwanted if name in _loaded(module)]
        yield Row(f"heavy modules {module} imports: {', '.join(found) or 'none'}", len(found), "", target=("<=", 0))


def _import(module: str) -> Sample:
    return lambda: float(_python("-X", "importtime", "-c", f"import {module}").splitlines()[-1].split("|")[1]) / 1000


def _loaded(module: str) -> list[str]:
    return _python("-c", f"import {module}, sys; print(*sys.modules, sep='\\n', file=sys.stderr)").splitlines()


def _python(*arguments: str) -> str:
    """Return what it says on standard error, where -X importtime writes."""
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stderr
