"""Signing in and out: keys of our own."""
