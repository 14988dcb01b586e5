"""What became of requests: asked for in numbers, and compared with what may."""

from __future__ import annotations

from collections.abc import Mapping

from tests.servers_matrix.sites import Site
from tests.servers_matrix.wire import Headers, request

BAD_REQUEST = {"400 invalid_request", "server: 400"}
REFUSED = {*BAD_REQUEST, "401 unauthorized"}
ADA = "app: ada GET /me"
NOBODY = "app: nobody GET /public"


def outcomes(site: Site, cases: Mapping[str, Headers], path: str = "/me") -> dict[str, str]:
    """Ask with each of these headers; return what became of it."""
    return {name: site.ask("GET", path, headers).outcome for name, headers in cases.items()}


def raw_outcomes(site: Site, cases: Mapping[str, str | bytes], path: str = "/me") -> dict[str, str]:
    """Ask with each of these spellings of the fields; return what became of it."""
    return {name: site.knock(request(f"GET {path} HTTP/1.1", field)).outcome for name, field in cases.items()}


def others(found: Mapping[str, str], allowed: set[str]) -> dict[str, str]:
    """Return those that ended otherwise."""
    return {name: outcome for name, outcome in found.items() if outcome not in allowed}
