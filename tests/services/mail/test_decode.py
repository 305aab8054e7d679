import pytest

from services.mail import decode


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=?utf-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # without padding
        ("=?iso-8859-1*de?Q?Gr=FC=DFe?=", "Grüße"),
        ("=?utf-8?Q?Gr=C3=BC?= =?utf-8?Q?=C3=9Fe?=", "Grüße"),
        ("=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        ("=?no-such-charset?Q?caf=E9?=", "café"),
        ("=?utf-8?X?unknown?=", "=?utf-8?X?unknown?="),
        ("folded\r\n subject", "folded subject"),
        ("caf\udce9", "café"),
        ("plain", "plain"),
    ],
)
def test_headers_are_decoded(raw: str, text: str) -> None:
    assert decode.header(raw) == text


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Grüße aus München", "cp1252"),
        ("Crème brûlée à la carte", "cp1252"),
        ("Zażółć gęślą jaźń, proszę o ofertę", "cp1250"),
        ("Здравствуйте, пришлите предложение", "cp1251"),
        ("Καλημέρα σας, παρακαλώ", "cp1253"),
        ("お見積りをお願いします", "cp932"),
        ("안녕하세요 견적 부탁드립니다", "cp949"),
    ],
)
def test_undeclared_charsets_are_guessed(text: str, charset: str) -> None:
    assert decode.text(text.encode(charset), None) == (text, None)


@pytest.mark.parametrize("charset", ["unicode_escape", "hex", "zlib", "idna", "rot13", "\x00", "a" * 9999])
def test_codecs_that_are_no_charsets_are_not_used(charset: str) -> None:
    decoded, problem = decode.text(rb"\x41", charset)
    assert decoded == r"\x41"
    assert problem


def test_windows_quotes_declared_as_latin_1_are_read() -> None:
    assert decode.text(b"\x93so\x94", "iso-8859-1") == ("“so”", None)
