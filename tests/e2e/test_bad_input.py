"""Bad input: one clear line naming what and how to mend it, the right exit code, no secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postroad.runtime.embedded import nats_binary
from tests.e2e.system import Result, imap_source, postroad, smtp_relay
from tests.peers.dovecot import Dovecot
from tests.peers.process import Daemon, free_port

USER, SECRET = "lists@example.org", "correct-horse"


def settings(home: Path, text: str, secret: str = SECRET) -> Path:
    """A settings file in `home` beside its password file."""
    (home / "password").write_text(f"{secret}\n")
    (home / "password").chmod(0o600)
    file = home / "postroad.toml"
    file.write_text(f'[site]\ndomain = "example.org"\n{text}')
    return file


def check(result: Result, code: int, *says: str) -> None:
    """One line (or one a problem) with all of this, no traceback and no secret."""
    assert result.code == code, result
    told = result.err.strip()
    assert all(re.search(words, told) for words in says), told
    assert "Traceback" not in result.out + result.err
    assert SECRET not in result.out + result.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[broker]\nurll = 'embedded'\n", ["urll", "did you mean.*url"]),
        ("[brokr]\n", ["brokr", "did you mean.*broker"]),
        ('[[relay]]\nhost = "h"\nport = 99999\n', ["port", "65535"]),
        ('[[relay]]\nhost = "h"\ntls = "ssl"\n', ["tls", "implicit"]),
        ("[site\n", ["line 3"]),
        ('[broker]\nack_wait = "soon"\n', ["ack_wait", "soon"]),
    ],
)
async def test_wrong_settings(tmp_path: Path, text: str, says: list[str]) -> None:
    """A wrong name or value is named, with the nearest right one; nothing is started."""
    file = settings(tmp_path, text)
    check(await postroad("up", "--config", str(file)), 2, *says)
    assert not (tmp_path / "state" / "broker").exists()


async def test_missing_secret(tmp_path: Path) -> None:
    """A password file that is not there is named before anything starts."""
    file = settings(tmp_path, imap_source(143, USER, Path("nowhere")))
    check(await postroad("up", "--config", str(file)), 2, "nowhere", "password_file")
    check(await postroad("up", "--config", str(tmp_path / "none.toml")), 2, "none.toml")


async def test_a_mailbox_that_cannot_be_read(tmp_path: Path) -> None:
    """Wrong password, nobody there, wrong TLS name: each has its own line naming the source."""
    async with Dovecot.start({USER: SECRET}) as dovecot:

        async def once(
            text: str, secret: str = SECRET, env: dict[str, str] | None = None
        ) -> Result:
            file = settings(tmp_path, text + smtp_relay(25), secret)
            return await postroad("run", "ingest", "--once", "--config", str(file), env=env or {})

        box = tmp_path / "password"
        plain = imap_source(dovecot.port, USER, box)
        check(await once(plain, "wrong-staple"), 1, "box", "password")
        check(await once(imap_source(free_port(), USER, box)), 1, "box", "host|port")
        tls = imap_source(dovecot.tls_port, USER, box).replace('"none"', '"implicit"')
        trusted = {"SSL_CERT_FILE": str(dovecot.certificate.cert)}
        check(await once(tls, env=trusted), 1, "box", "name|certificate")
        right = tls.replace('"127.0.0.1"', '"localhost"')
        assert (await once(right, env=trusted)).code == 0


async def test_an_unsafe_broker(tmp_path: Path) -> None:
    """A server that acknowledges before the disk has the mail is refused, with the remedy."""
    port, http = free_port(), free_port()
    conf = tmp_path / "nats.conf"
    conf.write_text(
        f"host: 127.0.0.1\nport: {port}\nhttp: 127.0.0.1:{http}\n"
        f'jetstream {{ store_dir: "{tmp_path}/js" }}\n'
    )
    file = settings(
        tmp_path,
        f'[broker]\nurl = "nats://127.0.0.1:{port}"\nmonitor_url = "http://127.0.0.1:{http}"\n',
    )
    check(await postroad("status", "--config", str(file)), 2)
    async with Daemon((nats_binary(), "-c", str(conf)), [port], tmp_path / "log"):
        check(await postroad("up", "--config", str(file)), 2, "sync_interval: always")
        ls = await postroad("list", "ls", "--config", str(file))
        check(ls, 2, "sync_interval: always")


async def test_lists_and_addresses(tmp_path: Path) -> None:
    """A list that exists, one that does not, and malformed addresses are told apart."""
    file = settings(tmp_path, "")

    async def command(*words: str) -> Result:
        return await postroad(*words, "--config", str(file))

    assert (await command("list", "create", "team@example.org")).code == 0
    check(await command("list", "create", "TEAM@example.org"), 1, "team@example.org", "exists")
    check(await command("list", "create", "no address"), 2, "no address")
    check(await command("list", "set", "team@example.org", "subject_prefx=x"), 2, "subject_prefix")
    check(await command("list", "set", "team@example.org", "personalize=maybe"), 2, "individual")
    check(await command("member", "add", "team@example.org", "a@@b", "--confirmed"), 2, "a@@b")
    check(await command("member", "ls", "nobody@example.org"), 1, "nobody@example.org")
    rows = tmp_path / "people.csv"
    rows.write_text("email,name\nanna@example.net,Anna\nnot an address,X\nbert@example.net,Bert\n")
    bad = await command("member", "import", "team@example.org", str(rows))
    assert bad.code == 1
    assert "3" in bad.out + bad.err
    assert "Traceback" not in bad.err
    members = await command("member", "ls", "team@example.org", "--json")
    assert [row["address"] for row in members.json] == ["anna@example.net", "bert@example.net"]
