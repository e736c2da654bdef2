"""What types cannot say about settings: names that must be unique or exist, forms, warnings.

Every check yields one line naming the section, the key and what would be right.
"""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from postroad.runtime import settings_forms as forms
from postroad.runtime.quantities import duration, size
from postroad.runtime.secretfile import exposed
from postroad.runtime.settings import (
    SOCKETS,
    Alarm,
    BrokerSettings,
    Dns,
    Domain,
    Relay,
    Site,
    Source,
    Spamd,
    Telemetry,
    Web,
)
from postroad.runtime.settings_analytics import Analytics
from postroad.runtime.settings_places import warn_place
from postroad.runtime.settings_reader import no_choice
from postroad.runtime.settings_routes import warn_routes

_OF_A_FILTER = re.compile("spam|scl|junk|score", re.IGNORECASE)  # in the name of a field


def check_site(site: Site) -> Iterator[str]:
    """A mail domain, a URL people can open, and a time."""
    yield from forms.domain("[site] domain", site.domain)
    yield from forms.url("[site] base_url", site.base_url, ("https", "http"))
    for name in site.spam_headers:
        if not re.fullmatch(r"[!-9;-~]{1,76}", name):
            yield f'[site] spam_headers: "{name}" is not the name of a header field'
    where = "[site] delivery_retry_period"
    yield from forms.quantity(where, site.delivery_retry_period, duration, least=1)


def check_web(web: Web | None, site: Site) -> Iterator[str]:
    """A host, and links that a token may travel by: mail providers follow https alone (RFC 8058
    section 3.1)."""
    if web is None:
        return
    yield from forms.host("[web]", web.host)
    if any(forms.secure_url("", site.base_url)):
        yield "[web] needs [site] base_url to begin with https://, as links to leave by do"
    elif not re.fullmatch(r"[^?#@]*", site.base_url):
        yield "[web]: [site] base_url is what links begin with: no ?, # or @ may stand in it"


def check_broker(broker: BrokerSettings) -> Iterator[str]:
    """Embedded or reachable, and never more replicas than servers."""
    if broker.embedded:
        if broker.replicas != 1:
            yield "[broker] replicas: the embedded broker is one server; it has 1"
    else:
        for url in broker.url.split(","):
            if not forms.is_url(url.strip(), ("nats", "tls")):
                yield '[broker] url must be "embedded" or nats://HOST:4222 (several: with commas)'
                break
    yield from forms.quantity("[broker] ack_wait", broker.ack_wait, duration, least=1)
    if broker.monitor_url:
        yield from forms.url("[broker] monitor_url", broker.monitor_url, ("http", "https"))


def check_telemetry(telemetry: Telemetry) -> Iterator[str]:
    """A URL that spans and metrics can be posted to, a time that is long, and a host that only this
    machine reaches."""
    if telemetry.slow:
        yield from forms.quantity("[telemetry] slow", telemetry.slow, duration)
    if telemetry.otlp_endpoint:
        yield from forms.url(
            "[telemetry] otlp_endpoint", telemetry.otlp_endpoint, ("http", "https")
        )
    yield from forms.quantity(
        "[telemetry] metrics_interval", telemetry.metrics_interval, duration, least=1
    )
    if telemetry.port and telemetry.host not in forms.LOOPBACK and not telemetry.allow_remote:
        yield (
            f'[telemetry] host: others can reach "{telemetry.host}", and there is no login; use '
            "127.0.0.1, or say allow_remote = true"
        )


def check_dns(dns: Dns) -> Iterator[str]:
    """A name server by its address, and a time that mail may wait."""
    if dns.resolver not in ("", "none"):
        try:
            forms.name_server(dns.resolver)
        except ValueError:
            yield f'[dns] resolver: "{dns.resolver}" is not ADDRESS, ADDRESS:PORT or none'
    yield from forms.quantity("[dns] timeout", dns.timeout, duration, least=0.1)


def check_analytics(analytics: Analytics) -> Iterator[str]:
    """A snapshot is not refreshed all the time, and rows are kept for a day at least."""
    yield from forms.quantity("[analytics] refresh", analytics.refresh, duration, least=10)
    yield from forms.quantity("[analytics] keep", analytics.keep, duration, least=86_400)


def check_spamd(spamd: Spamd | None) -> Iterator[str]:
    """A host, a time that mail may wait, and a size."""
    if spamd is None:
        return
    yield from forms.host("[spamd]", spamd.host)
    yield from forms.quantity("[spamd] timeout", spamd.timeout, duration, least=0.1)
    yield from forms.quantity("[spamd] max_size", spamd.max_size, size, least=1)


def check_domains(domains: Sequence[Domain], relays: Sequence[Relay]) -> Iterator[str]:
    """Mail domains, each once, whose relay exists."""
    yield from forms.unique("domain", [domain.name for domain in domains])
    for domain in domains:
        where = f'[[domain]] "{domain.name}"'
        yield from forms.domain(f"{where} name", domain.name)
        if domain.relay:
            yield from forms.known(f"{where} relay", domain.relay, [relay.name for relay in relays])
        if domain.owner and not forms.is_address(domain.owner):
            yield f'{where} owner: "{domain.owner}" is not an address'
        yield from _catch_all(f"{where} catch_all", domain)
        for key, _, selector in domain.signing:
            name = key.replace("key_file", "selector")
            if not forms.is_name(selector):
                yield f'{where} {name}: "{selector}" is not a name in DNS such as "postroad"'
        if len({selector.lower() for _, _, selector in domain.signing}) < len(domain.signing):
            yield f"{where}: dkim_selector and dkim_second_selector must differ"


def _catch_all(where: str, domain: Domain) -> Iterator[str]:
    """A word, or a list of this very domain."""
    if domain.catch_all in ("", "discard"):
        return
    if domain.catch_all == "owner":
        if not domain.owner:
            yield f'{where} = "owner": the domain has none; set owner'
    elif not forms.is_address(domain.catch_all):
        words = ("owner", "discard", "the address of a list")
        yield f"{where}: {no_choice(domain.catch_all, words)}"
    elif domain.catch_all.rpartition("@")[2].lower() != domain.name.lower():
        yield f'{where}: a domain\'s mail stays in it; name a list of "{domain.name}"'


def check_relays(relays: Sequence[Relay], given: Sequence[Collection[str]]) -> Iterator[str]:
    """Relays, each name once, with a whole login or none. `given` are the keys that were written
    for each."""
    yield from forms.unique("relay", [relay.name for relay in relays], ("smtp",))
    for relay, keys in zip(relays, given, strict=True):
        where = f'[[relay]] "{relay.name}"'
        yield from forms.entry_name(where, relay.name)
        yield from _place(where, relay, keys)
        yield from forms.quantity(f"{where} retry_after", relay.retry_after, duration, least=1)
        if bool(relay.user) != (relay.password_file is not None or relay.oauth2 is not None):
            missing = "password_file" if relay.user else "user"
            yield f"{where}: {missing} is missing; a login needs user and password_file or oauth2"
        yield from forms.one_login(where, relay)
        for key, value, address, words in (
            ("from", relay.from_, relay.from_address, ("any", "own_domain", "user")),
            ("envelope", relay.envelope, relay.envelope_address, ("verp", "user")),
        ):
            if value == "user" and not forms.is_address(address):
                yield f'{where} {key} = "user": user is not an address; write the address here'
            elif address and not forms.is_address(address):
                yield f"{where} {key}: {no_choice(value, (*words, 'an address'))}"


_OF_KIND = {  # what says where a relay is, and what else only some kinds have
    "smtp": ("host", "port", "tls", "user", "password_file", "oauth2"),
    "lmtp": ("host", "port", "tls", "path", "user", "password_file", "oauth2"),
    "http": ("url", "token_file"),
    "file": ("path",),
}


def _place(where: str, relay: Relay, written: Collection[str]) -> Iterator[str]:
    """One place of the form that the kind wants, and nothing that only other kinds have."""
    known = _OF_KIND[relay.kind]
    for key in dict.fromkeys(key for keys in _OF_KIND.values() for key in keys):
        if key not in known and key in written:
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
        yield from forms.host(where, relay.host)
    if relay.url:
        yield from forms.secure_url(f"{where} url", relay.url)
        if "@" in urlsplit(relay.url).netloc:
            yield f"{where} url: no secret belongs into a URL; put it into token_file"


def check_alarm(alarm: Alarm) -> Iterator[str]:
    """A command that can be split, and a URL that can be posted to."""
    try:
        shlex.split(alarm.command)
    except ValueError as error:
        yield f"[alarm] command: {str(error).lower()}"
    if alarm.webhook:
        yield from forms.url("[alarm] webhook", alarm.webhook, ("https", "http"))


def warn_alarm(alarm: Alarm) -> Iterator[str]:
    """A program that is not there, or may not be run: nobody would be told."""
    program = next(iter(shlex.split(alarm.command)), "")
    if program and shutil.which(program) is None:
        yield f"[alarm] command: there is no program {program} that may be run; correct it"


def warn(
    site: Site,
    domains: Sequence[Domain],
    sources: Sequence[Source],
    relays: Sequence[Relay],
    keys: Sequence[Path],
) -> Iterator[str]:
    """What works and is still unwise."""
    for name in site.spam_headers:
        if not _OF_A_FILTER.search(name):
            yield (
                f'[site] spam_headers: no filter known here writes "{name}"; it counts where it '
                "says Yes or No, a number of points, or stars"
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
    listens = isinstance(account, Source) and account.kind in SOCKETS
    plain = account.tls == "none" and not listens
    return plain and bool(account.user) and account.host not in forms.LOOPBACK


def _in_the_clear(section: str, account: Source | Relay) -> str:
    return (
        f'[[{section}]] "{account.name}": tls = "none" sends the password in the clear '
        f"to {account.host}"
    )
