"""E: tokens that are bound to a key of their sender (RFC 8705, RFC 9449), which we cannot check and so refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jwt_middleware import Reason
from tests.conformance.evidence import FULL, STRICT, refused
from tests.token.forge import AUDIENCE, ISSUER, claims, token
from tests.worlds import World

THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.mark.parametrize(
    "cnf",
    [
        {"jkt": THUMBPRINT}, {"x5t#S256": THUMBPRINT}, {"jwk": {"kty": "RSA"}}, {"kid": "1"}, {"unknown": 1},
        {"jkt": THUMBPRINT, "x5t#S256": THUMBPRINT}, {}, [], "", None, False, 0, THUMBPRINT,
    ],
    ids=repr,
)  # fmt: skip
def test_e4_a_bound_token_is_no_bearer_token(protect: Callable[..., World], cnf: Any) -> None:
    """Whatever stands in `cnf`, even nothing: the token is refused, in strict mode and for ID tokens too."""
    for settings, header in (({}, {}), (STRICT, {"typ": "at+jwt"}), ({"token_types": "JWT,id_token"}, {})):
        full = FULL if settings is STRICT else {}
        world = protect(**settings)
        assert world.request(token=token(claims(**full), header=header)).user.identity == "42"
        refused(world, Reason.SENDER_CONSTRAINED, token=token(claims(**full, cnf=cnf), header=header))


def test_e4_no_proof_and_no_header_lifts_it(protect: Callable[..., World]) -> None:
    """A proof or a certificate in a header beside it changes nothing, nor does the DPoP scheme make it ours."""
    world = protect(issuer=ISSUER, audience=AUDIENCE, optional_paths="/optional")
    text = token(claims(iss=ISSUER, aud=AUDIENCE, cnf={"jkt": THUMBPRINT}))
    proofs = [("DPoP", token(header={"typ": "dpop+jwt"})), ("Client-Cert", ":AAAA:"), ("X-Forwarded-Client-Cert", "x")]
    refused(world, Reason.SENDER_CONSTRAINED, token=text, headers=proofs)
    refused(world, Reason.SENDER_CONSTRAINED, token=text, path="/optional")
    refused(world, Reason.MISSING, error="unauthorized", headers=[("Authorization", f"DPoP {text}"), *proofs])
