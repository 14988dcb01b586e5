"""The body of a request to one of our endpoints: a form as OAuth wants it, or JSON, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from jwt_middleware.errors import GrantRefused, InvalidToken, Reason
from jwt_middleware.gate.request import Request
from jwt_middleware.token import jws

MAX_BODY = 64 * 1024  # bytes: a password and two tokens fit many times
_MAX_FIELDS = 50
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"


class Form:
    """The parameters of one request.

    Attributes:
        is_json: whether they came as JSON, not as a form.
    """

    def __init__(self, parameters: Mapping[str, str], *, is_json: bool) -> None:
        self._parameters = parameters
        self.is_json = is_json

    def get(self, name: str) -> str:
        """Return a parameter; empty where it is missing, which is the same (RFC 6749 section 3.2)."""
        return self._parameters.get(name, "")

    def need(self, name: str) -> str:
        """Return a parameter.

        Raises:
            GrantRefused: it is missing.
        """
        value = self.get(name)
        if not value:
            raise malformed(f"the parameter {name} is missing")
        return value


async def read(request: Request) -> Form:
    """Read the body of a request; an empty body has no parameters.

    Raises:
        GrantRefused: too long, neither a form nor JSON, a parameter twice (RFC 6749 section 3.2), or one that
            is not text.
    """
    body = await request.body(MAX_BODY)
    if body is None:
        raise malformed(f"the body is longer than {MAX_BODY} bytes, or was not sent to its end", 413)
    kind = "".join(request.fields("content-type")).partition(";")[0].strip().lower()
    if not body:
        return Form({}, is_json=kind != _FORM)
    if kind == _JSON:
        return Form(_from_json(body), is_json=True)
    if kind == _FORM:
        return Form(_from_form(body), is_json=False)
    raise malformed(f"the body must be {_FORM} or {_JSON}", 415)


def _from_json(body: bytes) -> dict[str, str]:
    try:
        members = jws.parse(body)
    except InvalidToken:
        raise malformed("the body is not a JSON object") from None
    given = {name: value for name, value in members.items() if value is not None}
    if not all(isinstance(value, str) for value in given.values()):
        raise malformed("a parameter in JSON is not a text")
    return given


def _from_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:
        raise malformed("the form is not UTF-8, or has too many fields") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise malformed("a parameter stands twice")
    return dict(pairs)


def malformed(detail: str, status: int = 400) -> GrantRefused:
    """Return the refusal of a request that we cannot read."""
    return GrantRefused("invalid_request", Reason.MALFORMED_REQUEST, detail, status)
