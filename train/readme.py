"""Parts of the README that a command writes, between marks that only comments show."""

from __future__ import annotations


class ReadmeError(ValueError):
    """The README lacks a part's marks; the message is one line."""


def with_part(text: str, name: str, content: str) -> str:
    """The README's text with what stands between a part's marks replaced."""
    begin, end = f"<!-- {name} -->", f"<!-- {name}: end -->"
    before, begun, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ReadmeError(f"the README lacks the marks {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"
