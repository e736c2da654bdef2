"""What stands in files of its own: passwords and the key of the site."""

from __future__ import annotations

import stat
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from postroad.runtime.errors import SettingsError
from tests.unit.settings.conftest import MINIMAL, Load


class TestSecrets:
    def test_a_password_is_the_stripped_text_of_its_file(self, load: Load, tmp_path: Path) -> None:
        """An editor's last newline is not part of the password."""
        (tmp_path / "imap.pass").write_text("correct horse\n")
        assert load().source[0].password() == "correct horse"

    @pytest.mark.parametrize(
        ("content", "told"),
        [(None, "does not exist; create it"), (b" \n", "is empty"), (b"\xff", "not UTF-8")],
    )
    def test_an_unusable_password_file_is_named(
        self, load: Load, tmp_path: Path, content: bytes | None, told: str
    ) -> None:
        """A missing, empty or garbled file is told by name with its remedy."""
        if content is not None:
            (tmp_path / "imap.pass").write_bytes(content)
        with pytest.raises(SettingsError) as caught:
            load().source[0].password()
        assert told in str(caught.value)
        assert f'[[source]] "inbox" password_file: {tmp_path}/imap.pass' in str(caught.value)

    def test_a_folder_is_no_password(self, load: Load, tmp_path: Path) -> None:
        """Who names a folder is told to name a file."""
        (tmp_path / "imap.pass").mkdir()
        with pytest.raises(SettingsError, match=r"imap\.pass is a folder; name a file in it"):
            load().source[0].password()

    def test_check_files_lists_every_unusable_file(self, load: Load, tmp_path: Path) -> None:
        """Before anything starts, all wrong secret files are told together."""
        text = MINIMAL.replace("/etc/postroad/", "").replace(
            "[site]", '[site]\nsecret_file = "key"'
        )
        text += '[[relay]]\nname = "api"\nkind = "http"\nurl = "https://x/"\ntoken_file = "t"\n'
        (tmp_path / "key").write_text("short")
        with pytest.raises(SettingsError) as caught:
            load(text).check_files()
        missing = ("imap.pass does not exist", "smtp.pass does not exist", '"api" token_file')
        for name in (*missing, "key holds fewer"):
            assert name in str(caught.value)

    def test_a_file_open_to_everybody_is_warned_of(self, load: Load, tmp_path: Path) -> None:
        """A password that every user of the machine can read works, with one warning."""
        (tmp_path / "imap.pass").write_text("x")
        (tmp_path / "imap.pass").chmod(0o644)
        (warning,) = load(MINIMAL.replace("/etc/postroad/smtp.pass", "imap.pass")).warnings
        assert "is readable by everybody on this machine" in warning
        assert f"chmod o-r {tmp_path}/imap.pass" in warning

    def test_a_password_in_the_clear_is_warned_of(self, load: Load) -> None:
        """A login without TLS is fine on this machine only."""
        assert 'tls = "none"' in load(MINIMAL + 'tls = "none"\n').warnings[0]
        local = MINIMAL.replace("smtp.example.org", "127.0.0.1")
        assert load(local + 'tls = "none"\n').warnings == ()


class TestSiteKey:
    def test_the_key_is_made_once_and_private(self, load: Load, tmp_path: Path) -> None:
        """The first use makes 32 bytes that only we may read; every later one finds them."""
        config = load()
        key = config.site_key()
        file = tmp_path / "state" / "site.key"
        assert len(key) == 32
        assert config.site_key() == key
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert [entry.name for entry in file.parent.iterdir()] == ["site.key"]

    def test_processes_that_start_together_agree(self, load: Load) -> None:
        """Two services on a new machine never work with two keys."""
        config = load()
        with ThreadPool(8) as pool:
            assert len(set(pool.map(lambda _: config.site_key(), range(32)))) == 1

    def test_an_operators_own_key_is_used(self, load: Load, tmp_path: Path) -> None:
        """secret_file may hold 32 bytes, or a longer text, whose last newline does not matter."""
        config = load(MINIMAL.replace("[site]", '[site]\nsecret_file = "key"'))
        (tmp_path / "key").write_bytes(bytes(range(32)))
        assert config.site_key() == bytes(range(32))
        (tmp_path / "key").write_text("ab" * 32)
        key = config.site_key()
        (tmp_path / "key").write_text("ab" * 32 + "\n")
        assert config.site_key() == key
        assert len(key) == 32

    def test_a_state_directory_that_cannot_be_is_told(self, load: Load, tmp_path: Path) -> None:
        """A state_dir in the way of a file is one clear line."""
        (tmp_path / "state").write_text("")
        with pytest.raises(SettingsError, match=r"\[site\] state_dir: "):
            load().site_key()
