"""The matrix: every server named in the docs, every kind of app, wrapped by `JWT_APP`, as real processes."""
