import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mail.message import Address, Attachment
from services.mail.parse import parse
from tests.services.mail import mails


def test_an_outlook_reply_comes_out_decoded() -> None:
    message = mails.read("outlook_reply")
    assert message.from_ == Address("Müller, Jürgen", "juergen.mueller@kunde.example")
    assert message.subject == "AW: Angebot für die Hälfte"
    assert message.cc == (
        Address("Einkauf", "einkauf@kunde.example"),
        Address("Kim O'Neil", "kim@kunde.example"),
    )
    assert message.sent_at == datetime(2025, 3, 4, 9, 12, 28, tzinfo=UTC)
    assert message.in_reply_to == ("offer-7@acme.test",)
    assert message.attachments == (Attachment("Bestätigung.pdf", "application/pdf", 9),)
    assert message.reply_text.splitlines()[0] == "Hallo Dana,"
    assert "Guten Tag Herr Müller" in message.text
    assert "Guten Tag Herr Müller" not in message.reply_text
    assert message.html.startswith("<html>")
    assert message.problems == ()


def test_the_domain_of_a_message_id_is_in_lower_case() -> None:
    assert (
        mails.read("outlook_reply").message_id == "AM0PR04MB1234ABCD@am0pr04mb1234.eurprd04.prod.outlook.com"
    )


def test_without_a_message_id_the_same_mail_has_the_same_key_from_every_server() -> None:
    one = (mails.CORPUS / "no_message_id.eml").read_bytes()
    other = b"Received: from elsewhere\n" + one.rstrip() + b"  \n\n"
    assert parse(one).message_id is None
    assert parse(one).dedupe_key == parse(other.replace(b"\n", b"\r\n")).dedupe_key
    assert parse(one).dedupe_key != parse(one.replace(b"One page", b"Two pages")).dedupe_key


def test_an_undeclared_charset_is_guessed_and_named_as_a_problem() -> None:
    message = mails.read("broken_charset")
    assert message.from_ == Address("José", "jose@cliente.example")
    assert message.subject == "Presupuesto revisión nº 7"
    assert "el año próximo" in message.text
    assert message.problems == ("text is not valid 'x-unknown-8bit'",)


def test_a_character_split_between_two_encoded_words_is_whole_again() -> None:
    message = mails.read("split_utf8_subject")
    assert message.subject == "お見積りの件€7"
    assert message.from_ == Address("田中", "tanaka@kaisha.example")
    assert message.text.strip() == "お見積りをお願いします。"


def test_broken_headers_cost_only_themselves() -> None:
    message = mails.read("broken_headers")
    assert message.from_ == Address("", "ada@customer.example")
    assert message.to == ()
    assert message.subject == "Line one line two"
    assert message.message_id == "no-brackets@customer.example"
    assert message.references == ("a@x.example", "b@y.example")
    assert message.sent_at is None
    assert message.text.strip() == "still readable"
    assert "no readable date" in message.problems


def test_nested_parts_end_in_one_text_and_a_list_of_attachments() -> None:
    message = mails.read("nested_multiparts")
    assert message.text.startswith("See the photo below.")
    assert "community mailing list" in message.text
    assert "attached message only" not in message.text
    assert [(item.name, item.content_type) for item in message.attachments] == [
        ("Föto.png", "image/png"),
        ("signature.asc", "application/pgp-signature"),
        ("older", "message/rfc822"),
    ]
    assert message.headers["list-id"] == "<community.example>"


def test_a_calendar_invitation_keeps_its_text_and_names_its_file() -> None:
    message = mails.read("calendar_invitation")
    assert message.text.strip() == "Kick-off, Thursday 10:00"
    assert [item.content_type for item in message.attachments] == ["text/calendar", "application/ics"]


def test_mail_that_is_html_only_is_readable_as_text() -> None:
    assert mails.read("ooo_french").text == "Je suis absente jusqu’au 17 mars.\n\nCordialement,\nCéline"


def test_headers_alone_make_a_message_of_the_full_size() -> None:
    whole = (mails.CORPUS / "outlook_reply.eml").read_bytes()
    message = parse(whole.partition(b"\n\n")[0] + b"\n\n", size=60_000_000, is_truncated=True)
    assert message.is_truncated
    assert message.size == 60_000_000
    assert message.message_id == mails.read("outlook_reply").message_id
    assert (message.text, message.html, message.attachments) == ("", "", ())


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Mon, 99 Foo 2025 99:99:99 +9999",
        "1 Jan 1970 00:00:00 +0000",
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "\x00",
        "1" * 5000,
    ],
)
def test_an_absurd_date_is_no_date(date: str) -> None:
    assert parse(f"Date: {date}\n\nx".encode()).sent_at is None


def test_a_date_without_zone_is_utc() -> None:
    assert parse(b"Date: 4 Mar 2025 12:00:00 -0000\n\n").sent_at == mails.NOON


def test_no_text_holds_nul_or_lone_surrogates() -> None:
    message = parse(b"Subject: a\x00b =?utf-16?B?2AA=?=\nFrom: x\x00 <x@y.z>\n\nbody\x00\xed\xa0\x80")
    for text in (message.subject, message.text, message.from_.name if message.from_ else ""):
        assert "\x00" not in text
        text.encode("utf-8")


def test_many_references_keep_the_root_and_the_latest() -> None:
    many = " ".join(f"<{number}@x.example>" for number in range(500))
    kept = parse(f"References: {many}\n\n".encode()).references
    assert (kept[0], kept[-1], len(kept)) == ("0@x.example", "499@x.example", 50)


def test_a_body_longer_than_a_document_is_cut_and_says_so() -> None:
    message = parse(b"From: a@b.example\n\n" + b"word " * 400_000)
    assert len(message.text) == 500_000
    assert "body cut at 500,000 characters" in message.problems


def nested(depth: int) -> bytes:
    parts = (
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (level, level) for level in range(depth)
    )
    return b"From: a@b.example\n" + b"".join(parts) + b"\ndeep inside\n"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(nested(20_000), id="deep nesting"),
        pytest.param(b"Content-Type: message/rfc822\n\n" * 5_000, id="messages in messages"),
        pytest.param(b"From: " + b"(" * 90_000 + b"\n\n", id="nested comments"),
        pytest.param(b"From: a@b.example\n\n" + b"\n" * 3_000_000, id="millions of lines"),
        pytest.param(
            b"Content-Type: text/plain; name*0*=a; name*=b; name*%s=c\n\nx" % (b"9" * 5000), id="params"
        ),
        pytest.param(b"Content-Type: text/html\n\n" + b"<![foo[" * 50_000, id="marked sections"),
        pytest.param(b"Content-Type: text/html\n\n" + b"<a " * 200_000, id="unclosed tags"),
        pytest.param(b"\n" + b"Den Den Den skrev " * 5_000, id="attributions"),
        pytest.param(b"\n" + b" \n" * 100_000, id="blank lines"),
    ],
)
def test_a_hostile_mail_is_read_within_seconds(hostile: bytes) -> None:
    start = time.monotonic()
    message = parse(hostile)
    assert message.size == len(hostile)
    assert time.monotonic() - start < 10


def test_fifty_megabytes_of_attachment_are_read_within_seconds() -> None:
    lines = b"QUJD" * 19 + b"\n"
    raw = b"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + lines * 680_000
    start = time.monotonic()
    assert parse(raw).attachments == (Attachment("application/pdf", "application/pdf", 57 * 680_000),)
    assert time.monotonic() - start < 20


TOKENS = st.sampled_from(
    [
        b"From: ",
        b"To: ",
        b"Subject: ",
        b"Date: Mon, 1 Jan 2024 00:00:00 +0000",
        b"Message-ID: <",
        b"References: ",
        b"Content-Type: multipart/mixed; boundary=x",
        b"Content-Type: multipart/report; boundary=x",
        b"Content-Type: message/delivery-status\n\n",
        b"Content-Type: message/rfc822\n\n",
        b"Content-Type: text/html; charset=",
        b"Content-Transfer-Encoding: base64\n\n",
        b"Content-Transfer-Encoding: x-uuencode\n\nbegin 666 a\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*=",
        b"X-Failed-Recipients: a@b.example\n",
        b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n",
        b"=?utf-8?B?",
        b"=?x?Q?=ff?=",
        b"--x\n",
        b"--x--\n",
        b"\n\n",
        b"\r",
        b"<a@b.example>",
        b"mailer-daemon@x.example\n",
        b"failure notice\n",
        b"<script>",
        b"<blockquote>",
        b"> ",
        b"On Monday A wrote:\n",
        b"\xff\xfe",
        b"\x00",
        b";",
        b'"',
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(TOKENS, st.binary(max_size=12)), max_size=40).map(b"".join))
def test_no_bytes_make_the_parser_raise(raw: bytes) -> None:
    message = parse(raw)
    assert message.size == len(raw)
    assert 0 < len(message.dedupe_key) <= 250
    for text in (message.subject, message.text, message.reply_text, message.html, *message.headers.values()):
        assert "\x00" not in text
        text.encode("utf-8")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_no_noise_makes_the_parser_raise(raw: bytes) -> None:
    assert parse(raw, is_truncated=True).is_truncated
    assert parse(raw).size == len(raw)
