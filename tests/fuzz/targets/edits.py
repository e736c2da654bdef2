"""Header edits: what none of them names stays octet for octet, and none brings another line."""

from __future__ import annotations

import re
from typing import get_args

from postroad.mail.edits import Op, apply, edit
from postroad.mail.headers import scan
from postroad.mail.wire import LONGEST_LINE, canonical, dot_stuff, folded, wrapped
from tests.fuzz.taking import taken, text
from tests.unit.mail.smtpreader import read_data

OPS: tuple[Op, ...] = get_args(Op)
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def one_input(data: bytes) -> None:
    """Which edit (the first octet), its name, its value, and a whole mail."""
    how, name, value, mail = taken(data, 4)
    head = scan(mail)[1]
    block, body = canonical(mail[:head]), canonical(mail[head:])
    if block:
        assert block.endswith(apply(block, []))
    lines = folded(block) + wrapped(body)
    assert not lines or max(map(len, lines.split(b"\r\n"))) <= LONGEST_LINE
    assert re.sub(rb"\s", b"", lines) == re.sub(rb"\s", b"", block + body)
    assert read_data(dot_stuff(lines) + b".\r\n") == (lines, b"")

    try:
        change = edit(OPS[how[0] % len(OPS) if how else 0], text(name), text(value))
    except ValueError:
        return
    edited = apply(block, [change])
    assert not BARE.search(edited)
    after_head = scan(edited + body)[1]
    assert (edited + body)[after_head:] == body
    assert apply(block, [change]) == edited
    if change.op == "remove" or not block.endswith(b"\r\n\r\n"):
        return
    ours = change.name.lower().encode()
    assert {each for each in named(edited) if each != ours} <= named(block)
    if change.op in ("set", "prefix"):
        twice = apply(edited, [change])
        assert twice == edited or change.op == "set"


def named(block: bytes) -> set[bytes]:
    """The names of the fields of a block."""
    return {
        line.partition(b":")[0].rstrip(b" \t").lower()
        for line in block.split(b"\r\n")
        if line and line[:1] not in b" \t"
    }
