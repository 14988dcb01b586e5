"""For ASGI servers: uvicorn project.asgi:application."""

import os

from django.core.asgi import get_asgi_application

from jwt_middleware.asgi import JWTMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = JWTMiddleware(get_asgi_application())
