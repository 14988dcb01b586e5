"""The service that signs people in: a Flask app with a folder of keys, whose public halves it publishes.

`/.well-known/jwks.json` is not written here: the middleware answers it. Settings come from JWT_* environment
variables; README.md beside this file says which.
"""

import secrets
from typing import Any

from flask import Flask, request
from werkzeug.security import check_password_hash, generate_password_hash

from jwt_middleware.wsgi import JWTAuth, JWTMiddleware

# In place of your user table. The passwords stand here only because this is an example.
USERS = {
    "ada": {"name": "Ada Lovelace", "scope": "orders", "password": generate_password_hash("analytical engine")},
    "bob": {"name": "Bob", "scope": "", "password": generate_password_hash("builds things")},
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


@app.post("/sign-in")
def sign_in() -> Any:
    """Give a token for a password; exempt by JWT_EXEMPT_PATHS, since nobody has a token before."""
    username, password = _credentials(request.get_json(silent=True))
    user = USERS.get(username, NOBODY)
    if not check_password_hash(user["password"], password) or user is NOBODY:
        return {"message": "Invalid credentials"}, 401
    token = auth.issue(username, scope=user["scope"], claims={"name": user["name"]})
    return {"access_token": token}, {"Cache-Control": "no-store"}


def _credentials(body: Any) -> tuple[str, str]:
    fields = body if isinstance(body, dict) else {}
    username, password = fields.get("username"), fields.get("password")
    return (username, password) if isinstance(username, str) and isinstance(password, str) else ("", "")
