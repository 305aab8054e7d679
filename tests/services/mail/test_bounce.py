import pytest

from services.mail import bounce as bounces
from services.mail.message import Bounce, FailedRecipient
from services.mail.parse import parse
from tests.services.mail import mails


def bounce_in(name: str) -> Bounce:
    found = mails.read(name).bounce
    assert found is not None
    return found


def test_an_exchange_report_names_the_address_we_wrote_to() -> None:
    bounce = bounce_in("exchange_ndr")
    (failed,) = bounce.recipients
    assert (failed.email, failed.status) == ("niemand@kunde.example", "5.1.10")
    assert failed.is_final
    assert failed.is_permanent


def test_the_original_is_found_in_the_returned_message() -> None:
    assert bounce_in("exchange_ndr").original_message_id == "welcome-42@acme.test"


def test_the_original_is_found_in_returned_headers_that_are_folded() -> None:
    assert bounce_in("postfix_dsn").original_message_id == "step-3.enrolment-9@acme.test"


def test_a_full_mailbox_is_final_but_the_address_is_good() -> None:
    full, gone = bounce_in("postfix_dsn").recipients
    assert (full.email, full.is_final, full.is_permanent) == ("full@kunde.example", True, False)
    assert (gone.email, gone.is_final, gone.is_permanent) == ("gone@kunde.example", True, True)


def test_a_delay_is_neither_final_nor_permanent() -> None:
    (slow,) = bounce_in("postfix_delay").recipients
    assert (slow.email, slow.status, slow.is_final, slow.is_permanent) == (
        "slow@kunde.example",
        "4.4.1",
        False,
        False,
    )


def test_a_report_of_success_is_no_bounce() -> None:
    assert mails.read("delivered_dsn").bounce is None


@pytest.mark.parametrize(
    ("name", "email", "original", "status"),
    [
        ("qmail_bounce", "vorstand@verein.example", "newsletter-5@acme.test", "5.1.1"),
        ("exim_bounce", "lost@shop.example", "exim-original@acme.test", ""),
    ],
)
def test_bounces_in_prose_name_recipient_and_original(
    name: str, email: str, original: str, status: str
) -> None:
    assert bounce_in(name) == Bounce((FailedRecipient(email, True, True, status),), original)


def test_a_person_quoting_a_bounce_is_no_bounce() -> None:
    assert mails.read("quoted_bounce_reply").bounce is None


def test_a_newsletter_about_mail_delivery_is_no_bounce() -> None:
    raw = mails.raw(
        "Mail delivery explained", "<shop@example.com>:\nUser unknown", return_path="<news@x.example>"
    )
    assert parse(raw).bounce is None


def test_an_expired_queue_is_final_but_the_address_may_be_good() -> None:
    raw = (mails.CORPUS / "postfix_delay.eml").read_bytes().replace(b"Action: delayed", b"Action: failed")
    bounce = parse(raw).bounce
    assert bounce is not None
    assert (bounce.recipients[0].is_final, bounce.recipients[0].is_permanent) == (True, False)


def test_a_report_in_a_global_part_is_read() -> None:
    raw = (mails.CORPUS / "postfix_dsn.eml").read_bytes()
    raw = raw.replace(b"message/delivery-status", b"message/global-delivery-status")
    bounce = parse(raw).bounce
    assert bounce is not None
    assert [failed.email for failed in bounce.recipients] == ["full@kunde.example", "gone@kunde.example"]


@pytest.mark.parametrize(
    ("status", "diagnostic", "is_permanent"),
    [
        ("5.1.1", "550 5.1.1 user unknown", True),
        ("", "550 user unknown", True),
        ("", "", True),
        ("5.2.2", "552 5.2.2 mailbox full", False),
        ("5.0.0", "552 over quota", False),
        ("5.7.1", "554 5.7.1 looks like spam", False),
        ("", "554 5.7.26 not authenticated", False),
        ("4.4.1", "no answer", False),
        ("", "451 try again", False),
    ],
)
def test_only_what_is_wrong_with_the_address_is_permanent(
    status: str, diagnostic: str, is_permanent: bool
) -> None:
    assert bounces.is_permanent(status, diagnostic) is is_permanent
