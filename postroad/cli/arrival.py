"""Whether the mail of a list can arrive: its address and those that its letters name, against the
mailboxes of the settings. Pure.

    arrival.obstacle(config, "ourclub@gmail.com", "dash")  # what is in the way, and what helps
    arrival.plus_only(config, "ourclub@gmail.com")         # "gmail": dash addresses are not ours
"""

from __future__ import annotations

from typing import NamedTuple

from postroad.mail.addresses import Form, sub_address
from postroad.runtime import profiles
from postroad.runtime.config import Config, Source


class Obstacle(NamedTuple):
    """Why mail does not arrive, and what helps."""

    what: str
    remedy: str


def obstacle(config: Config, address: str, form: Form) -> Obstacle | None:
    """Why mail for the list with this (normal) address, or for its sub-addresses in this form,
    reaches no mailbox of the settings; None where nothing speaks against it."""
    local, _, domain = address.rpartition("@")
    if domain not in {known.name for known in config.domain}:
        return Obstacle(
            "its domain is not in the settings, so its mail goes nowhere",
            f'add [[domain]] name = "{domain}"',
        )
    readers = [one for one in config.source if _reads(one, address)]
    if not readers:
        return Obstacle(
            f"no [[source]] reads mail for {domain}", "add a [[source]], or free one of its domain"
        )
    if domain in profiles.DOMAINS and not any(_behind(one, address) for one in readers):
        users = [one.user for one in readers if one.user.rpartition("@")[2].lower() == domain]
        user = users[0].rpartition("@")[0] if users else "MAILBOX"
        return Obstacle(
            f"no [[source]] reads the mailbox {local.partition('+')[0]}@{domain}, and at {domain} "
            "it is somebody else's",
            f"make the list at an address of your mailbox: {user}+NAME@{domain}",
        )
    bare = domain in profiles.DOMAINS and _own(config, address)
    if form == "dash" and (bare or plus_only(config, address)):
        return Obstacle(
            f"{domain} does not deliver {sub_address(address, 'join', 'dash')} to this mailbox",
            f"postroad list set {address} sub_address=plus",
        )
    return None


def warning(config: Config, address: str, form: Form) -> str:
    """The same in one line, or ""."""
    found = obstacle(config, address, form)
    if found is None:
        return ""
    return f"warning: mail for {address} cannot arrive: {found.what}; {found.remedy}"


def awaited(config: Config) -> dict[str, str]:
    """The lists that the settings count on, by address: which setting does."""
    told = {
        one.catch_all.lower(): f'[[domain]] "{one.name}" catch_all'
        for one in config.domain
        if "@" in one.catch_all
    }
    told |= {one.list.lower(): f'[[source]] "{one.name}" list' for one in config.source if one.list}
    return told


def _reads(source: Source, address: str) -> bool:
    """Whether this source may have mail for the list."""
    if source.list:
        return source.list.lower() == address
    return source.domain.lower() in ("", address.rpartition("@")[2])


def plus_only(config: Config, address: str) -> str:
    """The provider of the mailbox whose own address this is, where it delivers name+join@ and
    not name-join@; or ""."""
    known = (profiles.provider(one.profile, one.host) for one in _own(config, address))
    return next((who for who in known if who in profiles.PLUS), "")


def owner(config: Config, address: str) -> str:
    """Who gets mail to the owners of this list while it has none, or ""."""
    domain = address.rpartition("@")[2]
    return next((one.owner for one in config.domain if one.name == domain and one.owner), "")


def owner_address(address: str, form: Form) -> str:
    """Where people write to the owners of this list; read in this form where it has none."""
    return sub_address(address, "owner", "dash" if form == "none" else form)


def owner_remedy(address: str) -> str:
    """How mail to the owners of this list reaches somebody."""
    domain = address.rpartition("@")[2]
    return (
        f"postroad member add {address} YOU --role owner --confirmed"
        f' (or owner = "YOU" in [[domain]] "{domain}")'
    )


def _own(config: Config, address: str) -> list[Source]:
    """The mailboxes whose own address this is."""
    return [one for one in config.source if "+" not in address and _behind(one, address)]


def _behind(source: Source, address: str) -> bool:
    """Whether the address is the mailbox's own, or one behind its plus."""
    return _mailbox(source.user) == _mailbox(address)


def _mailbox(address: str) -> str:
    """The address that a provider delivers this one to."""
    local, _, domain = address.lower().rpartition("@")
    local = local.partition("+")[0]
    if domain in ("gmail.com", "googlemail.com"):  # support.google.com/mail/answer/7436150
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}"
