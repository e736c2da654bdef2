"""Settings of Mailman as typed settings of ours, with a report: what is taken, what is so by
default, and what has no equivalent, with why.

A setting whose name we have is taken as it is, if it is valid here. Where a list left Mailman's
default and ours is the safer one, ours stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from postroad.cli.mailman.form import OldList, Value
from services.membership import entries, settings
from services.membership.entries import Around
from services.membership.refused import Refused

Outcome = Literal["taken", "default", "none"]

SAFER: Mapping[str, str] = {  # Mailman's default, and ours is safer
    "dmarc_mitigate_action": "no_mitigation",
    "personalize": "none",
    "bounce_notify_owner_on_bounce_increment": "false",
    "max_days_to_hold": "0",
}
OTHER_WORDS: Mapping[str, Mapping[str, str]] = {  # what we call it
    "personalize": {"full": "individual"},
    "filter_action": {"forward": "hold", "preserve": "hold"},
}
LETTERS = ("welcome_msg", "goodbye_msg")  # see `texts`
OFF = frozenset({"", "false", "none", "0", "0.0", "never"})

# What we have not: how it does no harm to lose it, and why there is nothing like it.
_DERIVED = "it follows from the address or is counted anew"
_DIGEST = "there are no digests yet: each post is sent by itself"
_ARCHIVE = "there is no archive yet; also_to can feed one"
_ANSWERS = "nothing is answered for a list"
_NEWS = "there is no gateway to newsgroups"
_WEB = "there are no web pages of lists"
_TEXTS = "letters have our texts; see `postroad template`"
NONE: Mapping[str, tuple[frozenset[str], str]] = {
    name: (frozenset(harmless.split()) | OFF, why)
    for names, harmless, why in (
        ("list_name mail_host fqdn_listname list_id posting_address self_link http_etag", "", ""),
        ("bounces_address join_address leave_address owner_address request_address", "", ""),
        ("no_reply_address created_at last_post_at post_id volume usenet_watermark", "", ""),
        ("next_digest_number digest_last_sent_at member_count", "", ""),
        ("digests_enabled", "true", _DIGEST),  # people who want them are counted
        ("digest_is_default mime_is_default_digest", "", _DIGEST),
        ("digest_header digest_footer", "", _DIGEST),
        ("digest_send_periodic", "true", _DIGEST),
        ("digest_size_threshold digest_size_threshhold", "30 30.0", _DIGEST),
        ("digest_volume_frequency", "monthly 1", _DIGEST),
        ("nondigestable", "true 1", _DIGEST),
        ("archive_policy", "", _ARCHIVE),
        ("archive_rendering_mode", "text", _ARCHIVE),
        ("archive archive_private", "", _ARCHIVE),
        ("public_archive_file_dir private_archive_file_dir", "", ""),
        ("archive_volume_frequency clobber_date_on_archive", "1", _ARCHIVE),
        ("autorespond_owner autorespond_postings autorespond_requests", "", _ANSWERS),
        ("autorespond_admin", "", _ANSWERS),
        ("autoresponse_grace_period autoresponse_graceperiod", "90d 90", _ANSWERS),
        ("autoresponse_owner_text autoresponse_admin_text", "", _ANSWERS),
        ("autoresponse_postings_text autoresponse_request_text", "", _ANSWERS),
        ("gateway_to_mail gateway_to_news linked_newsgroup nntp_host", "", _NEWS),
        ("newsgroup_moderation news_moderation", "", _NEWS),
        ("nntp_prefix_subject_too news_prefix_subject_too", "true 1", _NEWS),
        ("advertised", "true 1", _WEB),
        ("info", "", _WEB),
        ("member_roster_visibility", "moderators", _WEB),
        ("private_roster", "2 1 true", _WEB),
        ("obscure_addresses web_page_url admin_member_chunksize", "true 1 30", ""),
        ("member_moderation_notice nonmember_rejection_notice", "", _TEXTS),
        ("available_languages", "en", "letters are in each language that there is"),
        ("admin_immed_notify", "true 1", "moderators are always told of held mail"),
        ("admin_notify_mchanges", "", "owners get no letter of who joins or leaves"),
        ("allow_list_posts include_list_post_header", "true 1", "List-Post stands always"),
        ("include_sender_header", "true 1 2", "no copy has a Sender of the list"),
        ("respond_to_post_requests", "true 1", "authors are always told of held mail"),
        ("posting_pipeline", "default-posting-pipeline", "there is one pipeline; hooks add to it"),
        (
            "forward_unrecognized_bounces_to bounce_unrecognized_goes_to_list_owner",
            "administrators discard true 1",
            "what is not understood is shown by commands, not sent to owners",
        ),
        ("moderator_password", "", "only its hash is known; set moderator_password anew"),
        ("send_reminders", "true 1", "nobody has a password to be reminded of"),
        ("umbrella_list", "", "a list that is a member of another needs no setting"),
        ("umbrella_member_suffix", "-owner", ""),
        ("subscribe_auto_approval", "", "whom to let in at once is not a setting"),
        ("regular_exclude_lists regular_exclude_ignore", "true 1", "lists exclude nobody"),
        ("regular_include_lists", "", "use also_to on the other list"),
        ("topics topics_enabled topics_bodylines_limit", "5", "there are no topics"),
        ("drop_cc", "true 1", "Cc stays as it is"),
        ("new_member_options", "256", "members set their options themselves"),
        ("encode_ascii_prefixes scrub_nondigest", "2", ""),
        ("forward_auto_discards", "true 1", "discarded mail is shown by commands, not sent"),
        ("member_verbosity_threshold", "", "no member is held for writing much"),
        ("member_verbosity_interval", "300", "no member is held for writing much"),
        ("equivalent_domains", "", "an address is one address; add the others to the person"),
        (
            "dmarc_quarantine_moderation_action dmarc_none_moderation_action",
            "true 1",
            "dmarc_mitigate_action is for quarantine and reject, and for nothing else",
        ),
    )
    for name in names.split()
    for why in (why or _DERIVED,)
}


class Line(NamedTuple):
    """What became of one setting. `was` is what Mailman had, `now` what is set here."""

    setting: str
    was: str
    outcome: Outcome
    now: str = ""
    why: str = ""


def typed(old: OldList, lists: Collection[str]) -> tuple[dict[str, str], list[Line]]:
    """Settings as typed, and the report. `lists` are the addresses that lists will have."""
    around = Around(old.address.rpartition("@")[2].lower(), lists, _key)
    wanted: dict[str, str] = {}
    report: list[Line] = []
    for name, value in _settings(old).items():
        if name in LETTERS:
            continue
        if isinstance(value, tuple):
            kept, lines = _several(name, value, around)
        else:
            kept, lines = _one(name, _text(value), around)
        report += lines
        if kept is not None:
            wanted[name] = kept
    if wanted.get("reply_goes_to_list", "").startswith("explicit") and not wanted.get(
        "reply_to_address"
    ):
        was = wanted.pop("reply_goes_to_list")
        report = [line for line in report if line.setting != "reply_goes_to_list"]
        report.append(Line("reply_goes_to_list", was, "none", why="no reply_to_address is set"))
    return wanted, sorted(report)


def _settings(old: OldList) -> dict[str, Value]:
    """The list's settings, with the bans, header matches and strangers that Mailman keeps apart."""
    found: dict[str, Value] = {
        name: value for name, value in old.settings.items() if not _is_nothing(name, value)
    }
    if old.bans:
        found["bans"] = old.bans
    if old.header_matches:
        found["header_matches"] = tuple(
            f"{action} {header}: {pattern}" for header, pattern, action in old.header_matches
        )
    return found


def _is_nothing(name: str, value: Value) -> bool:
    """Empty, as here too, or where we have no setting. An empty `subject_prefix` is a choice."""
    return value in ("", ()) and getattr(settings.DEFAULT, name, "") in ("", ())


def _one(name: str, was: str, around: Around) -> tuple[str | None, list[Line]]:
    if name not in settings.TYPES:
        return None, _lost(name, was)
    if name == "subject_prefix" and "%d" in was:
        return None, [Line(name, was, "none", why="posts have no numbers")]
    text = OTHER_WORDS.get(name, {}).get(was, was)
    if SAFER.get(name) == text:
        ours = _shown(getattr(settings.DEFAULT, name))
        why = f"Mailman's default; ours, {ours}, is safer"
        return None, [Line(name, was, "default", why=why)]
    try:
        value = settings.parse({name: text}, around=around)[name]
    except Refused as refused:
        if name == "moderator_password":
            return None, _lost(name, was)
        return None, [Line(name, was, "none", why=str(refused))]
    if value == getattr(settings.DEFAULT, name):
        return None, [Line(name, was, "default")]
    if isinstance(value, bool):  # Mailman 2 has 1 for it
        text = _text(value)
    return text, [Line(name, was, "taken", text)]


def _lost(name: str, was: str) -> list[Line]:
    if name not in NONE:
        return [Line(name, was, "none", why="no setting of Mailman that is known here")]
    harmless, why = NONE[name]
    if why == _DERIVED:
        return []
    if was in harmless:
        return [Line(name, was, "default")]
    shown = "(set)" if name == "moderator_password" else was
    return [Line(name, shown, "none", why=why)]


def _several(name: str, values: tuple[str, ...], around: Around) -> tuple[str | None, list[Line]]:
    """Each value by itself: one that is wrong here costs no other."""
    if name not in settings.TYPES:
        return None, _lost(name, " ".join(values))
    good: list[str] = []
    report: list[Line] = []
    too_many = 0
    for value in dict.fromkeys(values):
        typed = value.strip()
        try:
            found = entries.read(name, typed, around)
        except ValueError as error:
            report.append(Line(name, value, "none", why=str(error)))
            continue
        if len(good) >= entries.most(name):
            too_many += 1
        elif found:
            good.append(typed)
    if too_many:
        why = f"there may be {entries.most(name)} of them"
        report.append(Line(name, f"{too_many:,} more", "none", why=why))
    if not good and values:
        return None, report
    text = ("\n" if name == "header_matches" else " ").join(good)
    if settings.parse({name: text}, around=around)[name] == getattr(settings.DEFAULT, name):
        return None, [*report, Line(name, text, "default")]
    return text, [*report, Line(name, text, "taken", text)]


def postponed(
    wanted: Mapping[str, str], domain: str, unmade: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Settings to make a list of this domain with, and what of them names lists that are `unmade`:
    that is added once these are there."""
    now, later = dict(wanted), {}
    for name, text in wanted.items():
        if name.endswith("_these_nonmembers"):
            items = text.split()
            waiting = [item for item in items if _list_named(item, domain) in unmade]
            if waiting:
                now[name] = " ".join(item for item in items if item not in waiting)
                later[name] = " ".join(waiting)
    return now, later


def _list_named(item: str, domain: str) -> str:
    """The address of the list that `@news` or `@news@lists.example.org` names; else empty."""
    name = item[1:].lower() if item.startswith("@") else ""
    return name if not name or "@" in name else f"{name}@{domain}"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def _shown(value: object) -> str:
    return _text(value) if isinstance(value, bool | int | float | str) else "another"


def _key(address: str) -> str:
    """Stands for the key of an address where only its form is looked at."""
    return hashlib.sha256(address.encode()).hexdigest()
