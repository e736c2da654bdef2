"""A self-signed certificate for the name localhost, made by openssl."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.peers.process import program


@dataclass(frozen=True)
class Certificate:
    """PEM files. A client that trusts `cert` reaches localhost, and fails on 127.0.0.1."""

    cert: Path
    key: Path


def self_signed(directory: Path, name: str = "localhost", *, days: int = 90) -> Certificate:
    """Put a certificate for the DNS name `name` into `directory`, valid for so many days from now;
    with less than one it has expired. Whoever asks for the same again gets the same."""
    certificate = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    cert, key = _made(name, days)
    certificate.cert.write_bytes(cert)
    certificate.key.touch(0o600)
    certificate.key.write_bytes(key)
    return certificate


@functools.cache
def _made(name: str, days: int) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as place:
        cert, key = f"{place}/cert", f"{place}/key"
        _openssl(
            *("req", "-x509", "-nodes", "-days", str(max(days, 1))),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", key, "-out", cert),
        )
        if days < 1:  # which `req` does not make
            _openssl("x509", "-in", cert, "-out", cert, "-signkey", key, "-days", "-1")
        return Path(cert).read_bytes(), Path(key).read_bytes()


def _openssl(*words: str) -> None:
    subprocess.run([program("openssl", "openssl"), *words], check=True, capture_output=True)
