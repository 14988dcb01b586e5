"""A service that trusts the other one: a Starlette app that has its public keys, and nothing that could sign.

Not a word about accounts or passwords. Settings come from JWT_* environment variables; README.md beside this file says
which.
"""

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jwt_middleware.asgi import JWTAuth, JWTMiddleware

auth = JWTAuth()  # refuses here, at import, if a setting does not fit


async def health(_: Request) -> Response:
    """For probes; exempt by JWT_EXEMPT_PATHS."""
    return JSONResponse({"status": "ok"})


@requires("orders")
async def orders(request: Request) -> Response:
    """For tokens with the scope `orders`; others get Starlette's 403."""
    return JSONResponse({"orders": [], "of": request.user.identity, "name": request.user.display_name})


app = Starlette(
    routes=[Route("/health", health), Route("/orders", orders)],
    middleware=[Middleware(JWTMiddleware, auth=auth)],
)
