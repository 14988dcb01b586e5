"""Other ways to write a path on the wire, by what makes them other."""

from __future__ import annotations

from collections.abc import Iterator


def twisted(path: str) -> Iterator[str]:
    """Yield targets that some layer may take for the path, and another one not: none of them is plain.

    Args:
        path: such as `/static/x`, in plain letters.
    """
    first, rest = path[1], path[2:]
    wide = "".join(f"%{byte:02x}" for byte in chr(ord(first) + 0xFEE0).encode())
    yield from (f"/{path}", f"//{path}", f"/.{path}", f"/x/..{path}", f"/./.{path}", f"/%2e{path}", f"/%2E%2e{path}")
    yield from (f"/x/%2e%2e{path}", f"/..{path}", f"/..;{path}", f"/;{path}", f"/x;y/..{path}", f"/\\{path[1:]}")
    yield from (f"/%2f{path[1:]}", f"/%5c{path[1:]}", f"/%25{ord(first):02x}{rest}", f"/%u00{ord(first):02x}{rest}")
    yield from (f"/{wide}{rest}", f"/%c1%{ord(first) & 0x3F | 0x80:02x}{rest}", f"\\{path[1:]}", path[1:], f"@{path}")
    yield from (f"{path}{tail}" for tail in _TAILS)
    if (cut := path.find("/", 1)) > 0:
        above, below = path[:cut], path[cut + 1 :]
        yield from (f"{above}{slash}{below}" for slash in _SLASHES)


_TAILS = (
    "//", "/.", "/./", "/..", "/../", "/../me", "/%2e", "/%2e%2e", "/%2e%2e/me", "/..%2fme", "/..%5cme", "\\", "%5c",
    ";", ";x", ";x=/me", "%3b", "%00", "%00.css", "%0a", "%0d%0a", "%09", "%0b", "%1b", "%7f", "%25", "%252f", "%252e",
    "%3f", "%23", "%", "%zz", "%2", "%u002f", "%c0%af", "%c0%ae", "%ff", "%e2%80%a8", "%c2%85",
    "%ef%bc%8f%ef%bc%8f", "%ef%bf%bd", "/%ef%bc%8e%ef%bc%8e/me", "%ef%bc%9b", "%ef%bc%85", "\xff",
)  # fmt: skip
_SLASHES = (
    "%2f", "%2F", "//", "/./", "/x/../", "/%2e/", "/%2e%2e/", "%5c", "\\", ";/", ";x/", "%252f", "%c0%af", "%e0%80%af",
    "%ef%bc%8f", "%u002f", "%2f%2f", "/;/", "%00/", "%0a/",
)  # fmt: skip


def nearly(path: str) -> Iterator[str]:
    """Yield targets that are plainly another path, which a careless comparison takes for this one."""
    yield from (path.upper(), path.title(), f"/{path[1:].swapcase()}", path[:-1], f"/%20{path[1:]}")
    yield from (f"{before}{path}" for before in ("/x", path, "/me", "/x?", "/x#", "/x%23", "/x%3f"))
    yield from (f"{path}{tail}" for tail in _SUFFIXES)


_SUFFIXES = (
    "/", "x", ".css", "%20", "/x", ".", "%2ejson", "%e2%80%8b", "%c2%a0", "%ef%bc%8f", "%cc%81", "_", "-", "~", "*",
    "%2a", ":80",
)  # fmt: skip


def resolved_by_servers(path: str) -> Iterator[str]:
    """Yield targets of which a server may make the plain path before anybody sees it (RFC 9112 section 3.2.2)."""
    yield from (f"http://localhost{path}", f"http://evil.example{path}", f"HTTP://evil.example:80{path}")
    yield from (f"https://evil.example{path}", f"ftp://evil.example{path}", f"http://a@evil.example{path}")
    yield from (f"http://{path}", f"http:{path}", f"http:/{path}", f"{path}#", f"{path}#/me", f"{path}#?x", f"{path}\t")
