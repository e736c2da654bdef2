"""A settings file that is right, and what comes of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from postroad.runtime.errors import SettingsError

MINIMAL = """
[site]
domain = "lists.example.org"

[[source]]
name = "inbox"
host = "imap.example.org"
user = "lists"
password_file = "imap.pass"

[[relay]]
name = "out"
host = "smtp.example.org"
user = "lists"
password_file = "/etc/postroad/smtp.pass"
"""

Load = Callable[..., Config]
Refuse = Callable[..., str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a settings file and loads it under the given environment."""

    def load(text: str = MINIMAL, **environ: str) -> Config:
        file = tmp_path / "postroad.toml"
        file.write_text(text, encoding="utf-8")
        return Config.load(file, environ)

    return load


@pytest.fixture
def refuse(load: Load) -> Refuse:
    """The message with which settings are refused."""

    def refuse(text: str = MINIMAL, **environ: str) -> str:
        with pytest.raises(SettingsError) as caught:
            load(text, **environ)
        return str(caught.value)

    return refuse
