"""What stands where the settings say that a relay is."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from postroad.runtime.errors import SettingsError
from tests.unit.settings.conftest import Load

SITE = "[site]\ndomain = 'example.org'\n"


def relay(kind: str, path: str) -> str:
    """Settings with one relay."""
    return f"{SITE}[[relay]]\nname = 'kept'\nkind = '{kind}'\npath = '{path}'\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    for name in ("maildir/cur", "maildir/new", "maildir/tmp", "empty", "other/things", "box.mbox"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    (tmp_path / "kept.mbox").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "path", "told"),
    [
        ("file", "mial/all", "the folder {home}/mial does not exist; create it, writable for"),
        ("file", "file/all", "{home}/file is not a folder; name another place"),
        ("file", "file", "{home}/file is a file, and a Maildir is a folder; end it in .mbox"),
        ("file", "other", "{home}/other holds other things and is no Maildir; name a folder in it"),
        ("file", "box.mbox", "{home}/box.mbox is a folder, and an mbox is a file; name a file in"),
        ("lmtp", "file", "{home}/file is not a socket; name the one where the LMTP server listens"),
        ("lmtp", "empty", "{home}/empty is not a socket; name the one where the LMTP server"),
    ],
)
def test_a_path_of_the_wrong_sort(load: Load, home: Path, kind: str, path: str, told: str) -> None:
    """What can never be written to, or holds something else, is told before anything starts."""
    with pytest.raises(SettingsError) as caught:
        load(relay(kind, path)).check_files()
    assert f'[[relay]] "kept" path: {told.format(home=home)}' in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("path", ["maildir", "empty", "new", "kept.mbox", "new.mbox"])
def test_a_path_that_will_do(load: Load, home: Path, path: str) -> None:
    """A Maildir, an empty folder and an mbox are used; what is missing is made, if only its last
    part is."""
    load(relay("file", path)).check_files()


def test_a_socket(load: Load, home: Path) -> None:
    """The mailbox server may be started after us: a socket that is missing is warned of only."""
    text = relay("lmtp", "lmtp")
    config = load(text)
    config.check_files()
    told = f'[[relay]] "kept" path: nothing listens at {home}/lmtp; start the LMTP server, or '
    assert any(warning.startswith(told) for warning in config.warnings)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(home / "lmtp"))
        config = load(text)
        config.check_files()
    assert not any("lmtp" in warning for warning in config.warnings)
