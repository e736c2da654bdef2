"""TLS of the sockets that clients connect to: what a certificate and its key make."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from postroad.runtime.errors import SettingsError
from postroad.runtime.settings import Source


def server_context(source: Source) -> ssl.SSLContext | None:
    """The TLS of a source that listens (1.2 and later), read now; None where it has none.

    Raises SettingsError naming the file and what is wrong with it.
    """
    certificate, key = source.tls_cert_file, source.tls_key_file
    if certificate is None or key is None:
        return None
    where = f'[[source]] "{source.name}"'
    _readable(f"{where} tls_cert_file", certificate)
    _readable(f"{where} tls_key_file", key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            what = f"tls_key_file: {key} is not the key of {certificate}; name the one made with it"
        else:
            what = (
                f"tls_cert_file: {certificate} and {key} are no certificate and key that can be "
                "used; both must be PEM, and the key without password"
            )
        raise SettingsError(f"{where} {what}") from None
    return context


def _readable(what: str, path: Path) -> None:
    try:
        path.read_bytes()
    except PermissionError:
        remedy = f"may not be read by uid {os.geteuid()}; change its owner or mode"
        raise SettingsError(f"{what}: {path} {remedy}") from None
    except OSError as error:
        raise SettingsError(f"{what}: {path}: {(error.strerror or 'unreadable').lower()}") from None


def _no_password() -> str:
    raise ValueError("the key has a password")
