"""Access tokens against a provider that expires, rotates, revokes, fails, hangs and is late."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import threading
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.oauth import TokenError, lifetime
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Login, Store
from tests.e2e.oauth import Account, account
from tests.e2e.system import postroad, until
from tests.peers.certificate import self_signed
from tests.peers.tokens import USER, log_in

pytestmark = pytest.mark.e2e


async def refusal(box: Account, refused: str = "") -> TokenError:
    """Why there is no token."""
    with pytest.raises(TokenError) as caught:
        await box.tokens().access(box.source, refused=refused)
    return caught.value


def grown_old(box: Account, seconds: float) -> None:
    """As if this much time had passed since the token was asked for, and since it failed."""

    def earlier(then: Stamp) -> Stamp:
        return Stamp(then.boot, then.ticks - seconds, then.wall - seconds)

    login = box.stored
    assert login.issued is not None
    failure = login.failure
    if failure is not None:
        failure = msgspec.structs.replace(failure, at=earlier(failure.at))
    aged = msgspec.structs.replace(login, issued=earlier(login.issued), failure=failure)
    Store(box.config.site.state_dir).write(identity(box.source), aged)


async def test_a_source_and_its_relay_share_login_and_token(tmp_path: Path) -> None:
    """One account asks once: its mailbox, its relay, and everybody who asks at the same time."""
    async with account(tmp_path) as box:
        tokens = box.tokens()
        asked = [tokens.access(box.source) for _ in range(10)]
        asked += [tokens.access(box.relay) for _ in range(10)]
        assert len(set(await asyncio.gather(*asked))) == 1
        assert box.provider.refreshes == 1
        assert box.provider.user_of(await tokens.access(box.source)) == USER


async def test_two_processes_refresh_once(tmp_path: Path) -> None:
    """Ingest and sender run apart: who comes second uses what the first was given."""
    async with account(tmp_path, rotate=True, delay=0.2) as box:
        first, second = await box.process(), await box.process()
        answers = await asyncio.gather(*(one.communicate(b"go\n") for one in (first, second)))
        assert answers[0] == answers[1]
        assert box.provider.valid(answers[0][0].decode().strip())
        assert (box.provider.refreshes, box.provider.replayed) == (1, 0)


async def test_a_token_is_renewed_before_it_ends_and_once(tmp_path: Path) -> None:
    """Within its last minutes a token is exchanged for a new one, which is then kept."""
    async with account(tmp_path) as box:
        tokens = box.tokens()
        first = await tokens.access(box.source)
        grown_old(box, 3_280)
        assert await tokens.access(box.source) == first
        grown_old(box, 180)
        second = await tokens.access(box.source)
        assert second != first
        assert await tokens.access(box.relay) == second
        assert box.provider.refreshes == 2


async def test_a_server_an_hour_off_changes_nothing(tmp_path: Path) -> None:
    """What a provider's clock says is not believed: lives count from our question."""
    for clock in (-3_600.0, 3_600.0):
        home = tmp_path / f"{clock}"
        home.mkdir()
        async with account(home, clock=clock) as box:
            tokens = box.tokens()
            first = await tokens.access(box.source)
            grown_old(box, 3_000)
            assert await tokens.access(box.source) == first
            grown_old(box, 500)
            assert await tokens.access(box.source) != first


async def test_a_rotated_refresh_token_is_on_disk_before_the_token_is_used(tmp_path: Path) -> None:
    """When `access` returns, the disk has the refresh token that counts from now on."""
    async with account(tmp_path, rotate=True) as box:
        token = ""
        for number in range(5):
            token = await box.tokens().access(box.source, refused=token)
            assert box.stored.access_token == token
            assert box.provider.refreshes == number + 1
            grown_old(box, 600)
        assert box.provider.replayed == 0


async def test_killed_between_rotation_and_use_nothing_is_lost(tmp_path: Path) -> None:
    """Kill -9 right after the rotated token was stored: the next process goes on with it."""
    async with account(tmp_path, rotate=True) as box:
        killed = await box.process(crashpoint="oauth.saved:1")
        out, _ = await killed.communicate(b"go\n")
        assert killed.returncode == -signal.SIGKILL
        assert not out
        assert box.provider.valid(await box.tokens().access(box.source))
        assert (box.provider.refreshes, box.provider.replayed) == (1, 0)


async def test_who_is_cancelled_does_not_take_the_renewal_along(tmp_path: Path) -> None:
    """A connection that gives up in the middle of a renewal loses no rotated token."""
    async with account(tmp_path, rotate=True, delay=0.3) as box:
        tokens = box.tokens()
        asking = asyncio.create_task(tokens.access(box.source))

        async def asked() -> bool:
            return bool(box.provider.asked)

        await until(asked, "it asks")
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        assert box.provider.valid(await tokens.access(box.source))
        assert (box.provider.refreshes, box.provider.replayed) == (1, 0)


async def test_a_token_that_the_server_turns_down_is_renewed(tmp_path: Path) -> None:
    """Tokens revoked in mid-life are exchanged once for all who were turned down with them."""
    async with account(tmp_path) as box:
        tokens = box.tokens()
        old = await tokens.access(box.source)
        box.provider.expire()
        asked = [tokens.access(a, refused=old) for a in (box.source, box.relay, box.source)]
        new = await asyncio.gather(*asked)
        assert len(set(new)) == 1
        assert box.provider.valid(new[0])
        assert box.provider.refreshes == 2


async def test_a_server_that_turns_down_everything_causes_no_storm(tmp_path: Path) -> None:
    """Who is refused with a brand-new token again and again is told what to look at."""
    async with account(tmp_path) as box:
        tokens, token, told = box.tokens(), "", None
        for _ in range(20):
            try:
                token = await tokens.access(box.source, refused=token)
            except TokenError as error:
                told = error
        assert told is not None
        assert "turns down new tokens" in told.reason
        assert box.provider.refreshes == 2


@pytest.mark.parametrize("kind", ["google", "microsoft", "custom"])
async def test_invalid_grant_is_asked_about_once_and_explained(tmp_path: Path, kind: str) -> None:
    """A login that ended is lasting, says what to run, and is not asked about again and again,
    neither by this process nor by another."""
    async with account(tmp_path, kind) as box:
        box.provider.revoke()
        for _ in range(5):
            error = await refusal(box)
            assert error.lasting
            assert "invalid_grant" in error.reason
            assert "postroad oauth login box" in error.reason
            assert "mail waits on its server" in error.reason
        assert len(box.provider.asked) == 1


async def test_a_new_login_is_seen_by_who_runs(tmp_path: Path) -> None:
    """After a login ended, a new one mends it at the next call, without a restart."""
    async with account(tmp_path) as box:
        tokens = box.tokens()
        box.provider.revoke()
        with pytest.raises(TokenError):
            await tokens.access(box.source)
        log_in(box.config, box.provider)
        assert box.provider.valid(await tokens.access(box.source))


async def test_without_a_login_nobody_is_asked(tmp_path: Path) -> None:
    """Before the first login the line says how to log in."""
    async with account(tmp_path, logged_in=False) as box:
        error = await refusal(box)
        assert error.lasting
        assert "nobody has logged in yet; run: postroad oauth login box" in error.reason
        assert box.provider.asked == []


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
        grown_old(box, 3_500)
        box.provider.status = 503
        assert [await tokens.access(box.source) for _ in range(5)] == [token] * 5
        assert len(box.provider.asked) == 2
        grown_old(box, 100)
        box.provider.status = 0
        assert await tokens.access(box.source) != token


async def test_a_slow_endpoint_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that does not answer in time is an outage like any other."""
    monkeypatch.setattr("postroad.runtime.oauth.endpoint.SECONDS", 0.2)
    async with account(tmp_path, delay=3.0) as box:
        error = await refusal(box)
        assert not error.lasting
        assert "does not answer" in error.reason


async def test_an_endpoint_that_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever drips a line of header now and then holds nobody for longer: the line is cut, the
    lock is free, and others hear of the outage without asking."""
    monkeypatch.setattr("postroad.runtime.oauth.endpoint.SECONDS", 0.5)
    async with account(tmp_path, drip=0.1) as box:
        waiting = [refusal(box) for _ in range(3)]  # each as a process of its own
        errors = await asyncio.wait_for(asyncio.gather(*waiting), 3)
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

        async def asked() -> bool:
            return bool(box.provider.asked)

        await until(asked, "one of them asks")
        for process in asking:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(asyncio.gather(*(each.communicate() for each in asking)), 10)


async def test_the_doctor_ends_where_an_endpoint_does_not(tmp_path: Path) -> None:
    """`postroad doctor --only token` tells of an endpoint that drips within 20 seconds, and
    ends."""
    async with account(tmp_path, drip=0.5) as box:
        command = postroad("doctor", "--only", "token", "--json", "--config", str(box.file))
        result = await asyncio.wait_for(command, 20)
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
            error = await asyncio.wait_for(refusal(box), 3)
        finally:
            answer.set()
    assert "does not answer" in error.reason


async def test_an_endpoint_that_is_away_is_an_outage(tmp_path: Path) -> None:
    """Where nothing listens, the line says where to look."""
    async with account(tmp_path) as box:
        pass
    error = await refusal(box)
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
            error = await refusal(box)
    assert not any(heard)
    assert "has a certificate that cannot be trusted" in error.reason


async def test_a_new_secret_is_tried_at_once(tmp_path: Path) -> None:
    """`invalid_client` is asked about again as soon as the secret file says something else."""
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    table = {"client_secret_file": str(secret)}
    async with account(tmp_path, client_secret="right-secret", table=table) as box:
        error = await refusal(box)
        assert error.lasting
        assert "check client_id and client_secret_file" in error.reason
        await refusal(box)
        assert len(box.provider.asked) == 1
        secret.write_text("right-secret")
        assert box.provider.valid(await box.tokens().access(box.source))


async def test_client_credentials_need_no_login(tmp_path: Path) -> None:
    """A program that may log in alone gets its tokens alone, and again when they end."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    table = {"flow": "client_credentials", "client_secret_file": str(secret)}
    async with account(
        tmp_path, "microsoft", logged_in=False, table=table, client_secret="s"
    ) as box:
        tokens = box.tokens()
        first = await tokens.access(box.source)
        assert await tokens.access(box.relay) == first
        grown_old(box, 3_600)
        assert await tokens.access(box.relay) != first
        assert box.provider.asked == ["client_credentials"] * 2


async def test_short_lives_are_lived(tmp_path: Path) -> None:
    """A token that lives for a second is renewed in time for each use."""
    async with account(tmp_path, lifetime=1.0) as box:
        tokens = box.tokens()
        for _ in range(3):
            assert box.provider.valid(await tokens.access(box.source))
            grown_old(box, 0.9)
        assert box.provider.refreshes == 3


async def test_a_renewed_token_that_no_disk_takes_is_not_used_and_not_lost(tmp_path: Path) -> None:
    """When a rotated token cannot be stored, it is kept until it can, and mail waits meanwhile."""
    async with account(tmp_path, rotate=True, delay=0.3) as box:
        tokens = box.tokens()
        file = box.home / "state" / "oauth" / f"{identity(box.source)}.json"
        asking = asyncio.create_task(tokens.access(box.source))

        async def asked() -> bool:
            return bool(box.provider.asked)

        await until(asked, "it asks")
        held = file.read_bytes()
        blocker = file.with_name("aside")
        file.rename(blocker)
        file.mkdir()  # a file cannot replace a folder: the write fails, as on a full disk
        with pytest.raises(TokenError, match="cannot be stored in state_dir"):
            await asking
        file.rmdir()
        blocker.rename(file)
        assert file.read_bytes() == held
        token = await tokens.access(box.source)
        assert box.provider.valid(token)
        assert box.stored.access_token == token
        assert (box.provider.refreshes, box.provider.replayed) == (1, 0)


async def test_no_error_names_a_person_or_a_secret(tmp_path: Path) -> None:
    """Providers tell names and tokens in their descriptions; none of it reaches our lines."""
    async with account(tmp_path, "microsoft") as box:
        secrets = [box.stored.refresh_token, "client-secret", USER]
        for fault in ("invalid_grant", "invalid_client", "temporarily_unavailable", "x y@z"):
            box.provider.fault = fault
            box.provider.description = f"AADSTS50173: {USER} {box.stored.refresh_token}"
            log_in(box.config, box.provider)
            error = await refusal(box)
            shown = f"{error} {error!r} {error.reason}"
            assert not [secret for secret in secrets if secret in shown]


async def test_a_reboot_costs_nothing(tmp_path: Path) -> None:
    """After a reboot a token goes on by the wall clock; if that went backwards it is renewed."""
    async with account(tmp_path) as box:
        token = await box.tokens().access(box.source)
        store, name = Store(box.config.site.state_dir), identity(box.source)
        now = lifetime.now()

        def rebooted(wall: float) -> Login:
            issued = Stamp("an earlier boot", now.ticks + 1e6, wall)
            return msgspec.structs.replace(box.stored, issued=issued)

        store.write(name, rebooted(now.wall - 60))
        assert await box.tokens().access(box.source) == token
        store.write(name, rebooted(now.wall + 7_200))
        assert await box.tokens().access(box.source) != token
