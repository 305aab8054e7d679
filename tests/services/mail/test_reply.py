import pytest

from services.mail import reply
from tests.services.mail import mails


def test_answers_between_quoted_lines_are_kept_and_the_signature_is_cut() -> None:
    assert mails.read("inline_answers").reply_text == "Forty.\n\nThe first of April."


@pytest.mark.parametrize(
    "history",
    [
        "On Tue, 4 Mar 2025 at 17:00, Demo <demo@acme.test> wrote:\n\nWhat do you think?",
        "On Tue, 4 Mar 2025 at 17:00, Demo <demo@acme.test>\nwrote:\n> What do you think?",
        "Am Di., 4. März 2025 um 17:00 Uhr schrieb Demo <demo@acme.test>:\n> Was meinen Sie?",
        "Le mar. 4 mars 2025 à 17:00, Demo <demo@acme.test> a écrit :\n> Qu'en pensez-vous ?",
        "El mar, 4 mar 2025 a las 17:00, Demo (<demo@acme.test>) escribió:\n\n> ¿Qué opina?",
        "-----Original Message-----\nFrom: Demo\nWhat do you think?",
        "-----Ursprüngliche Nachricht-----\nVon: Demo\nWas meinen Sie?",
        "From: Demo <demo@acme.test>\nSent: Tuesday, March 4, 2025 5:00 PM\nTo: Ada\nSubject: Offer\n\nWhat?",
        "Von: Demo\nGesendet: Dienstag\nAn: Ada\nBetreff: Angebot\n\nWas?",
        "________________________________\nFrom: Demo\nWhat?",
        "---------- Forwarded message ---------\nFrom: Demo\nWhat?",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "-- \nAda Byron\nCustomer Ltd",
        "> What do you think?",
    ],
)
def test_the_history_below_an_answer_is_cut(history: str) -> None:
    assert reply.visible(f"I think yes.\nReally.\n\n{history}\n") == "I think yes.\nReally."


@pytest.mark.parametrize(
    "text",
    [
        "From: here on it gets better.\nI mean it.",
        "On the other hand, he wrote a book.",
        "- one\n- two",
        "Nothing special",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert reply.visible(text) == text


def test_a_text_of_quotes_only_is_shown_as_it_is() -> None:
    assert reply.visible("> all quoted") == "> all quoted"
