"""How it is told that a machine wrote a mail, and that none of its signs stops a person's."""

from __future__ import annotations

from pathlib import Path

import pytest

from postroad.mail.automatic import (
    answers_by_itself,
    automatic,
    out_of_office,
    says_away,
    unanswerable,
    undelivered,
)
from postroad.mail.headers import scan
from schemas.mail import HeaderFacts


def facts(*lines: str) -> HeaderFacts:
    """The facts of a mail from Ann with these header lines besides."""
    own = [] if any(line.startswith("From:") for line in lines) else ["From: ann@example.org"]
    return scan("\r\n".join([*own, *lines, "", "Hello"]).encode())[0]


ANSWERS = (
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-replied (vacation)",
    "Auto-Submitted: auto-notified",
    "Auto-Submitted: (vacation (of mine)) auto-replied",
    'Auto-Submitted: "auto-replied"',
    "Auto-Submitted: no; and Auto-Submitted: auto-replied",
    "Precedence: auto_reply",
    "Return-Path: <>",
    'Content-Type: multipart/report; report-type="delivery-status"; boundary=x',
    "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
    "Content-Type: message/delivery-status",
    "X-Autoreply: yes",
    "X-Autorespond: vacation",
    "X-Vacation: yes",
    "X-Failed-Recipients: someone@example.org",
    "From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.org>",
    "Return-Path: <MAILER-DAEMON@mx.example.org>",
    "Return-Path: <MAILER-DAEMON>",
    "X-MS-Exchange-Message-Is-Ndr:",
    "From: postmaster@example.org; and Subject: Undeliverable: [Team] Tea",
)
SENT_BY_MACHINES = (
    "Auto-Submitted: auto-generated",
    "Precedence: bulk",
    "Precedence: junk",
    "Content-Type: multipart/report; report-type=feedback-report; boundary=x",
    "Content-Type: multipart/report; boundary=x",
    "X-Cron-Env: <SHELL=/bin/sh>",
)
NOT_TO_BE_ANSWERED = (
    "X-Auto-Response-Suppress: All",
    "X-Auto-Response-Suppress: OOF, All",
    "X-Precedence: bulk",
    "List-Unsubscribe: <https://example.org/u>",
    "Mailing-List: contact tea-help@example.org; run by ezmlm",
    "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
    "From: no-reply@example.org",
    "From: noreply-7@example.org",
    "From: build.noreply@example.org",
    "From: DoNotReply@example.org",
    "From: postmaster@example.org",
    "From: team-request@example.org",
    "Reply-To: bounces+abc@example.org",
    "Precedence: list",
    "List-Id: <other.example.org>",
    "List-Post: <mailto:other@example.org>",
)
PEOPLE = (
    "X-Auto-Response-Suppress: DR, OOF, AutoReply",  # Exchange, on what its people send
    "X-Auto-Response-Suppress: None",
    "Auto-Submitted: no",
    "Auto-Submitted: no (auto-replied)",
    "X-Precedence: normal",
    "X-Autoreply: no",
    "Precedence: normal",
    "Return-Path: <ann@example.org>",
    "From: Owen Reply <reply@example.org>",
    "From: Noreen <noreen@example.org>",
    "Subject: Automatic reply",
    "Content-Type: multipart/signed; boundary=x",
)


@pytest.mark.parametrize("line", ANSWERS)
def test_an_answer_of_a_machine_is_known_by_one_mark(line: str) -> None:
    """Bounces and vacation notices are automatic in every strength, with a reason to read."""
    for strength in (answers_by_itself, automatic, unanswerable):
        assert strength(facts(*line.split("; and "))), strength


@pytest.mark.parametrize("line", SENT_BY_MACHINES)
def test_what_a_machine_sends_of_its_own_accord_is_no_answer(line: str) -> None:
    """Cron jobs, newsletters and abuse reports are automatic, but may reach the owners."""
    assert not answers_by_itself(facts(line))
    assert automatic(facts(line))
    assert unanswerable(facts(line))


@pytest.mark.parametrize("line", NOT_TO_BE_ANSWERED)
def test_what_stands_on_peoples_mail_too_only_keeps_back_answers(line: str) -> None:
    """No post is held because an answer to it would be unwanted or unread."""
    assert not automatic(facts(line))
    assert unanswerable(facts(line))


@pytest.mark.parametrize("line", PEOPLE)
def test_peoples_mail_is_not_taken_for_a_machines(line: str) -> None:
    """Marks that are unset, requests to readers, and names that look alike say nothing."""
    assert not unanswerable(facts(line))


def test_a_null_envelope_sender_is_a_null_return_path() -> None:
    """Where the source knows the envelope, it counts as Return-Path does."""
    assert answers_by_itself(facts(), "")
    assert not answers_by_itself(facts(), "ann@example.org")


def test_no_reason_shows_an_address() -> None:
    """Reasons are kept longer than mail, so they name no one."""
    for line in (*ANSWERS, *SENT_BY_MACHINES, *NOT_TO_BE_ANSWERED):
        assert "@" not in unanswerable(facts(line))


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Please confirm",
        "AUTOREPLY Re: Please confirm",
        "Auto: Re: Please confirm",
        "Re: [Team] Out of Office: Please confirm",
        "Jane Doe is out of the office (returning 1 May)",
        "OOO: back on Monday",
        "I'm on vacation",
        "Automatische Antwort: Bitte",
        "AW: Abwesenheitsnotiz: Bitte",
        "Réponse automatique : Confirmez",
        "Respuesta automática: Confirme",
        "Risposta automatica: R: Conferma",
        "Resposta automática: Confirme",
        "Automatisch antwoord: Bevestig",
        "Automatiskt svar: Bekräfta",
        "Automatisk svar: Bekræft",
        "Automaattinen vastaus: Vahvista",
        "Odpowiedź automatyczna: Potwierdź",
        "Automatická odpověď: Potvrďte",
        "Automatikus válasz: Erősítse",
        "Автоматический ответ: Подтвердите",
        "Otomatik yanıt: Onaylayın",
        "自動応答: 確認",
        "自动答复: 确认",
        "자동 회신: 확인",
        "Urlaub",
        "Ich bin im Urlaub",
        "Urlaub bis 7.12.",
        "En congés",
        "Je suis absente",
        "Je suis absent(e) jusqu’au 7 décembre",
        "Estoy de vacaciones",
        "Sono in ferie fino al 7",
        "Ik ben met vakantie",
        "Estou de férias",
        "Jestem na urlopie",
        "På semester",
        "Jeg er på ferie",
        "Olen lomalla",
        "Absence",
        "AW: Abwesend",
    ],
)
def test_subjects_of_vacation_programs_are_known(subject: str) -> None:
    """Programs that set no mark are told by what they write first."""
    assert out_of_office(subject)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "Re: Please confirm that you want to join Team",
        "confirm abcdefghijklmnopqrstuvwxyz",
        "Automatic transmissions: which to buy?",
        "Autonomous cars",
        "Holiday plans: who is in the office?",
        "Re: [Office] Where are the keys?",
        "Poissons et crustacés",
        "Urlaub in Schweden",
        "How do I write an automatic reply?!"[:19],
        "Holiday photos",
        "Awards",
        "Failures of our pump: why?"[9:],
        "Vacances d'été: qui vient ?",
        "Ferienhaus gesucht",
    ],
)
def test_peoples_subjects_are_no_vacation_notices(subject: str) -> None:
    """A person's answer is not lost to a word that vacation programs use as well."""
    assert not out_of_office(subject)


@pytest.mark.parametrize(
    "subject",
    [
        "Undeliverable: Please confirm: join team@lists.example.org",
        "Undelivered Mail Returned to Sender",
        "Delivery Status Notification (Failure)",
        "Mail delivery failed: returning message to sender",
        "failure notice",
        "Returned mail: see transcript for details",
        "Your message to anna could not be delivered",
        "Unzustellbar: Bitte bestätigen",
        "Non remis : Veuillez confirmer",
        "Échec de la remise",
        "Onbestelbaar: Bevestig",
        "Niedostarczalne: Potwierdź",
    ],
)
def test_subjects_of_bounces_are_known(subject: str) -> None:
    """Bounces that carry no mark are told by what they write first."""
    assert undelivered(subject)
    assert not undelivered("Please confirm: join team@lists.example.org")


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office until Monday.",
        "Hello, I’m currently\nout of the office.",
        "Thanks for writing. I will be back on 7 December.",
        "Ich bin bis 7.12. nicht im Büro.",
        "Vielen Dank. Ich bin derzeit im Urlaub.",
        "Je suis actuellement absente du bureau.",
        "Estaré fuera de la oficina hasta el lunes",
        "Sono fuori ufficio.",
        "Ik ben afwezig tot maandag",
        "Estou de férias até dia 7",
        "Jestem na urlopie do 7 grudnia",
        "Jag är på semester",
        "Jeg er ikke på kontoret",
        "Olen lomalla 7.12. asti",
        "Я в отпуске до понедельника",
        "ただいま不在にしております",
        "我正在休假",
        "현재 휴가 중입니다",
    ],
)
def test_texts_of_vacation_notices_are_known(text: str) -> None:
    """A vacation program that keeps the Subject is told by what it says."""
    assert says_away(text.split("\n"))


@pytest.mark.parametrize(
    "text",
    ["", "Yes", "Ja, gerne!", "Oui, merci.", "I confirm.", "Sent from my iPhone", "Sim, por favor"],
)
def test_peoples_answers_are_no_vacation_notices(text: str) -> None:
    """What people send to confirm confirms."""
    assert not says_away([text])


def test_bounces_of_the_corpus_are_known_by_their_headers(corpora: Path) -> None:
    """Of the delivery reports collected over decades, nine in ten are told by headers alone."""
    mails = [path.read_bytes() for path in (corpora / "dsn").rglob("*") if path.is_file()]
    known = sum(bool(automatic(scan(mail)[0])) for mail in mails)
    assert known >= 0.9 * len(mails), f"{known} of {len(mails)}"
