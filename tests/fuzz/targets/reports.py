"""Delivery reports: whatever servers write, marks are marks of ours or none."""

from __future__ import annotations

import re

from postroad.mail.headers import scan
from postroad.mail.reports import returned
from postroad.mail.words import FORBIDDEN

AS_REPORT = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n"


def one_input(data: bytes) -> None:
    """A whole mail, as it is and as the report that it may not be."""
    for mail in (data, AS_REPORT + data):
        facts, _ = scan(mail)
        found = returned(mail, facts)
        if found is None:
            continue
        assert not found.trace or re.fullmatch("[0-9a-f]{32}", found.trace)
        assert not found.copy or re.fullmatch("[a-z2-7]{29}", found.copy)
        assert not FORBIDDEN.search(found.list_id + found.message_id)
