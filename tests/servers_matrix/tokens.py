"""Tokens as an issuer that is not us would make them."""

from __future__ import annotations

import itertools
import time
from typing import Any

import jwt

from tests.servers_matrix.processes import SECRET

_ids = itertools.count()


def token(sub: str = "ada", *, key: str = SECRET, **claims: Any) -> str:
    """Make a token with every claim that revocation needs."""
    now = int(time.time())
    fixed = {"sub": sub, "iat": now, "exp": now + 3600, "jti": f"{time.time_ns()}-{next(_ids)}", "scope": "read"}
    return jwt.encode(fixed | claims, key, "HS256")
