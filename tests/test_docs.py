"""The documentation: every page builds without a warning, and every public name is in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import runtime

DOCS = Path(__file__).parents[1] / "docs"


def test_the_site_is_built_and_names_all_that_is_public(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    interface = (tmp_path / "api.html").read_text("utf-8")
    assert [name for name in runtime.__all__ if f'id="runtime.{name}"' not in interface] == []
    assert {"training.html", "network.html", "photographs.html"} <= {
        page.name for page in tmp_path.glob("*.html")
    }
