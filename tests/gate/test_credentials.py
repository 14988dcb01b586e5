"""The header's value, to the letter: what is taken out of it, and what the log says where nothing is."""

from __future__ import annotations

import pytest

from jwt_middleware import Reason
from jwt_middleware.errors import InvalidRequest, InvalidToken, NoCredential
from jwt_middleware.gate.credentials import Extractor

BEARER = Extractor("Authorization", "Bearer", 20)
BARE = Extractor("X-Token", "", 20)
_FORM = "Authorization is not exactly Bearer, one space, one token"


@pytest.mark.parametrize(
    ("extractor", "value", "kind", "reason", "detail"),
    [
        pytest.param(BEARER, None, NoCredential, Reason.MISSING, "no Authorization header", id="absent"),
        pytest.param(
            BEARER, "Basic dTpw", NoCredential, Reason.MISSING,
            "Authorization is of another scheme, JWT_HEADER_TYPE=Bearer", id="another-scheme",
        ),
        pytest.param(
            BEARER, "B" * 1024 + ",Bearer x", NoCredential, Reason.MISSING,
            "Authorization is of another scheme, JWT_HEADER_TYPE=Bearer", id="ours-beyond-where-we-look",
        ),
        pytest.param(
            BEARER, "", InvalidRequest, Reason.MALFORMED_CREDENTIAL, f"{_FORM}: it is empty", id="empty"
        ),
        pytest.param(
            BEARER, "Bearer a!", InvalidRequest, Reason.MALFORMED_CREDENTIAL, _FORM, id="no-token-character"
        ),
        pytest.param(
            BEARER, "Bearer \u0436", InvalidRequest, Reason.MALFORMED_CREDENTIAL, _FORM, id="not-latin-1"
        ),
        pytest.param(
            BARE, "a!", InvalidRequest, Reason.MALFORMED_CREDENTIAL, "X-Token is not exactly one token", id="bare"
        ),
        pytest.param(
            BEARER, "Bearer " + "a" * 21, InvalidToken, Reason.TOO_LONG,
            "token has 21 bytes, JWT_MAX_TOKEN_BYTES=20", id="too-long",
        ),
    ],
)  # fmt: skip
def test_a_refusal_says_what_stood_there(
    extractor: Extractor, value: str | None, kind: type[Exception], reason: Reason, detail: str
) -> None:
    """Kind, reason and detail of each refusal."""
    with pytest.raises(kind) as caught:
        extractor.token(value)
    assert (caught.value.reason, caught.value.detail) == (reason, detail)


def test_the_longest_token_is_taken() -> None:
    """As many bytes as JWT_MAX_TOKEN_BYTES says, the scheme not counted."""
    assert BEARER.token("Bearer " + "a" * 20) == b"a" * 20
    assert BARE.token(b"a" * 20) == b"a" * 20
