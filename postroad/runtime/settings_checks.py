"""What types cannot say about settings: names that must be unique or exist, forms, warnings.

Every check yields one line naming the section, the key and what would be right.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from postroad.runtime.errors import SettingsError
from postroad.runtime.quantities import duration, size
from postroad.runtime.secretfile import exposed
from postroad.runtime.settings import (
    Alarm,
    BrokerSettings,
    Domain,
    OAuth2,
    Relay,
    Site,
    Source,
    Telemetry,
)
from postroad.runtime.settings_places import warn_place
from postroad.runtime.settings_reader import nearest, no_choice
from postroad.runtime.settings_routes import warn_routes

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # a token of NATS subjects and of keys in KV
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")  # RFC 1123 section 2.1
_NO_TENANT = ("organizations", "common", "consumers")  # Microsoft's names for anybody's
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_site(site: Site) -> Iterator[str]:
    """A mail domain, a URL people can open, and a time."""
    yield from _domain("[site] domain", site.domain)
    yield from _url("[site] base_url", site.base_url, ("https", "http"))
    where = "[site] delivery_retry_period"
    yield from _quantity(where, site.delivery_retry_period, duration, least=1)


def check_broker(broker: BrokerSettings) -> Iterator[str]:
    """Embedded or reachable, and never more replicas than servers."""
    if broker.embedded:
        if broker.replicas != 1:
            yield "[broker] replicas: the embedded broker is one server; it has 1"
    else:
        for url in broker.url.split(","):
            if not _is_url(url.strip(), ("nats", "tls")):
                yield '[broker] url must be "embedded" or nats://HOST:4222 (several: with commas)'
                break
    yield from _quantity("[broker] ack_wait", broker.ack_wait, duration, least=1)
    if broker.monitor_url:
        yield from _url("[broker] monitor_url", broker.monitor_url, ("http", "https"))


def check_telemetry(telemetry: Telemetry) -> Iterator[str]:
    """A URL that spans can be posted to."""
    if telemetry.otlp_endpoint:
        yield from _url("[telemetry] otlp_endpoint", telemetry.otlp_endpoint, ("http", "https"))


def check_domains(domains: Sequence[Domain], relays: Sequence[Relay]) -> Iterator[str]:
    """Mail domains, each once, whose relay exists."""
    yield from _unique("domain", [domain.name for domain in domains])
    for domain in domains:
        where = f'[[domain]] "{domain.name}"'
        yield from _domain(f"{where} name", domain.name)
        if domain.relay:
            yield from _known(f"{where} relay", domain.relay, [relay.name for relay in relays])
        if domain.owner and not _is_address(domain.owner):
            yield f'{where} owner: "{domain.owner}" is not an address'
        for key, _, selector in domain.signing:
            name = key.replace("key_file", "selector")
            if not _DOMAIN.fullmatch(selector.lower()):
                yield f'{where} {name}: "{selector}" is not a name in DNS such as "postroad"'
        if len({selector.lower() for _, _, selector in domain.signing}) < len(domain.signing):
            yield f"{where}: dkim_selector and dkim_second_selector must differ"


def check_sources(sources: Sequence[Source], domains: Sequence[Domain]) -> Iterator[str]:
    """Mailboxes, each name once, that can be connected to and read as they ask."""
    yield from _unique("source", [source.name for source in sources], "imap")
    for source in sources:
        where = f'[[source]] "{source.name}"'
        yield from _entry_name(where, source.name)
        yield from _host(where, source.host)
        if not source.user:
            yield f"{where} user is empty"
        if source.password_file is None and source.oauth2 is None:
            yield f"{where}: password_file is missing (or oauth2)"
        yield from _one_login(where, source)
        if source.after not in ("seen", "delete") and not re.fullmatch("move:.+", source.after):
            choices = ("seen", "delete", "move:FOLDER")
            yield f"{where} after: {no_choice(source.after, choices)}"
        yield from _quantity(f"{where} poll", source.poll, duration, least=1)
        yield from _quantity(f"{where} max_size", source.max_size, size)
        if source.domain:
            yield from _known(f"{where} domain", source.domain, [d.name for d in domains])
        for header in source.recipient_headers:
            if not re.fullmatch(r"[!-9;-~]+", header):  # RFC 5322 section 2.2: no colon, no space
                yield f'{where} recipient_headers: "{header}" is not the name of a header'


def check_relays(relays: Sequence[Relay]) -> Iterator[str]:
    """Relays, each name once, with a whole login or none."""
    yield from _unique("relay", [relay.name for relay in relays], "smtp")
    for relay in relays:
        where = f'[[relay]] "{relay.name}"'
        yield from _entry_name(where, relay.name)
        yield from _place(where, relay)
        yield from _quantity(f"{where} retry_after", relay.retry_after, duration, least=1)
        if bool(relay.user) != (relay.password_file is not None or relay.oauth2 is not None):
            missing = "password_file" if relay.user else "user"
            yield f"{where}: {missing} is missing; a login needs user and password_file or oauth2"
        yield from _one_login(where, relay)
        for key, value, address, words in (
            ("from", relay.from_, relay.from_address, ("any", "own_domain", "user")),
            ("envelope", relay.envelope, relay.envelope_address, ("verp", "user")),
        ):
            if value == "user" and not _is_address(address):
                yield f'{where} {key} = "user": user is not an address; write the address here'
            elif address and not _is_address(address):
                yield f"{where} {key}: {no_choice(value, (*words, 'an address'))}"


_OF_KIND = {  # what says where a relay is, and what else only some kinds have
    "smtp": ("host", "port", "tls", "user", "password_file", "oauth2"),
    "lmtp": ("host", "port", "tls", "path", "user", "password_file", "oauth2"),
    "http": ("url", "token_file"),
    "file": ("path",),
}
_UNSET = (None, "", 0, "starttls")  # the last is the default of tls


def _place(where: str, relay: Relay) -> Iterator[str]:
    """One place of the form that the kind wants, and nothing that only other kinds have."""
    known = _OF_KIND[relay.kind]
    for key in dict.fromkeys(key for keys in _OF_KIND.values() for key in keys):
        if key not in known and getattr(relay, key) not in _UNSET:
            kinds = " or ".join(f'"{kind}"' for kind, keys in _OF_KIND.items() if key in keys)
            yield f'{where}: {key} is for kind = {kinds}, and this is "{relay.kind}"; remove it'
    if relay.kind == "lmtp" and relay.path is not None and relay.port:
        yield f"{where}: port is of host, and path is a socket of this machine; remove it"
    places = [key for key in ("host", "path", "url") if key in known]
    given = [key for key in places if getattr(relay, key)]
    if len(given) != 1:
        wrong = "exclude each other; remove one" if given else "is missing"
        yield f"{where}: {' and '.join(given) or ' or '.join(places)} {wrong}"
    if relay.host:
        yield from _host(where, relay.host)
    if relay.url:
        yield from _secure_url(f"{where} url", relay.url)
        if "@" in urlsplit(relay.url).netloc:
            yield f"{where} url: no secret belongs into a URL; put it into token_file"


def check_alarm(alarm: Alarm) -> Iterator[str]:
    """A command that can be split, and a URL that can be posted to."""
    try:
        shlex.split(alarm.command)
    except ValueError as error:
        yield f"[alarm] command: {str(error).lower()}"
    if alarm.webhook:
        yield from _url("[alarm] webhook", alarm.webhook, ("https", "http"))


def _one_login(where: str, account: Source | Relay) -> Iterator[str]:
    """Either a password or a token."""
    if account.oauth2 is not None:
        if account.password_file is not None:
            yield f"{where}: password_file and oauth2 exclude each other; remove one"
        yield from _alone(f"{where} oauth2", account.oauth2)
        yield from _provider(f"{where} oauth2", account.oauth2)


def _alone(where: str, oauth2: OAuth2) -> Iterator[str]:
    """What a login without a person needs."""
    if oauth2.flow != "client_credentials":
        return
    if oauth2.client_secret_file is None:
        yield f"{where}: client_secret_file is missing; client_credentials needs one"
    if oauth2.provider == "google":
        yield f'{where} flow: google has no "client_credentials" for mail; use "login"'
    if oauth2.provider == "microsoft" and oauth2.tenant in _NO_TENANT and not oauth2.token_url:
        yield f"{where}: tenant is missing; client_credentials needs that of your directory"


def _provider(where: str, oauth2: OAuth2) -> Iterator[str]:
    """URLs that tokens may travel to, and of a custom provider all that nobody can guess."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+", oauth2.tenant):
        yield f'{where} tenant: "{oauth2.tenant}" is not the id or domain of a directory'
    if oauth2.provider == "custom" and not oauth2.token_url:
        yield f"{where}: token_url is missing; a custom provider needs it"
    for key in ("token_url", "authorize_url", "device_url"):
        if url := getattr(oauth2, key):
            yield from _secure_url(f"{where} {key}", url)


def warn(
    domains: Sequence[Domain],
    sources: Sequence[Source],
    relays: Sequence[Relay],
    keys: Sequence[Path],
    *,
    web: bool,
) -> Iterator[str]:
    """What works and is still unwise."""
    if web:
        yield (
            "[web] puts https links into list headers, and this release has no web service: "
            "leave the section out unless something else answers at base_url"
        )
    if not sources:
        yield "there is no [[source]]: no mail will be read"
    if not relays:
        yield "there is no [[relay]]: no mail will be sent"
    for path in dict.fromkeys(keys):  # one file may serve several
        if exposed(path):
            yield f"{path} is readable by everybody on this machine; run: chmod o-r {path}"
    yield from warn_routes(relays, domains)
    for relay in relays:
        yield from warn_place(relay)
    yield from (_in_the_clear("source", s) for s in sources if _exposes_password(s))
    yield from (_in_the_clear("relay", r) for r in relays if _exposes_password(r))


def _exposes_password(account: Source | Relay) -> bool:
    return account.tls == "none" and bool(account.user) and account.host not in _LOOPBACK


def _in_the_clear(section: str, account: Source | Relay) -> str:
    return (
        f'[[{section}]] "{account.name}": tls = "none" sends the password in the clear '
        f"to {account.host}"
    )


def _unique(section: str, names: Sequence[str], unnamed: str = "") -> Iterator[str]:
    """`unnamed` is what one without a name is called."""
    for name in sorted({name for name in names if names.count(name) > 1}):
        many = names.count(name)
        if name == unnamed:
            yield (
                f'[[{section}]]: {many} are called "{name}", as one without a name is; '
                'give each its own, as in name = "second"'
            )
        else:
            yield f'[[{section}]] "{name}" stands {many} times; give each its own name'


def _known(where: str, name: str, names: Sequence[str]) -> Iterator[str]:
    if name not in names:
        yield f'{where}: there is no "{name}"{nearest(name, names)}'


def _entry_name(where: str, name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"{where} name: use up to 63 of a-z, 0-9, - and _"


def _host(where: str, host: str) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z0-9._:-]+", host):
        yield f'{where} host: "{host}" is not the name or address of a host'


def _domain(where: str, name: str) -> Iterator[str]:
    if not _DOMAIN.fullmatch(name.lower()):
        yield f'{where}: "{name}" is not a mail domain such as "lists.example.org"'


def _is_address(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return bool(re.fullmatch(r"[^\s@<>]+", local) and _DOMAIN.fullmatch(domain.lower()))


def _url(where: str, url: str, schemes: tuple[str, ...]) -> Iterator[str]:
    if not _is_url(url, schemes):
        yield f"{where}: not a URL of the form {schemes[0]}://HOST"


def _secure_url(where: str, url: str) -> Iterator[str]:
    """One that a secret may travel to."""
    loopback = _is_url(url, ("http",)) and urlsplit(url).hostname in _LOOPBACK
    yield from _url(where, url, ("http",) if loopback else ("https",))


def _is_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an open bracket
        return False


def _quantity(
    where: str, text: str, read: Callable[[str], float], least: float = 0.001
) -> Iterator[str]:
    try:
        if read(text) < least:
            yield f'{where}: "{text}" is too small'
    except SettingsError as error:
        yield f"{where}: {error}"
