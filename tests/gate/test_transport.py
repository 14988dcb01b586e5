"""Who the client is: the first, seen from us, whom no trusted proxy vouches for."""

from __future__ import annotations

import pytest

from jwt_middleware import parsing
from jwt_middleware.gate.transport import Transport, group

TRUSTED = "10.0.0.0/8, 2001:db8:1::/48, 192.0.2.1"


def client(peer: str, *forwarded_for: str, trusted: str = TRUSTED) -> str:
    return Transport(parsing.networks(trusted)).client(peer, forwarded_for)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.7"], "203.0.113.5"),
        ("203.0.113.5", ["10.0.0.1"], "203.0.113.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1,198.51.100.7 , 10.0.0.2,192.0.2.1"], "198.51.100.7"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.7", "10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["10.0.0.3, 2001:db8:1::9"], "10.0.0.3"),
        ("2001:db8:1::1", ["2001:db8:2::1, 2001:db8:1::2"], "2001:db8:2::1"),
    ],
    ids=[
        "no-proxy", "spoofed-by-a-stranger", "a-stranger-names-a-proxy", "the-proxy-itself", "one-hop",
        "left-of-it-is-made-up", "through-three", "three-fields", "all-trusted", "all-trusted-of-both-kinds", "ipv6",
    ],
)  # fmt: skip
def test_the_client_is_the_right_most_who_is_no_trusted_proxy(peer, forwarded_for, expected):
    """Each proxy adds at the right whom it saw; what the client wrote itself stands at the left."""
    assert client(peer, *forwarded_for) == expected


@pytest.mark.parametrize(
    "garbage",
    ["", " ", "unknown", "_hidden", "example.org", "1.2.3", "1.2.3.4.5", "999.1.1.1", "01.02.03.04", "1.2.3.4:", "::g",
     "[::1", "1.2.3.4:123456", "[]", "[]:80", ":80", '"1.2.3.4"', "for=1.2.3.4", "1.2.3.4\x00", "１.2.3.4", "1.2.3.4/8",
     "x" * 60_000, "[" * 60_000],
    ids=lambda text: repr(text)[:20],
)  # fmt: skip
def test_garbage_ends_the_walk_at_the_last_good_hop(garbage):
    """What is no address says nothing of the client, and what stands left of it nothing either."""
    assert client("10.0.0.1", f"198.51.100.7, {garbage}, 10.0.0.2") == "10.0.0.2"
    assert client("10.0.0.1", f"198.51.100.7, {garbage}") == "10.0.0.1"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("198.51.100.7:5678", "198.51.100.7"),
        ("[2001:db8:2::1]:80", "2001:db8:2::1"),
        ("[2001:db8:2::1]", "2001:db8:2::1"),
        ("2001:DB8:2:0::1", "2001:db8:2::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("[::ffff:198.51.100.7]:443", "198.51.100.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%\x1b[31m", "fe80::1"),
    ],
)
def test_an_address_has_one_spelling(entry, expected):
    """Ports, brackets, zones and IPv4 dressed as IPv6 do not make another client, nor bring text of the client's."""
    assert client("10.0.0.1", entry) == expected
    assert client(entry, "203.0.113.1") == expected


def test_a_mapped_address_is_trusted_as_what_it_is():
    """A dual-stack socket shows IPv4 peers as IPv6."""
    assert client("::ffff:10.0.0.1", "198.51.100.7, ::ffff:10.0.0.2") == "198.51.100.7"


@pytest.mark.parametrize(("trusted", "expected"), [("unix", "198.51.100.7"), ("10.0.0.0/8", "")])
def test_a_unix_socket_has_no_address(trusted, expected):
    """Who is behind it is known only if it is trusted."""
    assert client("", "198.51.100.7", trusted=trusted) == expected


def test_a_peer_that_is_no_address_stays_what_it_is():
    """Test clients call themselves `testclient`."""
    assert client("testclient", "198.51.100.7") == "testclient"


@pytest.mark.parametrize(
    ("one", "name"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::/64"),
        ("2001:db8:2:3::", "2001:db8:2:3::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_clients_are_counted_by_what_one_host_has(one, name):
    """IPv4 by the address, IPv6 by the /64 whose addresses a host changes at will."""
    assert group(one) == name
