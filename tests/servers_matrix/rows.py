"""The rules for requests, and where each is held: through both adapters in one process, and on real servers.

A test of this folder belongs to the row that its name begins with: `test_r1_duplicate_authorization` shows R1. The
others are named here. From this table `docs/requests.md` is made; a row without a test cannot be listed. What a token
must be is in `docs/conformance.md`; caches, revocation and stores have their stories in `gate/test_cache.py`, `truth`
and `test_revocation.py`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from typing import NamedTuple

MODULES = ("test_fields", "test_targets", "test_rules", "test_framing", "test_handshakes", "test_http2")
HERE = "servers_matrix"
_NAME = re.compile(r"test_(r\d+)_\w+")

_ADAPTERS = "test_adapters.py::"
_PATHS = f"{_ADAPTERS}TestPaths::"
_REQUESTS = "conformance/test_a_requests.py::"
_RULES = "gate/test_rules.py::"
_ASGI = "test_asgi.py::"
_STORIES = f"{HERE}/test_stories.py::"
_SOCKETS = f"{HERE}/test_websocket.py::"


class Row(NamedTuple):
    """One rule.

    Attributes:
        what: the requests that it is about.
        expected: what becomes of them.
        alone: the tests that show it in one process, through both adapters unless `but` says why not.
        served: the tests that show it on real servers, beside those that bear its name.
        but: what is not shown somewhere, and why.
    """

    what: str
    expected: str
    alone: tuple[str, ...]
    served: tuple[str, ...] = ()
    but: str = ""


ROWS = {
    "R1": Row(
        "Two `Authorization` fields or more: equal, different, empty, of other schemes",
        "400 `invalid_request`, where a token is optional too; none of them wins",
        (f"{_REQUESTS}test_a3_two_credentials_are_a_bad_request",),
        (f"{_STORIES}test_two_authorization_fields",),
    ),
    "R2": Row(
        "Joined by commas, a comma at an end, quotes, `Bearer:`, a tab or two spaces, around a good token",
        "400 `invalid_request`",
        (
            f"{_REQUESTS}test_a3_credentials_that_a_server_joined_are_a_bad_request",
            f"{_REQUESTS}test_a2_any_other_character_is_a_bad_request",
        ),
        (f"{_STORIES}test_malformed",),
    ),
    "R3": Row(
        "Basic, Token, JWT, DPoP and other schemes, letters that look like `Bearer`",
        "401 `unauthorized`",
        (f"{_REQUESTS}test_a11_no_credential_of_ours_gets_no_error_code",),
        (f"{_STORIES}test_other_scheme",),
    ),
    "R4": Row(
        "A token in another field (`Proxy-Authorization`, `X_Authorization`), a query, a form, a cookie, a trailer",
        "401 `unauthorized`; no setting turns the query on",
        (
            f"{_ADAPTERS}test_a_token_elsewhere_is_no_token",
            f"{_REQUESTS}test_a4_a_token_in_the_query_is_not_read",
            f"{_REQUESTS}test_a5_a_form_is_not_read_and_not_consumed",
            f"{_REQUESTS}test_a16_a_token_in_a_cookie_is_not_read",
        ),
        (f"{_STORIES}test_token_elsewhere",),
        "uvicorn with httptools takes trailers for headers.",
    ),
    "R5": Row(
        "High bytes and control characters",
        "400 or 401, never a failure",
        (f"{_ADAPTERS}test_what_is_not_one_bearer_token_is_refused",),
        (f"{_STORIES}test_hostile_value",),
    ),
    "R6": Row(
        "Folded lines, bare CR and LF, fields inside fields",
        "what the server makes of it meets the one form; nobody but the token's user comes of it",
        (),
        (),
        "In one process there are no lines.",
    ),
    "R7": Row(
        "`REMOTE_USER`, `AUTH_TYPE`, `jwt_middleware.*`, `scope[\"user\"]`, `scope[\"auth\"]` set by an outer layer",
        "removed on every request, open paths included, then set from the token",
        (
            f"{_ADAPTERS}TestIdentityFromOutside::test_it_is_removed_on_open_paths_too",
            f"{_ADAPTERS}TestIdentityFromOutside::test_it_is_replaced_by_the_token_s",
        ),
        (f"{HERE}/test_fields.py::test_r8_identity_headers",),
    ),
    "R8": Row(
        "`Remote-User`, `Remote_User`, `X-User` and their kin",
        "never become the user, nor any key of ours",
        (f"{_ADAPTERS}TestIdentityFromOutside::test_headers_never_become_the_user",),
        (f"{_STORIES}test_identity_from_outside", f"{_STORIES}test_all_smuggled_at_once"),
    ),
    "R9": Row(
        "Exempt and optional paths with a good, a bad or no token",
        "exempt: anonymous, whatever came; optional: anonymous without, 401 with a bad one",
        (
            f"{_PATHS}test_an_exempt_path_is_not_looked_at",
            f"{_PATHS}test_optional_means_absent_never_invalid",
            f"{_RULES}test_an_exempt_rule_does_not_look_at_the_token",
        ),
        (f"{_STORIES}test_exempt_path",),
    ),
    "R10": Row(
        "An open path with a slash more, in another case, with dots, `//`, `;`, `\\`, encoded or overlong separators, "
        "`%u`, full-width letters, no slash, absolute, with a fragment, `*`",
        "401, or the server's 400; where a server itself makes the plain path of it, the app sees that alone",
        (
            f"{_PATHS}test_what_only_looks_open_is_closed",
            f"{_PATHS}test_an_encoded_separator_is_closed",
            f"{_RULES}test_encoding_a_path_otherwise_only_closes",
        ),
        (f"{_STORIES}test_path_tricks", f"{_STORIES}test_exempt_below", f"{_STORIES}test_encoded_slash_below"),
        "waitress drops slashes at the beginning, granian's WSGI decodes `%2f`, six servers resolve absolute targets.",
    ),
    "R11": Row(
        "A query or a Host with an open path in it, `X-Original-URL` and other headers that rewrite",
        "no effect",
        (f"{_PATHS}test_no_header_moves_a_request",),
        (),
        "gunicorn believes `SCRIPT_NAME` from 127.0.0.1: then it is a mount.",
    ),
    "R12": Row(
        "Mounts: `root_path` and `SCRIPT_NAME`, with and without a trailing slash, or not at the beginning of the path",
        "the path below is what counts; a mount point elsewhere makes the path ambiguous",
        (
            f"{_PATHS}test_a_mounted_app_is_matched_by_its_own_paths",
            f"{_RULES}test_rules_are_matched_below_the_mount",
            f"{_ASGI}TestMounts::test_no_reading_gets_around_a_role",
        ),
        (f"{HERE}/test_mounts.py::test_mounted_by_the_server", f"{HERE}/test_mounts.py::test_mounted_by_the_app"),
    ),
    "R13": Row(
        "HEAD, OPTIONS, preflights and what is nearly one",
        "HEAD as GET and no body; OPTIONS needs a token; a true preflight goes to the app as anonymous",
        (
            f"{_ADAPTERS}test_a_head_request_is_refused_without_a_body",
            f"{_ADAPTERS}test_every_method_needs_a_token",
            f"{_ADAPTERS}TestCORS::test_what_is_not_quite_a_preflight_needs_a_token",
        ),
        (f"{_STORIES}test_head_refusal",),
    ),
    "R14": Row(
        "`X-HTTP-Method-Override`, methods in lower case or that nobody knows",
        "the method on the wire decides; in another case it gets the checks of both readings",
        (
            f"{_RULES}test_a_method_that_apps_read_in_two_ways_gets_every_check",
            f"{_PATHS}test_no_header_moves_a_request",
        ),
        (),
        "hypercorn makes upper case of every method.",
    ),
    "R15": Row(
        "WebSocket handshakes with no, bad, two or hidden tokens, by other methods and versions",
        "refused before they are accepted: our answer where the server can send it, else 1008",
        (
            f"{_ASGI}TestWebSocket::test_without_one_it_is_closed_before_it_opened",
            f"{_ASGI}TestWebSocket::test_a_token_in_the_query_or_a_subprotocol_is_no_token",
            f"{_RULES}test_a_handshake_has_rules_of_its_own",
        ),
        (f"{_SOCKETS}test_no_token", f"{_SOCKETS}test_bad_token", f"{_SOCKETS}test_token_elsewhere"),
        "Only ASGI has them. uvicorn with `websockets` answers 500 to high bytes in any field, before we are asked.",
    ),
    "R16": Row(
        "Lifespan and unknown scopes",
        "lifespan is the app's, unless the settings do not fit; what cannot be authenticated is not passed on",
        (
            f"{_ASGI}TestLifespan::test_it_goes_to_the_app_untouched",
            f"{_ASGI}TestScope::test_an_unknown_kind_of_scope_is_not_passed_on",
        ),
        (
            f"{_STORIES}test_lifespan_passes",
            f"{HERE}/test_configuration.py::test_bad_settings_inside_the_lifespan",
        ),
        "Only ASGI has them.",
    ),
    "R17": Row(
        "HTTP/2: many streams, odd `:path` and `:method`, pseudo-headers out of place, push",
        "each stream is a request of its own; we attach no credential to anything",
        (f"{_ASGI}TestScope::test_messages_pass_untouched_in_both_directions",),
        (),
        "hypercorn and granian speak it without TLS. A push is the server's own request, and no app here sends one.",
    ),
    "R18": Row(
        "Line ends, escapes and length in what is logged",
        "one line for each refusal, escaped and cut, no token in it",
        (f"{_ADAPTERS}TestLog::test_it_is_escaped_and_cut", f"{_REQUESTS}test_a17_no_token_is_logged_shown_or_stored"),
        (f"{_STORIES}test_log", f"{_SOCKETS}test_log"),
    ),
    "R19": Row(
        "Bad signature, unknown key, issuer, audience, rubbish",
        "the same bytes for each, `no-store`; expiry alone is told, once the signature verified",
        (f"{_ADAPTERS}test_every_cause_of_an_invalid_token_has_the_same_answer",),
        (f"{_STORIES}test_bad_token",),
    ),
    "R20": Row(
        "Credentials, targets, methods, hosts and numbers of fields far beyond any use",
        "refused by the server or by us; the next request is served",
        (f"{_ADAPTERS}test_what_is_not_one_bearer_token_is_refused",),
    ),
    "R21": Row(
        "Pipelining, bodies that are not read, bad lengths and chunks, `Expect`, HTTP/1.0, other versions, upgrades",
        "what a refusal leaves unread is never the next request, and no request is anybody else's",
        (f"{_ASGI}TestScope::test_concurrent_requests_each_have_their_own_user",),
        (f"{_STORIES}test_refused_body", f"{_STORIES}test_users_do_not_mix"),
        "Framing is the server's: in one process there is none.",
    ),
    "R22": Row(
        "The rules file: exempt, optional, scope, role, method and WebSocket rules, and every spelling against each",
        "whatever server and framework make of a target: without what a rule asks for, the view behind it never runs",
        (
            f"{_RULES}test_a_rule_asks_for_it",
            f"{_RULES}test_an_ambiguous_path_gets_every_check",
            f"{_RULES}test_an_ambiguous_path_is_asked_for_what_any_reading_is",
        ),
        (f"{HERE}/test_handshakes.py::test_r15_rules",),
    ),
}  # fmt: skip


def by_name() -> dict[str, list[str]]:
    """Return row → the tests of this folder that bear its name."""
    found: dict[str, list[str]] = {}
    for module in MODULES:
        for name, function in vars(importlib.import_module(f"tests.{HERE}.{module}")).items():
            if name.startswith("test_") and inspect.isfunction(function):
                match = _NAME.fullmatch(name)
                row = match[1].upper() if match else f"no row: {name}"
                found.setdefault(row, []).append(f"{HERE}/{module}.py::{name}")
    return found


def function(test: str) -> Callable[..., None]:
    """Return the test of a path below `tests/` with `::` and its name, inside a class or not."""
    path, *names = test.split("::")
    found = importlib.import_module("tests." + path.removesuffix(".py").replace("/", "."))
    for name in names:
        found = getattr(found, name)
    return found
