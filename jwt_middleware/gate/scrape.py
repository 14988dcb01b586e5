"""`JWT_METRICS_PATH`: the counts for a Prometheus server, and for nobody else.

Whoever asks must bring a token with the scope `metrics`, or be on this machine: at the other end of a loopback
connection, without any sign that somebody else is behind it. A reverse proxy on this machine that leaves no such sign
cannot be told from a local client, so `JWT_TRUSTED_PROXIES` must name it, or the proxy close the path.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from jwt_middleware.errors import NoCredential, Reason, escaped
from jwt_middleware.gate.admission import Gate
from jwt_middleware.gate.demands import Demand
from jwt_middleware.gate.metrics import exposition
from jwt_middleware.gate.replies import Reply, in_json
from jwt_middleware.gate.request import Request
from jwt_middleware.gate.transport import address_of, is_loopback_host

_SETTING = "JWT_METRICS_PATH"
_SCOPE = Demand(_SETTING, scopes=("metrics",), asked=("metrics",))
_METHODS = ("GET", "HEAD")
_LOOPBACK = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1", "::ffff:127.0.0.0/104")))

# What a client that speaks for itself never sends: a word of who is behind it, or a credential that is not ours.
_OF_ANOTHER = (
    "authorization", "proxy-authorization",
    "forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
    "x-forwarded-by", "x-forwarded-server", "x-forwarded-prefix", "x-forwarded-scheme", "x-forwarded-ssl",
    "x-forwarded-user", "x-forwarded-client-cert", "x-forwarded", "forwarded-for", "x-original-forwarded-for",
    "x-original-host", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip", "x-cluster-client-ip",
    "x-remote-ip", "x-remote-addr", "x-originating-ip", "proxy-client-ip", "wl-proxy-client-ip", "x-proxyuser-ip",
    "cf-connecting-ip", "cf-connecting-ipv6", "cf-ray", "cdn-loop", "fastly-client-ip", "fly-client-ip",
    "x-azure-clientip", "x-arr-log-id", "x-appengine-user-ip", "x-cloud-trace-context", "x-amzn-trace-id",
    "x-amz-cf-id", "x-envoy-external-address", "x-vercel-forwarded-for", "x-nf-client-connection-ip",
)  # fmt: skip


class Scrape:
    """The service that answers `JWT_METRICS_PATH`.

    Args:
        path: where.
        trusted_proxies: if one of them is on this machine, a loopback connection says nothing.

    Raises:
        ImportError: `prometheus_client` is not installed.
    """

    def __init__(self, path: str, trusted_proxies: Sequence[Any]) -> None:
        import prometheus_client  # noqa: F401 - now rather than in the first request

        self.paths: Sequence[str] = (path,)
        self._proxied = any(proxy == "unix" or _is_here(proxy) for proxy in trusted_proxies)

    async def answer(self, request: Request, gate: Gate) -> Reply:
        """Return the metrics of this process, in the format that the client prefers.

        Raises:
            NoCredential, InvalidRequest, InvalidToken: it is neither local nor somebody that we know.
            InsufficientScope: its token has not the scope `metrics`.
            Unavailable: that cannot be decided.
        """
        if request.credential is not None:
            _SCOPE.check(await gate.identify(request), 0.0)
        elif (doubt := self._doubt(request)) is not None:
            detail = f"no {gate.header_name} header, and not a local client of {_SETTING}: {doubt}"
            raise NoCredential(Reason.MISSING, detail)
        if request.method not in _METHODS:
            return _NOT_ALLOWED
        content_type, body = exposition(gate.metrics, request.values("accept"))
        headers = (("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"))
        return Reply(200, headers, body)

    def _doubt(self, request: Request) -> str | None:
        """Return why a request may not be from this machine, `None` if it is."""
        address = address_of(request.peer)
        if address is None or not any(address in network for network in _LOOPBACK):
            return f"it came from {escaped(request.peer) or 'a Unix socket'}"
        if self._proxied:
            return "JWT_TRUSTED_PROXIES names this machine"
        if (found := next((name for name in _OF_ANOTHER if request.values(name)), None)) is not None:
            return f"it has the header {found}"
        hosts = request.values("host")  # a page can make a browser connect here, by a name of the page's own
        if len(hosts) != 1 or not is_loopback_host(hosts[0].lower()):
            return f"its Host is {escaped(', '.join(hosts)) or 'missing'}, not localhost"
        return None


def _is_here(network: Any) -> bool:
    return any(network.version == here.version and network.overlaps(here) for here in _LOOPBACK)


_NOT_ALLOWED = in_json(
    405,
    {"error": "method_not_allowed", "error_description": "Metrics can only be read."},
    (("Cache-Control", "no-store"), ("Allow", ", ".join(_METHODS))),
)
