"""What a setting names in a module: the app of `JWT_APP`, the function of a hook."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import reduce
from typing import Any, NoReturn

from jwt_middleware.errors import ConfigurationError


def load(target: str, world: str) -> Any:
    """Import the app that `JWT_APP` names, an app of `world` (`asgi` or `wsgi`).

    Raises:
        ConfigurationError: it does not look like `package.module:app`, the module has no such attribute, or the app
            speaks the other protocol.
    """
    app = attribute(target)
    other = _OTHER[world]
    if _arguments(app) == _ARGUMENTS[other]:
        raise ConfigurationError([f"JWT_APP: {target} is a {other.upper()} app: serve jwt_middleware.{other}:app"])
    return app


def attribute(target: str) -> Any:
    """Import `package.module:attribute`.

    Raises:
        ConfigurationError: it does not look like that, or the module has no such attribute.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise ConfigurationError(["JWT_APP must look like package.module:app"])
    found = importlib.import_module(module)
    try:
        return reduce(getattr, name.split("."), found)
    except AttributeError:
        raise ConfigurationError([f"JWT_APP: module {module} has no {name}"]) from None


def function(given: Callable[..., Any] | str) -> Callable[..., Any]:
    """Return the function that a setting gave, or named as `package.module:function`.

    Raises:
        ConfigurationError: as `attribute`.
    """
    found: Callable[..., Any] = given if callable(given) else attribute(given)
    return found


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
