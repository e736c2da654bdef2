"""Private keys that copies are signed with: PEM files, RSA or Ed25519."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from postroad.runtime import secretfile
from postroad.runtime.errors import SettingsError
from postroad.runtime.settings import Domain

SigningKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

LEAST_BITS = 1024  # RFC 8301: receivers must not accept less
# into another file: what lies in this one may be worth something elsewhere
MAKE = "make one in a new file: openssl genrsa -out FILE 2048"


def signing_keys(domain: Domain) -> tuple[tuple[str, SigningKey], ...]:
    """Selector and private key of each that the domain has. Raises as `read_signing_key`."""
    where = f'[[domain]] "{domain.name}"'
    return tuple(
        (selector, read_signing_key(path, f"{where} {key}"))
        for key, path, selector in domain.signing
    )


def unsealed(domain: Domain, keys: Sequence[tuple[str, SigningKey]]) -> Iterator[str]:
    """A warning where posts are to be sealed (ARC) and none of the keys can do it.

    A copy may have a DKIM signature for each kind of verifier; a set has one seal (RFC 8617 section
    4.2), and verifiers that know Ed25519 in one are few (Rspamd, since the end of 2025).
    """
    if keys and domain.arc and not any(isinstance(key, rsa.RSAPrivateKey) for _, key in keys):
        free = "dkim_key_file" if domain.dkim_key_file is None else "dkim_second_key_file"
        yield (
            f'[[domain]] "{domain.name}" arc: posts are not sealed, for the only key is Ed25519, '
            f"and verifiers of seals want RSA; add an RSA key as {free}, or set arc = false"
        )


def read_signing_key(path: Path, what: str) -> SigningKey:
    """The private key in a file. Raises SettingsError naming `what`, the file and the remedy when
    it cannot be read, is open to others, or is no key that mail can be signed with."""
    text = secretfile.read_secret(path, what)
    if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise SettingsError(
            f"{what}: {path} is open to other users of this machine, who could sign as you; "
            f"run: chmod 600 {path}"
        )
    try:
        key = load_pem_private_key(text.encode(), None)
    except TypeError:
        raise SettingsError(
            f"{what}: {path} is locked by a passphrase, which nobody can type here; {MAKE}"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"{what}: {path} holds no private key in PEM form; {MAKE}") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SettingsError(f"{what}: {path} holds neither an RSA nor an Ed25519 key; {MAKE}")
    if key.key_size < LEAST_BITS:
        raise SettingsError(
            f"{what}: {path} holds an RSA key of {key.key_size} bits, which no receiver accepts; "
            f"{MAKE}"
        )
    return key
