"""The rows that we conform to, in our own words, and the tests that show each of them.

A test belongs to the row that its name begins with: `test_b2_white_space_makes_no_token` shows B2. From this table
`docs/conformance.md` is made; a row without a test cannot be listed.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable

MODULES = ("test_a_requests", "test_b_jose", "test_c_claims", "test_e_bound")
SECTIONS = {
    "A": "Requests and challenges",
    "B": "The signed token",
    "C": "Claims",
    "E": "Tokens bound to a sender",
}
_NAME = re.compile(r"test_([abce])(\d+)_\w+")

# row: (source, requirement, what there is not yet)
ROWS: dict[str, tuple[str, str, str]] = {
    "A1": ("RFC 6750 2.1", "A token in `Authorization: Bearer` is read.", ""),
    "A2": ("RFC 6750 2.1, 9110 11.1", "The scheme in any case, one space, one b64token; anything else is 400.", ""),
    "A3": ("RFC 6750 2, 3.1", "Two credentials are 400, equal ones too; none of them wins.", ""),
    "A4": ("RFC 6750 2.3, OAuth 2.1", "A token in the query is ignored.", ""),
    "A5": ("RFC 6750 2.2", "A token in a form is not read; the app's body is left alone.", "There is no form method."),
    "A6": ("RFC 6750 2.3", "Answers to tokens in the query are not cached.", "There is no query method."),
    "A7": ("RFC 6750 3, 9110 15.5.2", "A 401 always has a challenge.", ""),
    "A8": ("RFC 6750 3", "The challenge's scheme is followed by a parameter.", ""),
    "A9": ("RFC 6750 3", "No parameter stands twice.", ""),
    "A10": ("RFC 6750 3", "Parameters hold only the characters that they may.", ""),
    "A11": ("RFC 6750 3.1", "Without a credential of ours the challenge has no error code.", ""),
    "A12": ("RFC 6750 3.1", "A malformed request is `invalid_request`, 400.", ""),
    "A13": ("RFC 6750 3.1", "An expired, revoked or malformed token is `invalid_token`, 401.", ""),
    "A14": ("RFC 6750 3.1", "A missing scope is `insufficient_scope`, 403, with the scopes that would do.", ""),
    "A15": ("RFC 9068 4", "Any failure of the access token profile is `invalid_token`.", ""),
    "A16": ("RFC 6750 5.3", "Tokens in cookies need a defence against forgery.", "There is no cookie method."),
    "A17": ("RFC 6750 5.3, 9700 4.9", "A token is never logged, shown or stored.", ""),
    "A18": ("Fetch, RFC 9449 7.1", "Pages of known origins may read the challenge.", ""),
    "A19": ("Fetch", "A true preflight is not challenged, and brings no identity.", ""),
    "A20": ("RFC 9110 15.6.4", "What cannot be decided is 503 with `Retry-After`, not `invalid_token`.", ""),
    "B1": ("RFC 7515 5.2, 7.1", "A token has exactly two periods, and something between them.", ""),
    "B2": ("RFC 7515 2, 5.2", "Canonical base64url: no padding, white space, other characters or stray bits.", ""),
    "B3": ("RFC 7515 5.2, 10.12", "The header is one JSON object in UTF-8, with nothing after it.", ""),
    "B4": ("RFC 7515 4, 7519 4", "A member twice is refused, in header and claims alike.", ""),
    "B5": ("RFC 7515 4.1.1", "`alg` is there, known, and in its exact case.", ""),
    "B6": ("RFC 7518 3.6, 9068 4", "`none` is refused in every spelling, and no setting allows it.", ""),
    "B7": ("RFC 8725 3.1", "Only configured algorithms are used.", ""),
    "B8": ("RFC 8725 3.1", "`alg` fits the key that was found: its type, curve and own `alg`.", ""),
    "B9": ("RFC 8725 3.1", "A key does exactly one algorithm.", ""),
    "B10": ("RFC 8725bis 3.1", "Algorithms belong to an issuer.", "One gate has one issuer: shown across two gates."),
    "B11": ("RFC 7515 4.1.11", "`crit` of any shape is refused, since we know no extension.", ""),
    "B12": ("RFC 7797", "An unencoded payload is refused.", ""),
    "B13": ("RFC 7518 3.2", "An HMAC secret is as long as its hash.", ""),
    "B14": ("RFC 8725bis 3.5", "Passwords and placeholders are no secrets.", "Patterns are told; entropy cannot be."),
    "B15": ("RFC 7518 3.3, 3.5", "RSA keys have at least 2048 bits.", ""),
    "B16": ("RFC 7518 3.4", "An ECDSA signature has exactly the octets of its curve.", ""),
    "B17": ("RFC 8725 3.4", "Points are validated to be on their curve.", ""),
    "B18": ("RFC 9864", "`Ed25519` is supported beside `EdDSA`.", ""),
    "B19": ("RFC 7517 4.2, 4.3", "A key for another purpose (`use`, `key_ops`) never verifies.", ""),
    "B20": ("RFC 7517 5", "What is not understood in a JWK Set is skipped; it does not spoil the set.", ""),
    "B21": ("RFC 8725 3.10", "`kid` is only looked up, whatever it says.", ""),
    "B22": ("RFC 8725 3.10", "Keys and addresses in the header never choose the key.", ""),
    "B23": ("RFC 8725bis 3.10", "No address from a token or issuer leads us inside.", "Nothing is fetched at all."),
    "B24": ("RFC 7515 4.1.2, 8414 3.3", "Keys and metadata come over TLS.", "Keys come from files and settings alone."),
    "B25": ("RFC 8725 3.3", "Encrypted tokens are told apart, and refused.", ""),
    "B27": ("RFC 7515 5.3, 7519 7.3", "Texts are compared code point by code point.", ""),
    "B28": ("RFC 9068 2.1, 4", "In strict mode `typ` is `at+jwt`, and nothing else.", ""),
    "B29": ("RFC 7515 4.1.9", "`typ` is read with and without `application/`.", ""),
    "B30": ("RFC 8725bis 3.12", "ID, refresh and logout tokens and events are no access tokens.", ""),
    "C1": ("RFC 9068 2.2", "In strict mode all seven claims are required.", ""),
    "C2": ("RFC 9068 4", "`iss` is exactly the configured issuer.", ""),
    "C3": ("RFC 8725 3.8", "A key is looked for only among its issuer's.", ""),
    "C4": ("RFC 8725 3.8", "Issuer and subject are valid here, or refused.", "`revoke_subject`, `JWT_CHECK_USER`."),
    "C5": ("RFC 9068 4, 7519 4.1.3", "`aud` names us, as a text or in a list of texts.", ""),
    "C6": ("RFC 9700 2.3", "The audience is checked at every gate, remembered tokens included.", ""),
    "C7": ("RFC 7519 4.1.4", "Now is before `exp`; at that very second it is too late.", ""),
    "C8": ("RFC 7519 4.1.5", "At `nbf` a token begins.", ""),
    "C9": ("RFC 7519 4.1.4 to 4.1.6", "A date is a JSON number in a sane range, with or without a fraction.", ""),
    "C10": ("RFC 7519 4.1.4", "Leeway is small: 30 s, never more than 300.", ""),
    "C11": ("RFC 7519 4.1.6", "`iat` lies not in the future.", ""),
    "C12": ("RFC 7519 4", "Unknown claims are ignored.", ""),
    "C13": ("RFC 7519 4.1.7", "Revocation goes by issuer and `jti`.", ""),
    "C14": ("RFC 7519 7.2", "The claims are one JSON object in UTF-8, of bounded depth and numbers.", ""),
    "C15": ("RFC 9068 4, 6749 3.3", "Scopes are separated by spaces; other shapes are refused.", ""),
    "C16": ("RFC 9068 2.2, 9700 4.15", "A client can be told from a user of the same name.", ""),
    "C17": ("RFC 9068 6", "Claims are not logged, but for the one that a token was refused for.", ""),
    "C18": ("RFC 7519 4.1.1, 4.1.2", "`iss` and `sub` are texts.", ""),
    "E4": ("RFC 8705 3, 9449 6", "A token with a `cnf` that we cannot check is refused.", ""),
}  # fmt: skip


def shown_by() -> dict[str, list[tuple[str, Callable[..., None]]]]:
    """Return row → its tests, each as its path below `tests/` with `::` and its name, and the function."""
    found: dict[str, list[tuple[str, Callable[..., None]]]] = {}
    for name in MODULES:
        module = importlib.import_module(f"tests.conformance.{name}")
        for test, function in vars(module).items():
            if test.startswith("test_") and inspect.isfunction(function):
                match = _NAME.fullmatch(test)
                row = f"{match[1].upper()}{match[2]}" if match else f"no row: {test}"
                found.setdefault(row, []).append((f"conformance/{name}.py::{test}", function))
    return found
