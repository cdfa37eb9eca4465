"""The automation example: what Chromium shows of the example pictures is found on the screen."""

from __future__ import annotations

import pytest

from examples import automation

pytestmark = pytest.mark.browser


@pytest.fixture
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(automation, "PIXEL_RATIOS", (1.25, 2))
    monkeypatch.setattr(automation, "SHOWN_AT", (0.8, 1.5))


@pytest.mark.usefixtures("few_looks")
def test_every_point_is_found_where_the_page_put_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert automation.main(["normal"]) == 0
    *seen, total = capsys.readouterr().out.splitlines()
    assert len(seen) == 4
    assert total == "0 missed"
    # The same picture at the same width travels as far in CSS pixels, whatever the pixel ratio.
    travel = [float(line.split("travel")[1].split()[0]) for line in seen]
    assert travel[:2] == pytest.approx(travel[2:], abs=3)
    assert travel[1] / travel[0] == pytest.approx(1.5 / 0.8, rel=0.05)


@pytest.mark.usefixtures("few_looks")
def test_marks_elsewhere_are_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page_of = automation.page_of
    moved = 'class="moved"></i><style>.moved { margin-left: 25px }</style>'
    monkeypatch.setattr(
        automation, "page_of", lambda *what: page_of(*what).replace("></i>", f" {moved}")
    )
    assert automation.main(["normal"]) == 1
    assert capsys.readouterr().out.endswith("4 missed\n")


def test_no_browser_is_one_line(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert automation.main(["--browser", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("error: no browser: ")
