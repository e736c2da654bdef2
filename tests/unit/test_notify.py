"""What systemd is told, through a real socket."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroad.runtime.notify import Systemd

Listening = tuple[str, socket.socket]


@pytest.fixture(params=["file", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    """A socket such as systemd's, and how NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify")
    address, bound = name, name
    if request.param == "abstract":
        address = f"@postroad-test-{secrets.token_hex(8)}"
        bound = f"\0{address[1:]}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.settimeout(5)
        end.bind(bound)
        yield address, end


def test_what_is_told_arrives_as_one_datagram(listening: Listening) -> None:
    """Lines that belong together come together, whatever kind of address the socket has."""
    address, end = listening
    systemd = Systemd.of({"NOTIFY_SOCKET": address})
    systemd.tell("READY=1", "STATUS=all services run")
    assert end.recv(4096) == b"READY=1\nSTATUS=all services run"
    systemd.more_time(60)
    assert end.recv(4096) == b"EXTEND_TIMEOUT_USEC=60000000"


def test_the_environment_is_taken_out_for_our_children() -> None:
    """A service must not tell systemd anything in our name; a watchdog for another process is not
    ours."""
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "120000000", "HOME": "/"}
    assert Systemd.of({**environ, "WATCHDOG_PID": "1"}).watchdog == 0
    environ["WATCHDOG_PID"] = str(os.getpid())
    assert Systemd.of(environ).watchdog == 120
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1", "@postroad-nobody-here"])
def test_nobody_to_tell_is_no_trouble(address: str) -> None:
    """Where systemd does not listen, or we were not started by it, nothing happens."""
    Systemd.of({"NOTIFY_SOCKET": address}).tell("READY=1")
