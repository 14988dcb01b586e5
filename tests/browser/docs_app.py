"""A FastAPI app as its tutorial writes it, with Swagger UI from a package rather than from a CDN."""

from __future__ import annotations

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from fastapi_offline import FastAPIOffline

# Verifies nothing, the middleware has done that: it puts the Authorize button into /docs.
in_docs = OAuth2PasswordBearer(tokenUrl="/auth/token")
app = FastAPIOffline()


@app.get("/orders", dependencies=[Depends(in_docs)])
def orders(request: Request) -> dict[str, str]:
    return {"user": request.user.identity}
