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


def self_signed(directory: Path, name: str = "localhost") -> Certificate:
    """Make a certificate for the DNS name `name`, valid for two days, in `directory`."""
    certificate = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    subprocess.run(
        [
            *(program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", str(certificate.key), "-out", str(certificate.cert)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate
