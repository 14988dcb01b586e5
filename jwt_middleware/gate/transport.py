"""Whether a request came over HTTPS, and whose word counts for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

_SECURE = frozenset({"https", "wss"})


class Transport:
    """Judges the transport; `X-Forwarded-Proto` counts only if it came from a trusted proxy."""

    def __init__(self, trusted_proxies: Sequence[Any]) -> None:
        self._unix = "unix" in trusted_proxies
        self._networks = tuple(network for network in trusted_proxies if network != "unix")

    def is_secure(self, scheme: str, peer: str, forwarded_proto: Sequence[str]) -> bool:
        """Tell whether every hop that we know of was encrypted.

        Args:
            scheme: what the server says of the connection it accepted.
            peer: the address at its other end, empty for a Unix socket.
            forwarded_proto: the values of `X-Forwarded-Proto`, each of which may list several hops.
        """
        if forwarded_proto and self._is_trusted(peer):
            return all(hop.strip().lower() in _SECURE for value in forwarded_proto for hop in value.split(","))
        return scheme in _SECURE

    def _is_trusted(self, peer: str) -> bool:
        if not peer:
            return self._unix
        address = address_of(peer)
        return address is not None and any(address in network for network in self._networks)


def address_of(peer: str) -> Any:
    """Return the address of a peer, an IPv4 one written as IPv6 as what it is; `None` if it is no address."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
