"""Metrics from a real server: what its sockets and headers really say decides who may read them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from tests.servers_matrix.processes import APPS, KINDS, Process, environment
from tests.servers_matrix.tokens import token
from tests.servers_matrix.wire import Answer, bearer

SHORT = ("uvicorn-h11", "uvicorn-httptools", "gunicorn-sync", "gunicorn-gthread")


def counted(answer: Answer) -> dict[tuple[str, str], float]:
    """What one worker has counted, by outcome and reason, without what never happened."""
    assert (answer.status, answer.header("Cache-Control")) == (200, "no-store")
    samples = [sample for family in families(answer.body.decode()) for sample in family.samples]
    assert len({sample.labels["pid"] for sample in samples}) == 1
    return {
        (sample.labels["outcome"], sample.labels["reason"]): sample.value
        for sample in samples
        if sample.name == "jwt_middleware_requests_total" and sample.value
    }


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind in SHORT else pytest.mark.long)
        for kind in KINDS
        if kind != "gunicorn-preload"  # two workers: each counts for itself
    ],
)
def test_a_server_is_scraped(launch: Callable[..., Process], kind: str) -> None:
    """Through loopback as it is, not through a proxy that shows itself; with a token, if it has the scope."""
    world = KINDS[kind].world
    process = launch(kind)
    settings = environment(JWT_APP=f"{APPS}:raw_{world}_app", JWT_METRICS_PATH="/metrics")
    process.serve(f"jwt_middleware.{world}:app", settings)
    before = counted(process.ask("GET", "/metrics"))  # the server was asked whether it is up
    good = token()
    for _ in range(3):
        assert process.ask("GET", "/me", bearer(good)).status == 200
    assert process.ask("GET", "/me").status == 401
    proxied = 0
    for name in ("X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"):
        if kind == "waitress" and name not in ("X-Real-IP", "Via"):
            continue  # it takes away what a proxy says that it was not told to trust
        assert process.ask("GET", "/metrics", [(name, "127.0.0.1")]).verdict == (401, "unauthorized")
        proxied += 1
    assert process.ask("GET", "/metrics", bearer("junk")).verdict == (401, "invalid_token")
    assert process.ask("GET", "/metrics", bearer(good)).verdict == (403, "insufficient_scope")
    assert process.ask("GET", "/metrics", bearer(token(scope="metrics"))).status == 200
    assert process.ask("POST", "/metrics").status == 405
    assert process.ask("HEAD", "/metrics").body == b""
    assert counted(process.ask("GET", "/metrics")) == {
        **before,
        ("accepted", "-"): 3,
        ("refused", "missing"): 1 + proxied,
        ("refused", "malformed"): 1,
        ("refused", "missing_scope"): 1,
    }


@pytest.mark.parametrize("kind", ["gunicorn-preload"])
def test_each_worker_counts_for_itself(launch: Callable[..., Process], kind: str) -> None:
    """Forked after the middleware was made: what they have counted together is what was asked, under two pids."""
    process = launch(kind)
    settings = environment(JWT_APP=f"{APPS}:raw_wsgi_app", JWT_METRICS_PATH="/metrics")
    process.serve("jwt_middleware.wsgi:app", settings)
    refused: dict[str, float] = {}
    asked = 0
    while len(refused) < 2 or sum(refused.values()) < asked:
        assert asked < 500, refused
        assert process.ask("GET", "/me").status == 401
        asked += 1
        for _ in range(4):
            answer = process.ask("GET", "/metrics")
            pid = answer.body.partition(b'pid="')[2].partition(b'"')[0].decode()
            refused[pid] = counted(answer).get(("refused", "missing"), 0)
    assert sum(refused.values()) == asked
