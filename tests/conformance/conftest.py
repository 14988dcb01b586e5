"""Fixtures of the conformance tests."""

from tests.conformance.evidence import tripwire

__all__ = ["tripwire"]
