"""What the browser meets: one small service on Flask and on Starlette, wrapped by `JWT_APP`."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from jwt_middleware import current_user

PAGE = "<!doctype html><link rel=icon href=data:,><title>ours</title>"
PASSWORDS = {"ada": "correct horse", "eve": "mine"}
orders: list[str] = []


def authenticate(username: str, password: str) -> Any:
    """Know two users, one of whom is up to no good."""
    return username if PASSWORDS.get(username) == password else None


def ordered(method: str) -> dict[str, Any]:
    """Take an order, if it is one, and tell how many there are."""
    if method == "POST":
        orders.append(current_user().identity)
    return {"user": current_user().identity, "orders": len(orders)}


flask_app = Flask(__name__)


@flask_app.get("/")
def flask_page() -> str:
    return PAGE


@flask_app.route("/orders", methods=["GET", "POST"])
def flask_orders() -> dict[str, Any]:
    return ordered(request.method)


async def starlette_page(_: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def starlette_orders(request: Request) -> JSONResponse:
    return JSONResponse(ordered(request.method))


async def live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(current_user().identity)
    await socket.close()


starlette_app = Starlette(
    routes=[
        Route("/", starlette_page),
        Route("/orders", starlette_orders, methods=["GET", "POST"]),
        WebSocketRoute("/live", live),
    ]
)
