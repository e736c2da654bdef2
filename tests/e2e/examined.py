"""Settings for `postroad doctor`, and its findings by check.

found = await check("senders", tmp_path, relay(sink.port))
assert found.state == "failed"
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from postroad.cli.doctor.examination import examine
from postroad.cli.doctor.finding import Finding
from postroad.runtime.config import Config

LISTS = "lists@example.org"
SECRET = "correct horse"


def section(head: str, settings: Mapping[str, object]) -> str:
    """A section of the settings file."""
    return "".join([f"{head}\n", *(f"{key} = {_toml(v)}\n" for key, v in settings.items())])


def source(home: Path, port: int, **settings: object) -> str:
    """A mailbox on a plain loopback port, or as `settings` say."""
    usual = {"name": "box", "host": "127.0.0.1", "port": port, "tls": "none", "user": LISTS}
    return section("[[source]]", {**usual, "password_file": secret(home), **settings})


def relay(port: int, **settings: object) -> str:
    """A relay on a plain loopback port, or as `settings` say."""
    usual = {"name": "out", "host": "127.0.0.1", "port": port, "tls": "none"}
    return section("[[relay]]", {**usual, **settings})


def secret(home: Path, text: str = SECRET, name: str = "password", mode: int = 0o600) -> str:
    """A file with a secret in it."""
    path = home / name
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return str(path)


def write(home: Path, *sections: str, domain: str = "example.org") -> Path:
    """A settings file of these sections."""
    path = home / "postroad.toml"
    path.write_text(section("[site]", {"domain": domain}) + "".join(sections))
    return path


async def examined(
    home: Path, *sections: str, only: Collection[str] = (), **options: str
) -> Mapping[str, Finding]:
    """The worst finding of each check (`only`: of these) for these settings; `options` are those
    of `write`."""
    found: dict[str, Finding] = {}
    for finding in await _all(home, only, *sections, **options):
        known = found.setdefault(finding.check, finding)
        if _BADNESS[finding.state] > _BADNESS[known.state]:
            found[finding.check] = finding
    return found


async def every(name: str, home: Path, *sections: str, **options: str) -> list[Finding]:
    """All findings of one check."""
    return [f for f in await _all(home, (name,), *sections, **options) if f.check == name]


async def check(name: str, home: Path, *sections: str, **options: str) -> Finding:
    """The worst finding of one check, which says how to mend what is not ok."""
    finding = (await examined(home, *sections, only=(name,), **options))[name]
    assert bool(finding.remedy) is (finding.state != "ok"), finding
    return finding


async def _all(home: Path, only: Collection[str], *sections: str, **options: str) -> list[Finding]:
    return await examine(Config.load(write(home, *sections, **options), {}), only)


_BADNESS = {"ok": 0, "skipped": 1, "warning": 2, "failed": 3}


def trust(home: Path, *certificates: Path) -> str:
    """A file that SSL_CERT_FILE can name, with all of these."""
    path = home / "authorities.pem"
    path.write_text("".join(certificate.read_text() for certificate in certificates))
    return str(path)


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return f'"{value}"'
