"""`make run`: the Flask example behind JWTMiddleware, on a throw-away key and store, with lines to try it.

PORT chooses the port (default 8000).
"""

import base64
import http.client
import os
import secrets
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread

from waitress.server import create_server

HOST = "127.0.0.1"

BANNER = """
{bold}examples/flask_app is running on {url}, and only a token opens it.{plain}

The token, for the user ada and one hour:

    {token}

{bold}Paste these lines into another terminal, one after the other.{plain}

1. Without the token: 401
    curl -i {url}/hello

2. With the token: 200
    curl -i {url}/hello -H "Authorization: Bearer {token}"

3. Sign out, which revokes the token: 204
    curl -i -X POST {url}/logout -H "Authorization: Bearer {token}"

4. The same token again: 401
    curl -i {url}/hello -H "Authorization: Bearer {token}"

5. Sign in for a new one: 200
    curl -i {url}/auth/token -H "Content-Type: application/json" \
-d '{{"username": "ada", "password": "analytical engine"}}'

Or see it in a browser, with sign-in, refresh and two tabs:
    {command} demo --port 0

Below, the log gives the reason of each 401. Ctrl-C stops.
"""


def main() -> int:
    """Serve until stopped; return the exit code."""
    text = os.environ.get("PORT", "8000")
    try:
        port = as_port(text)
        with tempfile.TemporaryDirectory(prefix="jwt-middleware-") as folder:
            serve(port, folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        print(f"Cannot listen on {HOST}:{text}: {reason}. Choose another port: make run PORT=8001", file=sys.stderr)
        return 1
    return 0


def as_port(text: str) -> int:
    """Read a port; a number too large would silently become another one."""
    if not text.isdecimal() or int(text) > 65535:
        raise ValueError("not a port")
    return int(text)


def serve(port: int, folder: str) -> None:
    """Serve the example with its store in `folder`, until Ctrl-C or SIGTERM."""
    configure(folder)
    from flask_app.app import app, auth  # only now: it reads its settings when it is imported

    server = create_server(app, host=HOST, port=port)
    Thread(target=announce, args=(server.effective_port, auth.issue("ada")), daemon=True).start()
    server.run()


def configure(folder: str) -> None:
    """Set what an operator would set, in place of whatever this shell has."""
    for name in [name for name in os.environ if name.startswith("JWT_")]:
        del os.environ[name]
    os.environ["JWT_SECRET_KEY"] = "base64:" + base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["JWT_STORE_URL"] = f"sqlite:///{folder}/revoked.db"
    os.environ["JWT_EXEMPT_PATHS"] = "/auth/token,/health"
    os.environ["JWT_ACCESS_TOKEN_EXPIRES"] = "1h"


def announce(port: int, token: str) -> None:
    """Print what to do, once the app has answered."""
    connection = http.client.HTTPConnection(HOST, port)
    connection.request("GET", "/health")
    connection.getresponse().read()
    connection.close()
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    command = os.path.relpath(Path(sys.executable).with_name("jwt-middleware"))
    url = f"http://{HOST}:{port}"
    print(BANNER.format(url=url, token=token, command=command, bold=bold, plain=plain), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        sys.exit(main())
