"""Every setting, declared once: parser, default, help, docs row and `config show` line.

A setting `NAME` is read from the environment as `JWT_NAME` and taken as the keyword argument
`name`, which wins. Problems are collected, never raised one by one, and name variables, not values.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from jwt_middleware import parsing as parse

PREFIX = "JWT_"
_DANGEROUS = ("JWT_ALLOW_", "JWT_REQUIRE")
_KUBERNETES = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP)(_\w+)?)?$")
_logger = logging.getLogger("jwt_middleware")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of one setting besides its value."""

    parse: Callable[[object], Any]
    area: str
    help: str
    shown_default: str
    secret: bool = False
    from_file: bool = False


def setting(
    parser: Callable[[object], Any],
    default: Any,
    area: str,
    help: str,
    *,
    shown: str | None = None,
    secret: bool = False,
    from_file: bool = False,
) -> Any:
    """Declare a setting as a dataclass field. `shown` is its default as the docs print it."""
    declaration = Declaration(parser, area, help, str(default) if shown is None else shown, secret, from_file)
    return dataclasses.field(default=default, repr=not secret, metadata={"declaration": declaration})


KEYS, POLICY, PLACE, PASS = "Keys", "Token policy", "Where the token is", "Who may pass"
STORE, ISSUE, SIGN_IN, BEHAVE = "Store and revocation", "Issuing", "Signing in", "Behaviour"


@dataclass(frozen=True)
class Settings:
    """All settings, parsed. Durations are seconds, sizes are bytes."""

    secret_key: bytes | None = setting(
        parse.secret, None, KEYS, "HMAC secret as text, or `base64:…` for bytes; at least 32 bytes for HS256.",
        shown="", secret=True, from_file=True,
    )  # fmt: skip
    previous_secret_keys: tuple[bytes, ...] = setting(
        parse.secrets, (), KEYS, "Older HMAC secrets that still verify, never sign.",
        shown="", secret=True, from_file=True,
    )  # fmt: skip
    public_key: str | None = setting(
        parse.pem, None, KEYS, r"PEM public key that verifies; `\n` may stand for a line end.",
        shown="", from_file=True,
    )  # fmt: skip
    private_key: str | None = setting(
        parse.pem, None, KEYS, r"PEM private key that signs, and whose public half verifies.",
        shown="", secret=True, from_file=True,
    )  # fmt: skip
    keys_dir: Path | None = setting(
        parse.path, None, KEYS,
        "Folder of `KID.pem` or `KID.secret` files: all verify; of the private ones the last by name signs. "
        "`KID.next.…` does not sign yet, `KID.old.…` no more ([keys](keys.md)). Changes need no restart.",
        shown="",
    )  # fmt: skip
    jwks_file: Path | None = setting(
        parse.path, None, KEYS, "File with a JWK Set (RFC 7517 section 5) of public keys that verify. "
        "Changes need no restart.",
        shown="",
    )  # fmt: skip
    algorithms: tuple[str, ...] = setting(
        parse.some_names, (), KEYS,
        "Accepted signature algorithms. From the keys: HMAC → HS256, RSA → RS256, EC → its curve's, "
        "Ed25519 → EdDSA and Ed25519; a JWK's `alg` wins.",
        shown="from the keys",
    )  # fmt: skip

    issuer: str | None = setting(
        parse.text, None, POLICY, "Required `iss`, compared byte for byte. Unset: not checked.", shown="",
    )  # fmt: skip
    audience: tuple[str, ...] = setting(
        parse.some_names, (), POLICY,
        "Who the token must be meant for: one of these must be in `aud`. Required unless "
        "all keys are HMAC secrets; then unset means that a token with `aud` is refused.",
        shown="",
    )  # fmt: skip
    allow_any_audience: bool = setting(
        parse.flag, False, POLICY, "Accept tokens meant for other services. Fails open.", shown="false",
    )  # fmt: skip
    leeway: float = setting(
        parse.seconds(0, 300), 30.0, POLICY, "Tolerated clock difference, at most 300 s.", shown="30s",
    )  # fmt: skip
    max_age: float | None = setting(
        parse.seconds(1), None, POLICY, "Refuse tokens issued longer ago than this; makes `iat` required.", shown="",
    )  # fmt: skip
    max_lifetime: float | None = setting(
        parse.seconds(1), None, POLICY,
        "Refuse tokens that live longer than this from `iat` to `exp`; makes `iat` required.", shown="",
    )  # fmt: skip
    required_claims: tuple[str, ...] = setting(
        parse.names, (), POLICY, "Claims that must be present, besides those that always must.", shown="",
    )  # fmt: skip
    token_types: tuple[str, ...] = setting(
        parse.names, ("at+jwt", "JWT", "absent"), POLICY,
        "Accepted header `typ` values; `absent` means none. `strict` = RFC 9068 with all its claims; "
        "`id_token` also lets ID tokens pass.",
        shown="at+jwt,JWT,absent",
    )  # fmt: skip
    max_token_bytes: int = setting(
        parse.size(256, 65536), 8192, POLICY, "Longer tokens are refused unread.",
    )  # fmt: skip
    identity_claim: str = setting(parse.text, "sub", POLICY, "The claim that names the user.")
    scope_claims: tuple[str, ...] = setting(
        parse.names, ("scope", "scp"), POLICY, "Where scopes are; the first present wins.", shown="scope,scp",
    )  # fmt: skip
    roles_claims: tuple[str, ...] = setting(
        parse.names, ("roles", "role", "realm_access.roles"), POLICY,
        "Where roles are; the first present wins. Looked up whole first, by dots only then.",
        shown="roles,role,realm_access.roles",
    )  # fmt: skip

    header_name: str = setting(parse.header_name, "Authorization", PLACE, "The header that carries the token.")
    header_type: str = setting(
        parse.header_type, "Bearer", PLACE, "The scheme before the token; empty: the header is the bare token.",
    )  # fmt: skip

    token_location: tuple[str, ...] = setting(
        parse.choices("headers", "cookies"), ("headers",), PLACE,
        "Where tokens may be: `headers`, `cookies`. Where both are, the header counts, even if its token is bad.",
        shown="headers",
    )  # fmt: skip
    cookie_secure: bool = setting(
        parse.flag, True, PLACE,
        "Cookies are `Secure`, and named so. `false` is for plain HTTP on this machine, and works nowhere else.",
        shown="true",
    )  # fmt: skip
    cookie_samesite: str = setting(
        parse.choice("Lax", "Strict", "None"), "Lax", PLACE,
        "`SameSite` of the access and the CSRF cookie; the refresh token's is always `Strict`.",
    )  # fmt: skip

    exempt_paths: tuple[str, ...] = setting(
        parse.exempt_paths, (), PASS,
        "Paths where no token is looked at: `/health` is that path alone, `/static/**` is `/static/` and all below.",
        shown="",
    )  # fmt: skip
    optional_paths: tuple[str, ...] = setting(
        parse.paths, (), PASS,
        "Paths that anonymous requests may reach too; a bad token is still refused. Same form.", shown="",
    )  # fmt: skip
    required_scopes: tuple[str, ...] = setting(
        parse.scopes, (), PASS,
        "Scopes that every token must have, wherever one is looked at; else 403 `insufficient_scope`.", shown="",
    )  # fmt: skip
    rules_file: Path | None = setting(
        parse.path, None, PASS,
        "TOML file of rules by path and method: scopes, roles, claims, age of the sign-in, optional, exempt "
        "([rules](rules.md)). They come after the two lists of paths; the first that matches wins.",
        shown="",
    )  # fmt: skip
    cors_preflight: bool = setting(
        parse.flag, True, PASS, "Let true CORS preflights through to the app, as anonymous.", shown="true",
    )  # fmt: skip
    allowed_origins: tuple[str, ...] = setting(
        parse.origins, (), PASS, "Origins whose pages may read our own answers (CORS headers on refusals).", shown="",
    )  # fmt: skip
    require_https: bool = setting(
        parse.flag, False, PASS, "Refuse tokens that came over plain HTTP.", shown="false",
    )  # fmt: skip
    trusted_proxies: tuple[Any, ...] = setting(
        parse.networks, (), PASS,
        "Addresses or networks of proxies whose `X-Forwarded-Proto` and `X-Forwarded-For` are believed; `unix` for a "
        "Unix socket. Proxies alone: whoever is listed may claim any address.",
        shown="",
    )  # fmt: skip
    failed_attempts: Any = setting(
        parse.rate, None, PASS,
        "How many tokens of one client address may be refused, such as `100/minute`; then its bad tokens get 429; good "
        "ones still pass, and expired ones do not count. Counted in the store, by all workers together. "
        "Needs the extra `login`.",
        shown="",
    )  # fmt: skip

    check_user: Any = setting(
        parse.hook, None, PASS,
        "`module:function` that is given each newly verified user and must return `True` to let it pass; "
        "remembered as long as the token is.",
        shown="",
    )  # fmt: skip

    store_url: str | None = setting(
        parse.text, None, STORE,
        "Where revocations are kept: `sqlite:///file.db`, `redis://`, `rediss://`, `unix://`. Unset: no revocation.",
        shown="", secret=True, from_file=True,
    )  # fmt: skip
    store_prefix: str = setting(parse.prefix, "jwt", STORE, "What our keys in the store begin with.")
    store_timeout: float = setting(
        parse.seconds(0.01, 30), 0.5, STORE, "Bound on a whole store operation; past it: 503.", shown="0.5s",
    )  # fmt: skip
    revocation: str | None = setting(
        parse.choice("direct", "off"), None, STORE,
        "`direct` asks the store on every request, `off` never.", shown="direct with a store",
    )  # fmt: skip

    access_token_expires: float = setting(
        parse.seconds(1), 900.0, ISSUE, "Life of the access tokens that we issue.", shown="15m",
    )  # fmt: skip
    client_id: str = setting(parse.text, "first-party", ISSUE, "`client_id` of the access tokens that we issue.")
    jwks_path: str = setting(
        parse.own_path, "/.well-known/jwks.json", ISSUE,
        "Where we publish our public keys, relative to the app, for anybody to read; empty: nowhere. "
        "Without a private key of ours the path is the app's.",
    )  # fmt: skip

    authenticate: Any = setting(
        parse.hook, None, SIGN_IN,
        "`module:function` that is given a user name and a password and returns the subject, `(subject, claims)` or "
        "`None` ([signing in](signing-in.md)).",
        shown="",
    )  # fmt: skip
    users_file: Path | None = setting(
        parse.path, None, SIGN_IN,
        "JSON file of users with hashed passwords, made by `jwt-middleware user add`; instead of `JWT_AUTHENTICATE`.",
        shown="",
    )  # fmt: skip
    clients_file: Path | None = setting(
        parse.path, None, SIGN_IN,
        "JSON file of machines with hashed secrets, made by `jwt-middleware client add`.", shown="",
    )  # fmt: skip
    refresh_token_expires: float = setting(
        parse.seconds(1), 30 * 86400.0, SIGN_IN, "A session that is not refreshed for this long is over.", shown="30d",
    )  # fmt: skip
    session_expires: float = setting(
        parse.seconds(1), 90 * 86400.0, SIGN_IN, "A session is over after this long, however it is used.", shown="90d",
    )  # fmt: skip
    refresh_grace: float = setting(
        parse.seconds(0, 300), 10.0, SIGN_IN,
        "How long a refresh token is still good after its first use: for parallel tabs and lost answers.", shown="10s",
    )  # fmt: skip
    login_attempts: Any = setting(
        parse.rate, "10/minute", SIGN_IN,
        "How often one user name may be tried, and ten times as often one client address; then 429. Needs the extra "
        "`login`.",
    )  # fmt: skip
    auth_prefix: str = setting(
        parse.folder, "/auth", SIGN_IN, "The path below which signing in and out is served.",
    )  # fmt: skip

    forward_claims: tuple[parse.ForwardedClaim, ...] = setting(
        parse.forwarded_claims, (), BEHAVE,
        "Claims that the app finds in request headers: `X-User-Id=sub,X-Roles=realm_access.roles`. Whatever a client "
        "sends by these names is removed ([forwarding](forwarding.md)).",
        shown="",
    )  # fmt: skip
    realm: str = setting(parse.realm, "api", BEHAVE, "`realm` of the challenge.")
    cache_seconds: float = setting(
        parse.seconds(0, 3600), 30.0, BEHAVE, "How long a verified token is remembered; 0 verifies each time.",
        shown="30s",
    )  # fmt: skip
    cache_bytes: int = setting(
        parse.size(0, inf), 32 * 2**20, BEHAVE, "Memory for verified tokens, per process.", shown="32MiB",
    )  # fmt: skip
    app: str | None = setting(
        parse.target, None, BEHAVE, "`package.module:app` to wrap, for `jwt_middleware.asgi:app` and `.wsgi:app`.",
        shown="",
    )  # fmt: skip
    metrics_path: str | None = setting(
        parse.plain_path, None, BEHAVE,
        "Where we answer with metrics for Prometheus, such as `/metrics`: to a token with the scope `metrics`, or to a "
        "client on this machine without any. A reverse proxy on this machine makes the whole world such a client: then "
        "name it in `JWT_TRUSTED_PROXIES`, and only a token will do ([operations](operations.md#metrics)).",
        shown="",
    )  # fmt: skip
    on_event: Any = setting(
        parse.hook, None, BEHAVE,
        "`module:function` that is told of each refusal, as a `jwt_middleware.Event`. A plain function that must not "
        "block; it cannot change an answer.",
        shown="",
    )  # fmt: skip


DECLARATIONS: dict[str, Declaration] = {f.name: f.metadata["declaration"] for f in dataclasses.fields(Settings)}


@dataclass(frozen=True)
class Loaded:
    """The outcome of reading settings: values, where each came from, and everything that is wrong."""

    settings: Settings
    origins: Mapping[str, str]
    problems: list[str]


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def load(environ: Mapping[str, str], keywords: Mapping[str, object]) -> Loaded:
    """Read all settings: keywords win over the environment, which wins over `NAME_FILE`, never both.

    Args:
        environ: usually `os.environ`.
        keywords: settings by lower-case name without the prefix; `None` means not given.

    Returns:
        The settings (a default wherever a value was bad), the origin of each, and the problems.
    """
    problems = [*_unknown_keywords(keywords), *_unknown_variables(environ)]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, declaration in DECLARATIONS.items():
        try:
            found = _find(name, declaration, environ, keywords)
            if found is not None:
                raw, origins[name] = found
                values[name] = declaration.parse(raw)
        except (ValueError, OSError) as error:
            problems.append(variable(name) + _reason(error))
    return Loaded(Settings(**values), origins, problems)


def _reason(error: ValueError | OSError) -> str:
    if isinstance(error, OSError):
        return f"_FILE cannot be read: {error.strerror}"
    return " is not UTF-8 text" if isinstance(error, UnicodeError) else f" {error}"  # whose own text holds some of it


def _find(
    name: str, declaration: Declaration, environ: Mapping[str, str], keywords: Mapping[str, object]
) -> tuple[object, str] | None:
    if keywords.get(name) is not None:
        return keywords[name], "keyword"
    key = variable(name)
    file = environ.get(f"{key}_FILE") if declaration.from_file else None
    if key in environ and file is not None:
        raise ValueError(f"and {key}_FILE are both set: keep one")
    if file is not None:
        return Path(file).read_text("utf-8").rstrip("\r\n"), f"{key}_FILE"
    return (environ[key], "environment") if key in environ else None


def _unknown_keywords(keywords: Mapping[str, object]) -> Iterator[str]:
    for name in keywords.keys() - DECLARATIONS.keys():
        yield f"{name}= is not a setting{_suggestion(variable(name))}"


def _known_variables() -> Iterator[str]:
    for name, declaration in DECLARATIONS.items():
        yield variable(name)
        if declaration.from_file:
            yield f"{variable(name)}_FILE"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = set(_known_variables())
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and not _KUBERNETES.search(name):
            suggestion = _suggestion(name)
            if suggestion or name.startswith(_DANGEROUS):
                yield f"{name} is not a setting{suggestion}"
            else:
                _warn_once(name)


def _suggestion(name: str) -> str:
    near = [k for k in _known_variables() if parse.edits(name, k) <= min(2, (len(k) - len(PREFIX)) // 3)]
    return f": did you mean {near[0]}?" if near else ""


_warned: set[str] = set()


def _warn_once(name: str) -> None:
    if name not in _warned:
        _warned.add(name)
        _logger.warning("%s is set, but it is not a setting of jwt_middleware: ignored", name)
