from datetime import UTC, datetime

import pytest

from services.mail.compose import BadAddress, HeaderInjection, compose
from services.mail.message import Address
from services.mail.parse import parse

SENDER, RECIPIENT = Address("Dana Démo", "demo@acme.test"), Address("Ada, Countess", "ada@customer.example")
NOON = datetime(2025, 3, 4, 12, 0, tzinfo=UTC)


def composed(**changes: object) -> bytes:
    values: dict[str, object] = {
        "sender": SENDER,
        "to": RECIPIENT,
        "subject": "Grüße 😀",
        "text": "Hello,\nthere",
        "message_id": "step-1@acme.test",
        "date": NOON,
    }
    return compose(**{**values, **changes}).as_bytes()  # type: ignore[arg-type]


def test_what_is_composed_reads_back_the_same() -> None:
    message = parse(
        composed(html="<p>Hello</p>", in_reply_to="a@b.example", references=("r@b.example", "a@b.example"))
    )
    assert message.from_ == SENDER
    assert message.to == (RECIPIENT,)
    assert message.subject == "Grüße 😀"
    assert message.text.strip() == "Hello,\nthere"
    assert message.html.strip() == "<p>Hello</p>"
    assert message.message_id == "step-1@acme.test"
    assert message.sent_at == NOON
    assert message.in_reply_to == ("a@b.example",)
    assert message.references == ("r@b.example", "a@b.example")
    assert message.problems == ()


def test_automatic_mail_says_so_where_asked() -> None:
    assert parse(composed(is_automatic=True)).headers["auto-submitted"] == "auto-generated"
    assert "auto-submitted" not in parse(composed()).headers


def test_extra_headers_are_sent() -> None:
    link = "<https://acme.test/u/1>"
    assert parse(composed(headers={"List-Unsubscribe": link})).headers["list-unsubscribe"] == link


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("Subject", {"subject": "Hi\r\nBcc: victim@x.example"}),
        ("Subject", {"subject": "Hi\nthere"}),
        ("From", {"sender": Address("Dana\r\nBcc: v@x.example", "demo@acme.test")}),
        ("To", {"to": Address("", "ada@customer.example\nCc: v@x.example")}),
        ("Message-ID", {"message_id": "a@b>\r\nX: <y"}),
        ("References", {"references": ("a@b\n",)}),
        ("List-Unsubscribe", {"headers": {"List-Unsubscribe": "x\r\n\r\nbody"}}),
        ("Subject", {"subject": "nul\x00"}),
    ],
)
def test_a_line_break_in_a_header_is_refused_by_name(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(HeaderInjection, match=f"^{field}: "):
        composed(**changes)


@pytest.mark.parametrize(
    "email", ["", "nobody", "ümlaut@customer.example", "a b@customer.example", "a@" + "x" * 80]
)
def test_an_address_that_cannot_be_sent_to_is_refused(email: str) -> None:
    with pytest.raises(BadAddress, match=r"To: .* is no address"):
        composed(to=Address("", email))


def test_an_international_domain_is_sent_in_its_ascii_form() -> None:
    assert b"ada@xn--mller-kva.example" in composed(to=Address("", "ada@müller.example"))
