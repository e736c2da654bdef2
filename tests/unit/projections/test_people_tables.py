"""What analysts see of people and lists."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from projections.analytics import bounces, deadletters, lists, membership, people, routing, spans
from projections.masking import masked
from schemas import codec
from schemas.codec import UnknownEvent
from schemas.lists import ListClosed, ListConfigured, ListCreated, ListLetterSet, ListSettings
from schemas.mail import RawRef
from schemas.membership import MemberBounced, MemberSubscribed, MemberUnsubscribed
from schemas.people import AddressDropped, PersonErased, PersonKnown
from schemas.road import AsOf, Parked, PostRouted
from schemas.spans import Span, SpanBatch
from tests.unit.projections.analysis import NOON, Analysis, message

ANN, BOB = "a" * 24, "b" * 24
COPIES = "ann@Example.org"
OFFICE = "ann@office.example"


def known(person: str, address: str, **more: Any) -> PersonKnown:
    """An address becomes known."""
    return PersonKnown(person=person, address=address, display_name="Ann", **more)


@pytest.mark.parametrize(("personal", "told"), [(False, None), (True, COPIES)])
def test_an_address_is_stored_only_where_that_is_allowed(personal: bool, told: str | None) -> None:
    """Without the setting there is a domain and no address anywhere; a name there never is."""
    made = Analysis(personal=personal)
    made.fold(people.PROJECTION, [message("people.0a", 1, known(ANN, COPIES))])
    (row,) = made.ask("person", person=ANN)
    assert (row["address"], row["domain"], row["addresses"]) == (told, "example.org", 1)
    assert (row["erased"], row["erased_at"]) == (False, None)
    cells = [str(cell) for row in made.rows("from addresses") for cell in row]
    assert (COPIES in cells) is personal
    assert "Ann" not in cells


def test_of_the_erased_there_is_left_that_they_were() -> None:
    """Rows with address and domain go, of whoever is erased and of an address that is nobody's any
    more; the person stays as erased, and somebody else with the same address is somebody else."""
    made = Analysis(personal=True)
    made.fold(
        people.PROJECTION,
        [
            message("people.0a", 1, known(ANN, COPIES)),
            message("people.0b", 2, known(ANN, OFFICE, secondary=True)),
            message("people.0c", 3, known(BOB, "bob@example.net")),
            message("people.0c", 4, AddressDropped(person=BOB)),
            message("people.0d", 5, known(BOB, "bob@home.example")),
        ],
    )
    (ann,) = made.ask("person", person=ANN)
    assert (ann["address"], ann["addresses"]) == (COPIES, 2)
    (bob,) = made.ask("person", person=BOB)
    assert (bob["address"], bob["addresses"]) == ("bob@home.example", 1)
    made.fold(
        people.PROJECTION,
        [
            message("people.0a", 6, PersonErased(person=ANN)),
            message("people.0b", 7, PersonErased(person=ANN)),
            message("people.0a", 8, known("c" * 24, COPIES)),
        ],
    )
    (ann,) = made.ask("person", person=ANN)
    assert (ann["address"], ann["domain"], ann["known_since"]) == (None, None, None)
    assert (ann["addresses"], ann["erased"], ann["erased_at"] is None) == (0, True, False)
    assert made.rows("select person from addresses where address is not null order by seq") == [
        (BOB,),
        ("c" * 24,),
    ]
    told = [(row["person"], row["state"]) for row in made.ask("whose_address", key="0a")]
    assert told == [("c" * 24, "known"), (ANN, "erased")]


def test_a_list_stands_as_its_events_say() -> None:
    """Its name and settings are the latest; closing it and counting its members is told, too."""
    made = Analysis()
    settings = ListSettings(display_name="Team", max_message_size=40)
    renamed: dict[str, tuple[object, object]] = {
        "display_name": ("Team", "The Team"),
        "subject_prefix": ("[T]", None),
    }
    made.fold(
        lists.PROJECTION,
        [
            message(
                "lists.team",
                1,
                ListCreated(slug="team", address="team@lists.example.org", settings=settings),
            ),
            message("lists.team", 2, ListConfigured(changes=renamed), actor="operator:eve"),
            message("lists.team", 3, ListClosed(reason="done, says ann@example.org")),
        ],
    )
    made.fold(
        membership.PROJECTION,
        [
            message("membership.team.a", 1, MemberSubscribed(), MemberSubscribed(role="owner")),
            message("membership.team.b", 2, MemberSubscribed()),
            message("membership.team.b", 3, MemberUnsubscribed()),
        ],
    )
    (row,) = made.dicts("from lists")
    assert (row["list"], row["address"], row["members"]) == ("team", "team@lists.example.org", 1)
    assert (row["display_name"], row["closed_at"] is None) == ("The Team", False)
    told = "select setting, value, actor from settings order by setting"
    assert made.rows(told) == [
        ("display_name", "The Team", "operator:eve"),
        ("max_message_size", "40", "operator"),
        ("subject_prefix", None, "operator:eve"),
    ]
    history = made.ask("settings_of_list", list="team")
    assert [(row["seq"], row["setting"], row["old"], row["new"]) for row in history] == [
        (1, "display_name", "", "Team"),
        (1, "max_message_size", "10240", "40"),
        (2, "display_name", "Team", "The Team"),
        (2, "subject_prefix", "[T]", None),
    ]
    assert made.rows("select reason from list_events where event = 'closed'") == [
        ("done, says (address)",)
    ]


def test_settings_tell_no_address_and_no_password() -> None:
    """What owners write into settings and letters is masked; of a password is told that it is."""
    made = Analysis(personal=True)
    changes: dict[str, tuple[object, object]] = {
        "also_to": ([], ["ann@example.org", "archive@x.org"]),
        "moderator_password": ("", "scrypt$1$2"),
        "bans": ([], ["#0a0b", "^.*@spam[.]example$"]),
        "footer": ("", 'Ask "Ann Smith"@example.org or <bob%40example.net>.'),
    }
    letter = ListLetterSet(letter="welcome", language="de", new="Hallo! Fragen: ann@example.org")
    made.fold(lists.PROJECTION, [message("lists.team", 1, ListConfigured(changes=changes), letter)])
    told = dict(made.rows("select setting, new from settings_history"))
    assert told == {
        "also_to": '["(address)","(address)"]',
        "moderator_password": "(set)",
        "bans": '["#0a0b","(address)"]',
        "footer": "Ask (address) or <(address)>.",
        "letter welcome de": "Hallo! Fragen: (address)",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nothing here", "nothing here"),
        ("to ann@example.org.", "to (address)"),
        ("a\nb <ann@example.org>,c", "a\nb <(address)>,c"),
        ("ann\uff20example.org", "(address)"),
    ],
)
def test_masking_leaves_the_rest_as_it_is(text: str, told: str) -> None:
    """Only words with the sign of an address go; line ends and brackets stay."""
    assert masked(text) == told


def test_bounces_are_told_by_class_and_incident() -> None:
    """Kinds are counted per day; `unknown`, of an older release, counts as hard; those of one
    trouble at a provider are told together."""
    made = Analysis()

    def bounced(kind: Any, **more: Any) -> MemberBounced:
        return MemberBounced(kind=kind, at=NOON, server="mx.example.net", **more)

    made.fold(
        bounces.PROJECTION,
        [
            message("membership.team.a", 1, bounced("hard", points=1.0, post="m1", report="r1")),
            message("membership.team.a", 2, bounced("unknown", points=1.0, post="m2")),
            message("membership.team.b", 3, bounced("policy", incident=True, said="blocked")),
            message("membership.team.c", 4, bounced("policy", incident=True, said="blocked")),
        ],
    )
    told = "select kind, bounces, people, counted, refused from bounce_classes order by kind"
    assert made.rows(told) == [("hard", 2, 1, 2, 1), ("policy", 2, 2, 0, 2)]
    (incident,) = made.dicts("from incidents")
    assert (incident["server"], incident["people"], incident["said"]) == (
        "mx.example.net",
        2,
        "blocked",
    )
    assert [row["mail"] for row in made.ask("bounces_of_person", person="a", list=None, mail=None)]
    asked = made.ask("bounces_of_person", person="a", list="team", mail="m1")
    assert [(row["kind"], row["report"]) for row in asked] == [("hard", "r1")]


def test_growth_and_churn_count_members_alone() -> None:
    """Each day tells who came, who went and how many there are; owners who are no members count
    for nothing; each month tells which share has gone, and how."""
    made = Analysis()
    gone = MemberUnsubscribed(how="bounces", reason="mail came back")
    made.fold(
        membership.PROJECTION,
        [
            message("membership.team.a", 1, MemberSubscribed()),
            message("membership.team.b", 2, MemberSubscribed(), MemberSubscribed(role="owner")),
            message("membership.team.c", 3, MemberSubscribed(role="owner")),
            message("membership.crew.a", 4, MemberSubscribed()),
            message("membership.team.a", 30, gone),
            message("membership.team.d", 800, MemberSubscribed()),
            message("membership.team.b", 801, MemberUnsubscribed(reason="erased")),
        ],
    )
    told = [
        (str(row["day"]), row["joined"], row["gone"], row["members"])
        for row in made.ask("growth_of_list", list="team", since=None)
    ]
    assert told == [("2026-05-01", 2, 0, 2), ("2026-05-02", 0, 1, 1), ("2026-06-03", 1, 1, 1)]
    assert len(made.ask("growth_of_list", list="team", since="2026-05-02")) == 2
    churn = made.rows(
        "select * exclude (list, month) from churn where list = 'team' order by month"
    )
    assert churn == [(0, 2, 1, 1, 0, 1, 0.5), (1, 1, 1, 0, 1, 1, 0.5)]
    assert made.rows("select how, members from departures order by day") == [
        ("bounces", 1),
        ("", 1),
    ]


def test_authors_are_told_by_id() -> None:
    """Who wrote how much, the most active first; strangers nobody knows are left out."""
    made = Analysis()

    def post(seq: int, author: str, **more: Any) -> Any:
        raw = RawRef(mail_id=f"m{seq}", part=0, chunks=1, size=1, sha256="0", head=1)
        about = {"mail_id": f"m{seq}", "list": "team", "raw": raw, "as_of": AsOf(), **more}
        return message(f"mail.routed.post.team.m{seq}", seq, PostRouted(author=author, **about))

    made.fold(
        routing.PROJECTION,
        [post(1, "a"), post(2, "b", parent="m1", thread="m1"), post(3, "b"), post(4, "")],
    )
    told = "select person, posts, answers, threads from authors order by posts"
    assert made.rows(told) == [("a", 1, 0, 1), ("b", 2, 1, 2)]
    asked = made.ask("most_active", list="team", since=None, limit=1)
    assert [row["person"] for row in asked] == ["b"]


def test_what_was_parked_is_told_in_our_words_and_the_brokers() -> None:
    """A parked message and an advisory of the broker are both rows; reasons tell no address, and
    what is neither is not known."""
    parked = Parked(
        stream="ROUTED",
        seq=7,
        subject="mail.routed.post.team.m",
        durable="fanout",
        reason="ValueError: ann@example.org",
        family="bug",
        attempts=3,
        data=b"To: ann@example.org",
    )
    advisory = {
        "type": "io.nats.jetstream.advisory.v1.max_deliver",
        "id": "x",
        "timestamp": "2026-05-01T12:00:00Z",
        "stream": "SEND",
        "consumer": "sender-now",
        "stream_seq": 9,
        "deliveries": 5,
    }
    made = Analysis()
    first = message("deadletter.fanout.ROUTED.7", 1, parked)
    bodies = [codec.encode(first.body), msgspec.json.encode(advisory)]
    decoded = [
        msgspec.structs.replace(first, seq=seq, body=deadletters.decode(data))
        for seq, data in enumerate(bodies, 1)
    ]
    made.fold(deadletters.PROJECTION, decoded)
    told = "select stream, stream_seq, reason, family, attempts from deadletters order by seq"
    assert made.rows(told) == [
        ("ROUTED", 7, "ValueError: (address)", "bug", 3),
        ("SEND", 9, "v1.max_deliver", "broker", 5),
    ]
    for data in (b"{}", b"nothing", b'{"type":"x"}', b"[" * 9999):
        with pytest.raises(UnknownEvent):
            deadletters.decode(data)


def test_spans_are_told_with_what_they_took() -> None:
    """Each span of a flush is a row, with its attributes as JSON; what is no batch is not known."""
    start = 1_777_636_800_000_000_000
    about: dict[str, Any] = {"trace": "t", "name": "sender.chunk", "service": "sender"}
    span = Span(span="s", start=start, end=start + 1_500_000, attributes={"copies": 3}, **about)
    data = msgspec.json.encode(SpanBatch(spans=(span, msgspec.structs.replace(span, span="s2"))))
    made = Analysis()
    body = spans.decode(data)
    made.fold(spans.PROJECTION, [msgspec.structs.replace(message("spans.t", 1), body=body)])
    rows = made.ask("spans_of_trace", trace="t")
    assert [(row["span"], row["ms"], row["attributes"]) for row in rows] == [
        ("s", 1.5, '{"copies":3}'),
        ("s2", 1.5, '{"copies":3}'),
    ]
    assert made.rows("select attributes->>'copies' from spans limit 1") == [("3",)]
    with pytest.raises(UnknownEvent):
        spans.decode(b'{"spans": 1}')
