"""Odd tokens from a seed: headers, claims, JSON and base64url as no honest issuer writes them, mostly signed for real.

The signature is made over the text as it stands, so what is odd is judged by the reader and not by the signature.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.token.forge import AUDIENCE, IAT, ISSUER, OTHER_SECRET, b64, dumps, private, sign
from tests.worlds import SECRET

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TYPES = (
    "JWT",
    "jwt",
    "at+jwt",
    "AT+JWT",
    "application/at+jwt",
    "",
    "JWS",
    "JOSE",
    "logout+jwt",
    "dpop+jwt",
    None,
    5,
    [],
)
_HEADERS: dict[str, tuple[Any, ...]] = {
    "typ": _TYPES,
    "alg": (
        "none",
        "None",
        "NONE",
        "HS256",
        "hs256",
        "HS384",
        "RS256",
        "PS256",
        "ES256",
        "EdDSA",
        "",
        None,
        1,
        ["HS256"],
    ),
    "kid": ("k", "", "../../etc/passwd", "x" * 256, "x" * 257, None, 5, ["k"], {}),
    "crit": ([], ["b64"], ["exp"], ["x"], ["alg"], ["alg", "alg"], "b64", None, [1], {}, 0, False),
    "b64": (True, False, None, 0, "false"),
    "zip": ("DEF", None, ""),
    "enc": ("A128GCM", None),
    "jwk": ({"kty": "oct", "k": "AAAA"}, {}, None, 1),
    "jku": ("https://evil.example/jwks", "", None, 1),
    "x5c": ([], ["AAAA"], "AAAA", None),
    "x5u": ("https://evil.example/cert", 1),
    "x5t": ("AAAA", 1),
    "cty": ("JWT", "json", None, 1),
    "url": ("https://evil.example/", None),
    "nonce": ("n", 1),
    "x": (1, {"y": [1]}, "z" * 600),
    "": (1,),
}
_DATES = (
    IAT, IAT + 1, IAT - 1, IAT + 0.5, IAT - 0.5, IAT + 0.0, IAT + 600, IAT - 600, IAT + 10**9, 0, -1, -0.0, 2**53,
    2**53 + 1,
    2**63, 1e300, 10**25, True, False, None, str(IAT + 600), f"{IAT + 600}.0", "4_102_444_800", "٤١٠٢٤٤٤٨٠٠", "",
    "never",
    [], [IAT + 600], {}, {"$date": IAT},
)  # fmt: skip
_ISSUERS = (
    ISSUER, ISSUER[:-1], ISSUER + "x", ISSUER.upper(), f" {ISSUER}", f"{ISSUER}\n", "", None, 1, [ISSUER], ["x",
    ISSUER],
    {ISSUER: 1}, True, "https://idp.example",
)  # fmt: skip
_AUDIENCES = (
    AUDIENCE, [AUDIENCE], ["x", AUDIENCE], ["x"], [], AUDIENCE[:-1], AUDIENCE + "/", AUDIENCE.upper(), "", None, 1,
    [None],
    [AUDIENCE, 1], [AUDIENCE, None], [[AUDIENCE]], {AUDIENCE: 1}, f"x {AUDIENCE}", f"{AUDIENCE},x", True,
    [AUDIENCE] * 2,
)  # fmt: skip
_CLAIMS: dict[str, tuple[Any, ...]] = {
    "exp": (*_DATES, ...),
    "iat": (*_DATES, ...),
    "nbf": (*_DATES, ...),
    "iss": (*_ISSUERS, ...),
    "aud": (*_AUDIENCES, ...),
    "sub": ("42", "root", "", " ", "é", "\u202e", "\0", 42, 0, None, True, [], ["42"], {}, "x" * 500, ...),
    "jti": ("j", "", 5, None, [], True),
    "sid": ("s", "", 5, None, []),
    "client_id": ("c", "", 5, None, []),
    "typ": ("Bearer", "Refresh", "refresh", "ID", "Logout", None, 5),
    "type": ("access", "refresh", None),
    "token_use": ("access", "id", "refresh"),
    "token_type": ("access", "refresh", "Bearer"),
    "cnf": ({"jkt": "x"}, {}, None),
    "events": ({"http://schemas.openid.net/event/backchannel-logout": {}}, {}, None),
    "at_hash": ("x", None),
    "c_hash": ("x",),
    "scope": ("read write", "", " ", "read  write", ["read"], [1], None, 5, {}, [["read"]]),
    "scp": (["read"], "read", None, 7),
    "roles": (["admin"], "admin", [], None, 5, [None], {"a": 1}),
    "role": ("admin", 5),
    "realm_access": ({"roles": ["admin"]}, {"roles": 5}, {}, [], "roles", None),
    "name": ("Ann", None, 5, {"first": "Ann"}),
    "long": ("x" * 500, "x" * 9000),
    "deep": ([[[[[[[[1]]]]]]]], {"a": {"b": {"c": {}}}}),
}  # fmt: skip


def header(chance: random.Random, alg: str) -> dict[str, Any]:
    """Return a header, usually with one or two odd members."""
    found: dict[str, Any] = {"alg": alg, "typ": chance.choice(["JWT", "at+jwt"])}
    if chance.random() < 0.1:
        del found["typ"]
    for name in chance.sample(list(_HEADERS), chance.choice([0, 0, 0, 1, 1, 2])):
        found[name] = chance.choice(_HEADERS[name])
    return found


def payload(chance: random.Random) -> dict[str, Any]:
    """Return claims, usually with one or two odd ones."""
    found: dict[str, Any] = {"sub": "42", "iat": IAT, "exp": IAT + 600, "iss": ISSUER, "aud": AUDIENCE}
    for name in chance.sample(list(_CLAIMS), chance.choice([0, 1, 1, 1, 2, 3])):
        value = chance.choice(_CLAIMS[name])
        if value is ...:
            found.pop(name, None)
        else:
            found[name] = value
    return found


_Spoil = Callable[[str, random.Random], bytes]
_TEXTS: tuple[_Spoil, ...] = (
    lambda text, _: b"\xef\xbb\xbf" + text.encode(),
    lambda text, chance: chance.choice([b" ", b"\n", b"\t", b"\r\n", b"\x0b", b"\x0c", b"\0",
    b"\xc2\xa0"]) + text.encode(),
    lambda text, chance: text.encode() + chance.choice([b" ", b"\n", b"\0", b"{}", b",", b"}", b"x", b"\xc2\x85"]),
    lambda text, chance: text.encode(chance.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32"])),
    lambda text, chance: (text[:-1] + chance.choice(_MEMBERS) + "}").encode(),
    lambda text, chance: ("{" + chance.choice(_MEMBERS)[1:] + "," + text[1:]).encode(),
    lambda text, _: text.replace('"', "'").encode(),
    lambda text, _: f"[{text}]".encode(),
    lambda text, _: text[:-1].encode(),
    lambda text, _: (text[:-1] + ",}").encode(),
    lambda text, _: (text[:-1] + "/**/}").encode(),
    lambda text, _: text.replace(":", " : ").replace(",", " , ").encode(),
    lambda text, _: text[:-1].encode() + b',"x":"\xff"}',
    lambda text, _: text[:-1].encode() + b',"x":"\xed\xa0\x80"}',
    lambda text, _: text[:-1].encode() + b',"x":"\xc0\x80"}',
    lambda text, chance: (text[:-1] + ',"x":' + "[" * (d := chance.choice([60, 70, 900])) + "]" * d + "}").encode(),
    lambda text, chance: _letter_changed(text, chance).encode(),
    lambda _, chance: chance.choice([b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b"\xff\xfe", b"NaN"]),
)  # fmt: skip
_MEMBERS = (
    ',"exp":1', f',"exp":{IAT + 600}', ',"sub":"root"', ',"alg":"none"', ',"alg":"HS256"', ',"\\u0073ub":"root"',
    ',"x":NaN',
    ',"x":Infinity', ',"x":-Infinity', ',"x":1e400', ',"x":-1e400', ',"x":1E5', ',"x":01', ',"x":+1', ',"x":.5',
    ',"x":1.',
    ',"x":"\\ud800"', ',"x":"\\ud83d\\ude00"', ',"x":"\\udc00\\ud800"', ',"x":"\x01"', ',"x":"\t"', ',"x":"\\x"',
    ',"\\ud800":1',
    ',"x":' + "9" * 70, ',"x":' + "9" * 4400, ',"x":0.' + "9" * 300, ',"x":1,"x":1', ',"":1', ',"x":{"y":1,"y":2}',
    ',"x":tru',
    ',"__proto__":{}', ',"Exp":1', ',"EXP":1', ',"sub ":"root"',
)  # fmt: skip


def _letter_changed(text: str, chance: random.Random) -> str:
    where = chance.randrange(len(text))
    return text[:where] + chance.choice('"{}[],:\\ 0x\u00e9') + text[where + 1 :]


def _stray(part: str, chance: random.Random) -> str:
    """Set the bits that a canonical text leaves empty."""
    used = {2: 16, 3: 4}.get(len(part) % 4)
    if used is None:
        return part
    return part[:-1] + _ALPHABET[_ALPHABET.index(part[-1]) // used * used + chance.randrange(used)]


_Encode = Callable[[str, random.Random], str]
_ENCODINGS: tuple[_Encode, ...] = (
    lambda part, _: part + "=" * (-len(part) % 4),
    lambda part, chance: part + chance.choice(["=", "==", "===", "====", "A", "\n", " ", "%3D", "\0"]),
    lambda part, _: part.replace("-", "+").replace("_", "/"),
    lambda part, chance: _inserted(part, chance.choice(["\n", " ", "!", "=", "%", "\u00e9", "~", "+"]), chance),
    _stray,
    lambda part, _: part[:-1],
    lambda _, __: "",
)


def _inserted(part: str, piece: str, chance: random.Random) -> str:
    where = chance.randrange(len(part) + 1)
    return part[:where] + piece + part[where:]


_Resign = Callable[[bytes, str, random.Random], bytes]


def _bit(signature: bytes, _: str, chance: random.Random) -> bytes:
    where = chance.randrange(len(signature))
    return signature[:where] + bytes([signature[where] ^ 1 << chance.randrange(8)]) + signature[where + 1 :]


def _twin(signature: bytes, alg: str, _: random.Random) -> bytes:
    """The other signature of the same message: (r, n-s) of ECDSA. Every reader may accept it."""
    if alg != "ES256":
        return signature
    return signature[:32] + (_P256_ORDER - int.from_bytes(signature[32:])).to_bytes(32)


def _der(signature: bytes, alg: str, _: random.Random) -> bytes:
    if alg != "ES256":
        return b"\x30" + signature
    return encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))


_SIGNATURES: tuple[_Resign, ...] = (
    _bit,
    _twin,
    _der,
    lambda signature, _, __: signature[:-1],
    lambda signature, _, chance: signature + chance.choice([b"\0", b"\xff", signature]),
    lambda signature, _, __: bytes(len(signature)),
    lambda _, __, ___: b"",
    lambda signature, _, __: signature[: len(signature) // 2],
    lambda _, __, chance: chance.randbytes(64),
)


def token(chance: random.Random, alg: str) -> str:
    """Make one token for the key of `alg`: about half of them odd in one place, some in two, some in none."""
    spoil = chance.choices(["nothing", "text", "encoding", "signature", "shape"], [6, 4, 2, 1, 1])[0]
    texts = [dumps(header(chance, alg)).encode(), dumps(payload(chance)).encode()]
    which = chance.randrange(2)
    if spoil == "text":
        texts[which] = chance.choice(_TEXTS)(texts[which].decode(), chance)
    parts = [b64(text) for text in texts]
    if spoil == "encoding":
        parts[which] = chance.choice(_ENCODINGS)(parts[which], chance)
    message = ".".join(parts)
    key = SECRET if alg == "HS256" else private(alg)
    signature = sign(message, alg, key)
    if spoil == "signature":
        if chance.random() < 0.2:
            signature = sign(message, alg, OTHER_SECRET if alg == "HS256" else private(f"other {alg}"))
        else:
            signature = chance.choice(_SIGNATURES)(signature, alg, chance)
    last = b64(signature)
    if spoil == "encoding" and chance.random() < 0.4:
        last = chance.choice(_ENCODINGS)(last, chance)
    return _shaped(f"{message}.{last}", chance) if spoil == "shape" else f"{message}.{last}"


def _shaped(text: str, chance: random.Random) -> str:
    first, second, third = text.split(".")
    return chance.choice(
        [
            f"{first}.{second}", f"{first}.{second}.", f".{second}.{third}", f"{first}..{third}", f"{text}.",
            f".{text}",
            f"{text}.{third}", f"{text}..", f"{second}.{first}.{third}", f"Bearer {text}", f" {text}", f"{text}\n",
            f'{{"protected":"{first}","payload":"{second}","signature":"{third}"}}', text.replace(".", "%2e"),
            text + "x" * 9000,
            f"{first}.{second}.{third},{text}", "", "..", text.swapcase(), text * 2, f"{first}.{third}.{second}",
        ]
    )  # fmt: skip
