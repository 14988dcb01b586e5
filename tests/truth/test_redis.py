"""The store on Redis: what is pure about it, and what only a real server can tell."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import tempfile
import time

import pytest

from jwt_middleware.errors import Unavailable
from jwt_middleware.truth import redis as room
from jwt_middleware.truth.line import Endpoint, unfitness
from jwt_middleware.truth.pool import Breaker
from jwt_middleware.truth.redis import RedisStore, problem_with
from tests.servers import BINARIES, HERE, free_port
from tests.truth.conftest import TIMEOUT, RedisShelf, World

INF = float("inf")
FIT = b"# Server\r\nredis_version:7.0.15\r\nloading:0\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n"


@pytest.fixture(params=list(BINARIES))
def shelf(request, running):
    return RedisShelf(running(request.param))


def documented_rules() -> list[str]:
    """Return the ACL rules from the module's docstring, so that what is documented is what is tested."""
    text = re.search(r"ACL SETUSER jwt (on .+)\Z", room.__doc__, re.DOTALL).group(1)
    return text.replace(">password", ">jwtpw").split()


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://:p%40ss@localhost/3",
        "rediss://jwt:pw@redis.example:6380/0?ssl_ca_certs=/etc/ca.crt&ssl_cert_reqs=required",
        "unix:///run/redis.sock?db=1",
        "unix://jwt:pw@/run/redis.sock",
        "redis://localhost?max_connections=5&timeout=3&client_name=me",
        "redis://[::1]:6379/0",
    ],
)
def test_a_good_url_has_no_problem(url):
    """Everything redis-py can connect to is accepted, parameters of its pool included."""
    assert problem_with(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://:sesame@localhost",
        "redis://:sesame@localhost:port/0",
        "redis://:sesame@localhost:99999/0",
        "redis://:sesame@localhost/zero",
        "redis://:12/sesame@localhost/0",
        "redis://:12#sesame@localhost/0",
        "redis://:12?sesame@localhost/0",
        "redis://:12?sesame=3@localhost/0",
        "redis://:sesame@localhost?no_such_parameter=1",
        "redis://:sesame@localhost?db=x",
        "rediss://:sesame@localhost?ssl_cert_reqs=maybe",
        "redis://[::1:sesame",
    ],
)
def test_a_bad_url_has_a_problem_that_does_not_tell_the_password(url):
    """One line for the operator, in which nothing of the URL appears: a cut-off password may be anywhere in it."""
    problem = problem_with(url)
    assert problem.startswith("JWT_STORE_URL ")
    assert "sesame" not in problem
    assert "\n" not in problem


def test_without_redis_py_the_problem_says_what_to_install():
    """Who sets a Redis URL without the extra is told the command."""
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from jwt_middleware.truth.redis import problem_with; print(problem_with('redis://localhost'))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == 'JWT_STORE_URL needs the redis extra: pip install "pyjwt-middleware[redis]"'


def test_details_hide_the_password_even_when_redis_echoes_it():
    """A server that does not know AUTH repeats its arguments, and a short one survives every cut."""
    endpoint = Endpoint("redis://jwt:sesame@localhost")
    shout = ValueError("ERR unknown command 'AUTH', with args beginning with: 'jwt' 'sesame'")
    assert "sesame" not in endpoint.describe(shout)
    assert "sesame" not in endpoint.describe(ValueError("no sesame here"))


def test_the_breaker_lets_everybody_ask_while_all_is_well():
    """Without a failure the breaker is not there."""
    breaker = Breaker(timeout=0.5)
    assert all(breaker.admits(now) for now in (0.0, 1.0, 1.0))


def test_the_breaker_opens_for_a_moment_and_then_sends_one_ahead():
    """After a failure all fail at once for 250 ms; then one asks, and the rest go on failing until it is back."""
    breaker = Breaker(timeout=0.5)
    breaker.trip(10.0, "why")
    assert not breaker.admits(10.0)
    assert not breaker.admits(10.24)
    assert breaker.admits(10.25)
    assert not breaker.admits(10.26)
    breaker.reset(0)
    assert breaker.admits(10.27)
    assert breaker.admits(10.27)


def test_the_breaker_sends_another_when_the_first_never_comes_back():
    """A prober whose client disconnected tells nothing; it must not close the store for ever."""
    breaker = Breaker(timeout=0.5)
    breaker.trip(10.0, "why")
    assert breaker.admits(10.25)
    assert not breaker.admits(10.9)
    assert breaker.admits(11.0)


@pytest.mark.parametrize(
    ("line", "replacement", "why"),
    [
        (b"redis_version:7.0.15", b"redis_version:6.0.16", "older than 6.2"),
        (b"redis_version:7.0.15", b"redis_version:5.9", "older than 6.2"),
        (b"redis_version:7.0.15\r\n", b"", "older than 6.2"),
        (b"noeviction", b"allkeys-lru", "allkeys-lru"),
        (b"noeviction", b"allkeys-random", "allkeys-random"),
        (b"loading:0", b"loading:1", "loading"),
    ],
)
def test_what_makes_a_server_unfit(line, replacement, why):
    """A server that would lose or hide revocations is named as such."""
    assert why in unfitness(FIT.replace(line, replacement))


@pytest.mark.parametrize("policy", [b"noeviction", b"volatile-lru", b"volatile-ttl"])
def test_what_makes_a_server_fit(policy):
    """Our keys carry no expiry, so a policy that evicts only keys with one is fine."""
    assert unfitness(FIT.replace(b"noeviction", policy)) is None


def test_a_server_without_an_append_only_file_is_warned_of_once(caplog):
    """The operator hears once per process that a restart may forget revocations."""
    with caplog.at_level(logging.WARNING, "jwt_middleware"):
        for _ in range(3):
            assert unfitness(FIT.replace(b"aof_enabled:1", b"aof_enabled:0")) is None
    assert len(caplog.messages) == 1
    assert "revocations may be lost" in caplog.text


def test_a_durable_server_is_not_warned_of(shelf, world: World, caplog):
    """With an append-only file there is nothing to say."""
    world.run(shelf.store(world).read(["j|-|1"]))
    assert caplog.messages == []


def test_the_documented_rights_suffice(shelf, world: World):
    """The ACL line of the module docstring is enough for marks and counts, and for nothing else."""
    server = shelf._server
    server.admin("ACL", "SETUSER", "jwt", *documented_rules())
    io = world.make_io(server.url("jwt:jwtpw"), 5.0)
    server.admin("DEL", "{jwt}:revoked", "{jwt}:n:a")
    server.admin("ZADD", "{jwt}:revoked", 5, "old", -5, "old cut-off")
    store = RedisStore(io, "jwt", 3600)
    world.run(store.write({"j|-|1": INF, "u|-|1": -time.time() // 1}))
    assert world.run(store.read(["j|-|1", "old", "old cut-off"])) == [INF, None, None]
    assert [world.run(store.count("a", 3600, 1)).room for _ in range(2)] == [True, False]
    world.run(store.forget("a"))
    for forbidden in (["GET", "x"], ["KEYS", "*"], ["DEL", "{jwt}:revoked"], ["ZMSCORE", "{other}:revoked", "x"]):
        with pytest.raises(Unavailable, match="NoPermissionError"):
            world.run(io.redis(*forbidden))


def test_one_read_is_one_command(shelf, world: World):
    """All items of a request are asked for in one round trip."""
    store = shelf.store(world)
    world.run(store.read(["a"]))
    shelf._server.admin("CONFIG", "RESETSTAT")
    world.run(store.read(["a", "b", "c"]))
    statistics = shelf._server.admin("INFO", "commandstats")
    assert statistics["cmdstat_zmscore"]["calls"] == 1
    assert "cmdstat_eval" not in statistics


def test_the_server_s_clock_decides_what_is_forgotten(shelf, world: World):
    """Processes with wrong clocks cannot make Redis forget: the script asks Redis for the time."""
    soon = time.time() + 3600
    world.run(shelf.store(world, 60).write({"j|-|1": soon}))
    assert world.run(shelf.store(world).read(["j|-|1"])) == [soon]


def test_stores_with_different_prefixes_do_not_see_each_other(running, world: World):
    """Two deployments may share a server."""
    one, other = RedisShelf(running("valkey-9")).store(world), RedisShelf(running("valkey-9")).store(world)
    world.run(one.write({"j|-|1": INF}))
    assert world.run(other.read(["j|-|1"])) == [None]


def test_a_url_with_a_database_selects_it(running, world: World):
    """The number in the path of the URL is honoured."""
    url = running("redis-8").url()
    in_three = world.make_io(url.removesuffix("/0") + "/3", 5.0)
    world.run(in_three.redis("SET", "where", "three"))
    assert world.run(in_three.redis("GET", "where")) == b"three"
    assert world.run(world.make_io(url, 5.0).redis("GET", "where")) is None


def test_a_unix_socket(own_server, world: World):
    """A server on the same machine may be reached without TCP."""
    with tempfile.TemporaryDirectory() as directory:  # pytest's own may be too long for the path of a socket
        own_server("valkey-9", "--unixsocket", f"{directory}/s")
        store = RedisStore(world.make_io(f"unix://{directory}/s", 5.0), "jwt", None)
        world.run(store.write({"j|-|1": INF}))
        assert world.run(store.read(["j|-|1"])) == [INF]


@pytest.fixture
def certificate(tmp_path):
    """Make a self-signed certificate for the loopback address; return the files of certificate and key."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    serial = x509.random_serial_number()
    builder = x509.CertificateBuilder(name, name, key.public_key(), serial, now, now + timedelta(1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HERE))])
    builder = builder.add_extension(alternative, False).add_extension(x509.BasicConstraints(True, None), True)
    files = tmp_path / "tls.crt", tmp_path / "tls.key"
    files[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*private))
    return files


def test_tls_with_and_without_trust(own_server, certificate, world: World):
    """With the right CA the store works over TLS; with the system's CAs it is unavailable, never unencrypted."""
    file, key = certificate
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-cert-file", str(file), "--tls-key-file", str(key)]
    own_server("redis-7", *tls, "--tls-auth-clients", "no")
    trusting = RedisStore(world.make_io(f"rediss://{HERE}:{port}?ssl_ca_certs={file}", 5.0), "jwt", None)
    world.run(trusting.write({"j|-|1": INF}))
    assert world.run(trusting.read(["j|-|1"])) == [INF]
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        world.run(RedisStore(world.make_io(f"rediss://{HERE}:{port}", TIMEOUT * 5), "jwt", None).read(["j|-|1"]))
