"""Sphinx: `sphinx-build -W docs out/docs` writes the pages; needs `pip install ".[docs]"`."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

project = "edge-locator"
author = "the edge-locator authors"
release = metadata.version("edge-locator")
extensions = ["sphinx.ext.autodoc", "myst_parser"]
html_theme = "furo"
html_title = f"edge-locator {release}"
default_role = "literal"  # our docstrings write code as Markdown does
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_type_aliases = {
    name: name for name in ("ChannelOrder", "Picture", "PictureSource", "Roi", "RawResult")
}

_ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
_ARGUMENT = re.compile(r"(\w+(?:, \w+)*): (.+)")


def list_arguments(
    _app: Any, _what: str, _name: str, _of: Any, _how: Any, lines: list[str]
) -> None:
    """Turn the lines `name: text` of a docstring, and what is indented below, into a list."""
    listed: list[str] = []
    inside = False
    for line in lines:
        if argument := _ARGUMENT.fullmatch(line):
            listed += [] if inside else [""]
            listed.append(f"- **{argument[1]}**: {argument[2]}")
            inside = True
        elif inside and line.startswith(" "):
            listed.append(f"  {line.strip()}")
        else:
            listed += ["", line] if inside else [line]
            inside = False
    lines[:] = listed


def name_aliases(
    _app: Any,
    _what: str,
    _name: str,
    _of: Any,
    _how: Any,
    arguments: str | None,
    result: str | None,
) -> tuple[str | None, str | None]:
    """Call an alias by its name alone where a signature shows how it is represented."""
    return arguments and _ALIAS.sub(r"\1", arguments), result


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", name_aliases)
    app.connect("autodoc-process-docstring", list_arguments)
