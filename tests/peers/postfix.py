"""A real Postfix as relay: takes mail on a loopback port and gives all of it to one next hop.

    async with Postfix.start("smtp:[127.0.0.1]:2525") as postfix:
        ...  # postfix.port; postfix.queue()

Needs root (Postfix's master refuses anybody else); skips otherwise. Asks no DNS.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.process import Daemon, directory, free_port, program

MAIN = {
    "compatibility_level": "3.6",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "myhostname": "relay.localhost",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "alias_maps": "",
    "alias_database": "",
    "append_dot_mydomain": "no",
    "biff": "no",
    "disable_dns_lookups": "yes",
    "smtp_host_lookup": "native",
    "smtpd_peername_lookup": "no",
    "in_flow_delay": "0",
    "message_size_limit": str(40 * 1024 * 1024),
}
MASTER = """
{port}     inet  n - n -    -  smtpd
pickup     unix  n - n 60   1  pickup
cleanup    unix  n - n -    0  cleanup
qmgr       unix  n - n 300  1  qmgr
rewrite    unix  - - n -    -  trivial-rewrite
bounce     unix  - - n -    0  bounce
defer      unix  - - n -    0  bounce
trace      unix  - - n -    0  bounce
verify     unix  - - n -    1  verify
flush      unix  n - n 1000 0  flush
proxymap   unix  - - n -    -  proxymap
smtp       unix  - - n -    -  smtp
lmtp       unix  - - n -    -  lmtp
showq      unix  n - n -    -  showq
error      unix  - - n -    -  error
retry      unix  - - n -    -  error
discard    unix  - - n -    -  discard
anvil      unix  - - n -    1  anvil
scache     unix  - - n -    1  scache
postlog    unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running relay on 127.0.0.1:`port`; its log is `place / "log"`."""

    def __init__(
        self,
        place: Path,
        next_hop: str,
        settings: Mapping[str, str],
        services: str = "",
        tables: Mapping[str, str] = {},
    ) -> None:
        self.place = place
        self.port = free_port()
        config, queue, data = (place / name for name in ("config", "queue", "data"))
        for made in (config, queue, data):
            made.mkdir()
        owner = pwd.getpwnam("postfix")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        main = {
            **MAIN,
            "queue_directory": str(queue),
            "data_directory": str(data),
            "maillog_file_prefixes": str(place),
            "maillog_file": str(place / "log"),
            "default_transport": next_hop,
            **settings,
        }
        lines = (f"{key} = {value}\n" for key, value in main.items())
        (config / "main.cf").write_text("".join(lines).replace("/etc/postfix", str(config)))
        (config / "master.cf").write_text(MASTER.format(port=self.port) + services)
        for name, table in tables.items():
            (config / name).write_text(table)
        self._config = str(config)
        postfix = program("postfix", "postfix")
        subprocess.run([postfix, "-c", self._config, "check"], check=True)  # makes the queue
        # The master itself: under "postfix start-fg" it leaves our session and outlives us.
        self.daemon = Daemon(
            argv=(program("master", "postfix"), "-c", self._config, "-s"),
            ports=[self.port],
            log=place / "log",
        )

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        next_hop: str,
        settings: Mapping[str, str] | None = None,
        *,
        services: str = "",
        tables: Mapping[str, str] = {},
    ) -> AsyncIterator[Postfix]:
        """Relay to `next_hop` (a transport, such as "smtp:[127.0.0.1]:2525" or
        "lmtp:inet:127.0.0.1:2424") until the context ends. `settings` override main.cf,
        `services` are more lines of master.cf, `tables` more files of /etc/postfix by name."""
        require()
        with directory("postfix") as place:
            postfix = cls(place, next_hop, settings or {}, services, tables)
            async with postfix.daemon:
                yield postfix

    def queue(self) -> list[dict[str, Any]]:
        """What is in the queue, as `postqueue -j` tells it: one dict for each mail."""
        told = subprocess.check_output([program("postqueue", "postfix"), "-c", self._config, "-j"])
        return [json.loads(line) for line in told.splitlines()]

    def flush(self) -> None:
        """Try all deferred mail again, now."""
        subprocess.run([program("postqueue", "postfix"), "-c", self._config, "-f"], check=True)


def require() -> None:
    """Skip the test without Postfix or without root, saying which."""
    program("postfix", "postfix")
    if os.getuid() != 0:
        pytest.skip("Postfix's master process needs root: run this test as root")
