"""The oauth2 table of a source or relay: what it may say, in the file and the environment."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from postroad.cli.config import as_toml, plain
from postroad.runtime.config import Config
from postroad.runtime.errors import SettingsError

SETTINGS = """
[site]
domain = "lists.example.org"
[[source]]
name = "inbox"
host = "imap.example.org"
user = "lists@example.org"
oauth2 = {{ {oauth2} }}
"""
ALONE = 'provider = "microsoft", client_id = "id", flow = "client_credentials"'
GOOGLE = 'provider = "google", client_id = "id"'


def load(tmp_path: Path, oauth2: str, **environ: str) -> Config:
    """The settings with this table."""
    file = tmp_path / "postroad.toml"
    file.write_text(SETTINGS.format(oauth2=oauth2))
    return Config.load(file, environ)


def refused(tmp_path: Path, oauth2: str, **environ: str) -> list[str]:
    """The lines with which this table is refused, without the name of the file."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, oauth2, **environ)
    first, *rest = str(caught.value).splitlines()
    return [line.strip() for line in rest] or [first.partition(": ")[2]]


def test_a_table_is_read_with_its_defaults_and_paths(tmp_path: Path) -> None:
    """A table within an entry is read like any other: defaults, paths from the file's folder."""
    oauth2 = load(tmp_path, f'{GOOGLE}, client_secret_file = "secret"').source[0].oauth2
    assert oauth2 is not None
    assert (oauth2.client_id, oauth2.flow) == ("id", "login")
    assert oauth2.client_secret_file == tmp_path / "secret"


def test_the_environment_wins_over_the_table(tmp_path: Path) -> None:
    """Each value of the table has a variable, which changes that value and no other."""
    config = load(
        tmp_path,
        GOOGLE,
        POSTROAD_SOURCE__0__OAUTH2__CLIENT_ID="other",
        POSTROAD_SOURCE__INBOX__OAUTH2__SCOPE="s",
    )
    oauth2 = config.source[0].oauth2
    assert oauth2 is not None
    assert (oauth2.provider, oauth2.client_id, oauth2.scope) == ("google", "other", "s")


def test_the_environment_alone_makes_a_table(tmp_path: Path) -> None:
    """An account can get its whole login from the environment."""
    file = tmp_path / "postroad.toml"
    file.write_text(SETTINGS.format(oauth2="").replace("oauth2 = {  }", ""))
    start = "POSTROAD_SOURCE__0__OAUTH2__"
    config = Config.load(file, {f"{start}PROVIDER": "microsoft", f"{start}CLIENT_ID": "id"})
    assert config.source[0].oauth2 is not None


@pytest.mark.parametrize(
    ("oauth2", "told"),
    [
        (f'{GOOGLE}, scop = "x"', 'oauth2: unknown key "scop"; did you mean "scope"?'),
        ('provider = "google"', "oauth2: client_id is missing"),
        ('provider = "gogle", client_id = "id"', 'oauth2 provider: "gogle" is not one of google'),
        (f"{GOOGLE}, tenant = 3", "oauth2 tenant: expected text, got integer"),
        (f'{GOOGLE}, tenant = "a/b"', 'oauth2 tenant: "a/b" is not the id'),
        (f'{GOOGLE}, token_url = "http://example.org/"', "not a URL of the form https://HOST"),
        (f'{GOOGLE}, flow = "client_credentials", client_secret_file = "s"', "google has no"),
        ('provider = "custom", client_id = "id"', "token_url is missing"),
        (ALONE, "client_secret_file is missing"),
        (
            f'{ALONE}, client_secret_file = "s"',
            "tenant is missing",
        ),
    ],
)
def test_a_mistake_in_the_table_is_told_by_name(tmp_path: Path, oauth2: str, told: str) -> None:
    """A wrong key or value within the table is named with its entry, and the nearest right one."""
    lines = refused(tmp_path, oauth2)
    assert all(line.startswith('[[source]] "inbox" oauth2') for line in lines)
    assert any(told in line for line in lines)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """oauth2 is a table, in the file and in the environment."""
    file = tmp_path / "postroad.toml"
    file.write_text(SETTINGS.format(oauth2="").replace("{  }", '"google"'))
    with pytest.raises(SettingsError, match=r'"inbox" oauth2: must be a table'):
        Config.load(file, {})
    lines = refused(tmp_path, GOOGLE, POSTROAD_SOURCE__0__OAUTH2="google")
    assert lines == [
        "POSTROAD_SOURCE__0__OAUTH2: oauth2 is a table: set POSTROAD_SOURCE__0__OAUTH2__PROVIDER"
    ]


@pytest.mark.parametrize("name", ["CLIENT", "CLIENT_ID__X", ""])
def test_a_variable_that_sets_nothing_in_the_table_is_refused(tmp_path: Path, name: str) -> None:
    """A misspelt variable of the table is told by its own name."""
    lines = refused(tmp_path, GOOGLE, **{f"POSTROAD_SOURCE__0__OAUTH2__{name}": "x"})
    assert "there is no setting" in lines[0]


def test_a_password_beside_it_is_refused(tmp_path: Path) -> None:
    """An account logs in by password or by token."""
    lines = refused(tmp_path, GOOGLE, POSTROAD_SOURCE__0__PASSWORD_FILE="p")
    assert lines == ['[[source]] "inbox": password_file and oauth2 exclude each other; remove one']


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    """What `config check` prints can be loaded again, the table included."""
    shown = tomllib.loads(as_toml(plain(load(tmp_path, GOOGLE))))
    assert shown["source"][0]["oauth2"]["client_id"] == "id"
