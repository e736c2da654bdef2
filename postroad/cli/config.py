"""`postroad config`: what the settings say, before anything is started."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from postroad.cli.frame import Call, command, group
from postroad.cli.output import complain

if TYPE_CHECKING:
    from postroad.runtime.config import Config

config = group("config", "The settings.", example="postroad config check")


@command(config, "check", example="postroad config check --config /etc/postroad/postroad.toml")
def check(call: Call) -> None:
    """Read the settings, the environment and every secret file; print what holds.

    Defaults included, secrets hidden, in the form of a settings file; comments at its end say
    what to publish in DNS for copies that are signed. Wrong settings are listed on stderr, all
    at once, with exit code 2. Nothing is connected to.
    """
    from postroad.cli.signing import keys_of
    from postroad.mail import headermatch
    from postroad.runtime.alarms import telling
    from postroad.runtime.errors import SettingsError
    from services.membership.letters import site
    from services.router import hooking

    try:
        for line in call.config.site.header_checks:
            headermatch.typed(line)
    except ValueError as error:
        raise SettingsError(f"[site] header_checks: {error}") from None
    hooking.load(call.config.site.hooks)
    telling.load(call.config.alarm.handlers)
    site.read(call.config.site.letters_dir, call.config.site.default_language)
    warnings = (*call.config.warnings, *call.config.check_files())
    held = plain(call.config)
    keys = [key for domain in call.config.domain for key in keys_of(domain)]
    answer = {
        "file": call.config.path,
        "settings": held,
        "publish": {key.name: key.record for key in keys},
        "warnings": warnings,
    }
    publish = [f"\n# publish: {key.name}. TXT {key.zone_text}" for key in keys]
    call.show(answer, lambda: print("\n".join([as_toml(held), *publish])))
    if not call.json:
        for warning in warnings:
            complain(f"warning: {warning}")


def plain(settings: Config) -> dict[str, Any]:
    """All settings as plain data without unset ones, secrets in URLs hidden."""
    from postroad.runtime.settings_sources import foreign

    everything = msgspec.to_builtins(settings, enc_hook=str, builtin_types=(date,))
    for own in ("path", "warnings"):
        del everything[own]
    for source in everything["source"]:
        for key in foreign(source["kind"]):
            del source[key]
    for relay in everything["relay"]:
        if not relay["host"]:
            del relay["port"], relay["tls"]  # which it does not have
    shown = {section: _hidden(value) for section, value in everything.items() if value}
    return {section: value for section, value in shown.items() if value}


def as_toml(sections: dict[str, Any]) -> str:
    """Plain settings in the form of a settings file."""
    parts = []
    for name, value in sections.items():
        for table in value if isinstance(value, list) else [value]:
            head = f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            lines = [f"{key} = {_toml(item)}" for key, item in table.items()]
            parts.append("\n".join([head, *lines]))
    return "\n\n".join(parts)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, date):
        return value.isoformat()
    # strings, numbers and truths are the same in JSON and in TOML
    return msgspec.json.encode(value).decode()


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items() if item not in (None, "", ())}
    if isinstance(value, tuple | list):
        return [_hidden(item) for item in value]
    if isinstance(value, str) and "://" in value:
        return ",".join(_without_secrets(url) for url in value.split(","))
    return value


def _without_secrets(url: str) -> str:
    """A URL whose login and query, where tokens stand, are starred out."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    netloc = f"***@{host}" if at and login else parts.netloc
    return urlunsplit(parts._replace(netloc=netloc, query="***" if parts.query else ""))
