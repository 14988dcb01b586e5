"""Pure: text and keys in, claims out. Only here PyJWT and cryptography are known."""
