"""HTML into readable text, in one pass over the markup: linear in time, whatever a stranger sends.

The standard library's HTMLParser is not used: on Python 3.11 it is quadratic on unclosed tags and asserts on
unknown marked sections.
"""

import html
import re

TAG = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9]*)")
SILENT = frozenset({"script", "style", "title", "template"})  # not "head": its end tag may be missing
BLOCK_NAMES = """
address article aside blockquote br center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li
main nav ol p pre section table tr ul
"""
BLOCKS = frozenset(BLOCK_NAMES.split())
QUOTE_DEPTH = 10  # deeper quotes look the same; the marks of each line stay bounded
SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
BLANKS = re.compile(r"\n{3,}")


def to_text(markup: str) -> str:
    """The visible text; block elements begin a line, quoted blocks begin with `> ` as in plain mail."""
    out: list[str] = []
    depth = position = 0
    while (opening := markup.find("<", position)) >= 0:
        out.append(_words(markup[position:opening]))
        if markup.startswith("<!--", opening):
            position = _after(markup, "-->", opening + 4)
            continue
        tag = TAG.match(markup, opening + 1)
        if tag is None and not markup.startswith(("<!", "<?"), opening):
            out.append("<")
            position = opening + 1
            continue
        position = _after(markup, ">", opening + 1)
        if tag is None:
            continue
        closes, name = bool(tag[1]), tag[2].lower()
        if name in SILENT and not closes:
            position = _after_silent(markup, name, position)
        if name == "blockquote":
            depth = max(0, min(QUOTE_DEPTH, depth + (-1 if closes else 1)))
        if name in BLOCKS:
            out.append("\n" + "> " * depth)
    out.append(_words(markup[position:]))
    return _tidy("".join(out))


def _words(text: str) -> str:
    return html.unescape(text.replace("\n", " ")) if text else ""


def _after(markup: str, end: str, start: int) -> int:
    found = markup.find(end, start)
    return len(markup) if found < 0 else found + len(end)


def _after_silent(markup: str, name: str, start: int) -> int:
    closing = re.compile(f"</{name}[^a-z0-9]", re.IGNORECASE).search(markup, start)
    return closing.start() if closing else len(markup)


def _tidy(text: str) -> str:
    lines = (SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return BLANKS.sub("\n\n", "\n".join("" if set(line) <= {">", " "} else line for line in lines)).strip()
