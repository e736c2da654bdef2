"""A hash of passwords that takes no time, for tests of what becomes of a mail that has one."""

from __future__ import annotations

import hashlib

import pytest

from postroad.mail import approval


def quick(password: str, salt: bytes) -> bytes:
    """As long as the real one, of which each try takes 0.1 s of processor."""
    return hashlib.sha256(salt + password.encode("utf-8", "replace")).digest()


@pytest.fixture
def quick_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed from now on in this process are by this."""
    monkeypatch.setattr(approval, "_scrypt", quick)
