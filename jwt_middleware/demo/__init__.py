"""What `jwt-middleware demo` serves: a page, a small API, and this library in front of them."""
