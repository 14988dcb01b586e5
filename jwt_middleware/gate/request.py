"""What the gate looks at: one request, as either protocol hands it over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jwt_middleware.gate.cache import Credential
from jwt_middleware.user import User

METHOD_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")
_NEVER_IN_A_PREFLIGHT = ("cookie", "transfer-encoding", *METHOD_OVERRIDES)


class Request(ABC):
    """A view of a scope or an environ, read only as far as a decision needs it.

    Attributes:
        credential: the header that carries the token, as the server gave it; several joined by a comma.
        user: whom its token speaks of, once it has been verified.
    """

    __slots__ = ("credential", "user")

    def __init__(self, credential: Credential | None) -> None:
        self.credential = credential
        self.user: User | None = None

    @property
    @abstractmethod
    def method(self) -> str:
        """The method as it was sent; `WEBSOCKET` for a handshake."""

    @property
    def is_handshake(self) -> bool:
        """Whether it opens a WebSocket, and is no HTTP request whose method is called so."""
        return False

    @property
    @abstractmethod
    def path(self) -> str:
        """The decoded path, for the log."""

    @property
    @abstractmethod
    def path_in_app(self) -> str | None:
        """The decoded path relative to the app; `None` where that cannot be told."""

    @property
    @abstractmethod
    def raw_path(self) -> bytes:
        """The path as it was sent, without the query, where the server tells."""

    @property
    @abstractmethod
    def scheme(self) -> str:
        """The scheme of the connection that the server accepted."""

    @property
    @abstractmethod
    def peer(self) -> str:
        """The address at the other end of it; empty for a Unix socket."""

    @property
    @abstractmethod
    def mount(self) -> str:
        """Where the app is mounted, as the server tells; empty at the root."""

    @abstractmethod
    def fields(self, name: str) -> Sequence[str]:
        """Return the fields of a header, by its lower-case name; a WSGI server has joined them to one."""

    @abstractmethod
    async def body(self, limit: int) -> bytes | None:
        """Return the body, read to its end; `None` if it is longer than `limit` bytes, or the client went away."""

    def values(self, name: str) -> Sequence[str]:
        """Return the values of a header that is a list, by its lower-case name.

        Fields are split at their commas in both worlds, since WSGI servers join them so.
        """
        return [value.strip() for field in self.fields(name) for value in field.split(",")]

    @property
    def origin(self) -> str | None:
        """The one origin it names, if it names one."""
        origins = self.values("origin")
        return origins[0] if len(origins) == 1 else None

    @property
    def is_preflight(self) -> bool:
        """Whether it is a CORS preflight as browsers send it (Fetch standard, CORS-preflight fetch).

        Exactly OPTIONS, one origin, one asked method; no credential, no cookie, no body, and no header by which an
        app might take it for another method.
        """
        return (
            self.credential is None
            and self.method == "OPTIONS"
            and bool(self.origin)
            and len(asked := self.values("access-control-request-method")) == 1
            and bool(asked[0])
            and not any(self.values(name) for name in _NEVER_IN_A_PREFLIGHT)
            and "".join(self.values("content-length")) in ("", "0")
        )
