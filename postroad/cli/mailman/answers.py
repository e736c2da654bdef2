"""Answers of Mailman 3's REST API: each says itself what it is, wherever it was saved.

Mailman 3 keeps no date of joining a list. The nearest it has is when an address was verified (or
first seen), or the list was made, whichever came later: nobody was on the list before both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from postroad.cli.mailman.form import OldList, OldPerson, Value

Answer = Mapping[str, Any]
OLDEST = 1990  # before that there was no Mailman: year 1 stands for never


@dataclass
class _Site:
    """What the answers told, by kind."""

    configs: list[Answer] = field(default_factory=list)
    names: dict[str, Answer] = field(default_factory=dict)  # by list id
    members: dict[str, list[Answer]] = field(default_factory=dict)  # by list id
    preferences: dict[str, Answer] = field(default_factory=dict)  # by member id
    addresses: dict[str, Answer] = field(default_factory=dict)  # by e-mail in lower case
    bans: list[tuple[str, str]] = field(default_factory=list)  # list id or "", entry
    matches: dict[str, list[Answer]] = field(default_factory=dict)  # by list id
    templates: dict[str, list[Answer]] = field(default_factory=dict)
    unknown: int = 0


def lists(answers: Iterable[object]) -> tuple[list[OldList], int]:
    """Every list that these answers tell of, in order of address, and how many answers were of
    no kind that is known."""
    site = _Site()
    for answer in answers:
        for one in _single(answer):
            _sort(site, one)
    ids = {_id(config): config for config in site.configs}
    for name, answer in site.names.items():
        ids.setdefault(name, answer)
    found = [_list(site, list_id, config) for list_id, config in ids.items()]
    return sorted(found, key=lambda one: one.address), site.unknown


def _single(answer: object) -> Iterator[Answer]:
    """An answer, or several in a list: what collections hold, and what is none as it is."""
    for one in answer if isinstance(answer, list) else [answer]:
        if not isinstance(one, dict):
            yield {}  # counted as unknown
        elif isinstance(entries := one.get("entries"), list):
            yield from (entry if isinstance(entry, dict) else {} for entry in entries)
        elif "total_size" not in one:  # a collection of none
            yield one


def _sort(site: _Site, one: Answer) -> None:
    parts = _parts(one)
    if "fqdn_listname" in one and "created_at" in one:
        site.configs.append(one)
    elif "fqdn_listname" in one:
        site.names[_id(one)] = one
    elif "role" in one and "list_id" in one and "email" in one:
        site.members.setdefault(str(one["list_id"]), []).append(one)
    elif parts[-1:] == ["preferences"] and "members" in parts:
        site.preferences[parts[parts.index("members") + 1]] = one
    elif "registered_on" in one and "email" in one:
        site.addresses[str(one["email"]).lower()] = one
    elif "header-matches" in parts and "pattern" in one:
        site.matches.setdefault(_list_of(parts), []).append(one)
    elif "bans" in parts and "email" in one:
        site.bans.append((str(one.get("list_id", "")), str(one["email"])))
    elif "uris" in parts and "name" in one:
        site.templates.setdefault(_list_of(parts), []).append(one)
    elif "user_id" not in one and parts[-1:] != ["preferences"]:
        site.unknown += 1


def _list(site: _Site, list_id: str, config: Answer) -> OldList:
    created = _time(config.get("created_at"))
    matches = sorted(site.matches.get(list_id, ()), key=_position)
    return OldList(
        address=str(config["fqdn_listname"]),
        created=created,
        settings={
            name: value for name, raw in config.items() if (value := _value(raw)) is not None
        },
        people=tuple(_person(site, one, created) for one in site.members.get(list_id, ())),
        bans=tuple(entry for where, entry in site.bans if where in ("", list_id)),
        header_matches=tuple(
            (str(one.get("header", "")), str(one["pattern"]), str(one.get("action") or "hold"))
            for one in matches
        ),
        losses=tuple(_losses(site, list_id, config)),
    )


def _losses(site: _Site, list_id: str, config: Answer) -> Iterator[tuple[str, str]]:
    if "created_at" not in config:
        yield "settings", f"there is no answer of lists/{list_id}/config"
    for one in site.templates.get(list_id, ()):
        yield (
            f"template {one['name']}",
            f"its text is at {one.get('uri', '?')}, not in the answers; set header or footer",
        )
    people = site.members.get(list_id, ())
    roles = Counter(str(one["role"]) for one in people)
    expected = config.get("member_count", site.names.get(list_id, {}).get("member_count"))
    if isinstance(expected, int) and expected > roles["member"]:
        yield "members", f"the list has {expected}, the answers tell of {roles['member']}"
    told = sum(str(one.get("member_id")) in site.preferences for one in people)
    if told < len(people):
        yield (
            "options of members",
            (
                f"there are no preferences of {len(people) - told:,} of {len(people):,}: "
                "they count as enabled"
            ),
        )


def _person(site: _Site, member: Answer, created: datetime | None) -> OldPerson:
    email = str(member["email"])
    address = site.addresses.get(email.lower(), {})
    likes = site.preferences.get(str(member.get("member_id")), {})
    seen = _time(address.get("verified_on")) or _time(address.get("registered_on"))
    role = str(member["role"])
    return OldPerson(
        address=str(address.get("original_email") or email),
        display_name=str(member.get("display_name") or address.get("display_name") or ""),
        role=role,
        delivery_mode=str(likes.get("delivery_mode") or member.get("delivery_mode") or ""),
        delivery_status=str(likes.get("delivery_status") or ""),
        # owners and moderators have `accept` unless somebody changed it; of them it says nothing
        moderation_action=str(member.get("moderation_action") or "")
        if role in ("member", "nonmember")
        else "",
        receive_own_postings=likes.get("receive_own_postings") is not False,
        receive_list_copy=likes.get("receive_list_copy") is not False,
        preferred_language=str(likes.get("preferred_language") or ""),
        since=max(filter(None, (seen, created)), default=None) if seen else None,
    )


def _position(match: Answer) -> int:
    position = match.get("position")
    return position if isinstance(position, int) else 0


def _value(raw: object) -> Value | None:
    match raw:
        case bool() | int() | float() | str():
            return raw
        case list():
            return tuple(map(str, raw))
        case _:
            return None


def _time(text: object) -> datetime | None:
    """A time of Mailman, which is UTC and does not say so."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.year < OLDEST:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _id(config: Answer) -> str:
    if "list_id" in config:
        return str(config["list_id"])
    local, _, domain = str(config["fqdn_listname"]).rpartition("@")
    return f"{local}.{domain}"


def _parts(one: Answer) -> list[str]:
    return [unquote(part) for part in str(one.get("self_link", "")).split("/")]


def _list_of(parts: list[str]) -> str:
    return parts[parts.index("lists") + 1] if "lists" in parts[:-1] else ""
