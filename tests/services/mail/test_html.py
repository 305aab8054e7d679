import pytest

from services.mail import html


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<style>p {color: red}</style>x<script>if (a < b) {}</script>y", "xy"),
        ("<!-- gone --><![if !mso]>kept<![endif]>", "kept"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<blockquote>old<br>older</blockquote>new", "> old\n> older\nnew"),
        ("no <b>tag <i>is</b> closed", "no tag is closed"),
        ("<head><title>t</title><body>x", "x"),
        ("<script>never closed", ""),
        ("cut in the <mid", "cut in the"),
        ("", ""),
    ],
)
def test_markup_becomes_readable_text(markup: str, text: str) -> None:
    assert html.to_text(markup) == text
