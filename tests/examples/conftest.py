"""The examples as a reader would start them: settings from the environment, each module loaded anew."""

from __future__ import annotations

import base64
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "base64:" + base64.b64encode(bytes(range(32))).decode()


def settings(folder: Path, exempt: str) -> dict[str, str]:
    """Return the variables that the READMEs export."""
    return {
        "JWT_SECRET_KEY": SECRET,
        "JWT_STORE_URL": f"sqlite:///{folder}/revoked.db",
        "JWT_EXEMPT_PATHS": exempt,
    }


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ModuleType]:
    """Import a module of an example from its own folder: `load("flask_app", "app", exempt="/health")`."""

    def loaded(folder: str, module: str, exempt: str) -> ModuleType:
        before = set(sys.modules)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in settings(tmp_path_factory.mktemp("store"), exempt).items():
                patch.setenv(name, value)
            patch.syspath_prepend(EXAMPLES / folder)
            imported = importlib.import_module(module)
        for name in {"app", "fastapi_app", "users"} - before:
            sys.modules.pop(name, None)
        return imported

    return loaded


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
