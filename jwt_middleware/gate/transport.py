"""How a request came: over HTTPS or not, from which client; and whose word counts for it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any

_SECURE = frozenset({"https", "wss"})
_WITH_PORT = re.compile(r"\[([^]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5}", re.ASCII)  # [::1]:80, [::1], 192.0.2.1:80
_LOOPBACK_HOST = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Transport:
    """Judges the transport; what `X-Forwarded-…` says counts only if it came from a trusted proxy."""

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

    def client(self, peer: str, forwarded_for: Sequence[str]) -> str:
        """Return the address of the client, as far as somebody whom we trust has seen it.

        Each proxy adds whom it saw at the right; what stands further left may be made up. So we go from the peer to
        the left, through trusted proxies only, to the first who is none, and no further than there are addresses.

        Args:
            peer: the address at the other end of the server's connection, empty for a Unix socket.
            forwarded_for: the values of `X-Forwarded-For`, each of which may list several hops.

        Returns:
            An address without port and zone; the peer as it is if that is none.
        """
        address = address_of(peer)
        client = peer if address is None else str(address)
        hops = [hop for value in forwarded_for for hop in value.split(",")]
        while hops and self._is_trusted(client) and (address := address_of(hops.pop())) is not None:
            client = str(address)
        return client

    def _is_trusted(self, peer: str) -> bool:
        if not peer:
            return self._unix
        address = address_of(peer)
        return address is not None and any(address in network for network in self._networks)


def is_loopback_host(host: str) -> bool:
    """Tell whether a `Host`, in lower case, names this machine to itself."""
    return _LOOPBACK_HOST.fullmatch(host) is not None


def group(client: str) -> str:
    """Return under which name to count a client: an IPv6 host has its whole /64, and changes its address at will."""
    address = address_of(client)
    if address is None or address.version == 4:
        return client
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def address_of(text: str) -> Address | None:
    """Read an address, with or without a port; `None` if it is none."""
    with_port = _WITH_PORT.fullmatch(text.strip())
    try:
        address = ipaddress.ip_address(with_port[1] or with_port[2] if with_port else text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without its zone, which is free text
