"""`postroad mail take`: a mail server's program hands over a mail, and reads the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import os
import smtplib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from postroad.runtime.config import Config
from services.ingest.pipe import hand_over, plain
from tests.e2e.ingesting import Reading, mail
from tests.e2e.system import System, command, smtp_relay, until
from tests.e2e.system import mail as post
from tests.peers.door import Door
from tests.peers.postfix import Postfix
from tests.peers.process import directory
from tests.peers.sink import Sink

LIST = "team@example.org"
TO = f"--recipient={LIST}"
PIPE = '[[source]]\nkind = "pipe"\nmax_size = "100KB"\n'
_KEPT = ("PATH", "PYTHONPATH", "HOME")


async def take(
    config: Path, data: bytes, *words: str, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run the command with this on standard input: exit code, and what it says."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    done = await command(
        *("mail", "take", "--config", str(config), *words),
        env={**environment, **(env or {})},
        data=data,
    )
    assert not done.out
    assert "Traceback" not in done.err
    return done.code, done.err


class Piped(Reading):
    """A broker, and settings with a source of kind pipe."""

    async def take(
        self, data: bytes, *words: str, env: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """As `take`, with these settings."""
        return await take(self.road.config, data, *words, env=env)


@contextlib.asynccontextmanager
async def piped(home: Path, sources: str = PIPE) -> AsyncIterator[Piped]:
    """A fresh broker."""
    async with System.start(home, sources, services=()) as road:
        yield Piped(road)


async def test_a_mail_is_taken_once(tmp_path: Path) -> None:
    """With its envelope, byte for byte but for the line that mbox files have; when the mail
    server tries again, because it never heard our answer, nothing is doubled."""
    text = b"Subject: x\n\nNUL \0, bare CR \r, and\n.\nFrom the end\n"
    words = ("--sender=ann@example.net", f"--recipient={LIST}", "--recipient=news@example.org")
    async with piped(tmp_path) as pipe:
        first = b"From ann@example.net  Mon Mar  2 00:00:00 2026\n"
        again = b"From ann@example.net  Mon Mar  2 00:05:00 2026\n"
        assert await pipe.take(first + text, *words) == (0, "")
        assert await pipe.take(again + text, *words) == (0, "")
        (event,) = await pipe.received()
        assert await pipe.texts() == [text]
        assert event.envelope_from == "ann@example.net"
        assert event.envelope_to == (LIST, "news@example.org")
        assert event.origin.source == "pipe"
        assert await pipe.take(text, "--sender=", f"--recipient={LIST}") == (0, "")
        assert {each.envelope_from for each in await pipe.received()} == {"ann@example.net", ""}


@pytest.mark.parametrize("crashpoint", ["ingest.after_raw:1", "ingest.after_received:1"])
async def test_killed_it_is_tried_again(tmp_path: Path, crashpoint: str) -> None:
    """Whatever the moment: the mail server has the mail until it hears of it."""
    async with piped(tmp_path) as pipe:
        code, _ = await pipe.take(mail(1), env={"POSTROAD_CRASHPOINT": crashpoint})
        assert code == -9
        assert await pipe.take(mail(1)) == (0, "")
        assert await pipe.texts() == [mail(1)]


@pytest.mark.parametrize(
    ("env", "sender", "recipients"),
    [
        ({"SENDER": "ann@example.net", "ORIGINAL_RECIPIENT": LIST, "RECIPIENT": "x@y.z"}, None, ()),
        ({"SENDER": "ann@example.net", "RECIPIENT": LIST}, None, ()),
        ({"SENDER": "MAILER-DAEMON", "RECIPIENT": LIST}, "", ()),
        ({}, "", None),
    ],
)
async def test_the_environment_tells_the_envelope(
    tmp_path: Path, env: Mapping[str, str], sender: str | None, recipients: tuple[str, ...] | None
) -> None:
    """As Postfix sets it for the programs in its aliases; with nothing told, To and Cc count."""
    async with piped(tmp_path) as pipe:
        assert await pipe.take(mail(1), env=env) == (0, "")
        (event,) = await pipe.received()
        expected = sender if sender is not None else "ann@example.net"
        assert event.envelope_from == (expected if env else None)
        assert event.envelope_to == (() if recipients is None else (LIST,))


async def test_what_is_not_to_be_had(tmp_path: Path) -> None:
    """Each reason has its code in sysexits.h, and one line without an address; what is wrong in the
    settings or options costs no mail."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[site]\ndomain = "example.org"\n')
    async with piped(tmp_path) as pipe:
        for code, words, data, told in (
            (os.EX_NOUSER, ("--recipient=team@other.org",), mail(1), "it is in no domain that"),
            (os.EX_NOUSER, (TO, "--recipient=a@other.org"), mail(1), "1 of 2 recipients is in no"),
            (os.EX_NOUSER, (TO, "--recipient=\udcff@other.org"), mail(1), "it is not UTF-8"),
            (os.EX_DATAERR, (TO, "--sender=\udcff@other.org"), mail(1), "it is not UTF-8"),
            (os.EX_DATAERR, (), mail(1, b"x" * 100_000), "the mail is larger than 100KB"),
            (os.EX_DATAERR, (), b"", "there is no mail on standard input"),
            (os.EX_TEMPFAIL, ("--recipent=x",), mail(1), "see: postroad mail take --help"),
            (os.EX_TEMPFAIL, ("--source=other",), mail(1), "there are: pipe"),
        ):
            found, err = await pipe.take(data, *words)
            assert (found, told in err) == (code, True), err
            assert len(err.splitlines()) == 1
            assert "other.org" not in err
        found, err = await take(wrong, mail(1))
        assert (found, 'no [[source]] of kind = "pipe"' in err) == (os.EX_TEMPFAIL, True)
        found, err = await take(Path("/nowhere"), mail(1))
        assert (found, "nowhere" in err) == (os.EX_TEMPFAIL, True)
        assert await pipe.events() == []


async def test_without_a_broker_the_mail_server_keeps_the_mail(tmp_path: Path) -> None:
    """75: it tries again later."""
    async with piped(tmp_path) as pipe:
        pass
    code, err = await pipe.take(mail(1))
    assert (code, "is not running" in err) == (os.EX_TEMPFAIL, True)


async def test_a_source_for_one_list_takes_any_recipient(tmp_path: Path) -> None:
    """An alias of the machine's own domain may lead to it."""
    async with piped(tmp_path, f'{PIPE}list = "{LIST}"\n') as pipe:
        assert await pipe.take(mail(1), "--recipient=team@host.internal") == (0, "")
        assert (await pipe.received())[0].envelope_to == ("team@host.internal",)


async def test_the_service_knows_the_source(tmp_path: Path) -> None:
    """It has nothing to read there, and says that all is well."""
    async with piped(tmp_path) as pipe:
        async with pipe.running() as context:
            assert all(fact.ok for fact in context.health.answer().facts)
        await pipe.once()


def corpora() -> Iterator[bytes]:
    """Real mail, a sample of each folder."""
    folder = os.environ.get("POSTROAD_CORPORA", "")
    if not folder:
        pytest.skip("the corpora are absent; name their folder in POSTROAD_CORPORA")
    for place in sorted(path for path in Path(folder).rglob("*") if path.is_dir()):
        files = [path for path in sorted(place.iterdir()) if path.suffix == ".eml"]
        yield from (path.read_bytes() for path in files[:: max(1, len(files) // 10)])


async def test_real_mail_is_taken_byte_for_byte(tmp_path: Path) -> None:
    """Whatever it is; that it began as an mbox does is no part of it."""
    mails = [data for data in dict.fromkeys(corpora()) if data.strip()]
    async with piped(tmp_path) as pipe:
        config = Config.load(pipe.road.config, {})
        for data in mails:
            assert await hand_over(config, config.source[0], plain(data), "", [LIST])
        assert sorted(await pipe.texts()) == sorted(plain(data) for data in mails)


async def test_a_nul_octet_costs_no_mail_and_no_other_try(tmp_path: Path) -> None:
    """The mail is taken, not sent back to whom its sender claims to be; since no server takes its
    copies, its story says what helps, and offers no other try."""
    services = ("membership", "router", "sender")
    async with (
        Sink.start() as sink,
        System.start(tmp_path, PIPE + smtp_relay(sink.port), services=services) as road,
    ):
        await road.make_list(LIST, ["ann@example.net"])
        assert await take(road.config, post(1, body="NUL \0 here\r\n")) == (0, "")
        await road.settled(1)
        (row,) = (await road.cli("post", "ls", "--json")).json
        shown = " ".join((await road.cli("post", "show", row["id"])).out.split())
        assert "there is a NUL octet in the mail" in shown
        assert "its author must send it anew" in shown
        assert "postroad retry" not in shown


# --- started by Postfix --------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _door(pipe: Piped, place: Path) -> AsyncIterator[Door]:
    async def run(
        words: Sequence[str], environment: Mapping[str, str], data: bytes
    ) -> tuple[int, str]:
        told = {k: v for k, v in environment.items() if k not in (*_KEPT, "LANG")}
        return await pipe.take(data, *words, env=told)

    async with Door.open(place, run) as door:
        yield door


async def test_postfix_hands_over_by_its_pipe(tmp_path: Path) -> None:
    """As the manual says, in master.cf: sender and recipients are arguments; while the broker is
    away the mail stays in Postfix's queue, and what is for no domain of ours is bounced."""
    async with piped(tmp_path) as pipe:
        with directory("door") as place:
            place.chmod(0o755)
            async with _door(pipe, place) as door:
                service = (
                    "take unix - n n - 4 pipe\n  flags=Rq null_sender= user=nobody\n"
                    f"  argv={door.script} --sender=${{sender}} --recipient=${{recipient}}\n"
                )
                async with Postfix.start("take:", services=service) as postfix:
                    await asyncio.to_thread(
                        _send, postfix.port, "ann@example.net", [LIST, "b@example.org"]
                    )
                    await asyncio.to_thread(_send, postfix.port, "", [LIST])
                    await until(lambda: _ended(door, 2), "both calls ended")
        one, two = sorted(await pipe.received(), key=lambda event: not event.envelope_from)
        assert (one.envelope_from, two.envelope_from) == ("ann@example.net", "")
        assert set(one.envelope_to) == {LIST, "b@example.org"}
        assert b"Hello, Postfix.\n" in (await pipe.texts())[0]
        assert all(code == 0 for _, code in door.calls)


async def test_postfix_hands_over_by_an_alias(tmp_path: Path) -> None:
    """As the manual says, in aliases: sender and recipient come in the environment."""
    async with piped(tmp_path) as pipe:
        with directory("door") as place:
            place.chmod(0o755)
            async with _door(pipe, place) as door:
                (place / "aliases").write_text(f'team "|{door.script}"\n')
                settings = {
                    "mydestination": "example.org",
                    "alias_maps": f"texthash:{place}/aliases",
                    "default_privs": "nobody",
                    "local_recipient_maps": "",
                }
                local = "local unix - n n - - local\n"
                async with Postfix.start("local:", settings, services=local) as postfix:
                    await asyncio.to_thread(_send, postfix.port, "ann@example.net", [LIST])
                    await until(lambda: _ended(door, 1), "the call ended")
        assert [code for _, code in door.calls] == [0]
        (event,) = await pipe.received()
        assert (event.envelope_from, event.envelope_to) == ("ann@example.net", (LIST,))
        (text,) = await pipe.texts()
        assert not text.startswith(b"From ")


async def _ended(door: Door, number: int) -> bool:
    return len(door.calls) >= number


def _send(port: int, sender: str, recipients: list[str]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail(sender, recipients, b"Subject: x\r\n\r\nHello, Postfix.\r\n")
