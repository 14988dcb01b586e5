"""The app that `JWT_APP` names, for wrapping it without touching its code."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import Any, NoReturn

from jwt_middleware.errors import ConfigurationError


def load(target: str) -> Any:
    """Import `package.module:attribute`.

    Raises:
        ConfigurationError: it does not look like that, or the module has no such attribute.
    """
    module, _, attribute = target.partition(":")
    if not module or not attribute:
        raise ConfigurationError(["JWT_APP must look like package.module:app"])
    found = importlib.import_module(module)
    try:
        return reduce(getattr, attribute.split("."), found)
    except AttributeError:
        raise ConfigurationError([f"JWT_APP: module {module} has no {attribute}"]) from None


def missing(module: str, name: str) -> NoReturn:
    """Say what to set when `module.app` is asked for without `JWT_APP`; any other name is an AttributeError."""
    if name == "app":
        raise ConfigurationError([f"{module}:app needs JWT_APP=package.module:app, the app to protect"])
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
