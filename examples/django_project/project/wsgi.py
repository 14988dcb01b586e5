"""For WSGI servers: waitress-serve project.wsgi:application."""

import os

from django.core.wsgi import get_wsgi_application

from jwt_middleware.wsgi import JWTMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = JWTMiddleware(get_wsgi_application())
