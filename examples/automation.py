"""Where is the gap on the screen? Looks at screenshots of a page: `python -m examples.automation`.

A page on localhost shows the example puzzles at several widths; headless Chromium renders it at
several device pixel ratios. Each screenshot goes to the locator with the puzzle's box as `roi` and
the page's width as `display_width`, so that answers can be told in the page's own pixels (CSS px).
They are compared with invisible marks that the page put on the true points. It only looks: nothing
is clicked, dragged or solved.

Needs `pip install ".[automation]"` and Chromium (Debian: `apt-get install chromium`). Exit code: 0
when every point was found, 1 when one was not, 2 when there is no browser.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
from playwright.sync_api import Browser, Error, Page, sync_playwright

from runtime import Location, Locator
from runtime.view import Roi

FOLDER = Path(__file__).parent
PIXEL_RATIOS = (1, 1.25, 2)  # a plain screen, a scaled one, a dense one
SHOWN_AT = (0.8, 1, 1.5)  # of the picture's own width
TOLERANCE_PX = 5.0  # of the picture's own pixels
VIEWPORT = {"width": 1280, "height": 960}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # this machine and nothing else
)
_PAGE = """<!doctype html>
<meta charset="utf-8"><title>{name}</title>
<style>
  body {{ margin: 2.3em 4em; font: 16px sans-serif; background: #eef }}
  #puzzle {{ position: relative; width: {width}px; margin: 1.7em 13.3% }}
  img {{ display: block; width: 100% }}
  i {{ position: absolute }}
</style>
<h1>Fetch your parcel</h1><p>Move the piece to where it is missing.</p>
<div id="puzzle"><img src="/{name}.png" alt="">{marks}</div>
<p>Opening hours: Monday to Friday, 9 to 17.</p>
"""
_BOX = (
    "element => { const b = element.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }"
)


@dataclass(frozen=True)
class Look:
    """One screenshot: what was asked for, what was found, and how far off, in picture pixels."""

    name: str
    shown_at: float
    pixel_ratio: float
    location: Location
    error_px: float

    def __str__(self) -> str:
        verdict = "ok" if self.location.ok else f"not sure: {'; '.join(self.location.reasons)}"
        return (
            f"{self.name:<13} width x {self.shown_at:<4} pixel ratio {self.pixel_ratio:<5} "
            f"travel {self.location.distance_px:6.1f} CSS px, off by {self.error_px:5.2f} px, "
            f"{verdict}"
        )


def page_of(name: str, shown_at: float) -> str:
    """The page that shows an example, with a mark on each of its true points."""
    truth = json.loads((FOLDER / "truth.json").read_text("utf-8"))[name]
    height, width = cv2.imread(str(FOLDER / f"{name}.png")).shape[:2]
    marks = ""
    for point in ("gap", "slider"):
        x, y = truth[f"{point}_picture_xy"]
        # A pixel's centre lies half a pixel from its edge, from where a page measures.
        left, top = 100 * (x + 0.5) / width, 100 * (y + 0.5) / height
        marks += f'<i id="{point}" style="left:{left}%;top:{top}%"></i>'
    return _PAGE.format(name=name, width=shown_at * width, marks=marks)


class _Pages(SimpleHTTPRequestHandler):
    """The example pictures as files, and a page for `/NAME/SHOWN_AT`."""

    def do_GET(self) -> None:
        name, slash, shown_at = self.path.strip("/").partition("/")
        if not slash:
            super().do_GET()
            return
        page = page_of(name, float(shown_at)).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the pages on a free local port; gives the address."""
    handler = partial(_Pages, directory=str(FOLDER))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def look(page: Page, locator: Locator, name: str, shown_at: float, pixel_ratio: float) -> Look:
    """Take a screenshot of the page that is open, and compare the answer with the page's marks."""
    x, y, width, height = page.locator("#puzzle").evaluate(_BOX)
    location = locator.predict(
        page.screenshot(),
        roi=_whole_pixels(x, y, width, height, pixel_ratio),
        display_width=VIEWPORT["width"],
    )
    natural_width = page.locator("img").evaluate("image => image.naturalWidth")
    errors_px = []
    for point, found in (("gap", location.gap), ("slider", location.slider)):
        true_x, true_y, *_ = page.locator(f"#{point}").evaluate(_BOX)
        found_x, found_y = (found.x + 0.5) / pixel_ratio, (found.y + 0.5) / pixel_ratio
        off_css_px = math.hypot(found_x - true_x, found_y - true_y)
        errors_px.append(off_css_px * natural_width / width)
    return Look(name, shown_at, pixel_ratio, location, max(errors_px))


def _whole_pixels(x: float, y: float, width: float, height: float, pixel_ratio: float) -> Roi:
    """A box in CSS pixels as whole pixels of the screenshot, with no part left out."""
    left, top = math.floor(x * pixel_ratio), math.floor(y * pixel_ratio)
    right, bottom = math.ceil((x + width) * pixel_ratio), math.ceil((y + height) * pixel_ratio)
    return left, top, right - left, bottom - top


def looks(browser: Browser, locator: Locator, names: Sequence[str]) -> Iterator[Look]:
    """Every picture at every width and pixel ratio."""
    with served() as address:
        for pixel_ratio in PIXEL_RATIOS:
            page = browser.new_page(viewport=VIEWPORT, device_scale_factor=pixel_ratio)
            for name in names:
                for shown_at in SHOWN_AT:
                    page.goto(f"{address}/{name}/{shown_at}", wait_until="load")
                    yield look(page, locator, name, shown_at, pixel_ratio)
            page.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.automation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = sorted(path.stem for path in FOLDER.glob("*.png"))
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--bundle", metavar="DIR", help="your own (default: the shipped one)")
    parser.add_argument("--browser", default=shutil.which("chromium"), metavar="FILE")
    options = parser.parse_args(argv)
    if unknown := set(options.names) - set(names):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    missed = 0
    with sync_playwright() as playwright, Locator(options.precision, bundle=options.bundle) as eye:
        try:
            browser = playwright.chromium.launch(executable_path=options.browser, args=FLAGS)
        except Error as error:
            print(f"error: no browser: {str(error).splitlines()[0]}", file=sys.stderr)
            return 2
        for seen in looks(browser, eye, options.names or names):
            print(seen, flush=True)
            missed += seen.error_px > TOLERANCE_PX
        browser.close()
    print(f"{missed} missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
