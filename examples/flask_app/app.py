"""A Flask app with sign-in and sign-out views of its own, protected from outside.

Settings come from JWT_* environment variables; README.md beside this file says which.
"""

import secrets
from typing import Any

from flask import Flask, request
from werkzeug.security import check_password_hash, generate_password_hash

from jwt_middleware import Unavailable, current_user
from jwt_middleware.wsgi import JWTAuth, JWTMiddleware

# In place of your user table. The passwords stand here only because this is an example.
USERS = {
    "ada": {"name": "Ada Lovelace", "roles": ["admin"], "password": generate_password_hash("analytical engine")},
    "bob": {"name": "Bob", "roles": [], "password": generate_password_hash("builds things")},
}
# Compared when there is no such user, so that the answer takes as long and does not tell who exists.
NOBODY = {"password": generate_password_hash(secrets.token_hex())}

app = Flask(__name__)
auth = JWTAuth()  # refuses here, at import, if a setting does not fit
app.wsgi_app = JWTMiddleware(app.wsgi_app, auth=auth)


@app.get("/health")
def health() -> dict[str, str]:
    """For probes; exempt by JWT_EXEMPT_PATHS."""
    return {"status": "ok"}


@app.post("/auth/token")
def sign_in() -> Any:
    """Give a token for a password; exempt by JWT_EXEMPT_PATHS, since nobody has a token before."""
    username, password = _credentials(request.get_json(silent=True))
    user = USERS.get(username, NOBODY)
    if not check_password_hash(user["password"], password) or user is NOBODY:
        return {"message": "Invalid credentials"}, 401
    token = auth.issue(username, claims={"name": user["name"], "roles": user["roles"]})
    return {"access_token": token}, {"Cache-Control": "no-store"}


@app.get("/hello")
def hello() -> dict[str, Any]:
    """Flask's own way to the user's name. No decorator: every path needs a token unless it is exempt."""
    return {"message": f"Hello {request.remote_user}"}


@app.get("/profile")
def profile() -> dict[str, Any]:
    """The whole user, from anywhere in the code."""
    user = current_user()
    return {"identity": user.identity, "name": user.display_name, "roles": user.roles, "expires": user.claims["exp"]}


@app.get("/admin")
def admin() -> Any:
    """For one role only."""
    if "admin" not in current_user().roles:
        return {"message": "Admins only"}, 403
    return {"message": "Welcome"}


@app.post("/logout")
def sign_out() -> Any:
    """Revoke the token that came with this request; 204 says that it is stored, so no worker accepts it again."""
    auth.revoke(current_user())
    return "", 204


@app.errorhandler(Unavailable)
def not_stored(_: Unavailable) -> Any:
    """The store did not confirm: never tell a user who is still signed in that they are out."""
    return {"message": "Please try again"}, 503, {"Retry-After": "1"}


def _credentials(body: Any) -> tuple[str, str]:
    fields = body if isinstance(body, dict) else {}
    username, password = fields.get("username"), fields.get("password")
    return (username, password) if isinstance(username, str) and isinstance(password, str) else ("", "")
