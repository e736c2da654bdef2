"""What is to be done for one list of a Mailman. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import msgspec

from postroad.cli.mailman.form import OldList, OldPerson
from postroad.cli.mailman.settings import Line, typed
from postroad.cli.mailman.texts import letters
from postroad.mail import addresses
from schemas.mass import ImportRow
from schemas.membership import DeliveryStatus, Moderation, Role
from services.membership.languages import TAG


@dataclass(frozen=True)
class Plan:
    """A list to be made with settings as typed, own texts of `letters`, and rows of an import.
    `refused` is why it cannot be; `bad` are people who cannot, with why."""

    address: str
    settings: dict[str, str]
    report: Sequence[Line]
    rows: Sequence[ImportRow]
    bad: Sequence[tuple[str, str]]
    losses: Sequence[tuple[str, str]]
    letters: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


def plans(found: Sequence[OldList]) -> list[Plan]:
    """A plan for each list, in this order. Of two lists of one address the second is refused."""
    names = [_normal(one.address) for one in found]
    all_names = frozenset(filter(None, names))
    made: list[Plan] = []
    seen: set[str] = set()
    for old, name in zip(found, names, strict=True):
        made.append(_plan(old, name, all_names, twice=name in seen))
        seen.add(name)
    return made


def _plan(old: OldList, address: str, names: Collection[str], *, twice: bool) -> Plan:
    refused = "another list of this address was read before it" if twice else ""
    try:
        addresses.validate(old.address)
    except ValueError as error:
        refused = str(error)
    settings, report = typed(old, names)
    own, said = letters(old)
    rows: list[ImportRow] = []
    bad: list[tuple[str, str]] = []
    for line, person in enumerate(old.people, 1):
        if person.role in get_args(Role) and (person.role != "nonmember" or _decided(person)):
            try:
                rows.append(_row(line, person, settings.get("preferred_language", "")))
            except ValueError as error:
                bad.append((person.address, str(error)))
    return Plan(
        address=address or old.address,
        settings=settings,
        report=sorted([*report, *said]),
        letters=own,
        rows=rows,
        bad=bad,
        losses=[*old.losses, *_losses(old)],
        refused=refused,
    )


def _decided(person: OldPerson) -> bool:
    return bool(person.moderation_action)


def _row(line: int, person: OldPerson, spoken: str) -> ImportRow:
    """Raises ValueError for what is no address."""
    # off, and Mailman knew not by whom: members can switch it on
    status = "by_user" if person.delivery_status == "unknown" else person.delivery_status
    action = person.moderation_action
    language = person.preferred_language.replace("_", "-")
    return ImportRow(
        line=line,
        address=addresses.validate(person.address),
        display_name=person.display_name,
        role=msgspec.convert(person.role, Role),
        delivery_status=msgspec.convert(status, DeliveryStatus)
        if status in get_args(DeliveryStatus)
        else None,
        moderation_action=msgspec.convert(action, Moderation)
        if action and action in get_args(Moderation)
        else None,
        receive_own_postings=person.receive_own_postings,
        receive_list_copy=person.receive_list_copy,
        preferred_language=language if TAG.fullmatch(language) and language != spoken else None,
        since=person.since,
    )


def _losses(old: OldList) -> Iterator[tuple[str, str]]:
    """What people had and will not have, counted."""
    digests = sum("digests" in one.delivery_mode for one in old.people)
    if digests:
        yield f"digests of {digests:,}", "there are none yet: they get each post by itself"
    undated = sum(one.since is None for one in old.people if one.role == "member")
    if undated:
        yield f"dates of joining of {undated:,}", "nothing tells them: they count from today"
    plain = sum(one.role == "nonmember" and not one.moderation_action for one in old.people)
    if plain:
        yield f"{plain:,} nonmembers", "nothing was decided on them: they are strangers"


def _normal(address: str) -> str:
    try:
        return addresses.normalise(address)
    except ValueError:
        return ""
