"""A list: its settings (Mailman's names, safer defaults) and its events."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.envelope import Event

FilterAction = Literal["hold", "reject", "discard"]
Action = Literal["defer", "accept", "hold", "reject", "discard"]
SpamAction = Literal["defer", "hold", "reject", "discard"]
Policy = Literal["open", "confirm", "moderate", "confirm_then_moderate"]
DmarcAction = Literal["no_mitigation", "munge_from", "wrap_message", "reject", "discard"]

EXECUTABLE = ("exe", "bat", "cmd", "com", "pif", "scr", "vbs", "cpl")  # as Mailman 2.1 has them


class ListSettings(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Settings of one list. `personalize`: `individual` sends each member an own copy (VERP),
    `none` shares one copy among many recipients. `sub_address` is the form of the addresses we
    generate: `team-owner@`, `team+owner@`, or none at all. A `subject_prefix` of None means
    `[Name] ` from the display name; an empty one means no prefix. `header` is put above and
    `footer` below the text of every post: lines parted by LF, with merge fields
    (`postroad.mail.mergefields`). `subscription_policy` and `unsubscription_policy`
    say what a mail to `-join` and `-leave` does: at once, once it is confirmed, once the owners
    agree, or both.
    `preferred_language` is that of the list's letters, empty for the site's.
    `also_to` are addresses that get each post besides the members: an archive, another list.
    `bounce_notify_owner_on_bounce_increment` is whether owners hear, once a day, of copies that
    failed for good; Mailman writes at once, and by default not at all. With `process_bounces` a
    member's delivery stops at `bounce_score_threshold` points; a score is forgotten after
    `bounce_info_stale_after` days without a bounce. Who is stopped is warned
    (with `verp_probes`: only if a letter to see whether it does comes back too)
    `bounce_you_are_disabled_warnings` times, `..._interval` days apart, and then removed. Held
    mail that nobody decided on is discarded `max_days_to_hold` days after the owners were told of
    it; 0 for never.
    `reply_goes_to_list` says what is put into Reply-To beside what stands there, or instead of it
    (`first_strip_reply_to`). Lists made before `require_explicit_destination` was on by default
    have it off, as their event says.

    Of `*_these_nonmembers`, `bans` and `dmarc_addresses` an entry is `#` and the key of an address,
    `^` and a pattern, `@` and the address of a list (in the last two: a domain). `header_matches`
    are as `postroad.mail.headermatch` writes them, `moderator_password` as `postroad.mail.approval`
    hashes it. Sizes are in KB of 1,024 octets; a limit of 0 is none.

    With `filter_content` members get those parts of a mail that pass `filter_types`, `pass_types`
    (`type` or `type/subtype`, lower case), `filter_extensions` and `pass_extensions` (without dot,
    lower case); `filter_action` is for mail of which nothing is left. `dmarc_mitigate_action` is
    for mail that receivers would refuse once a list has changed it, as the domain of its author
    asks them to; of domains that nobody can ask, with `dmarc_mitigate_unknown`. `spam_action` is
    for what a spam filter takes for spam or gives `spam_threshold` points (0: as it says itself).
    """

    display_name: str = ""
    description: str = ""
    subject_prefix: str | None = None
    header: str = ""
    footer: str = ""
    reply_goes_to_list: Literal[
        "no_munging", "point_to_list", "explicit_header", "explicit_header_only"
    ] = "no_munging"
    reply_to_address: str = ""
    first_strip_reply_to: bool = False
    anonymous_list: bool = False
    include_rfc2369_headers: bool = True
    default_member_action: Action = "defer"
    default_nonmember_action: Action = "hold"
    personalize: Literal["individual", "none"] = "individual"
    sub_address: Literal["dash", "plus", "none"] = "dash"
    acceptable_aliases: tuple[str, ...] = ()
    subscription_policy: Policy = "confirm"
    unsubscription_policy: Policy = "confirm"
    send_welcome_message: bool = True
    send_goodbye_message: bool = True
    preferred_language: str = ""
    also_to: tuple[str, ...] = ()
    bounce_notify_owner_on_bounce_increment: bool = True
    process_bounces: bool = True
    bounce_score_threshold: int = 5
    bounce_info_stale_after: int = 7
    bounce_you_are_disabled_warnings: int = 3
    bounce_you_are_disabled_warnings_interval: int = 7
    verp_probes: bool = False
    bounce_notify_owner_on_disable: bool = True
    bounce_notify_owner_on_removal: bool = True
    max_days_to_hold: int = 30
    emergency: bool = False
    moderator_password: str = ""
    accept_these_nonmembers: tuple[str, ...] = ()
    hold_these_nonmembers: tuple[str, ...] = ()
    reject_these_nonmembers: tuple[str, ...] = ()
    discard_these_nonmembers: tuple[str, ...] = ()
    bans: tuple[str, ...] = ()
    administrivia: bool = True
    require_explicit_destination: bool = True
    max_num_recipients: int = 10
    max_message_size: int = 10_240
    no_subject_action: Action = "hold"
    header_matches: tuple[str, ...] = ()
    filter_content: bool = False
    filter_types: tuple[str, ...] = ()
    pass_types: tuple[str, ...] = ()
    filter_extensions: tuple[str, ...] = EXECUTABLE
    pass_extensions: tuple[str, ...] = ()
    collapse_alternatives: bool = True
    convert_html_to_plaintext: bool = False
    filter_action: FilterAction = "hold"
    dmarc_mitigate_action: DmarcAction = "munge_from"
    dmarc_mitigate_unconditionally: bool = False
    dmarc_mitigate_unknown: bool = False
    dmarc_addresses: tuple[str, ...] = ()
    dmarc_moderation_notice: str = ""
    dmarc_wrapped_message_text: str = ""
    spam_action: SpamAction = "hold"
    spam_threshold: float = 0.0
    spam_discard_threshold: float = 0.0
    spam_hold_unchecked: bool = False


class ListCreated(Event, tag="list_created", kw_only=True):
    """A list came to be. `slug` is its name in subjects: fixed, never used again."""

    slug: str
    address: str
    settings: ListSettings


class ListConfigured(Event, tag="list_configured", kw_only=True):
    """Settings changed: name to (old, new)."""

    changes: dict[str, tuple[object, object]]


class ListLetterSet(Event, tag="list_letter_set", kw_only=True):
    """The list has a text of its own for a letter (`services.membership.letters`), as typed, or has
    none any more: then `new` is empty, as `old` is where it had none. `language` is empty for
    every language."""

    letter: str
    language: str = ""
    old: str = ""
    new: str = ""


class ListClosed(Event, tag="list_closed", kw_only=True):
    """The list takes no more mail; its history stays."""

    reason: str = ""
