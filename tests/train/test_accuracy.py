"""The page and the README's table of the fixed sets."""

import copy
import json
from pathlib import Path

import pytest

from train import accuracy
from train.readme import with_part

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "train" / "testsets.results.json"


@pytest.fixture
def results() -> dict:
    return json.loads(SHIPPED.read_text("utf-8"))


def test_the_readme_and_the_page_are_those_of_the_shipped_results(results):
    readme = (ROOT / "README.md").read_text("utf-8")
    table = accuracy.readme_table(results)
    assert with_part(readme, accuracy.README_PART, table) == readme
    assert accuracy.PAGE.read_text("utf-8") == accuracy.page(results) + "\n"


def test_figures_stand_in_their_places(results):
    group = results["fixed"]["int8"]["all"]
    group["gap"] |= {"mae_px": 1.26, "accuracy_1px": 0.111, "accuracy_5px": 0.333}
    group["slider"] |= {"mae_px": 9.0, "accuracy_3px": 0.444}
    group["points"] |= {"count": 1990, "accuracy_5px": 0.9}
    group["pictures"] = 1000
    row = next(line for line in accuracy.readme_table(results).splitlines() if "`fixed`" in line)
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert (cells[1], cells[2], cells[4]) == ("1.3 px", "11.1%", "33.3%")
    assert (cells[5], cells[7]) == ("9.0 px", "44.4%")
    # Wilson's interval of 900 out of 1,000, from the formula's worked examples: pictures count.
    assert "| 90.0% (88.0%–91.7%) |" in accuracy.page(results)


def test_sets_without_a_point_or_a_gap_are_shown_as_such(results):
    nothing = copy.deepcopy(results["fixed"])
    empty = {"count": 0, "mae_px": None, "refused": None}
    empty |= dict.fromkeys(("accuracy_1px", "accuracy_3px", "accuracy_5px"))
    nothing["int8"]["all"] |= dict.fromkeys(("gap", "slider", "points"), empty)
    text = accuracy.page(results | {"negatives": nothing})
    row = next(line for line in text.splitlines() if line.startswith("| `negatives`"))
    assert row.count("| – ") >= 8


def test_the_command_writes_both(tmp_path, capsys):
    readme, page = tmp_path / "README.md", tmp_path / "accuracy.md"
    readme.write_text("a <!-- accuracy --> old <!-- accuracy: end --> b")
    command = [str(SHIPPED), "-o", str(page), "--readme", str(readme)]
    assert accuracy.main(command) == 0
    assert page.read_text() == accuracy.PAGE.read_text()
    assert readme.read_text().endswith("|\n\n<!-- accuracy: end --> b")
    assert capsys.readouterr().out == f"{page}\n"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"fixed": {}}', '{"no such set": {}}'])
def test_what_is_unusable_is_one_line(tmp_path, capsys, content):
    bad, page = tmp_path / "bad.json", tmp_path / "page.md"
    bad.write_text(content)
    readme = tmp_path / "README.md"
    readme.write_text("<!-- accuracy --><!-- accuracy: end -->")
    assert accuracy.main([str(bad), "-o", str(page), "--readme", str(readme)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert readme.read_text() == "<!-- accuracy --><!-- accuracy: end -->"
