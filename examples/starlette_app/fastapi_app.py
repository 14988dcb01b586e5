"""The same app on FastAPI: the user comes by `Depends`, and `/docs` stays open.

Settings come from JWT_* environment variables; README.md beside this file says which.
"""

from typing import Annotated, Any

import users
from fastapi import Depends, FastAPI, HTTPException, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from jwt_middleware import Unavailable, User
from jwt_middleware.asgi import JWTAuth, JWTMiddleware

auth = JWTAuth()  # refuses here, at import, if a setting does not fit
app = FastAPI(title="Protected by jwt_middleware")
app.add_middleware(JWTMiddleware, auth=auth)

# Verifies nothing, the middleware has done that: it puts the Authorize button into /docs.
in_docs = HTTPBearer(auto_error=False)


def user_of(request: Request, _: Annotated[Any, Security(in_docs)]) -> User:
    """Return the verified user of the request."""
    return request.user


CurrentUser = Annotated[User, Depends(user_of)]


class Credentials(BaseModel):
    """What a client signs in with."""

    username: str
    password: str


@app.get("/health")
def health() -> dict[str, str]:
    """For probes; exempt by JWT_EXEMPT_PATHS."""
    return {"status": "ok"}


@app.post("/login")
def sign_in(credentials: Credentials, response: Response) -> dict[str, str]:
    """Give a token for a password; a plain `def`, so that FastAPI runs it in a thread."""
    account = users.check(credentials.username, credentials.password)
    if account is None:
        raise HTTPException(401, "Invalid credentials")
    response.headers["Cache-Control"] = "no-store"
    return {"token": auth.issue(credentials.username, scope=account.scope, claims={"name": account.name})}


@app.get("/protected")
def protected(user: CurrentUser) -> dict[str, Any]:
    """No check of its own: every path needs a token unless it is exempt."""
    return {"message": "This is protected", "user": {"identity": user.identity, "name": user.display_name}}


@app.get("/reports")
def reports(user: CurrentUser) -> dict[str, str]:
    """For tokens with the scope `reports`."""
    if "reports" not in user.scopes:
        raise HTTPException(403, "This needs the scope reports")
    return {"message": f"Reports for {user.display_name}"}


@app.post("/logout", status_code=204)
async def sign_out(user: CurrentUser) -> None:
    """Revoke the token that came with this request; 204 says that it is stored, so no worker accepts it again."""
    await auth.revoke(user)


@app.exception_handler(Unavailable)
async def not_stored(_: Request, __: Exception) -> JSONResponse:
    """The store did not confirm: never tell a user who is still signed in that they are out."""
    return JSONResponse({"message": "Please try again"}, 503, {"Retry-After": "1"})
