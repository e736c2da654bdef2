"""The certificate that a socket shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.runtime.errors import SettingsError
from tests.peers.certificate import self_signed
from tests.unit.settings.conftest import Load


def settings(cert: Path | str, key: Path | str) -> str:
    """A source that listens with TLS."""
    return (
        "[site]\ndomain = 'example.org'\n[[source]]\nkind = 'smtp'\ntls = 'starttls'\n"
        f"tls_cert_file = '{cert}'\ntls_key_file = '{key}'\n"
    )


def test_a_certificate_and_its_key(load: Load, tmp_path: Path) -> None:
    """A pair that can be used is used; what is wrong is named, with its file and remedy, before
    anything listens."""
    right, other = self_signed(tmp_path), self_signed(tmp_path, "other")
    load(settings(right.cert, right.key)).check_files()
    for cert, key, told in (
        (right.cert, other.key, f"tls_key_file: {other.key} is not the key of {right.cert}"),
        (right.cert, tmp_path / "none", f"tls_key_file: {tmp_path / 'none'}: no such file"),
        (right.key, right.key, "are no certificate and key that can be used; both must be PEM"),
    ):
        with pytest.raises(SettingsError) as caught:
            load(settings(cert, key)).check_files()
        assert f'[[source]] "smtp" {told.split(":")[0]}'.split(" are ")[0] in str(caught.value)
        assert told in str(caught.value)
