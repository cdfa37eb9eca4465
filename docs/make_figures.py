"""Makes the figures of docs/figures: `python docs/make_figures.py runs/mine`.

From a training's folder: the figures of its evaluation report, on the first pictures of a test set,
and a screenshot of the folder's TensorBoard in headless Chromium. Needs `pip install ".[train,
automation]"` and Chromium. What was in docs/figures before is replaced.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import sync_playwright
from tensorboard.program import TensorBoard

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for `examples`, which is not installed

from examples.automation import FLAGS  # noqa: E402
from train import evaluate  # noqa: E402

FIGURES = ROOT / "docs" / "figures"
WIDEST_PX, COLOURS = 900, 256  # small files
VIEWPORT = {"width": 1500, "height": 950}
SHOWN_TAGS = "Loss/|MAE_Components/total|Learning_Rate|Gradients/norm|Predictions"
SETTLED_MS = 8_000  # TensorBoard reads the run and draws its charts in its own time


def report_figures(run: Path, testset: str, limit: int, backgrounds: Path | None) -> None:
    """The figures of the report on the run's best checkpoint."""
    options = ["--checkpoint", str(run / "best_model.pth"), "--testset", testset]
    options += ["--limit", str(limit)]
    options += ["--backgrounds", str(backgrounds)] if backgrounds else []
    with TemporaryDirectory() as folder:
        if evaluate.main([*options, "--report", folder]):
            raise SystemExit(2)
        for figure in sorted(Path(folder).glob("*.png")):
            name = figure.name.removeprefix(f"{testset}-")
            save_small(Image.open(figure), FIGURES / name)


def save_small(picture: Image.Image, path: Path) -> None:
    """Write a picture as a PNG of few colours, and not too wide."""
    small = picture.convert("RGB")
    small.thumbnail((WIDEST_PX, picture.height))
    # The usual method would lose the few pixels of a mark's colour.
    small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def tensorboard_screenshot(run: Path, browser_path: str | None) -> None:
    """TensorBoard's time series of the run, those that tell most."""
    board = TensorBoard()
    board.configure(
        argv=["", "--logdir", str(run / "tensorboard"), "--host", "127.0.0.1", "--port", "0"]
    )
    address = board.launch()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(f"{address}?tagFilter={quote(SHOWN_TAGS)}#timeseries", wait_until="load")
        page.get_by_role("button", name="Settings").first.click()  # closes their pane
        page.wait_for_timeout(SETTLED_MS)
        screenshot = Image.open(BytesIO(page.screenshot()))
        save_small(screenshot, FIGURES / "tensorboard.png")
        browser.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a training")
    parser.add_argument("--testset", default=evaluate.DEFAULT_TESTSET)
    parser.add_argument("--limit", type=int, default=500, help="pictures of it (default: 500)")
    parser.add_argument("--backgrounds", type=Path, metavar="DIR", help="for a set of photographs")
    parser.add_argument("--browser", default=shutil.which("chromium"), metavar="FILE")
    options = parser.parse_args(argv)
    FIGURES.mkdir(exist_ok=True)
    report_figures(options.run, options.testset, options.limit, options.backgrounds)
    tensorboard_screenshot(options.run, options.browser)


if __name__ == "__main__":
    main()
