"""What comes back: each report has a class that we know, and names addresses or nobody."""

from __future__ import annotations

from typing import get_args

from postroad.mail.bounce import Kind, read
from postroad.mail.headers import scan
from postroad.mail.words import FORBIDDEN

KINDS = get_args(Kind)
AS_REPORT = b"From: MAILER-DAEMON@x\r\nContent-Type: multipart/report; boundary=b\r\n"


def one_input(data: bytes) -> None:
    """A whole mail, as it is, with a null sender, and as the report that it may not be."""
    for mail, sender in ((data, None), (data, ""), (AS_REPORT + data, "")):
        facts, _ = scan(mail)
        found = read(mail, facts, sender)
        if found is None:
            continue
        assert found.kind in KINDS
        assert len(found.failures) <= 100
        assert not FORBIDDEN.search(found.diagnostic + found.status)
        for each in found.failures:
            assert each.kind in KINDS
            assert not FORBIDDEN.search(each.recipient + each.diagnostic + each.status)
        for recipient in found.recipients:
            assert recipient
            assert recipient.isprintable()
