"""A Starlette app with sign-in and sign-out views of its own, protected from outside, WebSocket included.

Settings come from JWT_* environment variables; README.md beside this file says which.
"""

from json import JSONDecodeError
from typing import Any

import users
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwt_middleware import Unavailable, current_user
from jwt_middleware.asgi import JWTAuth, JWTMiddleware

auth = JWTAuth()  # refuses here, at import, if a setting does not fit


async def health(_: Request) -> Response:
    """For probes; exempt by JWT_EXEMPT_PATHS."""
    return JSONResponse({"status": "ok"})


async def sign_in(request: Request) -> Response:
    """Give a token for a password; exempt by JWT_EXEMPT_PATHS, since nobody has a token before."""
    body = await _json(request)
    username = body.get("username")
    account = await run_in_threadpool(users.check, username, body.get("password"))
    if account is None:
        return JSONResponse({"message": "Invalid credentials"}, 401)
    token = auth.issue(username, scope=account.scope, claims={"name": account.name})
    return JSONResponse({"token": token}, headers={"Cache-Control": "no-store"})


async def protected(request: Request) -> Response:
    """Starlette's own way to the user. No decorator: every path needs a token unless it is exempt."""
    user = request.user
    seen = {"identity": user.identity, "name": user.display_name, "scopes": user.scopes}
    return JSONResponse({"message": "This is protected", "user": seen})


@requires("reports")
async def reports(request: Request) -> Response:
    """For tokens with the scope `reports`; others get Starlette's 403. `current_user()` needs no request."""
    return JSONResponse({"message": f"Reports for {current_user().display_name}"})


async def sign_out(request: Request) -> Response:
    """Revoke the token that came with this request; 204 says that it is stored, so no worker accepts it again."""
    await auth.revoke(request.user)
    return Response(status_code=204)


async def greet(websocket: WebSocket) -> None:
    """The handshake was verified before this is called; without a token it never is."""
    await websocket.accept()
    await websocket.send_json({"message": f"Hello {websocket.user.display_name}"})
    await websocket.close()


async def not_stored(_: Request, __: Exception) -> Response:
    """The store did not confirm: never tell a user who is still signed in that they are out."""
    return JSONResponse({"message": "Please try again"}, 503, {"Retry-After": "1"})


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/login", sign_in, methods=["POST"]),
        Route("/protected", protected),
        Route("/reports", reports),
        Route("/logout", sign_out, methods=["POST"]),
        WebSocketRoute("/ws", greet),
    ],
    middleware=[Middleware(JWTMiddleware, auth=auth)],
    exception_handlers={Unavailable: not_stored},
)
