"""A list of Mailman 2.1 as its `config.pck` has it: its names and numbers as Mailman 3's words.

The attributes are those of Mailman/MailList.py and its mixins in 2.1; numbers stand for choices
as Mailman/Defaults.py and Mailman/Gui have them. Passwords are not read. A `config.pck` holds no
dates of joining; the log `subscribe` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from postroad.cli.mailman.form import OldList, OldPerson, Unreadable, Value
from postroad.cli.mailman.rosters import Joined

Config = Mapping[str, Any]

RENAMED = {  # where only the name changed
    "real_name": "display_name",
    "include_list_post_header": "allow_list_posts",
    "filter_mime_types": "filter_types",
    "pass_mime_types": "pass_types",
    "filter_filename_extensions": "filter_extensions",
    "pass_filename_extensions": "pass_extensions",
    "bounce_processing": "process_bounces",
    "send_welcome_msg": "send_welcome_message",
    "send_goodbye_msg": "send_goodbye_message",
    "dmarc_moderation_addresses": "dmarc_addresses",
    "digestable": "digests_enabled",
    "msg_header": "header",
    "msg_footer": "footer",
}
_POLICIES = ("open", "confirm", "moderate", "confirm_then_moderate")
UNDATED = Joined()
CHOICES: Mapping[str, tuple[str, tuple[str, ...]]] = {  # name of Mailman 3, words by number
    "reply_goes_to_list": (
        "reply_goes_to_list",
        ("no_munging", "point_to_list", "explicit_header"),
    ),
    "subscribe_policy": ("subscription_policy", _POLICIES),
    # 0: whoever wants to leave confirms it by mail; 1: a moderator has to agree
    "unsubscribe_policy": ("unsubscription_policy", ("confirm", "confirm_then_moderate")),
    "generic_nonmember_action": (
        "default_nonmember_action",
        ("accept", "hold", "reject", "discard"),
    ),
    "personalize": ("personalize", ("none", "individual", "full")),
    "filter_action": ("filter_action", ("discard", "reject", "forward", "preserve")),
    "dmarc_moderation_action": (
        "dmarc_mitigate_action",
        ("no_mitigation", "munge_from", "wrap_message", "reject", "discard"),
    ),
}
MODERATED = ("hold", "reject", "discard")  # member_moderation_action
STATUS = ("enabled", "unknown", "by_user", "by_moderator", "by_bounces")
RULES = {  # action of a header_filter_rule; 4 and 5 are of no rule
    0: "defer",
    1: "accept",
    2: "reject",
    3: "discard",
    6: "accept",
    7: "hold",
}
DAYS = ("bounce_info_stale_after", "bounce_you_are_disabled_warnings_interval")  # in seconds
NO_COPY_OF_OWN, PLAIN_DIGESTS, MODERATE, NO_DUPLICATES = 2, 8, 128, 256  # bits of user_options
_ABOUT_PEOPLE = """
    members digest_members user_options language usernames passwords delivery_status bounce_info
    topics_userinterest owner moderator one_last_digest hold_and_cmd_autoresponses
    postings_responses admin_responses request_responses password mod_password post_password
    evictions
"""
_READ_APART = """
    created_at host_name ban_list header_filter_rules bounce_matching_headers from_is_list
    member_moderation_action default_member_moderation acceptable_aliases data_version post_id
    last_post_time next_post_number next_digest_number volume digest_last_sent_at
"""
NO_SETTINGS = frozenset((_ABOUT_PEOPLE + _READ_APART).split())
FIELDS = {  # in headers and footers
    "%(real_name)s@%(host_name)s": "$listname",
    "%(real_name)s": "$display_name",
    "%(list_name)s": "$short_listname",
    "%(_internal_name)s": "$short_listname",
    "%(host_name)s": "$domain",
    "%(description)s": "$description",
    "%(user_address)s": "$user_email",
}
_FIELD = re.compile(r"%\([^)]*\)[sd]?")
_HEADER = re.compile(r"\^?([A-Za-z][A-Za-z0-9-]*):\s?(?:\\s\*)?(.*)")


def old_list(pickled: object, *, address: str = "", joined: Joined = UNDATED) -> OldList:
    """The list. `address` is for where the file does not say its own. Raises Unreadable."""
    if not isinstance(pickled, dict):
        raise Unreadable("it holds no settings of a list")
    config = {_text(name): value for name, value in pickled.items()}
    if not {"members", "user_options"} <= set(config):
        raise Unreadable("it holds no list of Mailman 2.1: members and user_options are missing")
    name, host = _text(config.get("real_name")).lower(), _text(config.get("host_name")).lower()
    address = address or (f"{name}@{host}" if name and host else "")
    if not address:
        raise Unreadable("it does not say the list's address; give it with --list")
    created = config.get("created_at")
    losses: list[tuple[str, str]] = []
    return OldList(
        address=address,
        created=_date(created),
        settings=dict(_settings(config, losses)),
        people=tuple(_people(config, joined.of(address.partition("@")[0]))),
        bans=_texts(config.get("ban_list")),
        header_matches=tuple(_matches(config, losses)),
        losses=tuple(losses),
    )


def _settings(config: Config, losses: list[tuple[str, str]]) -> Iterator[tuple[str, Value]]:
    for name, raw in config.items():
        if name in NO_SETTINGS:
            continue
        if name in CHOICES:
            yield _chosen(name, raw)
        elif name in ("msg_header", "msg_footer"):
            yield RENAMED[name], _lines(RENAMED[name], _text(raw), losses)
        elif name in DAYS:
            yield name, f"{round(_number(raw) / 86_400)}d"
        elif (value := _value(raw)) is not None:
            yield RENAMED.get(name, name), value
    moderated = bool(config.get("default_member_moderation"))
    yield "default_member_action", _moderated(config) if moderated else "defer"
    if aliases := _text(config.get("acceptable_aliases")).split():
        yield "acceptable_aliases", tuple(aliases)
    if from_is_list := _number(config.get("from_is_list")):
        yield "dmarc_mitigate_unconditionally", True
        if not _number(config.get("dmarc_moderation_action")):
            yield "dmarc_mitigate_action", "munge_from" if from_is_list == 1 else "wrap_message"


def _chosen(name: str, raw: object) -> tuple[str, str]:
    real, words = CHOICES[name]
    number = int(_number(raw))
    return real, words[number] if 0 <= number < len(words) else str(number)


def _moderated(config: Config) -> str:
    number = int(_number(config.get("member_moderation_action")))
    return MODERATED[number] if 0 <= number < len(MODERATED) else "hold"


def _lines(name: str, text: str, losses: list[tuple[str, str]]) -> str:
    """A header or footer with our merge fields; a line with one that we have not is left out."""
    for old, new in FIELDS.items():
        text = text.replace(old, new)
    kept = []
    for line in text.replace("%%", "%").splitlines():
        if unknown := _FIELD.search(line):
            losses.append((f"a line of {name}", f"there is no {unknown[0]} here: {line.strip()}"))
        else:
            kept.append(line.rstrip())
    return "\n".join(kept).strip("\n")


def _people(config: Config, joined: Mapping[str, datetime]) -> Iterator[OldPerson]:
    usual = bool(config.get("default_member_moderation"))
    names, options = _by_address(config, "usernames"), _by_address(config, "user_options")
    status = _by_address(config, "delivery_status")
    languages = _by_address(config, "language")
    for roster in ("members", "digest_members"):
        for key, cased in _by_address(config, roster).items():
            bits = int(_number(options.get(key)))
            digest = "plaintext_digests" if bits & PLAIN_DIGESTS else "mime_digests"
            moderated = bool(bits & MODERATE)
            action = _moderated(config) if moderated else "defer"
            yield OldPerson(
                address=_text(cased) or key,
                display_name=_text(names.get(key)),
                delivery_mode="regular" if roster == "members" else digest,
                delivery_status=_status(status.get(key)),
                moderation_action="" if moderated == usual else action,
                receive_own_postings=not bits & NO_COPY_OF_OWN,
                receive_list_copy=not bits & NO_DUPLICATES,
                preferred_language=_text(languages.get(key)),
                since=joined.get(key),
            )
    for role in ("owner", "moderator"):
        for address in _texts(config.get(role)):
            yield OldPerson(address=address, role=role)


def _by_address(config: Config, name: str) -> Mapping[str, Any]:
    table = config.get(name)
    if not isinstance(table, dict):
        return {}
    return {_text(key).lower(): value for key, value in table.items()}


def _status(raw: object) -> str:
    number = raw[0] if isinstance(raw, tuple) and raw else raw
    number = int(_number(number))
    return STATUS[number] if 0 <= number < len(STATUS) else "enabled"


def _matches(config: Config, losses: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    rules = config.get("header_filter_rules")
    for rule in rules if isinstance(rules, list) else ():
        if not isinstance(rule, tuple) or len(rule) < 2:
            continue
        action = RULES.get(int(_number(rule[1])), "hold")
        for line in _text(rule[0]).splitlines():
            if action != "defer":
                yield from _match(line, action, losses)
    for line in _text(config.get("bounce_matching_headers")).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield from _match(line, "hold", losses)


def _match(line: str, action: str, losses: list[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    if not line.strip():
        return
    found = _HEADER.fullmatch(line.strip())
    if found is None:
        losses.append((f"header rule {line.strip()}", "it names no header; see header_matches"))
    else:
        yield found[1], found[2] or ".", action


def _value(raw: object) -> Value | None:
    match raw:
        case bool() | int() | float():
            return raw
        case str() | bytes():
            return _text(raw)
        case list() | tuple():
            return _texts(raw)
        case _:
            return None


def _texts(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        return ()
    return tuple(filter(None, (_text(one) for one in raw)))


def _text(raw: object) -> str:
    """Text of Python 2 is octets; what is not UTF-8 is most often Latin-1."""
    if isinstance(raw, bytes):
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    return raw if isinstance(raw, str) else ""


def _number(raw: object) -> float:
    return raw if isinstance(raw, int | float) else 0


def _date(raw: object) -> datetime | None:
    seconds = _number(raw)
    if not 0 < seconds < 1 << 33:  # year 2242
        return None
    return datetime.fromtimestamp(seconds, UTC)
