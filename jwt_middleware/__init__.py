"""JWT authentication in front of any WSGI or ASGI app.

from jwt_middleware.asgi import JWTAuth, JWTMiddleware      # Starlette, FastAPI, Django, …
from jwt_middleware.wsgi import JWTAuth, JWTMiddleware      # Flask, Django, …
"""

import warnings as _warnings
from pathlib import Path as _Path

from jwt_middleware.errors import (
    ConfigurationError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    JWTMiddlewareError,
    NoCredential,
    Reason,
    Refused,
    StaleAuthentication,
    TooManyRequests,
    Unavailable,
)
from jwt_middleware.events import Event, EventName
from jwt_middleware.user import Claims, User, current_user

__version__ = "0.1.0"

__all__ = [
    "Claims",
    "ConfigurationError",
    "Event",
    "EventName",
    "InsufficientScope",
    "InvalidRequest",
    "InvalidToken",
    "JWTMiddlewareError",
    "NoCredential",
    "Reason",
    "Refused",
    "StaleAuthentication",
    "TooManyRequests",
    "Unavailable",
    "User",
    "current_user",
]

# PyPI's `jwt-middleware` is another project that installs into the same folder: whichever came last wins.
if next(_Path(__file__).parent.parent.glob("jwt_middleware-*.dist-info"), None):
    _warnings.warn(
        "the distribution 'jwt-middleware' of another project is installed beside 'pyjwt-middleware' and "
        "shares its import name: pip uninstall jwt-middleware, then reinstall pyjwt-middleware",
        stacklevel=2,
    )
