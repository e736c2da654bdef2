"""The history of a list's settings, asked of the real service."""

from __future__ import annotations

import os
from pathlib import Path

from postroad.mail import approval
from postroad.runtime.broker import Broker
from schemas.commands import CloseList, ConfigureList, ListHistory
from tests.broker.membership import LIST, membership, settings


async def test_every_setting_is_told_old_and_new(broker: Broker, tmp_path: Path) -> None:
    """From its creation to its end a list's history names each setting as it was and became, when
    and by whom; a password is never in it, nor its hash."""
    hashed = approval.hashed("correct horse battery", os.urandom(approval.SALT))
    async with membership(broker, settings(tmp_path)) as service:
        await service.create(description="All of us")
        for typed in (
            {"description": "Some of us", "moderator_password": hashed},
            {"bans+": "@spam.example"},
            {"moderator_password": ""},
        ):
            answer = await service.ask(ConfigureList(list=LIST, settings=typed, by="carol"))
            assert not answer.refused
        await service.ask(CloseList(list=LIST, reason="moved"))
        rows = (await service.ask(ListHistory(list=LIST))).history
        rest = (await service.ask(ListHistory(list=LIST, after=3))).history
    assert ("description", "", "All of us") in rows[0].changes
    assert [(row.what, row.changes, row.by) for row in rows[1:4]] == [
        (
            "changed",
            (
                ("description", "All of us", "Some of us"),
                ("moderator_password", "", "(set)"),
            ),
            "carol at the command line",
        ),
        ("changed", (("bans", [], ["@spam.example"]),), "carol at the command line"),
        ("changed", (("moderator_password", "(set)", ""),), "carol at the command line"),
    ]
    assert (rows[4].what, rows[4].reason) == ("closed", "moved")
    assert rest == rows[3:]
    assert hashed not in repr(rows)
