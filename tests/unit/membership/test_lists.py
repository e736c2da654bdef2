"""A list: its slug for ever, its settings as typed, and its end."""

from __future__ import annotations

from functools import reduce
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.testing import Decider
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListSettings
from services.membership import lists
from services.membership.lists import (
    State,
    decide_close,
    decide_configure,
    decide_create,
    evolve,
    initial,
    slugs,
)
from services.membership.refused import Refused

ADDRESS = "team@lists.example.org"
CREATED = ListCreated(
    slug="team-lists-example-org", address=ADDRESS, settings=ListSettings(display_name="Team")
)
NONE = ListSettings(sub_address="none")
a_list = Decider(initial=initial, evolve=evolve)
texts = st.text(max_size=20)


def known(*created: ListCreated, closed: bool = False) -> dict[str, State]:
    """These lists, open or closed."""
    end = [ListClosed()] if closed else []
    return {one.slug: reduce(lists.evolve, [one, *end], initial) for one in created}


def test_a_list_is_named_after_its_address() -> None:
    """The slug is the address with everything but letters and digits as hyphens, and the
    display name, where none is given, the local part."""
    assert decide_create({}, address=ADDRESS, typed={}) == CREATED


def test_a_list_is_created_once() -> None:
    """Creating a list that exists is refused by name."""
    with pytest.raises(Refused, match=r"team@lists\.example\.org exists already"):
        decide_create(known(CREATED), address=ADDRESS, typed={})


def test_a_slug_is_never_used_again() -> None:
    """A list created again after it was closed gets another slug: its history is another's."""
    again = decide_create(known(CREATED, closed=True), address=ADDRESS, typed={})
    assert again.slug == "team-lists-example-org-2"


def test_two_addresses_never_share_a_slug() -> None:
    """An address that would have the slug of another one gets the next free number."""
    other = decide_create(known(CREATED), address="team.lists@example.org", typed={})
    assert other.slug == "team-lists-example-org-2"


def test_none_is_no_slug() -> None:
    """`none` stands for "no list" in subjects, so no list ever has it."""
    assert list(islice(slugs("none@\u00fc"), 2)) == ["none-2", "none-3"]


@pytest.mark.parametrize(
    ("form", "longest"), [("dash", 56), ("plus", 56), ("none", 58)], ids=("dash", "plus", "none")
)
def test_a_name_leaves_room_for_its_commands(form: str, longest: int) -> None:
    """A list whose `-request` or `-owner` would pass 64 octets is refused, with that address; so
    is a change that would make it so."""
    address = "t" * longest + "@lists.example.org"
    decide_create({}, address=address, typed={"sub_address": form})
    with pytest.raises(Refused, match=r"too long: its address t+[-+]\w+@lists.* choose a shorter"):
        decide_create({}, address="t" + address, typed={"sub_address": form})
    without = a_list.given(ListCreated(slug="t", address="tt" + address, settings=NONE)).state
    with pytest.raises(Refused, match="too long"):
        decide_configure(without, typed={"sub_address": "dash"})


@pytest.mark.parametrize("name", ["team-request", "team-owner", "team+join", "team-editor"])
def test_no_list_takes_the_commands_of_another(name: str) -> None:
    """Whichever of the two was there first, the second is refused; beside a closed list, or where
    there is no such list, the name is free."""
    other = f"{name}@lists.example.org"
    with pytest.raises(Refused, match=r"is an address of the list team@.* choose another name"):
        decide_create(known(CREATED), address=other, typed={})
    created = decide_create({}, address=other, typed={})
    with pytest.raises(Refused, match="choose another name"):
        decide_create(known(created), address=ADDRESS, typed={})
    decide_create(known(created, closed=True), address=ADDRESS, typed={})


@pytest.mark.parametrize("name", ["team-news", "team+friends", "request", "t", "teams-request"])
def test_a_name_that_only_looks_like_a_command_is_free(name: str) -> None:
    """`lists+team@` beside `lists@`, as at Gmail, is as good as any other."""
    decide_create(known(CREATED), address=f"{name}@lists.example.org", typed={})


@given(st.emails())
def test_every_address_has_a_slug_fit_for_subjects(address: str) -> None:
    """A slug is lower-case letters, digits and single hyphens, whatever the address."""
    for slug in islice(slugs(address), 3):
        assert slug.isascii()
        assert slug.replace("-", "a").isalnum()
        assert slug == slug.lower().strip("-")


def test_a_change_keeps_old_and_new() -> None:
    """Configuring stores, for each setting that changes, what it was and what it is."""
    typed = {"default_nonmember_action": "reject", "description": "", "mode": "shared"}
    a_list.given(CREATED).when(decide_configure, typed=typed).then(
        ListConfigured(
            changes={
                "default_nonmember_action": ("hold", "reject"),
                "personalize": ("individual", "none"),
            }
        )
    )


def test_changes_are_settings_from_then_on() -> None:
    """Settings are what the last change of each says, also after a trip over the wire, where
    tuples are lists; a setting of a newer release is passed over."""
    changed = a_list.given(
        CREATED,
        ListConfigured(changes={"acceptable_aliases": ([], ["crew@example.org"])}),
        ListConfigured(changes={"colour": ("", "green")}),
    )
    assert changed.state.settings.acceptable_aliases == ("crew@example.org",)
    assert changed.state.settings.display_name == "Team"


def test_a_closed_list_is_left_alone() -> None:
    """A closed list takes no settings, and closing it again changes nothing."""
    closed = a_list.given(CREATED, ListClosed())
    closed.when(decide_configure, typed={"description": "x"}).then_refused(Refused, "is closed")
    closed.when(decide_close).then_nothing()
    assert not closed.state.open


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("default_nonmember_acton", "hold", "did you mean 'default_nonmember_action'"),
        ("qqqq", "x", "there are accept_these_nonmembers, "),
        ("qqqq", "x", ", mode, "),
        ("moderated", "true", "did you mean 'default_member_action'"),
        ("alias", "a@example.org", "did you mean 'acceptable_aliases'"),
        ("default_member_action", "maybe", "must be one of defer, accept, hold, reject, discard"),
        ("mode", "both", "must be one of personal, shared"),
        ("description", "two\nlines", "one line without control characters"),
        ("subject_prefix", "x" * 251, "at most 250 characters"),
        ("acceptable_aliases", "crew@example.org nobody", "'nobody' is no mail address"),
        ("pass_types", "text/plain text//html", "'text//html' is no type"),
        ("filter_extensions", "exe a/b", "'a/b' is no file name extension"),
        ("filter_types", " ".join(f"x{n}" for n in range(201)), "at most 200 of them, not 201"),
        ("filter_action", "forward", "must be one of hold, reject, discard"),
        ("also_to", f"archive@example.org {CREATED.address.upper()}", "is the list itself"),
        ("header", "$list_name", "header: there is no merge field $list_name"),
        ("reply_goes_to_list", "list", "must be one of no_munging, point_to_list, explicit_header"),
        ("reply_goes_to_list", "explicit_header", "set reply_to_address as well"),
        ("reply_to_address", "the desk", "'the desk' is no mail address"),
        ("reply_to_address", "tisch\u00fc@example.org", "must be ASCII"),
    ],
)
def test_a_wrong_setting_says_how_to_mend_it(name: str, text: str, words: str) -> None:
    """A wrong name is answered with the nearest right one, a wrong value with what is allowed;
    then nothing is changed."""
    a_list.given(CREATED).when(
        decide_configure, typed={"description": "x", name: text}
    ).then_refused(Refused, words)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("subject_prefix", "", ""),
        ("subject_prefix", "[T] ", "[T] "),
        ("display_name", "Das Team \u00fc", "Das Team \u00fc"),
        ("personalize", "none", "none"),
        ("sub_address", "plus", "plus"),
        (
            "acceptable_aliases",
            "Crew@Example.org, all@example.org",
            ("crew@example.org", "all@example.org"),
        ),
        ("acceptable_aliases", "", ()),
        ("also_to", "archive@example.org", ("archive@example.org",)),
        ("header", " Hello\n\n", " Hello"),
        ("reply_goes_to_list", "point_to_list", "point_to_list"),
        ("reply_to_address", "Desk@Example.org", "desk@example.org"),
        ("reply_to_address", "", ""),
        ("anonymous_list", "true", True),
        ("include_rfc2369_headers", "false", False),
        ("pass_types", "Text/Plain, image/*", ("text/plain", "image")),
        ("filter_types", "application", ("application",)),
        ("filter_extensions", "exe .BAT *.scr exe", ("exe", "bat", "scr")),
        ("pass_extensions", "", ()),
        ("filter_content", "true", True),
    ],
)
def test_settings_are_typed(name: str, text: str, value: object) -> None:
    """What is typed becomes what the setting holds; an empty prefix means none."""
    state = a_list.given(CREATED).state
    changed = reduce(evolve, decide_configure(state, typed={name: text}), state)
    assert getattr(changed.settings, name) == value


@given(st.dictionaries(st.sampled_from([*ListSettings.__struct_fields__, "mode"]), texts))
def test_configuring_again_changes_nothing(typed: dict[str, str]) -> None:
    """Any settings are refused, or the same settings a second time yield no events."""
    state = a_list.given(CREATED).state
    try:
        after = reduce(evolve, decide_configure(state, typed=typed), state)
    except Refused:
        return
    assert decide_configure(after, typed=typed) == ()


# --- footers ----------------------------------------------------------------------------------

FOOTER = "____\n$display_name\nTo leave: $unsubscribe"


def configured(typed: dict[str, str], **settings: str) -> ListSettings:
    """The settings of the list after this change."""
    made = ListCreated(slug="team", address=ADDRESS, settings=ListSettings(**settings))  # type: ignore[arg-type]
    state = evolve(initial, made)
    return reduce(evolve, decide_configure(state, typed=typed), state).settings


def test_a_footer_is_kept_without_what_nobody_sees() -> None:
    """Blanks at line ends go, but for those of the mark of a signature; so do empty lines."""
    typed = f"\n\n{FOOTER}  \r\n-- \nend \n\n"
    assert configured({"footer": typed}).footer == f"{FOOTER}\n-- \nend"
    assert configured({"footer": ""}, footer=FOOTER).footer == ""


@pytest.mark.parametrize(
    ("footer", "told"),
    [
        (
            "To leave: $unsubscribe_url",
            "no merge field $unsubscribe_url; did you mean $unsubscribe?",
        ),
        ("a\tb", "without tabs"),
        ("x" * 4_001, "at most 4,000 characters"),
        ("ä" * 600, "a line of it is too long"),
        ("$unsubscribe " * 4, "a line of it is too long"),
    ],
)
def test_a_footer_that_cannot_be_is_refused_in_words(footer: str, told: str) -> None:
    """An unknown field is named, with the nearest right one."""
    with pytest.raises(Refused) as refused:
        configured({"footer": footer})
    assert told in str(refused.value)
    assert refused.value.code == "bad_setting"


@pytest.mark.parametrize(
    ("typed", "settings"),
    [
        ({"footer": "To $user_email"}, {"personalize": "none"}),
        ({"mode": "shared"}, {"footer": "To ${user_email}"}),
        ({"mode": "shared"}, {"header": "To ${user_email}"}),
        ({"mode": "shared", "footer": "To $user_email"}, {}),
    ],
)
def test_who_share_a_copy_have_no_address_in_it(
    typed: dict[str, str], settings: dict[str, str]
) -> None:
    """Whichever of the two is set first; `$unsubscribe` has a form for all and is taken."""
    with pytest.raises(Refused, match=r"\$user_email is different for each member"):
        configured(typed, **settings)
    assert configured({"mode": "shared", "footer": FOOTER}).footer == FOOTER
