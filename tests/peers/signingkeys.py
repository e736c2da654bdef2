"""Keys that tests sign with; the RSA key is in signing-rsa.pem and is worth nothing elsewhere."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from postroad.mail.dkim import Key

RSA_FILE = Path(__file__).parent / "signing-rsa.pem"


def rsa_key(domain: str = "lists.example", selector: str = "rsa") -> Key:
    """The RSA-2048 key, for any domain."""
    private = load_pem_private_key(RSA_FILE.read_bytes(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return Key(domain, selector, private)


def ed25519_key(domain: str = "lists.example", selector: str = "ed25519") -> Key:
    """An Ed25519 key, always the same."""
    return Key(domain, selector, ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32))
