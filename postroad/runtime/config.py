"""Postroad's settings: one TOML file, every value overridable from the environment.

`Config.load` reads `postroad.toml`, lays POSTROAD_SECTION__KEY variables over it (see
settings_reader) and checks everything; all problems are reported at once, in one SettingsError.
Nothing here opens a connection, and secrets are read only when asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from postroad.runtime import secretfile, settings_checks, settings_routes, settings_sources
from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import duration, size
from postroad.runtime.settings import (
    Alarm,
    BrokerSettings,
    Destination,
    Dns,
    Domain,
    OAuth2,
    Relay,
    Site,
    Source,
    Spamd,
    Telemetry,
    Web,
    client_secret,
)
from postroad.runtime.settings_analytics import Analytics
from postroad.runtime.settings_places import check_place
from postroad.runtime.settings_reader import Reader
from postroad.runtime.settings_retention import Retention, check_retention, warn_retention
from postroad.runtime.tomlfile import read_toml

__all__ = [
    "Alarm",
    "Analytics",
    "BrokerSettings",
    "Config",
    "Destination",
    "Dns",
    "Domain",
    "OAuth2",
    "Relay",
    "Retention",
    "Site",
    "Source",
    "Spamd",
    "Telemetry",
    "Web",
    "duration",
    "size",
]

Given = Mapping[str, Sequence[Collection[str]]]
PLACES = (Path("postroad.toml"), Path("/etc/postroad/postroad.toml"))

_SINGLE: dict[str, type[msgspec.Struct]] = {
    "site": Site,
    "broker": BrokerSettings,
    "alarm": Alarm,
    "analytics": Analytics,
    "telemetry": Telemetry,
    "retention": Retention,
    "web": Web,
    "dns": Dns,
    "spamd": Spamd,
}
_REPEATED: dict[str, type[msgspec.Struct]] = {
    "domain": Domain,
    "source": Source,
    "relay": Relay,
}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of one installation.

    `path` is the file they came from. `web` is None when there is no [web] section. `domain`
    always holds the domain of [site] as well. `warnings` are lines about settings that work
    and are still unwise; whoever starts something shows them once.
    """

    path: Path
    site: Site
    broker: BrokerSettings = BrokerSettings()
    domain: tuple[Domain, ...] = ()
    source: tuple[Source, ...] = ()
    relay: tuple[Relay, ...] = ()
    alarm: Alarm = Alarm()
    analytics: Analytics = Analytics()
    telemetry: Telemetry = Telemetry()
    retention: Retention = Retention()
    web: Web | None = None
    dns: Dns = Dns()
    spamd: Spamd | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str]) -> Config:
        """Read, overlay and check; SettingsError (several lines if need be) when anything is wrong.

        Without `path`: POSTROAD_CONFIG, ./postroad.toml, /etc/postroad/postroad.toml.
        """
        file = _find(path, environ).absolute()
        reader = Reader(read_toml(file), _SINGLE, _REPEATED, file.parent)
        reader.overlay(environ)
        domains = reader.entries("domain", Domain)
        relays = reader.entries("relay", Relay)
        site = _completed(reader.section("site", Site) or Site(), domains, file.parent)
        sources = reader.entries("source", Source)
        config = cls(
            path=file,
            site=site,
            broker=reader.section("broker", BrokerSettings) or BrokerSettings(),
            domain=_with(site.domain, domains),
            source=sources,
            relay=relays,
            alarm=reader.section("alarm", Alarm) or Alarm(),
            analytics=reader.section("analytics", Analytics) or Analytics(),
            telemetry=reader.section("telemetry", Telemetry) or Telemetry(),
            retention=reader.section("retention", Retention) or Retention(),
            web=reader.section("web", Web),
            dns=reader.section("dns", Dns) or Dns(),
            spamd=reader.section("spamd", Spamd),
        )
        lines = _checked(config, reader.given)
        checked = (line for line in lines if not line.startswith(reader.marred))
        problems = list(dict.fromkeys([*reader.problems, *checked]))
        if problems:
            raise SettingsError(_report(file, problems))
        warnings = (
            *settings_checks.warn(site, config.domain, sources, relays, config._secret_files()),
            *warn_retention(config.retention),
            *settings_checks.warn_alarm(config.alarm),
        )
        return msgspec.structs.replace(config, warnings=warnings)

    @property
    def key_file(self) -> Path:
        """Where the site key lies, or will."""
        return self.site.secret_file or self.site.state_dir / "site.key"

    def site_key(self) -> bytes:
        """32 random bytes that every HMAC of this installation rests on.

        From secret_file; when that is unset, from state_dir/site.key, which is created (0600).
        Losing it orphans every address: PEOPLE can no longer be found by it. So whoever has a
        broker asks `sitekey.settle` first, which makes none where people are.
        """
        if self.site.secret_file is not None:
            return secretfile.read_key(self.site.secret_file)
        return secretfile.create_key(self.key_file)

    def kept_key(self) -> bytes:
        """The same, and never made: SettingsError where it is missing."""
        return secretfile.read_key(self.key_file)

    def check_files(self) -> tuple[str, ...]:
        """Read every secret, and look where relays are; SettingsError listing what is missing,
        empty or of the wrong sort. Returns warnings, as `warnings` has.

        For whatever starts services, so that a wrong file is told before anything runs. A
        plain command loads settings without it: its user may have no right to the passwords.
        """
        # ssl and cryptography take 30 ms to import, and most commands do without
        from postroad.runtime.servertls import server_context  # noqa: PLC0415
        from postroad.runtime.signingkeys import signing_keys, unsealed  # noqa: PLC0415

        reads: list[Callable[[], object]] = []
        for account in self.accounts:
            reads += [account.password] if account.password_file is not None else []
            reads.append(partial(client_secret, account))
        reads += [relay.token for relay in self.relay]
        reads += [partial(server_context, source) for source in self.source]
        reads += [partial(signing_keys, domain) for domain in self.domain]
        reads += [self.site_key] if self.site.secret_file is not None else []
        problems = [wrong for relay in self.relay for wrong in check_place(relay)]
        for read in reads:
            try:
                read()
            except SettingsError as error:
                problems.append(str(error))
        if problems:
            raise SettingsError(_report(self.path, problems))
        return tuple(w for domain in self.domain for w in unsealed(domain, signing_keys(domain)))

    @property
    def accounts(self) -> tuple[Source | Relay, ...]:
        """Whatever is logged in to."""
        return (*self.source, *self.relay)

    def relays_of(self, domain: Domain) -> tuple[Relay, ...]:
        """Those that copies of its lists may go through, some of them or all."""
        return tuple(r for r in self.relay if r.domains or domain.relay in ("", r.name))

    def _secret_files(self) -> list[Path]:
        paths = [self.site.secret_file, self.broker.creds_file]
        paths += [account.password_file for account in self.accounts]
        paths += [a.oauth2.client_secret_file for a in self.accounts if a.oauth2]
        paths += [relay.token_file for relay in self.relay]
        paths += [source.tls_key_file for source in self.source]
        return [path for path in paths if path is not None]


def _find(path: Path | None, environ: Mapping[str, str]) -> Path:
    if path is not None:
        return path
    if environ.get("POSTROAD_CONFIG"):
        return Path(environ["POSTROAD_CONFIG"])
    for place in PLACES:
        if os.path.exists(place):  # noqa: PTH110  Path's raises in a folder of somebody else's
            return place
    raise SettingsError(
        f"there are no settings: neither {PLACES[0]} here nor {PLACES[1]} exists; "
        "write one (README.md has an example), or name yours with --config FILE; "
        "to look around first, run: postroad demo"
    )


def _completed(site: Site, domains: tuple[Domain, ...], folder: Path) -> Site:
    domain = (site.domain or (domains[0].name if domains else "")).lower()
    return msgspec.structs.replace(
        site,
        domain=domain,
        base_url=(site.base_url or f"https://{domain}").rstrip("/"),
        state_dir=folder / site.state_dir,
    )


def _with(name: str, domains: tuple[Domain, ...]) -> tuple[Domain, ...]:
    lowered = tuple(msgspec.structs.replace(d, name=d.name.lower()) for d in domains)
    if any(domain.name == name for domain in lowered):
        return lowered
    return (*lowered, Domain(name=name))


def _checked(config: Config, given: Given) -> list[str]:
    if not config.site.domain:
        return ['[site] domain is missing: the domain of your lists, such as "lists.example.org"']
    return [
        *settings_checks.check_site(config.site),
        *settings_checks.check_broker(config.broker),
        *settings_checks.check_telemetry(config.telemetry),
        *check_retention(config.retention),
        *settings_checks.check_alarm(config.alarm),
        *settings_checks.check_dns(config.dns),
        *settings_checks.check_analytics(config.analytics),
        *settings_checks.check_spamd(config.spamd),
        *settings_checks.check_web(config.web, config.site),
        *settings_checks.check_domains(config.domain, config.relay),
        *settings_sources.check_sources(config.source, config.domain, given["source"]),
        *settings_checks.check_relays(config.relay, given["relay"]),
        *settings_routes.check_routes(config.relay, config.domain),
    ]


def _report(file: Path, problems: list[str]) -> str:
    if len(problems) == 1:
        return f"{file}: {problems[0]}"
    return "\n".join([f"{file}: {len(problems)} problems", *(f"  {line}" for line in problems)])
