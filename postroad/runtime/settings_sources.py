"""What may be wrong about a source: the keys of its kind, its login, what it reaches."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from postroad.runtime import settings_forms as forms
from postroad.runtime.quantities import duration, size
from postroad.runtime.settings import SOCKETS, Domain, Source
from postroad.runtime.settings_reader import no_choice

_LOGIN = ("user", "password_file", "oauth2")
_SERVER = ("profile", "host", "port", "tls", *_LOGIN)
_READ = ("start", "after", "poll")
_SOCKET = (
    *("host", "port", "tls", "user", "password_file"),
    *("tls_cert_file", "tls_key_file", "connections", "verdict"),
)
_OF_KIND: Mapping[str, tuple[str, ...]] = {  # keys that only some kinds have
    "imap": (*_SERVER, *_READ, "folder", "idle"),
    "pop3": (*_SERVER, *_READ),
    "maildir": ("path", *_READ, "folder"),
    "pipe": (),
    "lmtp": _SOCKET,
    "smtp": _SOCKET,
}
_KEYS = tuple(dict.fromkeys(key for keys in _OF_KIND.values() for key in keys))


def foreign(kind: str) -> tuple[str, ...]:
    """The keys that only other kinds have."""
    return tuple(key for key in _KEYS if key not in _OF_KIND[kind])


def check_sources(
    sources: Sequence[Source], domains: Sequence[Domain], given: Sequence[Collection[str]]
) -> Iterator[str]:
    """Sources, each name once, that can be reached and read as they ask. `given` are the keys that
    were written for each."""
    yield from forms.unique("source", [source.name for source in sources], tuple(_OF_KIND))
    yield from _ports(sources)
    for source, keys in zip(sources, given, strict=True):
        where = f'[[source]] "{source.name}"'
        known = _OF_KIND[source.kind]
        yield from forms.entry_name(where, source.name)
        yield from _only(where, source.kind, keys)
        if source.kind in SOCKETS:
            yield from _socket(where, source)
        elif "host" in known:
            yield from _server(where, source)
        if "path" in known and source.path is None:
            yield f"{where}: path is missing"
        if "after" in known:
            yield from _after(where, source)
        yield from forms.quantity(f"{where} poll", source.poll, duration, least=1)
        yield from forms.quantity(f"{where} max_size", source.max_size, size)
        yield from _reach(where, source, [domain.name for domain in domains])
        for header in source.recipient_headers:
            if not re.fullmatch(r"[!-9;-~]+", header):  # RFC 5322 section 2.2: no colon, no space
                yield f'{where} recipient_headers: "{header}" is not the name of a header'


def _only(where: str, kind: str, given: Collection[str]) -> Iterator[str]:
    """Nothing that only other kinds have."""
    for key in foreign(kind):
        if key in given:
            kinds = " or ".join(f'"{each}"' for each, keys in _OF_KIND.items() if key in keys)
            yield f'{where}: {key} is for kind = {kinds}, and this is "{kind}"; remove it'


def _server(where: str, source: Source) -> Iterator[str]:
    """A server, and a whole login."""
    if source.host:
        yield from forms.host(where, source.host)
    else:
        yield f"{where}: host is missing"
    if not source.user:
        yield f"{where}: user is missing"
    if source.password_file is None and source.oauth2 is None:
        yield f"{where}: password_file is missing (or oauth2)"
    yield from forms.one_login(where, source)


def _socket(where: str, source: Source) -> Iterator[str]:
    """A certificate and its key where there is TLS, and no password without it."""
    yield from forms.host(where, source.host)
    if bool(source.user) != (source.password_file is not None):
        missing = "password_file" if source.user else "user"
        yield f"{where}: {missing} is missing; a login needs user and password_file"
    files = {"tls_cert_file": source.tls_cert_file, "tls_key_file": source.tls_key_file}
    if source.tls == "none":
        for key in (key for key, path in files.items() if path is not None):
            yield f'{where}: {key} is for tls = "starttls" or "implicit"; set tls, or remove it'
        if source.user and source.host not in forms.LOOPBACK:
            yield (
                f'{where}: tls = "none" lets no client log in but from this machine; '
                'set tls = "starttls" or "implicit", with tls_cert_file and tls_key_file'
            )
        return
    for key in (key for key, path in files.items() if path is None):
        yield f'{where}: {key} is missing; tls = "{source.tls}" needs tls_cert_file, tls_key_file'


def _ports(sources: Sequence[Source]) -> Iterator[str]:
    """No two that listen at one port."""
    taken: dict[tuple[str, int], str] = {}
    for source in sources:
        if source.kind in SOCKETS:
            first = taken.setdefault((source.host, source.port), source.name)
            if first != source.name:
                where = f'[[source]] "{source.name}" port'
                yield f'{where}: {source.port} is that of "{first}"; choose another'


def _after(where: str, source: Source) -> Iterator[str]:
    """What can be done to a mail there, and which mails can be told apart."""
    choices = ["seen", "delete", "move:FOLDER"]
    if source.kind == "pop3":
        choices.remove("move:FOLDER")  # RFC 1939 has one folder, and no flags
    moves = "move:FOLDER" in choices and re.fullmatch("move:.+", source.after)
    if source.after not in choices and not moves:
        yield f"{where} after: {no_choice(source.after, choices)}"
    if source.kind == "maildir":
        moved = {"after": source.after.removeprefix("move:")} if moves else {}
        for key, folder in {"folder": source.folder, **moved}.items():
            if not re.fullmatch(r"(?!\.|.*\.\.)[^/\0]{1,200}", folder):
                yield f'{where} {key}: "{folder}" is not a folder such as "Lists" or "Lists.Done"'
        if moved.get("after") == source.folder:
            yield f"{where} after: it moves mail to the folder it comes from"
    if source.kind == "pop3" and source.start == "unseen":
        yield f'{where} start: POP3 does not tell which mail is read; choose "now" or "all"'


def _reach(where: str, source: Source, domains: Sequence[str]) -> Iterator[str]:
    """Lists that are in a domain of ours, and in its own."""
    if source.domain:
        yield from forms.known(f"{where} domain", source.domain, domains)
    if not source.list:
        return
    domain = source.list.rpartition("@")[2].lower()
    if not forms.is_address(source.list):
        yield f'{where} list: "{source.list}" is not an address'
    elif domain not in domains:
        yield from forms.known(f"{where} list", domain, domains)
    elif source.domain and domain != source.domain.lower():
        yield f'{where} list: it is of another domain than domain = "{source.domain}"; remove one'
