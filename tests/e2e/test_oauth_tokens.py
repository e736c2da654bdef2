"""Access tokens against a provider that expires, rotates, revokes and is late."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.oauth import TokenError, lifetime
from postroad.runtime.oauth.lifetime import Stamp
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Login, Store
from tests.e2e.oauth import account
from tests.peers.tokens import USER, log_in

pytestmark = pytest.mark.e2e


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
        box.grow_old(3_280)
        assert await tokens.access(box.source) == first
        box.grow_old(180)
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
            box.grow_old(3_000)
            assert await tokens.access(box.source) == first
            box.grow_old(500)
            assert await tokens.access(box.source) != first


async def test_a_rotated_refresh_token_is_on_disk_before_the_token_is_used(tmp_path: Path) -> None:
    """When `access` returns, the disk has the refresh token that counts from now on."""
    async with account(tmp_path, rotate=True) as box:
        token = ""
        for number in range(5):
            token = await box.tokens().access(box.source, refused=token)
            assert box.stored.access_token == token
            assert box.provider.refreshes == number + 1
            box.grow_old(600)
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
        await box.is_asked()
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
            error = await box.refusal()
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
        error = await box.refusal()
        assert error.lasting
        assert "nobody has logged in yet; run: postroad oauth login box" in error.reason
        assert box.provider.asked == []


async def test_a_new_secret_is_tried_at_once(tmp_path: Path) -> None:
    """`invalid_client` is asked about again as soon as the secret file says something else."""
    secret = tmp_path / "secret"
    secret.write_text("wrong")
    table = {"client_secret_file": str(secret)}
    async with account(tmp_path, client_secret="right-secret", table=table) as box:
        error = await box.refusal()
        assert error.lasting
        assert "check client_id and client_secret_file" in error.reason
        await box.refusal()
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
        box.grow_old(3_600)
        assert await tokens.access(box.relay) != first
        assert box.provider.asked == ["client_credentials"] * 2


async def test_short_lives_are_lived(tmp_path: Path) -> None:
    """A token that lives for a second is renewed in time for each use."""
    async with account(tmp_path, lifetime=1.0) as box:
        tokens = box.tokens()
        for _ in range(3):
            assert box.provider.valid(await tokens.access(box.source))
            box.grow_old(0.9)
        assert box.provider.refreshes == 3


async def test_a_renewed_token_that_no_disk_takes_is_not_used_and_not_lost(tmp_path: Path) -> None:
    """When a rotated token cannot be stored, it is kept until it can, and mail waits meanwhile."""
    async with account(tmp_path, rotate=True, delay=0.3) as box:
        tokens = box.tokens()
        file = box.home / "state" / "oauth" / f"{identity(box.source)}.json"
        asking = asyncio.create_task(tokens.access(box.source))
        await box.is_asked()
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
            error = await box.refusal()
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
