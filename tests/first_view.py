"""How large a report is, and how long until its first clip is there in Chromium.

    python tests/first_view.py report/index.html

The time is from the address to the moment when the first clip can be seen and played: its
spectrogram is drawn, its sound decoded. Each view is in a new context, without a cache; the files
themselves are in the system's memory from the second view on.
"""

import statistics
import sys
import time
from pathlib import Path

from browser import opened_browser

VIEWS = 7


def size_of(index: Path) -> int:
    """The bytes of a page, or of the folder of a page with clips beside it."""
    if not (index.parent / "clips").is_dir():
        return index.stat().st_size
    return sum(path.stat().st_size for path in index.parent.rglob("*") if path.is_file())


def first_view(browser, index: Path) -> float:
    """Seconds until the first clip of a report is there."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    start = time.monotonic()
    page.goto(index.as_uri(), wait_until="commit")
    is_folder = (index.parent / "clips").is_dir()
    place = page.frame_locator("[data-frame] iframe") if is_folder else page
    place.locator("[data-started]").first.wait_for(state="attached")
    seconds = time.monotonic() - start
    context.close()
    return seconds


def main() -> None:
    index = Path(sys.argv[1]).resolve()
    _, browser = opened_browser()
    views = [first_view(browser, index) for _ in range(VIEWS)]
    print(f"{size_of(index) / 1e6:.1f} MB")
    print(f"first view: median {statistics.median(views):.2f} s", end=" ")
    print(f"({min(views):.2f} to {max(views):.2f}) of {VIEWS}")


if __name__ == "__main__":
    main()
