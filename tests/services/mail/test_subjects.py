import pytest

from services.mail import subjects


@pytest.mark.parametrize(
    ("subject", "prefixes", "rest"),
    [
        ("Offer", (), "Offer"),
        ("Re: Offer", ("re",), "Offer"),
        ("RE: AW: Offer", ("re", "aw"), "Offer"),
        ("Re[4]: Offer", ("re",), "Offer"),
        ("Re(2): Offer", ("re",), "Offer"),
        ("TR : Offre", ("tr",), "Offre"),
        ("VS: Tarjous", ("vs",), "Tarjous"),
        ("İLT: Teklif", ("i̇lt",), "Teklif"),
        ("转发：报价", ("转发",), "报价"),
        ("[EXTERNAL] Re: [#12] Offer", ("re",), "[#12] Offer"),
        ("Note: read this", (), "Note: read this"),
        ("Re:", ("re",), ""),
    ],
)
def test_known_prefixes_are_taken_off(subject: str, prefixes: tuple[str, ...], rest: str) -> None:
    assert subjects.split(subject) == (prefixes, rest)


def test_keys_ignore_case_spaces_and_prefixes() -> None:
    assert subjects.key("AW: Straße  7") == subjects.key("Re: STRASSE 7")
    assert subjects.key("[#12] Offer") != subjects.key("[#13] Offer")
