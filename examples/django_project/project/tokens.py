"""The one object that issues and revokes, from the same JWT_* variables as the middleware.

The `wsgi` form is the blocking one, right for plain `def` views under any server; `async def` views
would take `jwt_middleware.asgi.JWTAuth` and await it.
"""

from jwt_middleware.wsgi import JWTAuth

auth = JWTAuth()
