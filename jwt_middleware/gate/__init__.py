"""One request: let it in as somebody, or answer it."""
