"""What may be said of where a mail is."""

from __future__ import annotations

import pytest

from schemas.road import Origin
from services.ingest.arrival import Arrival


@pytest.mark.parametrize(
    "name",
    [
        "1772600767.M1P2.mx",
        "1772600767.Vfd01I5ffaM12.mx.example.org,S=4012,W=4100",
        "QhdPYR:00WBw1Ph7x7",
    ],
)
def test_a_name_that_a_server_made_is_told(name: str):
    """Of the time, a process, a host or a size: somebody looks for the file by it."""
    assert Arrival(mail_id="m", origin=Origin(source="md", name=name), size=1).found_as == name


@pytest.mark.parametrize(
    "name",
    [
        "1.anna@example.net",
        "1.anna%40example.net",
        "1.anna=40example.net",
        "1.a b",
        "1.a\nmail.refused",
        "1.\x1b[2J",
        "1.$(reboot)",
        "",
    ],
)
def test_a_name_that_may_be_more_is_not(name: str):
    """An address, however it is written, and what a shell or a terminal would obey."""
    assert not Arrival(mail_id="m", origin=Origin(source="md", name=name), size=1).found_as
