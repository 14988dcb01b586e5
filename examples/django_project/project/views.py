"""Sign in, see who you are, sign out."""

import json
from typing import Any

from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from jwt_middleware import Unavailable, current_user
from project.tokens import auth


@require_GET
def health(_: HttpRequest) -> HttpResponse:
    """For probes; exempt by JWT_EXEMPT_PATHS."""
    return JsonResponse({"status": "ok"})


# CSRF is about what a browser sends on its own, which is cookies. This view is called with a password in JSON, the
# others with a token in a header; neither leaves a browser by itself. Django does not know that, and without
# csrf_exempt its CsrfViewMiddleware answers such a POST with 403 "CSRF cookie not set".
@csrf_exempt
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """Give a token for a password; exempt by JWT_EXEMPT_PATHS, since nobody has a token before."""
    username, password = _credentials(request.body)
    account = authenticate(request, username=username, password=password)  # takes as long for an unknown user
    if account is None:
        return JsonResponse({"message": "Invalid credentials"}, status=401)
    token = auth.issue(str(account.pk), claims={"name": account.get_username()})
    return JsonResponse({"access_token": token}, headers={"Cache-Control": "no-store"})


@require_GET
def hello(request: HttpRequest) -> HttpResponse:
    """`request.user` is the user of the token; so is `current_user()`, in code that has no request."""
    return JsonResponse({"message": f"Hello {request.user.display_name}", "id": current_user().identity})


@csrf_exempt  # see sign_in
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Revoke the token that came with this request; 204 says that it is stored, so no worker accepts it again."""
    try:
        auth.revoke(request.user)
    except Unavailable:  # never tell a user who is still signed in that they are out
        return JsonResponse({"message": "Please try again"}, status=503, headers={"Retry-After": "1"})
    return HttpResponse(status=204)


def _credentials(body: bytes) -> tuple[str, str]:
    try:
        fields: Any = json.loads(body)
    except ValueError:
        fields = None
    fields = fields if isinstance(fields, dict) else {}
    username, password = fields.get("username"), fields.get("password")
    return (username, password) if isinstance(username, str) and isinstance(password, str) else ("", "")
