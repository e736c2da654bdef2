"""Wrong settings and absent servers: one clear line naming the source, what, and the remedy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from postroad.runtime.errors import PostroadError
from postroad.runtime.service import running
from services.ingest.service import SERVICE
from tests.e2e.ingesting import USER, Ingest, fact, ingesting, mail
from tests.e2e.system import until
from tests.peers.process import free_port


async def _complaint(ingest: Ingest, **changes: object) -> str:
    with pytest.raises(PostroadError) as failure:
        await ingest.once(**changes)
    line = str(failure.value)
    assert line.startswith('[[source]] "box": ')
    assert "secret" not in line
    assert USER not in line
    assert "\n" not in line
    return line.removeprefix('[[source]] "box": ')


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_wrong_settings_are_named(tmp_path: Path) -> None:
    """Password, user, folder, host, port: each failure says which, and how to mend it."""
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password\n")
    refused = "the server refused the login; check user and password_file"
    async with ingesting(tmp_path) as ingest:
        assert await _complaint(ingest, password_file=wrong) == refused
        assert await _complaint(ingest, user="nobody@example.org") == refused
        missing = 'there is no folder "Lists"; check folder'
        assert await _complaint(ingest, folder="Lists") == missing
        assert "comes from" in await _complaint(ingest, after="move:INBOX")
        assert "control character" in await _complaint(ingest, folder="IN\r\nBOX")
        assert "check host" in await _complaint(ingest, host="no-such-host.invalid")
        port = free_port()
        nothing = f"nothing listens at 127.0.0.1:{port}; check host and port"
        assert await _complaint(ingest, port=port) == nothing


async def test_wrong_tls_names_and_certificates_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate for another name, one nobody vouches for, and a port without TLS are told
    apart, and no password is sent; a trusted certificate with the right name will do."""
    async with ingesting(tmp_path, start="all") as ingest:
        tls = {"tls": "implicit", "port": ingest.dovecot.tls_port}
        assert "is not trusted" in await _complaint(ingest, host="localhost", **tls)
        monkeypatch.setenv("SSL_CERT_FILE", str(ingest.dovecot.certificate.cert))
        assert await _complaint(ingest, host="127.0.0.1", **tls) == (
            f"the certificate of 127.0.0.1:{ingest.dovecot.tls_port} is for another name; "
            "set host to a name the certificate holds"
        )
        assert "does not speak TLS" in await _complaint(ingest, tls="implicit", host="localhost")
        ingest.dovecot.deliver(USER, mail(1))
        await ingest.once(host="localhost", **tls)
        assert await ingest.texts() == [mail(1)]


async def test_a_server_that_never_greets_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that takes connections and says nothing is told from a mailbox."""
    monkeypatch.setattr("services.ingest.connection.Connection.CONNECT_SECONDS", 0.2)
    monkeypatch.setattr("services.ingest.feed.ONCE_TRIES", 1)
    mute = await asyncio.start_server(_say_nothing, "127.0.0.1", 0)
    async with ingesting(tmp_path) as ingest, mute:
        port = mute.sockets[0].getsockname()[1]
        assert "does not greet as an IMAP server" in await _complaint(ingest, port=port)


async def test_a_server_that_never_greets_does_not_keep_us_from_stopping(tmp_path: Path) -> None:
    """Told to stop while a server, or a provider of tokens, keeps it waiting, ingest stops."""
    met = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set()
        await _say_nothing(reader, writer)

    mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with ingesting(tmp_path) as ingest, mute:
        config = ingest.config(port=mute.sockets[0].getsockname()[1])
        async with running("ingest", config, ingest.road.broker) as context:
            task = asyncio.ensure_future(SERVICE.run(context))
            await asyncio.wait_for(met.wait(), 30)
            context.stopping.set()
            await asyncio.wait_for(task, 5)
            assert not context.health.ready


async def test_letters_outside_ascii_log_in(tmp_path: Path) -> None:
    """User and password may hold any letters: they travel by AUTHENTICATE PLAIN."""
    async with ingesting(tmp_path) as ingest:
        (tmp_path / "password").write_text("geheim»ß«\n")
        (ingest.dovecot.place / "users").write_text(f"{USER}:{{PLAIN}}geheim»ß«\n")
        async with ingest.mailbox() as mailbox:
            assert mailbox.selected.uidvalidity


async def test_a_failing_source_stops_no_other(tmp_path: Path) -> None:
    """The mail of a healthy source is taken while another cannot be reached; --once ends with
    exit code 1 and names it."""
    async with ingesting(tmp_path, start="all") as ingest:
        source = ingest.config().source[0]
        other = msgspec.structs.replace(source, name="broken", folder="Lists")
        ingest.dovecot.deliver(USER, mail(1))
        with pytest.raises(PostroadError) as failure:
            await ingest.once(other)
        assert str(failure.value) == '[[source]] "broken": there is no folder "Lists"; check folder'
        assert await ingest.texts() == [mail(1)]


async def test_the_state_of_a_source_is_reported(tmp_path: Path) -> None:
    """Health tells, for each source, whether it is connected, when it last looked, and why not."""
    async with ingesting(tmp_path) as ingest:
        async with ingest.running(folder="Lists") as context:
            report = fact(context)
            assert (report.kind, report.name, report.ok) == ("source", "box", False)
            assert report.detail == 'there is no folder "Lists"; check folder'
            assert report.facts["connected"] is False
        async with ingest.running() as context:

            async def polled() -> bool:
                report = context.health.answer().facts[-1:]
                return bool(report and report[0].ok and report[0].facts["polled"])

            await until(polled, "the source reports that it looked")
            assert fact(context).facts["connected"] is True


async def test_mail_that_cannot_leave_a_read_only_folder_is_not_taken(tmp_path: Path) -> None:
    """Where mail is to be moved or deleted and cannot be, the source says which right it lacks."""
    async with ingesting(tmp_path) as ingest:
        await ingest.dovecot.make_read_only(USER)
        for after in ("delete", "move:Done"):
            assert await _complaint(ingest, after=after) == (
                'folder "INBOX" is read-only for this user, so mail cannot leave it; give it the '
                'right to change the folder, or set after = "seen"'
            )
