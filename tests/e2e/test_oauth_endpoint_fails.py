"""Access tokens from an endpoint that fails, hangs, is away or is another's."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest

from postroad.runtime.oauth import TokenError
from tests.e2e.oauth import account
from tests.e2e.system import postroad, until
from tests.peers.certificate import self_signed
from tests.peers.tokens import log_in

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("status", [429, 500, 503, 403])
async def test_an_endpoint_that_is_down_is_left_alone(tmp_path: Path, status: int) -> None:
    """Outages are no one's to mend, are not asked about in a storm, and pass by themselves."""
    async with account(tmp_path, status=status) as box:
        tokens = box.tokens()
        for _ in range(20):
            with pytest.raises(TokenError) as caught:
                await tokens.access(box.source)
            assert not caught.value.lasting
            assert str(status) in caught.value.reason
        assert len(box.provider.asked) == 1
        box.provider.status = 0
        log_in(box.config, box.provider)
        assert box.provider.valid(await tokens.access(box.source))


async def test_while_the_endpoint_is_down_the_present_token_is_used(tmp_path: Path) -> None:
    """A failing renewal takes nothing away from a token that still lives."""
    async with account(tmp_path) as box:
        tokens = box.tokens()
        token = await tokens.access(box.source)
        box.grow_old(3_500)
        box.provider.status = 503
        assert [await tokens.access(box.source) for _ in range(5)] == [token] * 5
        assert len(box.provider.asked) == 2
        box.grow_old(100)
        box.provider.status = 0
        assert await tokens.access(box.source) != token


async def test_a_slow_endpoint_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that does not answer in time is an outage like any other."""
    monkeypatch.setattr("postroad.runtime.oauth.endpoint.SECONDS", 0.2)
    async with account(tmp_path, delay=3.0) as box:
        error = await box.refusal()
        assert not error.lasting
        assert "does not answer" in error.reason


async def test_an_endpoint_that_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever drips a line of header now and then holds nobody for longer: the line is cut, the
    lock is free, and others hear of the outage without asking."""
    monkeypatch.setattr("postroad.runtime.oauth.endpoint.SECONDS", 0.5)
    async with account(tmp_path, drip=0.1) as box:
        waiting = [box.refusal() for _ in range(3)]  # each as a process of its own
        errors = await asyncio.wait_for(asyncio.gather(*waiting), 15)
        assert all("does not answer" in error.reason for error in errors)
        assert len(box.provider.asked) == 1
        box.provider.drip = 0.0
        log_in(box.config, box.provider)
        assert box.provider.valid(await box.tokens().access(box.source))

        async def ended() -> bool:
            names = {thread.name for thread in threading.enumerate()}
            return not names & {"oauth-exchange", "oauth-renewal"}

        await until(ended, "no thread is left behind")


async def test_a_process_that_ends_does_not_wait_for_an_endpoint(tmp_path: Path) -> None:
    """Told to stop in the middle of a renewal that hangs, a process is gone within seconds, and
    one that waits for the lock is as well."""
    async with account(tmp_path, drip=0.1) as box:
        asking = [await box.process() for _ in range(2)]
        for process in asking:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        await box.is_asked()
        for process in asking:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(asyncio.gather(*(each.communicate() for each in asking)), 10)


async def test_the_doctor_ends_where_an_endpoint_does_not(tmp_path: Path) -> None:
    """`postroad doctor --only token` tells of an endpoint that drips when its time is up, and
    ends."""
    async with account(tmp_path, drip=0.5) as box:
        command = postroad("doctor", "--only", "token", "--json", "--config", str(box.file))
        result = await asyncio.wait_for(command, 60)  # a busy machine starts it slowly
        rows = [row for row in result.json["checks"] if "does not answer" in row["finding"]]
        assert "token" in {row["check"] for row in rows}


async def test_a_name_server_that_is_silent_is_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up of a name has no deadline of its own: it counts like the rest."""
    answer = threading.Event()

    def silent(*_: object, **__: object) -> None:
        answer.wait()
        raise OSError("no answer")

    monkeypatch.setattr("postroad.runtime.oauth.endpoint.SECONDS", 0.2)
    async with account(tmp_path) as box:
        monkeypatch.setattr(socket, "getaddrinfo", silent)
        try:
            error = await asyncio.wait_for(box.refusal(), 15)
        finally:
            answer.set()
    assert "does not answer" in error.reason


async def test_an_endpoint_that_is_away_is_an_outage(tmp_path: Path) -> None:
    """Where nothing listens, the line says where to look."""
    async with account(tmp_path) as box:
        pass
    error = await box.refusal()
    assert not error.lasting
    assert "cannot be reached; check token_url" in error.reason


async def test_an_endpoint_with_a_foreign_certificate_gets_no_secret(tmp_path: Path) -> None:
    """A token endpoint that cannot prove its name is asked nothing."""
    certificate = self_signed(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.cert, certificate.key)
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            heard.append(await reader.read())

    async with await asyncio.start_server(listen, "127.0.0.1", 0, ssl=tls) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/token"
        async with account(tmp_path, table={"token_url": url}) as box:
            error = await box.refusal()
    assert not any(heard)
    assert "has a certificate that cannot be trusted" in error.reason
