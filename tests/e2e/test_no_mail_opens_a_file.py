"""Mail made of paths and commands for a shell: no service opens a file or starts a program for it.

Majordomo sent files for `help ../../etc/passwd` (CVE-2011-0049), and handed header fields to a
shell (CVE-1999-0207); Mailman 2 read files outside its archive (GLSA 200502-11).
"""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests.e2e.audited import audit
from tests.e2e.system import world

LIST = "team@example.org"
MEMBER = "anna@example.net"
PATHS = (
    "../../../../canary/passwd",
    "/canary/passwd",
    "..\\..\\canary\\passwd",
    "....//....//canary",
    "%2e%2e%2fcanary",
    "..%c0%af..%c0%afcanary",
    "file:///canary/passwd",
    "canary/passwd\0.eml",
    "~canary/passwd",
    "/proc/self/environ#canary",
)
SHELL = ("`touch canary`", "$(touch canary)", "; touch canary", "| touch canary", "&& touch canary")
WORKER = "services.router.content.worker"


def hostile(number: int, text: str) -> list[bytes]:
    """Mails with this text wherever a service may take it for the name of something."""
    shown = text.replace("\0", "")
    local = shown.translate(dict.fromkeys(map(ord, ' ()<>[]:;@\\,"')))
    commands = "".join(
        f"{word} {shown}\r\n"
        for word in ("help", "get", "index", "which", "confirm", "set", "join")
    )
    part = EmailMessage(policy=SMTP)
    part.set_content(f"Approved: {shown}\r\n{commands}")
    part.add_attachment(b"x", maintype="text", subtype="x", filename=shown or "x")
    part.add_attachment(b"<a href=x>", maintype="text", subtype="html", filename=f"{shown}.html")
    body = part.as_bytes().decode()
    return [
        written(number, shown, LIST, shown, body),
        written(number, shown, "team-request@example.org", f"get {shown}", f"\r\n{commands}"),
        written(number, shown, f"team-confirm+{local}@example.org", "confirm", f"\r\n{commands}"),
        written(number, shown, f"team-get+{local}@example.org", f"help {shown}"),
        written(number, shown, f"team-bounces+{local}@example.org", "x"),
    ]


def written(number: int, text: str, to: str, subject: str, rest: str = "\r\n") -> bytes:
    """A mail of a member with the text in all fields that say what belongs to what."""
    return (
        f"Return-Path: <{MEMBER}>\r\nFrom: Anna <{MEMBER}>\r\nTo: {to}\r\n"
        f"Message-ID: <{number}{text}@x>\r\nReferences: <{text}@x>\r\nList-Id: <{text}>\r\n"
        f"X-Postroad-Trace: {text}\r\nX-Postroad-Copy: {text}\r\nX-BeenThere: {text}\r\n"
        f"Approved: {text}\r\nSubject: {subject}\r\n{rest}"
    ).encode()


@pytest.mark.timeout(180)
async def test_no_mail_opens_a_file_or_starts_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows "path traversal" and "command injection": whatever stands in a mail, what services open
    to write lies in their state, no path has a word of a mail in it, and none starts a program but
    the one that takes mails apart."""
    watched = audit(tmp_path, monkeypatch)
    mails = [each for at, text in enumerate((*PATHS, *SHELL)) for each in hostile(at, text)]
    async with world(tmp_path) as here:
        await here.road.make_list(LIST, [MEMBER], filter_content="true", filter_types="text/x")
        for text in PATHS[:3]:
            refused = await here.road.cli(
                "list", "create", f"{text.replace(chr(0), '')}@example.org"
            )
            assert "Traceback" not in refused.err
        for each in mails:
            here.post(each)
        await here.road.settled(len(mails))
        assert await here.waiting() == 0
    assert watched.opened()
    assert {path for path in watched.opened() if "canary" in path} == set()
    written = {Path(path) for path in watched.opened(to_write=True)} - {Path("/dev/null")}
    assert {path for path in written if tmp_path not in path.resolve().parents} == set()
    assert watched.started() == []
    assert any(WORKER in arguments for arguments in watched.ran())
