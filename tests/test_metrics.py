"""What is counted, exactly, and who may read it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as families

from jwt_middleware import ConfigurationError, asgi, wsgi
from jwt_middleware.gate.cache import Entry
from jwt_middleware.gate.metrics import Process
from jwt_middleware.gate.tally import Tallies, Tally
from jwt_middleware.truth.io import run
from jwt_middleware.user import User
from tests.token.forge import ISSUER, OTHER_SECRET, claims, token
from tests.worlds import SECRET, Answer, World

Protect = Callable[..., World]
Counts = dict[tuple[str, str, str], float]
LOCAL: dict[str, Any] = {"peer": "127.0.0.1", "host": "localhost:8000"}


def registered(world: World) -> CollectorRegistry:
    """A registry like `prometheus_client.REGISTRY`."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(world.auth.metrics)
    return registry


def requests(world: World) -> Counts:
    """What was counted so far, by outcome, reason and issuer, without what never happened."""
    (family,) = (f for f in registered(world).collect() if f.name == "jwt_middleware_requests")
    labels = ("outcome", "reason", "issuer")
    return {tuple(s.labels[name] for name in labels): s.value for s in family.samples if s.value}  # type: ignore[misc]


def number(world: World, name: str) -> float:
    """The value of a metric that has but one series."""
    (value,) = (s.value for f in registered(world).collect() for s in f.samples if s.name == f"jwt_middleware_{name}")
    return value


class TestCounting:
    """Every request is counted once, as what became of it."""

    def test_known_and_new_tokens_are_accepted(self, protect: Protect) -> None:
        """Three requests with one token, one with another: four let in, two of them from memory."""
        world = protect()
        ada, bob = world.auth.issue("ada"), world.auth.issue("bob")
        for text in (ada, ada, bob, ada):
            assert world.request(token=text).passed
        assert requests(world) == {("accepted", "-", "-"): 4}
        assert (number(world, "cache_hits_total"), number(world, "cache_misses_total")) == (2, 2)

    @pytest.mark.parametrize(
        "guard", [{"exempt_paths": "/open"}, {"required_scopes": "read"}, {"require_https": True}], ids=str
    )
    def test_a_gate_that_looks_twice_counts_the_same(self, protect: Protect, guard: dict[str, Any]) -> None:
        """A hit in memory is not yet a request let in."""
        world = protect(**guard)
        text = world.auth.issue("ada", scope="read")
        for _ in range(4):
            assert world.request(token=text, scheme="https").passed
        assert requests(world) == {("accepted", "-", "-"): 4}
        assert (number(world, "cache_hits_total"), number(world, "cache_misses_total")) == (3, 1)

    def test_a_known_token_that_a_rule_refuses_is_not_accepted(self, protect: Protect) -> None:
        """The token is remembered, the request is refused, and each is counted as that."""
        world = protect(required_scopes="write", issuer=ISSUER)
        text = world.auth.issue("ada", scope="read")
        assert [world.request(token=text).status for _ in range(3)] == [403, 403, 403]
        assert requests(world) == {("refused", "missing_scope", ISSUER): 3}
        assert (number(world, "cache_hits_total"), number(world, "cache_misses_total")) == (2, 1)

    def test_with_a_store_a_hit_asks_and_is_a_hit_all_the_same(self, protect: Protect, tmp_path: Path) -> None:
        """In direct mode the signature is not verified again: that is what the ratio is about."""
        world = protect(store_url=f"sqlite:///{tmp_path}/store.db")
        text = world.auth.issue("ada")
        for _ in range(3):
            assert world.request(token=text).passed
        assert requests(world) == {("accepted", "-", "-"): 3}
        assert (number(world, "cache_hits_total"), number(world, "cache_misses_total")) == (2, 1)

    def test_who_needs_no_token_is_anonymous(self, protect: Protect) -> None:
        """Exempt and optional paths, and preflights; a token on an optional path makes a user."""
        world = protect(exempt_paths="/health", optional_paths="/feed")
        preflight = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET")]
        world.request("/health", token="junk")
        world.request("/feed")
        world.request("/x", method="OPTIONS", headers=preflight)
        world.request("/feed", token=world.auth.issue("ada"))
        assert requests(world) == {("anonymous", "-", "-"): 3, ("accepted", "-", "-"): 1}

    def test_refusals_are_counted_by_reason(self, protect: Protect) -> None:
        """The issuer is named as soon as its key has signed, and never before."""
        world = protect(issuer=ISSUER)
        good = claims(iss=ISSUER)
        for text in (
            None, None, "junk", token(good, key=OTHER_SECRET), token(good | {"exp": 1}), token(good | {"iss": "evil"}),
        ):  # fmt: skip
            assert not world.request(token=text).passed
        world.request(headers=[("Authorization", "Bearer")])
        assert requests(world) == {
            ("refused", "missing", "-"): 2,
            ("refused", "malformed", "-"): 1,
            ("refused", "bad_signature", "-"): 1,
            ("refused", "malformed_credential", "-"): 1,
            ("refused", "expired", ISSUER): 1,
            ("refused", "wrong_issuer", ISSUER): 1,
        }

    def test_the_revoked_and_the_rejected_are_counted_for_their_issuer(self, protect: Protect, tmp_path: Path) -> None:
        """Their tokens are good, and refused all the same."""
        settings = {"issuer": ISSUER, "store_url": f"sqlite:///{tmp_path}/store.db"}
        world = protect(**settings, check_user=lambda user: user.identity != "eve")
        text = world.auth.issue("ada")
        assert world.request(token=text).passed
        world.revoke_subject("ada")
        assert world.request(token=text).status == 401
        assert world.request(token=world.auth.issue("eve")).status == 401
        assert requests(world) == {
            ("accepted", "-", ISSUER): 1,
            ("refused", "revoked", ISSUER): 1,
            ("refused", "user_rejected", ISSUER): 1,
        }
        assert number(world, "cache_evictions_total") == 1

    def test_what_cannot_be_decided_is_unavailable(self, protect: Protect, tmp_path: Path) -> None:
        """A store that is not there, a hook that fails: never among the refusals."""
        world = protect(issuer=ISSUER, store_url=f"sqlite:///{tmp_path}/no/such/folder/store.db")
        assert [world.request(token=world.auth.issue("ada")).status for _ in range(2)] == [503, 503]
        assert requests(world) == {("unavailable", "store_unavailable", ISSUER): 2}
        world = protect(check_user=lambda user: 1 / 0)
        assert world.request(token=world.auth.issue("ada")).status == 503
        assert requests(world) == {("unavailable", "user_check_failed", "-"): 1}

    def test_alarms_have_their_series_from_the_start(self, protect: Protect) -> None:
        """`rate` does not see a counter's first step, and the first 503 matters most."""
        (family,) = (f for f in registered(protect(issuer=ISSUER)).collect() if f.name == "jwt_middleware_requests")
        started = {(s.labels["outcome"], s.labels["reason"], s.labels["issuer"]) for s in family.samples}
        assert ("unavailable", "store_unavailable", ISSUER) in started
        assert ("unavailable", "user_check_failed", ISSUER) in started
        assert ("accepted", "-", ISSUER) in started
        assert ("anonymous", "-", "-") in started

    def test_no_token_chooses_a_label(self, protect: Protect) -> None:
        """Without JWT_ISSUER any issuer passes, and all are one series; a hundred forged ones are one more."""
        world = protect()
        for n in range(100):
            assert world.request(token=token(claims(iss=f"https://{n}.example"))).passed
            assert not world.request(token=token(claims(iss=f"https://{n}.example"), key=OTHER_SECRET)).passed
            assert not world.request(f"/{n}", method=f"M{n}", token=f"junk{n}").passed
        assert requests(world) == {
            ("accepted", "-", "-"): 100,
            ("refused", "bad_signature", "-"): 100,
            ("refused", "malformed", "-"): 100,
        }

    def test_verifying_by_hand_is_no_request(self, protect: Protect) -> None:
        """`auth.verify` is the app's own matter."""
        world = protect()
        world.verify(world.auth.issue("ada"))
        assert requests(world) == {}
        assert number(world, "cache_misses_total") == 0

    def test_memory_is_measured(self, protect: Protect) -> None:
        """Entries, and their weight against JWT_CACHE_BYTES."""
        world = protect()
        assert (number(world, "cache_entries"), number(world, "cache_bytes")) == (0, 0)
        for name in ("ada", "bob"):
            world.request(token=world.auth.issue(name))
        assert number(world, "cache_entries") == 2
        assert 2000 < number(world, "cache_bytes") < 40_000

    def test_several_issuers_are_told_apart(self) -> None:
        """Ready for many: each has its own tally, and a stranger's name is nobody's; an issuer may be called `-`."""
        tallies = Tallies(["one", "two", "-"])
        for iss in ("one", "two", "two", "three", "-", None):
            tallies.admit(User("42", claims={"iss": iss} if iss else {}))  # type: ignore[arg-type]
        accepted = [(issuer, n) for outcome, _, issuer, n in tallies.requests(guarded=True) if outcome == "accepted"]
        assert accepted == [("-", 3), ("one", 1), ("two", 2)]

    def test_an_entry_without_a_tally_harms_nobody(self) -> None:
        """Its hits go where nobody reads."""
        assert isinstance(Entry(User("42"), 0).tally, Tally)

    @pytest.mark.parametrize("world", ["asgi", "wsgi"])
    def test_threads_lose_no_counts(self, world: str) -> None:
        """Eight threads at once, changing as often as the interpreter allows. Exact with a GIL, close without one."""
        auth = {"asgi": asgi, "wsgi": wsgi}[world].JWTAuth(secret_key=SECRET)
        call = _asgi_call(auth) if world == "asgi" else _wsgi_call(auth)
        good = f"Bearer {auth.issue('ada')}"
        call(good)

        def work() -> None:
            for _ in range(500):
                call(good)
                call("Bearer junk")

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
        found = {
            (outcome, reason): n for outcome, reason, _, n in auth.core.authenticator.tallies.requests(guarded=False)
        }
        accepted, refused = found["accepted", "-"], found["refused", "malformed"]
        if getattr(sys, "_is_gil_enabled", lambda: True)():
            assert (accepted, refused) == (4001, 4000)
        else:
            assert 1 <= accepted <= 4001
            assert 1 <= refused <= 4000


def _asgi_call(auth: asgi.JWTAuth) -> Callable[[str], None]:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    middleware = asgi.JWTMiddleware(app, auth=auth)

    def call(credential: str) -> None:
        headers = [(b"authorization", credential.encode())]
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        run(middleware(scope, app, lambda message: app(0, 0, 0)))  # type: ignore[arg-type]

    return call


def _wsgi_call(auth: wsgi.JWTAuth) -> Callable[[str], None]:
    middleware = wsgi.JWTMiddleware(lambda environ, start_response: [], auth=auth)

    def call(credential: str) -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": credential}
        middleware(environ, lambda status, headers: None)

    return call


class TestTheLibrary:
    """`prometheus_client` is an extra, and nobody pays for it who does not ask."""

    @pytest.mark.parametrize("world", ["asgi", "wsgi"])
    def test_it_is_imported_by_the_first_reading(self, world: str) -> None:
        """Not by the middleware, not by `auth.metrics`."""
        code = (
            f"import sys; from jwt_middleware.{world} import JWTAuth, JWTMiddleware\n"
            f"auth = JWTAuth(secret_key={SECRET!r}, revocation='off'); JWTMiddleware(print, auth=auth); auth.metrics\n"
            "assert 'prometheus_client' not in sys.modules\n"
            "list(auth.metrics.collect())\n"
            "assert 'prometheus_client' in sys.modules\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def test_the_path_needs_it(self, protect: Protect, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without it the setting does not fit, and the problem says what to install."""
        monkeypatch.setitem(sys.modules, "prometheus_client", None)
        with pytest.raises(ConfigurationError) as caught:
            protect(metrics_path="/metrics")
        assert caught.value.problems == (
            'JWT_METRICS_PATH needs the metrics extra: pip install "pyjwt-middleware[metrics]"',
        )
        assert protect().request().status == 401

    def test_two_of_one_process_need_two_registries(self, protect: Protect) -> None:
        """The library itself refuses to mix them."""
        registry = registered(protect())
        with pytest.raises(ValueError, match="Duplicated"):
            registry.register(protect().auth.metrics)

    def test_the_process_is_told_with_our_label(self) -> None:
        """Read twice, since the library hands out the same objects each time."""
        for _ in range(2):
            samples = [sample for family in Process().collect() for sample in family.samples]
            assert "python_info" in {sample.name for sample in samples}
            assert all("pid" in sample.labels for sample in samples)


class TestReading:
    """JWT_METRICS_PATH is answered by the gate itself, and the app is not called."""

    def scrape(self, world: World, **more: Any) -> Answer:
        return world.request("/metrics", **{**LOCAL, **more})

    @pytest.mark.parametrize("guard", [{}, {"exempt_paths": "/metrics,/health"}], ids=["plain", "exempt-too"])
    def test_a_local_client_reads_the_counts(self, protect: Protect, guard: dict[str, Any]) -> None:
        """Every series of it has a pid; a reading itself is not counted."""
        world = protect(metrics_path="/metrics", issuer=ISSUER, **guard)
        world.request(token=world.auth.issue("ada"))
        for _ in range(2):
            answer = self.scrape(world)
        assert (answer.status, answer.passed) == (200, False)
        assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.header("Content-Length") == str(len(answer.body))
        assert answer.header("Cache-Control") == "no-store"
        samples = [sample for family in families(answer.body.decode()) for sample in family.samples]
        assert all(sample.labels["pid"].isdigit() for sample in samples)
        assert {"process_resident_memory_bytes", "python_info"} <= {sample.name for sample in samples}
        assert sum(sample.value for sample in samples if sample.name == "jwt_middleware_requests_total") == 1

    def test_elsewhere_nothing_has_changed(self, protect: Protect) -> None:
        """Other paths are the app's, those that only look alike too, and known tokens still come from memory."""
        world = protect(metrics_path="/metrics")
        text = world.auth.issue("ada")
        for path in (
            "/",
            "/metrics/",
            "/metrics/x",
            "/METRICS",
            "/my/metrics",
            "/metrics;x",
            "//metrics",
            "/./metrics",
        ):
            assert world.request(path, **LOCAL).status == 401
            assert world.request(path, token=text, **LOCAL).passed
        assert requests(world) == {("refused", "missing", "-"): 8, ("accepted", "-", "-"): 8}
        assert (number(world, "cache_hits_total"), number(world, "cache_misses_total")) == (7, 1)

    def test_below_a_mount(self, protect: Protect) -> None:
        """The path is relative to the app, as all paths of settings are."""
        assert self.scrape(protect(metrics_path="/metrics"), mount="/v1").status == 200

    @pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]:8000", "127.1.2.3"])
    def test_loopback_has_many_names(self, protect: Protect, peer: str, host: str) -> None:
        """Both protocols, and one written as the other."""
        assert self.scrape(protect(metrics_path="/metrics"), peer=peer, host=host).status == 200

    @pytest.mark.parametrize(
        "peer",
        ["10.1.2.3", "128.0.0.1", "2001:db8::1", "::ffff:10.1.2.3", "::", "0.0.0.0", "", "localhost", "testclient"],
    )
    def test_others_need_a_token(self, protect: Protect, peer: str, caplog: pytest.LogCaptureFixture) -> None:
        """Another machine, a Unix socket, a name: the usual 401, and the log says why."""
        answer = self.scrape(protect(metrics_path="/metrics"), peer=peer)
        assert (answer.status, answer.error, answer.passed) == (401, "unauthorized", False)
        assert answer.header("WWW-Authenticate") == 'Bearer realm="api"'
        assert f"not a local client of JWT_METRICS_PATH: it came from {peer or 'a Unix socket'}" in caplog.text

    @pytest.mark.parametrize(
        "name",
        [
            "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server",
            "Forwarded", "X-Real-IP", "Via", "CF-Connecting-IP", "CF-Ray", "True-Client-IP", "X-Client-IP",
            "X-Cluster-Client-IP", "Fastly-Client-IP", "Fly-Client-IP", "CDN-Loop", "X-Amzn-Trace-Id",
            "X-Cloud-Trace-Context", "X-Envoy-External-Address", "X-Original-Forwarded-For", "Client-IP",
            "Proxy-Authorization",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("value", ["127.0.0.1", ""])
    def test_who_comes_through_a_proxy_is_not_local(
        self, protect: Protect, name: str, value: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever the header claims: that it is there is enough."""
        assert self.scrape(protect(metrics_path="/metrics"), headers=[(name, value)]).status == 401
        assert f"it has the header {name.lower()}" in caplog.text

    @pytest.mark.parametrize(
        "proxies",
        [
            "127.0.0.1",
            "127.0.0.0/8",
            "127.3.0.0/16",
            "::1",
            "::/0",
            "0.0.0.0/0",
            "::ffff:127.0.0.1",
            "unix",
            "10.0.0.0/8,unix",
        ],
    )
    def test_with_a_proxy_on_this_machine_nobody_is_local(
        self, protect: Protect, proxies: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """All the world comes from loopback then; a token still does."""
        world = protect(metrics_path="/metrics", trusted_proxies=proxies)
        assert self.scrape(world).status == 401
        assert "JWT_TRUSTED_PROXIES names this machine" in caplog.text
        assert self.scrape(world, token=world.auth.issue("prometheus", scope="metrics")).status == 200

    def test_a_proxy_elsewhere_does_not_matter(self, protect: Protect) -> None:
        """What comes through it does not come from loopback."""
        world = protect(metrics_path="/metrics", trusted_proxies="10.0.0.0/8,2001:db8::/32")
        assert self.scrape(world).status == 200
        assert self.scrape(world, peer="10.0.0.1").status == 401

    @pytest.mark.parametrize(
        "host",
        [
            "api.example",
            "evil.example:8000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost@x",
            "",
            None,
        ],
        ids=ascii,
    )
    def test_a_page_in_a_local_browser_is_not_local(self, protect: Protect, host: str | None) -> None:
        """DNS rebinding: the page's own name leads to 127.0.0.1, and only the Host tells."""
        assert self.scrape(protect(metrics_path="/metrics"), host=host).status == 401

    def test_two_hosts_are_none(self, protect: Protect) -> None:
        """Whichever is meant."""
        assert self.scrape(protect(metrics_path="/metrics"), headers=[("Host", "localhost")]).status == 401

    def test_a_token_needs_the_scope(self, protect: Protect) -> None:
        """From anywhere; one without it is told which scope would do, and who it was is counted."""
        world = protect(metrics_path="/metrics", issuer=ISSUER)
        good, poor = (world.auth.issue("prometheus", scope=scope) for scope in ("read metrics", "read"))
        for more in (LOCAL, {"peer": "10.1.2.3"}):
            assert world.request("/metrics", token=good, **more).status == 200
            answer = world.request("/metrics", token=poor, **more)
            assert (answer.status, answer.error) == (403, "insufficient_scope")
            assert 'scope="metrics"' in str(answer.header("WWW-Authenticate"))
        assert requests(world) == {("refused", "missing_scope", ISSUER): 2}

    @pytest.mark.parametrize(
        ("credential", "status"),
        [("Bearer junk", 401), ("Basic dXNlcjpwYXNz", 401), ("Bearer", 400), ("", 400), ("forged", 401), ("late", 401)],
    )
    def test_a_bad_credential_is_refused_even_from_here(self, protect: Protect, credential: str, status: int) -> None:
        """It never falls back to what the address alone would allow."""
        made = {
            "forged": f"Bearer {token(claims(scope='metrics'), key=OTHER_SECRET)}",
            "late": f"Bearer {token(claims(scope='metrics', exp=1))}",
        }
        value = made.get(credential, credential)
        answer = self.scrape(protect(metrics_path="/metrics"), headers=[("Authorization", value)])
        assert (answer.status, answer.passed) == (status, False)

    def test_another_header_than_ours_is_no_way_in_either(self, protect: Protect) -> None:
        """With JWT_HEADER_NAME elsewhere, an Authorization header says that somebody meant to be somebody."""
        world = protect(metrics_path="/metrics", header_name="X-Api-Token")
        good = f"Bearer {world.auth.issue('prometheus', scope='metrics')}"
        assert self.scrape(world).status == 200
        assert self.scrape(world, headers=[("X-Api-Token", good)]).status == 200
        assert self.scrape(world, headers=[("Authorization", good)]).status == 401

    def test_a_token_in_clear_is_refused_where_https_is_required(self, protect: Protect) -> None:
        """JWT_REQUIRE_HTTPS is about tokens; a local client brings none."""
        world = protect(metrics_path="/metrics", require_https=True)
        good = world.auth.issue("prometheus", scope="metrics")
        assert self.scrape(world, token=good).error == "invalid_request"
        assert self.scrape(world, token=good, scheme="https").status == 200
        assert self.scrape(world).status == 200

    def test_a_store_that_cannot_answer_is_503(self, protect: Protect, tmp_path: Path) -> None:
        """A token needs the store; the local way in does not, so an outage can be watched."""
        world = protect(metrics_path="/metrics", store_url=f"sqlite:///{tmp_path}/no/such/folder/store.db")
        assert self.scrape(world, token=world.auth.issue("prometheus", scope="metrics")).status == 503
        assert self.scrape(world).status == 200

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "WEBSOCKET"])
    def test_metrics_can_only_be_read(self, protect: Protect, method: str) -> None:
        """405 with what is allowed, but only to those who may read: others get the 401."""
        world = protect(metrics_path="/metrics")
        answer = self.scrape(world, method=method)
        assert (answer.status, answer.error) == (405, "method_not_allowed")
        assert answer.header("Allow") == "GET, HEAD"
        assert self.scrape(world, method=method, peer="10.1.2.3").status == 401

    def test_head_is_get_without_the_body(self, protect: Protect) -> None:
        """RFC 9110 section 9.3.2."""
        answer = self.scrape(protect(metrics_path="/metrics"), method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert int(str(answer.header("Content-Length"))) > 1000

    @pytest.mark.parametrize(
        "accept",
        [
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
            "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "application/openmetrics-text",
        ],
        ids=["prometheus", "one", "bare"],
    )
    def test_the_client_chooses_the_format(self, protect: Protect, accept: str) -> None:
        """As Prometheus asks for it."""
        answer = self.scrape(protect(metrics_path="/metrics"), headers=[("Accept", accept)])
        assert str(answer.header("Content-Type")).startswith(
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        )
        names = {family.name for family in openmetrics_families(answer.body.decode())}
        assert "jwt_middleware_requests" in names

    @pytest.mark.parametrize(
        "accept",
        [
            "", "*/*", "text/html", ",,;;==", "application/openmetrics-text;version=x", "text/plain;version=1.x.0",
            "application/openmetrics-text;version=" + "9" * 5000, "text/plain;version=\x1b[31m", b"\xff\xfe",
            "application/openmetrics-text;version=1.0.0\u00e9", "application/vnd.google.protobuf;encoding=delimited",
        ],
        ids=lambda value: ascii(value)[:40],
    )  # fmt: skip
    def test_what_nobody_understands_gets_the_plain_format(self, protect: Protect, accept: str | bytes) -> None:
        """No crash, and nothing of it in our answer."""
        answer = self.scrape(protect(metrics_path="/metrics"), headers=[("Accept", accept)])
        assert answer.status == 200
        assert answer.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"

    def test_without_the_setting_the_path_is_the_app_s(self, protect: Protect) -> None:
        """No endpoint by default."""
        assert protect().request("/metrics", **LOCAL).status == 401
