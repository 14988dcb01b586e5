"""`jwt-middleware explain`: which rule decides a request, and why. No key, no store and no token is needed."""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes

import click

from jwt_middleware.errors import ConfigurationError, escaped
from jwt_middleware.gate import rulebook
from jwt_middleware.gate.rules import HANDSHAKE, Need, Rule, Verdict, is_ambiguous
from jwt_middleware.settings import Settings, load

_NEEDS = {
    Need.NOTHING: "no token is looked at",
    Need.OPTIONAL: "anonymous requests pass, and a token must be good",
    Need.TOKEN: "a good token is needed",
}


@click.command()
@click.argument("method")
@click.argument("path")
def explain(method: str, path: str) -> None:
    """Say which rule decides METHOD PATH, and why.

    PATH as a client sends it, below the app's mount point. METHOD may be WEBSOCKET for a handshake.
    """
    loaded = load(os.environ, {})
    rules = rulebook.load(loaded.settings, loaded.problems)
    if loaded.problems:
        raise ConfigurationError(loaded.problems)
    raw = path.partition("?")[0].encode("utf-8", "surrogateescape")
    decoded = _decoded(raw)
    verdict = rules.verdict(method, decoded, raw, handshake=method == HANDSHAKE)
    click.echo(f"{escaped(method)} {escaped(path)}: decided by {escaped(verdict.source, 2000)}")
    if decoded is None or is_ambiguous(decoded, raw):
        click.echo("  the path can be read in several ways, so it is never exempt or optional")
    for line in _passed_over(rules.rules, verdict, method, decoded):
        click.echo(line)
    for line in _meaning(verdict, method, loaded.settings):
        click.echo(line)
    if decoded and decoded == loaded.settings.jwks_path:
        click.echo("  but where we have public keys of our own, we answer it ourselves (JWT_JWKS_PATH)")


def _decoded(raw: bytes) -> str | None:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeError:
        return None


def _passed_over(rules: tuple[Rule, ...], verdict: Verdict, method: str, path: str | None) -> list[str]:
    """Say of each rule before the one that won why it did not."""
    names = [rule.name for rule in rules]
    if verdict.source == "no rule":
        before = rules
    elif verdict.source in names and path is not None:
        before = rules[: names.index(verdict.source)]
    else:
        return []
    segments = (path or "").split("/")[1:]
    return [
        f"  {escaped(rule.name, 2000)} is for other {'methods' if rule.matches(segments) else 'paths'}"
        for rule in before
    ]


def _meaning(verdict: Verdict, method: str, settings: Settings) -> list[str]:
    lines = [f"  {_NEEDS[verdict.need]}"]
    lines += [f"  {demand.source} wants {escaped(str(demand), 2000)}" for demand in verdict.demands if str(demand)]
    if method == "OPTIONS" and settings.cors_preflight and verdict.need is not Need.NOTHING:
        lines.append("  but a true CORS preflight passes as anonymous (JWT_CORS_PREFLIGHT)")
    return lines
