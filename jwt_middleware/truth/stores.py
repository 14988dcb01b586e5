"""From `JWT_STORE_URL` to the store that it names."""

from __future__ import annotations

from collections.abc import Callable

from jwt_middleware.settings import Settings
from jwt_middleware.truth.io import MakeIO
from jwt_middleware.truth.store import Store


def problems(settings: Settings) -> list[str]:
    """Return why the store cannot be used, and what is set but needs one."""
    url = settings.store_url
    if url is None:
        wanted = {
            "JWT_REVOCATION=direct": settings.revocation == "direct",
            "JWT_FAILED_ATTEMPTS": settings.failed_attempts,
        }
        return [f"{name} needs JWT_STORE_URL" for name, is_set in wanted.items() if is_set]
    if url.startswith("sqlite:"):
        return _sqlite_problems(url)
    if url.startswith(("redis:", "rediss:", "unix:")):
        from jwt_middleware.truth.redis import problem_with

        problem = problem_with(url)
        return [problem] if problem else []
    return ["JWT_STORE_URL must begin with sqlite:///, redis://, rediss:// or unix://"]


def _sqlite_problems(url: str) -> list[str]:
    from jwt_middleware.truth.sqlite import path_of

    try:
        path_of(url)
    except ValueError as error:
        return [str(error)]
    return []


def horizon(settings: Settings) -> float | None:
    """How long what was revoked must stay so: a session outlives its tokens, and could make new ones."""
    return None if settings.max_lifetime is None else max(settings.max_lifetime, settings.session_expires)


def named(settings: Settings, make_io: MakeIO, clock: Callable[[], float]) -> Store | None:
    """Return the store that `JWT_STORE_URL` names, without asking it anything; `None` where it is not set."""
    url = settings.store_url
    if url is None:
        return None
    if url.startswith("sqlite:"):
        from jwt_middleware.truth.sqlite import SQLiteStore, path_of

        io = make_io(None, settings.store_timeout)
        return SQLiteStore(io, path_of(url), settings.store_timeout, horizon(settings), clock)
    from jwt_middleware.truth.redis import RedisStore

    return RedisStore(make_io(url, settings.store_timeout), settings.store_prefix, horizon(settings))
