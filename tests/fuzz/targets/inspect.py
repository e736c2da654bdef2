"""`postroad mail inspect`: facts, rules, verdict, header of copies and bounce of any octets."""

from __future__ import annotations

import asyncio
import io
from contextlib import redirect_stdout
from datetime import UTC, datetime

import msgspec

from postroad.cli import inspection
from postroad.cli.inspection.knowledge import DEFAULT_LIST, Knowledge
from postroad.cli.inspection.page import Report, plain, show
from postroad.cli.output import print_json
from schemas.lists import ListCreated, ListSettings
from services.router import rules

STRICT = {
    "default_nonmember_action": "accept",
    "header_matches": ("hold X-Spam: ^yes", "discard Subject: viagra"),
    "acceptable_aliases": ("^.*@old\\.example$",),
    "discard_these_nonmembers": ("^spam.*",),
    "bans": ("@banned.example",),
    "no_subject_action": "reject",
    "reply_goes_to_list": "point_to_list",
    "first_strip_reply_to": True,
    "header": "$display_name",
    "footer": "Gr\u00fc\u00dfe\n$listname",
}
SECRET = {"default_nonmember_action": "accept", "anonymous_list": True, "emergency": True}
VERDICTS = ("accept", "hold", "reject", "discard")
LOOP = asyncio.new_event_loop()


def one_input(data: bytes) -> None:
    """How much is known of the lists, and who reads the answer (the first octet); a whole mail."""
    how, mail = data[0] if data else 0, data[1:]
    known = Knowledge(None, [], None)
    for number, settings in enumerate((STRICT, SECRET)[: how % 3]):
        address = f"list{number or ''}@example.org"
        made = ListCreated(
            slug=address.partition("@")[0],
            address=address,
            settings=msgspec.convert(settings, ListSettings),
        )
        known.directory.fold(made.slug, number + 1, (made,), datetime(2026, 1, 1, tzinfo=UTC))
    asked = DEFAULT_LIST if how & 64 else ""
    report = LOOP.run_until_complete(inspection.judged(known, mail, len(mail), asked, ""))
    assert all(each.verdict in VERDICTS for each in report.decisions)
    for each in report.decisions:
        if each.kind == "post":
            assert [row.rule for row in each.rules] == [rule.name for rule in rules.POST]
        assert all(row.reason for row in each.rules if row.hit)
    assert report.found.size == len(mail)
    assert 0 <= report.found.mail.raw.head <= len(mail)
    printed(report, page=bool(how & 128))


def printed(report: Report, *, page: bool) -> None:
    """The answer can be written where UTF-8 is read: as JSON, and as a page, which takes longer."""
    with io.BytesIO() as octets, io.TextIOWrapper(octets, "utf-8") as out:
        with redirect_stdout(out):
            print_json(plain(report))
            out.flush()
            assert msgspec.json.decode(octets.getvalue())
            if page:
                show(report)
        out.flush()
