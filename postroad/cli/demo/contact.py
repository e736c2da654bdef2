"""How to go on by hand with a demo that is kept running: mail client, shell, commands."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from postroad.cli.demo.scene import AUTHOR, LIST, MAILBOX
from postroad.cli.demo.screen import Screen
from postroad.sandbox import Sandbox


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach it: no TLS, and SMTP takes no login. `users` are passwords by IMAP user."""

    config: Path
    host: str
    imap_port: int
    smtp_port: int
    users: Mapping[str, str]
    list: str = LIST

    @classmethod
    def of(cls, config: Path, sandbox: Sandbox, passwords: Mapping[str, str]) -> Contact:
        """The contact of an installation with these settings, on this mail server."""
        return cls(
            config=config,
            host=sandbox.host,
            imap_port=sandbox.imap_port,
            smtp_port=sandbox.smtp_port,
            users=passwords,
        )


def show_contact(screen: Screen, to: Contact, mail: str) -> None:
    """Print all of it; `mail` is the id of a mail there."""
    members = [user for user in to.users if user != MAILBOX]
    screen.heading("Your mail client (no TLS)")
    screen.pairs(
        [
            ("IMAP", f"{to.host}, port {to.imap_port}"),
            ("SMTP", f"{to.host}, port {to.smtp_port}, no login"),
            *((user, f"password {to.users[user]}") for user in members),
            (MAILBOX, f"password {to.users[MAILBOX]} (the mailbox that Postroad reads)"),
        ]
    )
    screen.heading(f"A post to {to.list}, from a shell")
    screen.code(
        f"printf 'From: {AUTHOR}\\nTo: {to.list}\\nSubject: Hello\\n\\nHello!\\n' |\n"
        f"curl -sS --crlf -T - --mail-from {AUTHOR} --mail-rcpt {to.list} "
        f"smtp://{to.host}:{to.smtp_port}"
    )
    screen.heading("Commands that work against it, from another terminal")
    words = ("status", "list ls", "post ls", f"post show {mail[:12]}", f"trace {mail[:12]}")
    screen.code("\n".join(f"{ourselves()} --config {to.config} {each}" for each in words))
    screen.heading(f"Its settings, {to.config}")
    screen.code(to.config.read_text().strip())
    screen.heading(f"It runs until Ctrl-C; {to.config.parent} stays, for you to remove")


def ourselves() -> str:
    """Our command as it can be typed here."""
    own = Path(sys.argv[0])
    if own.name != "postroad" or shutil.which("postroad") == str(own):
        return "postroad"
    return os.path.relpath(own)
