import pytest

from services.mail.classify import Kind, classify
from services.mail.message import Bounce, FailedRecipient
from tests.services.mail import mails

OWN = {"demo@acme.test", "sales@acme.test"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("outlook_reply", Kind.REPLY),
        ("gmail_forward", Kind.FORWARD),
        ("exchange_ndr", Kind.BOUNCE),
        ("postfix_dsn", Kind.BOUNCE),
        ("postfix_delay", Kind.BOUNCE),
        ("qmail_bounce", Kind.BOUNCE),
        ("exim_bounce", Kind.BOUNCE),
        ("delivered_dsn", Kind.AUTO_REPLY),
        ("quoted_bounce_reply", Kind.REPLY),
        ("ooo_english", Kind.AUTO_REPLY),
        ("ooo_german", Kind.AUTO_REPLY),
        ("ooo_french", Kind.AUTO_REPLY),
        ("no_message_id", Kind.NEW),
        ("calendar_invitation", Kind.NEW),
        ("nested_multiparts", Kind.NEW),
        ("inline_answers", Kind.REPLY),
    ],
)
def test_the_corpus_is_classified(name: str, kind: Kind) -> None:
    assert classify(mails.read(name), OWN) is kind


def test_auto_response_suppress_is_no_sign_of_an_automatic_reply() -> None:
    message = mails.message("Re: Offer", headers={"x-auto-response-suppress": "All"})
    assert classify(message, OWN) is Kind.REPLY


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"auto-submitted": "no"}, Kind.NEW),
        ({"auto-submitted": "No; owner=x"}, Kind.NEW),
        ({"auto-submitted": "auto-replied"}, Kind.AUTO_REPLY),
        ({"auto-submitted": "auto-generated (vacation)"}, Kind.AUTO_REPLY),
        ({"auto-submitted": ""}, Kind.NEW),
        ({"x-autoreply": "yes"}, Kind.AUTO_REPLY),
        ({"x-autoreply": "no"}, Kind.NEW),
        ({"precedence": "auto_reply"}, Kind.AUTO_REPLY),
        ({"precedence": "bulk"}, Kind.NEW),
    ],
)
def test_automatic_replies_are_told_by_their_headers(headers: dict[str, str], kind: Kind) -> None:
    assert classify(mails.message("Hello", headers=headers), OWN) is kind


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Offer",
        "Out of Office: Offer",
        "Automatische Antwort: Angebot",
        "Abwesend: Angebot",
        "Réponse automatique : Offre",
        "Respuesta automática: Oferta",
        "Risposta automatica: Offerta",
        "Automatisch antwoord: Offerte",
        "Autosvar: Tilbud",
        "Odpowiedź automatyczna: Oferta",
        "自動応答: 見積り",
    ],
)
def test_localised_subjects_tell_an_automatic_reply(subject: str) -> None:
    assert classify(mails.message(subject), OWN) is Kind.AUTO_REPLY


def test_a_person_answering_an_automatic_reply_is_a_reply() -> None:
    assert classify(mails.message("Re: Automatic reply: Offer"), OWN) is Kind.REPLY


def test_a_declared_human_outweighs_the_subject() -> None:
    message = mails.message("Out of office plans", headers={"auto-submitted": "no"})
    assert classify(message, OWN) is Kind.NEW


def test_own_mail_is_own_even_as_a_reply_and_from_an_alias() -> None:
    message = mails.message("Re: Offer", sender="sales@acme.test", in_reply_to=("a@b.example",))
    assert classify(message, OWN) is Kind.OWN


def test_a_bounce_comes_before_everything() -> None:
    bounce = Bounce((FailedRecipient("a@b.example", True, True),), None)
    message = mails.message(
        "Re: x", sender="demo@acme.test", bounce=bounce, headers={"auto-submitted": "auto-replied"}
    )
    assert classify(message, OWN) is Kind.BOUNCE


@pytest.mark.parametrize(
    ("subject", "in_reply_to", "kind"),
    [
        ("SV: Tilbud", (), Kind.REPLY),
        ("Re[2]: Offer", (), Kind.REPLY),
        ("RE : Offre", (), Kind.REPLY),
        ("回复：报价", (), Kind.REPLY),
        ("WG: Angebot", ("a@b.example",), Kind.FORWARD),
        ("Re: Fwd: Offer", (), Kind.REPLY),
        ("[EXTERN] WG: Angebot", (), Kind.FORWARD),
        ("Offer", ("a@b.example",), Kind.REPLY),
        ("Review: the offer", (), Kind.NEW),
        ("", (), Kind.NEW),
    ],
)
def test_reply_forward_and_new_are_told_apart(subject: str, in_reply_to: tuple[str, ...], kind: Kind) -> None:
    assert classify(mails.message(subject, in_reply_to=in_reply_to), OWN) is kind
