"""Private keys that copies are signed with, as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from postroad.runtime.errors import SettingsError
from postroad.runtime.signingkeys import signing_keys
from tests.peers.signingkeys import RSA_FILE
from tests.unit.settings.conftest import MINIMAL, Load

SHORT = Path(__file__).parent / "rsa-512.pem"  # libraries no longer make one
DOMAIN = '\n[[domain]]\nname = "lists.example.org"\ndkim_key_file = "dkim.pem"\n'


def pem(key: object, passphrase: bytes = b"") -> bytes:
    """A private key as files hold it."""
    assert isinstance(
        key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption(),
    )


def write(home: Path, content: bytes, mode: int = 0o600, name: str = "dkim.pem") -> Path:
    """A key file."""
    path = home / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_two_keys(load: Load, tmp_path: Path) -> None:
    """A domain may sign with RSA and with Ed25519, each under its own selector; a group may read
    the files."""
    write(tmp_path, RSA_FILE.read_bytes(), 0o640)
    write(tmp_path, pem(ed25519.Ed25519PrivateKey.generate()), name="ed.pem")
    config = load(MINIMAL + DOMAIN + 'dkim_second_key_file = "ed.pem"\n')
    (domain,) = (each for each in config.domain if each.name == "lists.example.org")
    (first, rsa_key), (second, other) = signing_keys(domain)
    assert (first, second) == ("postroad", "postroad2")
    assert isinstance(rsa_key, rsa.RSAPrivateKey)
    assert isinstance(other, ed25519.Ed25519PrivateKey)


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (None, 0o600, "does not exist; create it"),
        (b"", 0o600, "is empty"),
        (b"v=DKIM1; p=x", 0o600, "no private key in PEM form; make one in a new file: openssl"),
        (RSA_FILE.read_bytes(), 0o604, "is open to other users of this machine"),
        (RSA_FILE.read_bytes(), 0o660, "is open to other users of this machine"),
        (pem(ed25519.Ed25519PrivateKey.generate(), b"x"), 0o600, "is locked by a passphrase"),
        (pem(ec.generate_private_key(ec.SECP256R1())), 0o600, "neither an RSA nor an Ed25519 key"),
        (SHORT.read_bytes(), 0o600, "of 512 bits"),
    ],
    ids=["missing", "empty", "no-key", "others", "group-writes", "locked", "ec", "short"],
)
def test_a_key_that_will_not_do(
    load: Load, tmp_path: Path, content: bytes | None, mode: int, told: str
) -> None:
    """A key that cannot be read, is open to others or is none to sign with is told by setting and
    file, with the remedy, before anything starts."""
    if content is not None:
        write(tmp_path, content, mode)
    with pytest.raises(SettingsError) as caught:
        load(MINIMAL + DOMAIN).check_files()
    line = f'[[domain]] "lists.example.org" dkim_key_file: {tmp_path}/dkim.pem'
    assert line in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('dkim_selector = "a b"\n', 'dkim_selector: "a b" is not a name in DNS'),
        ('dkim_second_key_file = "x"\ndkim_second_selector = "Postroad"\n', "must differ"),
    ],
)
def test_selectors_are_names(load: Load, more: str, told: str) -> None:
    """A selector can stand in DNS, and each key has one of its own."""
    with pytest.raises(SettingsError, match=told):
        load(MINIMAL + DOMAIN + more)


def test_an_ed25519_key_seals_nothing(load: Load, tmp_path: Path) -> None:
    """A seal has one signature, which verifiers expect to be RSA: without such a key one warning
    says that there is none, and `arc = false` says that this is meant."""
    write(tmp_path, pem(ed25519.Ed25519PrivateKey.generate()))
    write(tmp_path, RSA_FILE.read_bytes(), name="rsa.pem")
    write(tmp_path, b"x", name="imap.pass")
    text = MINIMAL.replace("/etc/postroad/smtp.pass", "imap.pass") + DOMAIN
    (warning,) = load(text).check_files()
    assert warning.startswith('[[domain]] "lists.example.org" arc: posts are not sealed')
    assert "dkim_second_key_file" in warning
    assert not load(text + "arc = false\n").check_files()
    assert not load(text + 'dkim_second_key_file = "rsa.pem"\n').check_files()
