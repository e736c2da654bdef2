"""Telling systemd how we are (sd_notify(3), `Type=notify`), by plain datagrams.

    systemd = Systemd.of(os.environ)
    systemd.tell("READY=1", "STATUS=7 services run")

Started by anything else, `tell` does nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Self

SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
MICRO = 1_000_000
PATIENCE = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Systemd:
    """`watchdog` is within how many seconds it wants to hear from us again, 0 where it does not
    care."""

    address: str = ""
    watchdog: float = 0.0

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """As the environment says; taken out of it, for our children have nothing to tell."""
        address = environ.pop(SOCKET, "")
        micros, whose = environ.pop(WATCHDOG, ""), environ.pop(WATCHDOG_PID, "")
        ours = whose in ("", str(os.getpid())) and micros.isdecimal()
        if not address.startswith(("/", "@")):
            return cls()
        return cls(address, int(micros) / MICRO if ours else 0.0)

    def tell(self, *lines: str) -> None:
        """Say these at once; where nobody listens, or reads for a second, nothing happens."""
        if not self.address:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.settimeout(PATIENCE)  # its queue may be full for a moment, and READY=1 comes once
            end.sendto("\n".join(lines).encode(), name)

    def more_time(self, seconds: float) -> None:
        """What we are at, starting or stopping, may take so much longer from now on."""
        self.tell(f"EXTEND_TIMEOUT_USEC={int(seconds * MICRO)}")
