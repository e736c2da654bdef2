"""SpamAssassin's daemon on loopback, with a rule of its own only, and without any network.

async with Spamd.start() as spamd:
    ...  # a mail with GTUBE in it has 1,000 points, one with "cheap pills" 3
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.peers.process import Daemon, directory, free_port, own, program

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_PLUGIN = "loadplugin Mail::SpamAssassin::Plugin::Check\n"
_RULES = rf"""
util_rb_tld com net org example
use_bayes 0
required_score 5
body GTUBE /{GTUBE.replace("*", "[*]").replace(".", "[.]")}/
score GTUBE 1000
body CHEAP_PILLS /cheap pills/
score CHEAP_PILLS 3
"""


@dataclass(frozen=True)
class Spamd:
    """A running spamd on 127.0.0.1:`port`."""

    port: int
    daemon: Daemon

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator[Spamd]:
        """Judge mail until the context ends."""
        spamd, port = program("spamd", "spamd"), free_port()
        with directory("spamd") as place:
            for name in ("rules", "site"):
                (place / name).mkdir()
            (place / "rules" / "rules.cf").write_text(_RULES)
            (place / "site" / "check.pre").write_text(
                "loadplugin Mail::SpamAssassin::Plugin::Check\n"
            )
            own(place)
            argv = (
                *(spamd, "--local", "--nouser-config", f"--helper-home-dir={place}"),
                *(f"--configpath={place / 'rules'}", f"--siteconfigpath={place / 'site'}"),
                *(f"--listen=127.0.0.1:{port}", "--max-children=2", "--syslog=stderr"),
            )
            async with Daemon(argv, [port], place / "log", drop=True, cwd=place) as daemon:
                yield cls(port, daemon)
