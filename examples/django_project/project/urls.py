"""Where the views are."""

from django.urls import path

from project import views

urlpatterns = [
    path("health", views.health),
    path("auth/token", views.sign_in),
    path("hello", views.hello),
    path("logout", views.sign_out),
]
