"""A self-signed certificate for the name localhost, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers.process import program


@dataclass(frozen=True)
class Certificate:
    """PEM files. A client that trusts `cert` reaches localhost, and fails on 127.0.0.1."""

    cert: Path
    key: Path


def self_signed(directory: Path, name: str = "localhost", *, days: int = 90) -> Certificate:
    """Make a certificate for the DNS name `name` in `directory`, valid for so many days from now;
    with less than one it has expired."""
    certificate = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    _openssl(
        *("req", "-x509", "-nodes", "-days", str(max(days, 1))),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
        *("-keyout", str(certificate.key), "-out", str(certificate.cert)),
    )
    if days < 1:  # which `req` does not make
        files = ("-in", str(certificate.cert), "-out", str(certificate.cert))
        _openssl("x509", *files, "-signkey", str(certificate.key), "-days", "-1")
    return certificate


def _openssl(*words: str) -> None:
    subprocess.run([program("openssl", "openssl"), *words], check=True, capture_output=True)
