"""Made-up mails, and what `postroad mail inspect` finds in each, as files side by side."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from postroad.cli import inspection
from postroad.cli.inspection.knowledge import Knowledge
from postroad.cli.inspection.page import plain

FOLDER = Path(__file__).parent / "inspections"
LIST = "team@lists.example.org"
KEPT = ("message_id", "from", "recipients", "lists", "kind", "bounce")  # the rules have tests


async def found(data: bytes) -> dict[str, Any]:
    """What is found without a Postroad, as programs read it."""
    report = await inspection.judged(Knowledge(None, [], None), data, len(data), LIST, "")
    told = msgspec.json.decode(msgspec.json.encode(plain(report)))
    assert isinstance(told, dict)
    changes = {name: told["decisions"][0][name] for name in ("removed", "added")}
    return {name: told[name] for name in KEPT} | (changes if told["kind"] == "post" else {})


@pytest.mark.parametrize("mail", sorted(FOLDER.glob("*.eml")), ids=lambda path: path.stem)
def test_what_is_found_stays_the_same(mail: Path) -> None:
    """To take a wanted change over, delete the .json file and run this once."""
    told = asyncio.run(found(mail.read_bytes()))
    golden = mail.with_suffix(".json")
    if not golden.exists():
        golden.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n")
        pytest.fail(f"{golden.name} was made; look at it, and run this again")
    assert told == msgspec.json.decode(golden.read_bytes())
