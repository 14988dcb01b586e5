"""The app that `JWT_APP` names, for wrapping it without touching its code."""

from __future__ import annotations

import importlib
import inspect
import sys
from functools import reduce
from typing import Any, NoReturn

from jwt_middleware.errors import ConfigurationError


def load(target: str, world: str) -> Any:
    """Import `package.module:attribute`, an app of `world` (`asgi` or `wsgi`).

    Raises:
        ConfigurationError: it does not look like that, the module has no such attribute, or it speaks the other
            protocol.
    """
    module, _, attribute = target.partition(":")
    if not module or not attribute:
        raise ConfigurationError(["JWT_APP must look like package.module:app"])
    found = importlib.import_module(module)
    try:
        app = reduce(getattr, attribute.split("."), found)
    except AttributeError:
        raise ConfigurationError([f"JWT_APP: module {module} has no {attribute}"]) from None
    other = _OTHER[world]
    if _arguments(app) == _ARGUMENTS[other]:
        raise ConfigurationError([f"JWT_APP: {target} is a {other.upper()} app: serve jwt_middleware.{other}:app"])
    return app


_OTHER = {"asgi": "wsgi", "wsgi": "asgi"}
_ARGUMENTS = {"asgi": ["scope", "receive", "send"], "wsgi": ["environ", "start_response"]}


def _arguments(app: object) -> list[str]:
    """Return the names of an app's arguments, by which the frameworks tell the protocols apart."""
    try:
        return list(inspect.signature(app).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []


def is_being_imported(target: str) -> bool:
    """Tell whether the app's own module is asking: it imports an adapter while it is itself imported for `JWT_APP`."""
    spec = getattr(sys.modules.get(target.partition(":")[0]), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def missing(module: str, name: str) -> NoReturn:
    """Say what to set when `module.app` is asked for without `JWT_APP`; any other name is an AttributeError."""
    if name == "app":
        raise ConfigurationError([f"{module}:app needs JWT_APP=package.module:app, the app to protect"])
    raise AttributeError(f"module {module!r} has no attribute {name!r}")
