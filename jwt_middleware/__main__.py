"""`python -m jwt_middleware …` is `jwt-middleware …`."""

from jwt_middleware.cli import entry

entry()
