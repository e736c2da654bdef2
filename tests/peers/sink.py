"""Our recording SMTP sink as a peer: a process that outlives whatever the test kills.

    no_bob = Rule(at="rcpt", match="^bob@", reply="550 5.1.1 No such user")
    async with Sink.start(Script(rules=(no_bob,))) as sink:
        ...  # post to sink.port
        records = await sink.wait_for(200)

What it can be told to do wrong is the manual of tests.peers.sinkscript; what it writes down, that
of tests.peers.records. TLS is "none", "starttls" (offered, not required) or "implicit".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers import records
from tests.peers.certificate import Certificate, self_signed
from tests.peers.process import Daemon, directory, free_port, until
from tests.peers.records import Record, Violation
from tests.peers.sinkscript import Rule, Script

__all__ = ["Record", "Rule", "Script", "Sink"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sink:
    """A running sink on 127.0.0.1:`port`. `file` is its record file; with TLS
    `certificate.cert` is the CA file for the name localhost."""

    port: int
    file: Path
    certificate: Certificate | None
    daemon: Daemon
    book: records.Growing

    @classmethod
    @asynccontextmanager
    async def start(
        cls, script: Script | None = None, *, keep: bool = False, tls: str = "none"
    ) -> AsyncIterator[Sink]:
        """Record mail until the context ends. `keep` stores each mail's data as `Record.file`
        (deleted with the context)."""
        with directory("sink") as place:
            port, file = free_port(), place / "records"
            argv = ["--port", str(port)]
            argv += ["--records", str(file), "--script", str(place / "script")]
            if keep:
                (place / "mail").mkdir()
                argv += ["--keep", str(place / "mail")]
            certificate = None if tls == "none" else self_signed(place)
            if certificate:
                argv += ["--certificate", str(certificate.cert), "--key", str(certificate.key)]
            if tls == "implicit":
                argv += ["--implicit"]
            server = Daemon(argv, [port], place / "log", cwd=ROOT, module="tests.peers.sinkserver")
            sink = cls(port, file, certificate, server, records.Growing(file))
            sink.tell(Script())
            async with sink.daemon:
                sink.tell(script or Script())
                yield sink

    def tell(self, script: Script) -> None:
        """Follow `script` from the next connection or MAIL on."""
        new = self.file.with_name("script.new")
        new.write_text(script.to_json())
        new.replace(self.file.with_name("script"))

    def records(self) -> list[Record]:
        """The accepted transactions so far."""
        return self.book.records()

    def violations(self) -> list[Violation]:
        """The protocol rules that clients broke so far."""
        return records.violations(self.file)

    async def wait_for(self, deliveries: int, seconds: float = 60.0) -> list[Record]:
        """Wait until `deliveries` copies (recipients of transactions) have been accepted and
        return all records. Raises TimeoutError saying how many there were."""
        came = place = 0

        async def enough() -> bool:
            nonlocal came, place
            more, place = records.copies(self.file, place)
            came += more
            return came >= deliveries

        try:
            await until(enough, seconds, every=0.02)
        except TimeoutError:
            told = f"{came} of {deliveries} copies in {seconds:.0f} s"
            raise TimeoutError(told) from None
        return self.records()
