"""`postroad oauth`: a person logs in once, and sees whether it still holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from postroad.runtime.oauth import TokenError
from postroad.runtime.oauth.login import Pending, by_device, polled
from postroad.runtime.oauth.provider import identity
from postroad.runtime.oauth.store import Store
from tests.e2e.oauth import Account, account
from tests.e2e.system import postroad
from tests.peers.tokens import USER

pytestmark = pytest.mark.e2e
PAGE = r"(http://127.0.0.1:\d+/authorize\?\S+)"


async def visit(url: str, *, follow: bool = True) -> httpx.Response:
    """What a browser does."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        return await browser.get(url, follow_redirects=follow)


def nothing_stored(box: Account) -> bool:
    """Whether there is no login."""
    return Store(box.config.site.state_dir).read(identity(box.source)) is None


async def test_a_login_by_browser_is_for_source_and_relay(tmp_path: Path) -> None:
    """Whoever opens the page and consents is done: both get their tokens from now on, and no
    token is shown."""
    async with account(tmp_path, logged_in=False) as box:
        async with box.login("box") as command:
            page = await command.says(PAGE)
            answer = await visit(page)
            told = await command.ends()
        assert "access_type=offline" in page
        assert answer.status_code == 200
        assert "close this page" in answer.text
        assert told.code == 0
        assert "There is a token for source box and relay out" in told.out
        token = await box.tokens().access(box.relay)
        assert box.provider.user_of(token) == USER
        assert box.provider.asked == ["authorization_code"]
        for secret in (token, box.stored.refresh_token):
            assert secret not in told.out + told.err


async def test_who_comes_to_the_port_without_the_state_changes_nothing(tmp_path: Path) -> None:
    """A foreign page cannot end a login, nor slip its own account in."""
    async with account(tmp_path, logged_in=False) as box, box.login("box", "--browser") as command:
        page = await command.says(PAGE)
        ours = str((await visit(page, follow=False)).headers["Location"])
        port = ours.partition("?")[0]
        for foreign in (
            "",
            "?code=x",
            "?code=x&state=",
            "?code=x&state=guess",
            "?error=access_denied",
        ):
            assert (await visit(port + foreign)).status_code == 400
        assert nothing_stored(box)
        assert (await visit(ours)).status_code == 200
        assert (await command.ends()).code == 0


async def test_who_refuses_is_not_logged_in(tmp_path: Path) -> None:
    """Without consent nothing is stored, and the line says what to do."""
    async with account(tmp_path, logged_in=False, deny=True) as box:
        async with box.login("box") as command:
            await visit(await command.says(PAGE))
            told = await command.ends()
        assert told.code == 1
        assert "access was denied; allow it" in told.err
        assert nothing_stored(box)


async def test_a_login_by_device_code_is_the_way_of_microsoft(tmp_path: Path) -> None:
    """The code and its page are shown, and the provider is asked until somebody has entered it."""
    async with account(tmp_path, "microsoft", logged_in=False, pending=2) as box:
        async with box.login("out") as command:
            assert await command.says(r"enter the code (\S+)") == "BCDF-GHJK"
            told = await command.ends()
        assert told.code == 0
        assert len(box.provider.asked) == 3
        assert box.provider.valid(await box.tokens().access(box.source))


async def test_a_login_by_device_code_can_be_refused(tmp_path: Path) -> None:
    """Who says no on the device ends the command."""
    async with account(tmp_path, "microsoft", logged_in=False, deny=True) as box:
        async with box.login("box") as command:
            told = await command.ends()
        assert told.code == 1
        assert "access was denied" in told.err


async def test_a_provider_that_wants_fewer_questions_gets_fewer(tmp_path: Path) -> None:
    """slow_down means 5 seconds more between two questions, an outage likewise; pending nothing."""
    async with account(tmp_path, "microsoft", slow_down=1, pending=1) as box:
        device = await asyncio.to_thread(by_device, box.source)
        assert await asyncio.to_thread(polled, box.source, device) == Pending(5.0)
        assert await asyncio.to_thread(polled, box.source, device) == Pending()
        box.provider.status = 503
        waiting = await asyncio.to_thread(polled, box.source, device)
        assert isinstance(waiting, Pending)
        assert (waiting.longer, "HTTP 503" in waiting.trouble) == (5.0, True)
        box.provider.status = 0
        assert not isinstance(await asyncio.to_thread(polled, box.source, device), Pending)
        with pytest.raises(TokenError, match="nobody entered the code in time"):
            await asyncio.to_thread(polled, box.source, device)


async def test_a_provider_that_fails_while_a_code_is_entered_is_told(tmp_path: Path) -> None:
    """An outage is said once and ridden out; where it lasts as long as the code, the command ends
    with it, and says nothing of what services do by themselves."""
    async with account(tmp_path, "microsoft", logged_in=False, status=503) as box:
        async with box.login("out") as command:
            said = await command.says(r"(the token endpoint .*)\n")
            assert "answers HTTP 503" in said
            box.provider.status = 0
            assert (await command.ends()).code == 0
        box.provider.status, box.provider.code_seconds = 503, 1.0
        async with box.login("out") as command:
            told = await command.ends()
        assert told.code == 1
        assert "HTTP 503" in told.err
        assert "run the command again" in told.err
        assert "by itself" not in told.err


async def test_a_browser_is_answered_when_the_login_has_ended(tmp_path: Path) -> None:
    """The page never says that all is well where the exchange then fails."""
    async with account(tmp_path, logged_in=False, status=503) as box:
        async with box.login("box") as command:
            page = await visit(await command.says(PAGE))
            told = await command.ends()
        assert (page.status_code, "The login has failed" in page.text) == (400, True)
        assert told.code == 1
        assert "HTTP 503" in told.err
        assert "mail waits" not in told.err


async def test_a_login_by_a_browser_elsewhere_is_pasted(tmp_path: Path) -> None:
    """On a host without browser, the address at which the browser ended is enough."""
    async with account(tmp_path, logged_in=False) as box:
        async with box.login("box", "--paste") as command:
            page = await command.says(PAGE)
            ours = (await visit(page, follow=False)).headers["Location"]
            told = await command.ends(f"{ours}\n")
        assert told.code == 0
        assert box.provider.valid(await box.tokens().access(box.source))


async def test_an_address_of_another_login_is_refused(tmp_path: Path) -> None:
    """What is pasted must be the answer to this login."""
    async with account(tmp_path, logged_in=False) as box:
        async with box.login("box", "--paste") as command:
            await command.says(PAGE)
            told = await command.ends("http://127.0.0.1:1/?code=x&state=other\n")
        assert told.code == 2
        assert "not the answer to this login" in told.err
        assert nothing_stored(box)


async def test_a_login_that_would_not_last_is_refused(tmp_path: Path) -> None:
    """Without a refresh token the login would end in an hour, without the mail scope be no use."""
    async with account(tmp_path, logged_in=False, offline=False) as box:
        async with box.login("box") as command:
            page = await visit(await command.says(PAGE))
            told = await command.ends()
        assert told.code == 1
        assert "no login that lasts" in told.err
        assert "The login has failed; the terminal says why" in page.text
        box.provider.offline, box.provider.scope = True, "openid"
        async with box.login("box") as command:
            await visit(await command.says(PAGE))
            told = await command.ends()
        assert "access to mail was not granted" in told.err
        assert nothing_stored(box)


async def test_a_program_that_logs_in_alone_proves_it(tmp_path: Path) -> None:
    """With client_credentials, login fetches a token, and says what is wrong when it cannot."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    table = {"flow": "client_credentials", "client_secret_file": str(secret)}
    async with account(tmp_path, "microsoft", logged_in=False, table=table) as box:
        box.provider.client_secret = "s"
        told = await postroad("oauth", "login", "box", "--json", "--config", str(box.file))
        assert told.json == {
            "accounts": ["source box", "relay out"],
            "flow": "client_credentials",
        }
        box.provider.client_secret = "another"
        told = await postroad("oauth", "login", "box", "--config", str(box.file))
        assert told.code == 1
        assert "check client_id and client_secret_file" in told.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bx",), 'there is no source or relay "bx"; did you mean "box"?'),
        (("box", "--device", "--paste"), "give one of --device, --browser and --paste"),
        (("box", "--device"), "Google's are not for mail"),
        (("source:box", "--device"), "Google's are not for mail"),
    ],
)
async def test_a_login_that_cannot_be_is_a_mistake(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    """Wrong names and closed ways end with code 2, before anybody is asked."""
    async with account(tmp_path, logged_in=False, table={"device_url": ""}) as box:
        answer = await postroad("oauth", "login", *words, "--config", str(box.file))
        assert answer.code == 2
        assert told in answer.err
        assert box.provider.asked == []


async def test_one_name_for_two_logins_must_be_told_apart(tmp_path: Path) -> None:
    """Where a source and a relay of one name have different logins, the kind is asked for."""
    async with account(tmp_path, logged_in=False) as box:
        text = box.file.read_text().replace('name = "out"', 'name = "box"')
        head, relay = text.split("[[relay]]")
        box.file.write_text(f"{head}[[relay]]{relay.replace(USER, 'other@example.org')}")
        answer = await postroad("oauth", "login", "box", "--config", str(box.file))
        assert answer.code == 2
        assert "write source:box or relay:box" in answer.err


async def test_an_account_with_a_password_needs_no_login(tmp_path: Path) -> None:
    """Who has no oauth2 is told that there is nothing to do."""
    file = tmp_path / "postroad.toml"
    file.write_text(
        '[site]\ndomain = "example.org"\n[[source]]\nname = "box"\nhost = "h"\nuser = "u"\n'
        'password_file = "p"\n'
    )
    answer = await postroad("oauth", "login", "box", "--config", str(file))
    assert answer.code == 2
    assert "source box has no oauth2" in answer.err


async def test_ls_tells_who_is_logged_in_and_what_is_wrong(tmp_path: Path) -> None:
    """Each account has its line: since when, until when, and the problem, with exit code 1."""
    async with account(tmp_path, logged_in=False) as box:
        before = await postroad("oauth", "ls", "--json", "--config", str(box.file))
        assert before.code == 1
        assert [line["problem"] for line in before.json] == [
            f"nobody has logged in yet; run: postroad oauth login {name}" for name in ("box", "out")
        ]
        async with box.login("box") as command:
            await visit(await command.says(PAGE))
            await command.ends()
        after = await postroad("oauth", "ls", "--json", "--config", str(box.file))
        assert after.code == 0
        for line in after.json:
            assert line["since"] <= line["renewed"] < line["ends"]
            assert not line["problem"]
        token = await box.tokens().access(box.source)
        box.provider.revoke()
        with pytest.raises(TokenError):
            await box.tokens().access(box.source, refused=token)
        ended = await postroad("oauth", "ls", "--config", str(box.file))
        assert ended.code == 1
        assert "invalid_grant" in ended.out
        assert max(map(len, ended.out.splitlines()[:3])) <= 100
        assert after.json[0]["since"][:16].replace("T", " ") in ended.out.splitlines()[1]
        assert token not in ended.out + after.out


async def test_an_answer_that_was_used_before_is_refused(tmp_path: Path) -> None:
    """A code is good once, for who began the login: another says so, and stores nothing."""
    async with account(tmp_path, logged_in=False) as box:
        async with box.login("box", "--paste") as command:
            page = await command.says(PAGE)
            ours = (await visit(page, follow=False)).headers["Location"]
            box.provider.fault = "invalid_grant"
            told = await command.ends(f"{ours}\n")
        assert told.code == 1
        assert "no longer takes this answer; run the command again" in told.err
        assert nothing_stored(box)
