"""The layout is the architecture: imports point down only, and nobody pays for what they do not use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worlds import SECRET

ROOT = Path(__file__).parent.parent
FORBIDDEN = (
    "prometheus_client",
    "argon2",
    "redis",
    "hiredis",
    "limits",
    "starlette",
    "werkzeug",
    "flask",
    "django",
    "fastapi",
    "asgiref",
    "click",
)


def test_imports_point_down_only():
    """The rooms' order of `pyproject.toml` is the order of imports."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["jwt_middleware", "jwt_middleware.asgi", "jwt_middleware.wsgi"])
def test_an_adapter_imports_no_framework_and_no_client(module):
    """A Flask app does not load Starlette, an app without Redis does not load redis."""
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert set(loaded.stdout.split()).isdisjoint(FORBIDDEN)


def test_wsgi_does_not_load_asyncio():
    """The blocking world has no event loop, not even an imported one."""
    code = "import sys, jwt_middleware.wsgi; sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("module", ["asgi", "wsgi"])
def test_asking_for_app_without_a_target_says_what_to_set(module):
    """`uvicorn jwt_middleware.asgi:app` without JWT_APP is told why."""
    done = subprocess.run(
        [sys.executable, "-c", f"from jwt_middleware.{module} import app"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"jwt_middleware.{module}:app needs JWT_APP=package.module:app" in done.stderr


def test_another_project_s_distribution_beside_us_is_named(tmp_path):
    """PyPI's `jwt-middleware` installs into the same folder, so we say so at import."""
    (tmp_path / "jwt_middleware-1.0.dist-info").mkdir()
    (tmp_path / "jwt_middleware").symlink_to(ROOT / "jwt_middleware")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import jwt_middleware"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "another project is installed beside" in done.stderr


def test_an_app_may_import_the_other_adapter_while_it_is_being_wrapped(tmp_path):
    """An ASGI app that uses `wsgi.JWTAuth` in a script of its own is not imported in a circle."""
    (tmp_path / "mine.py").write_text("from jwt_middleware.wsgi import JWTAuth\nasync def app(*_): ...\n")
    environment = os.environ | {"JWT_APP": "mine:app", "JWT_SECRET_KEY": SECRET, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    code = "import jwt_middleware.asgi as a; print(a.app.app.__module__)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "mine\n", done.stderr
