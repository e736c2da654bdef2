"""A settings file: where it lies, and what is meant where it says nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postroad.runtime.config import PLACES, Config
from postroad.runtime.errors import SettingsError
from tests.unit.settings.conftest import MINIMAL, Load, Refuse

NOBODY = 65_534


@contextmanager
def as_another_user() -> Iterator[None]:
    """Not as root, whom every folder is open to."""
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


class TestDefaults:
    def test_ten_lines_are_enough(self, load: Load, tmp_path: Path) -> None:
        """A domain, a mailbox and a relay are all an operator must name."""
        config = load()
        assert config.source[0].port == 993
        assert config.source[0].start == "now"
        assert config.source[0].poll_seconds == 60
        assert config.source[0].max_bytes == 25_000_000
        assert config.relay[0].port == 587
        assert config.relay[0].window == 32
        assert config.broker.embedded
        assert config.broker.ack_wait_seconds == 10
        assert config.site.base_url == "https://lists.example.org"
        assert config.web is None
        assert config.warnings == ()

    def test_the_readme_is_right(self, load: Load, pytestconfig: pytest.Config) -> None:
        """The settings that the README shows a newcomer are accepted, and fit in ten lines."""
        readme = (pytestconfig.rootpath / "README.md").read_text()
        example = readme.partition("```toml\n")[2].partition("```")[0]
        assert len(example.splitlines()) <= 10
        config = load(example)
        assert config.warnings == ()
        assert config.source
        assert config.relay

    def test_relative_paths_count_from_the_settings_file(self, load: Load, tmp_path: Path) -> None:
        """A service started anywhere finds the same files."""
        config = load()
        assert config.site.state_dir == tmp_path / "state"
        assert config.source[0].password_file == tmp_path / "imap.pass"
        assert config.relay[0].password_file == Path("/etc/postroad/smtp.pass")

    @pytest.mark.parametrize(("tls", "port"), [("implicit", 465), ("starttls", 587), ("none", 25)])
    def test_port_follows_tls(self, load: Load, tls: str, port: int) -> None:
        """A relay's port is the usual one for its tls setting unless it is named."""
        assert load(f'{MINIMAL}tls = "{tls}"\n').relay[0].port == port
        assert load(f'{MINIMAL}tls = "{tls}"\nport = 2525\n').relay[0].port == 2525

    def test_where_a_relay_is(self, load: Load, tmp_path: Path) -> None:
        """Each kind has its place in a line for people; of a URL only the host, for a query may
        be a secret."""
        relays = (
            'name = "a"\nkind = "lmtp"\nhost = "mail.example"\n',
            'name = "b"\nkind = "lmtp"\npath = "lmtp"\n',
            'name = "c"\nkind = "http"\nurl = "https://api.example:8443/x?key=hunter2"\n',
            'name = "d"\nkind = "file"\npath = "all.mbox"\nconnections = 9\n',
        )
        text = MINIMAL + "".join(f"[[relay]]\n{relay}" for relay in relays)
        _, network, local, url, file = load(text).relay
        assert (network.where, url.where) == ("mail.example:24", "api.example:8443")
        assert (local.where, local.tls) == (f"{tmp_path}/lmtp", "none")
        assert (file.where, file.connections) == (f"{tmp_path}/all.mbox", 1)

    def test_site_domain_is_always_a_list_domain(self, load: Load) -> None:
        """Lists may live in the site's domain and in every [[domain]]."""
        config = load(f'{MINIMAL}\n[[domain]]\nname = "Example.NET"\nrelay = "out"\n')
        assert [d.name for d in config.domain] == ["example.net", "lists.example.org"]

    def test_first_domain_stands_in_for_the_site(self, load: Load) -> None:
        """Where [site] names no domain, the first [[domain]] is it."""
        config = load('[[domain]]\nname = "lists.example.net"\n')
        assert config.site.domain == "lists.example.net"


class TestPlaces:
    def test_the_first_existing_place_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """POSTROAD_CONFIG wins over ./postroad.toml, which is read without being named."""
        monkeypatch.chdir(tmp_path)
        for name in ("postroad.toml", "other.toml"):
            (tmp_path / name).write_text(f'[site]\nname = "{name}"\ndomain = "example.org"\n')
        assert Config.load(None, {}).site.name == "postroad.toml"
        assert Config.load(None, {"POSTROAD_CONFIG": "other.toml"}).site.name == "other.toml"

    def test_no_settings_at_all_says_how_to_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A newcomer without settings is told where they go and about the demo."""
        monkeypatch.chdir(tmp_path)
        if PLACES[1].exists():
            pytest.skip(f"{PLACES[1]} exists on this machine")
        with pytest.raises(SettingsError, match=r"postroad\.toml.*--config FILE.*postroad demo"):
            Config.load(None, {})

    def test_a_folder_of_somebody_elses_has_no_settings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where root ran `sudo -u postroad`, the folder may be closed to us: look in /etc."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("postroad.runtime.config.PLACES", PLACES[:1] * 2)
        tmp_path.chmod(0)
        with as_another_user(), pytest.raises(SettingsError, match="there are no settings"):
            Config.load(None, {})

    def test_a_named_file_must_exist(self, tmp_path: Path) -> None:
        """A file named with --config and not there is told by name."""
        with pytest.raises(SettingsError, match=r"/missing\.toml does not exist"):
            Config.load(tmp_path / "missing.toml", {})

    def test_broken_toml_is_one_line_with_its_number(self, refuse: Refuse) -> None:
        """A slip of syntax names its line, without a traceback."""
        message = refuse('[site]\nname = "x\n')
        assert "is not valid TOML" in message
        assert "line 2" in message
        assert "\n" not in message

    def test_bytes_that_are_no_text_are_refused(self, tmp_path: Path) -> None:
        """A file that is not UTF-8 is told, not guessed at."""
        (tmp_path / "latin.toml").write_bytes(b'[site]\nname = "\xe9"\n')
        with pytest.raises(SettingsError, match="not UTF-8"):
            Config.load(tmp_path / "latin.toml", {})


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("http://lists.example.org", "[web] needs [site] base_url to begin with https://"),
        ("https://lists.example.org/?a", "no ?, # or @ may stand in it"),
        ("https://me:secret@lists.example.org", "no ?, # or @ may stand in it"),
        ("https://lists.example.org/lists/", ""),
        ("http://127.0.0.1:8080", ""),
    ],
)
def test_links_to_leave_by_are_https(load: Load, refuse: Refuse, base_url: str, told: str) -> None:
    """With [web], links that hold a token and that providers follow begin with base_url: https, but
    for this machine. Without, it is of no account."""
    text = MINIMAL.replace("[site]", f'[site]\nbase_url = "{base_url}"')
    assert load(text).web is None
    if told:
        said = refuse(f"{text}[web]\n")
        assert told in said
        assert "secret" not in said
    else:
        assert load(f"{text}[web]\n").web is not None
