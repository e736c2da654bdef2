"""Settings read once for all that are forked: whoever imports this has found out what may stand in
them, which takes longer than to read what does."""

from __future__ import annotations

import tempfile
from pathlib import Path

from postroad.runtime.config import Config

SETTINGS = """
[site]
domain = "lists.example.org"
[broker]
ack_wait = "3s"
[[source]]
host = "imap.example.org"
user = "lists@example.org"
password_file = "password"
[[relay]]
host = "smtp.example.org"
"""

with tempfile.TemporaryDirectory() as place:
    password = Path(place) / "password"
    password.write_text("secret")
    password.chmod(0o600)
    file = Path(place) / "postroad.toml"
    file.write_text(SETTINGS)
    Config.load(file, {})
