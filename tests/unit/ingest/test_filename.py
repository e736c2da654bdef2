"""The names of files in a Maildir."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.maildir.filename import Filename, parse


@pytest.mark.parametrize(
    ("name", "mail", "waits"),
    [
        ("1772600767.M1P2.mx", Filename("1772600767.M1P2.mx"), True),
        ("1772600767.M1P2.mx,S=5,W=6:2,", Filename("1772600767.M1P2.mx,S=5,W=6"), True),
        ("1.a.mx:2,FS", Filename("1.a.mx", "FS"), False),
        ("1.a.mx:2,T", Filename("1.a.mx", "T"), False),
        ("1.a.mx:1,x", Filename("1.a.mx"), True),  # experimental: says nothing
        (".nfs0001", None, False),
    ],
)
def test_a_name(name: str, mail: Filename | None, waits: bool) -> None:
    """Its unique part tells the mail, its flags whether somebody read it or threw it away."""
    assert parse(name) == mail
    assert mail is None or mail.waits is waits


def test_flags_stand_in_order() -> None:
    """As the specification wants it, each once."""
    assert Filename("1.a.mx", "FD").seen == "1.a.mx:2,DFS"
    assert Filename("1.a.mx", "S").seen == "1.a.mx:2,S"


@given(
    st.binary(min_size=1, max_size=60).filter(lambda name: b"/" not in name and b"\0" not in name)
)
def test_any_name_will_do(name: bytes) -> None:
    """Whoever delivers chooses it: it can be stored, and marking keeps the mail's identity."""
    mail = parse(os.fsdecode(name))
    if mail is not None:
        mail.shown.encode()
        assert mail.delivered is None or mail.delivered.year >= 1970
        again = parse(mail.seen)
        assert again is not None
        assert (again.unique, again.waits) == (mail.unique, False)
