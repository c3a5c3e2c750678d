"""Take the pictures of OpB's page in docs/pictures: `python -m benchmarks.phone_pictures`.

`--all DIR` takes every story in light and dark instead, whole pages, to be looked at.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.browser import PHONE, Browser, browser
from benchmarks.made_up_fund import STORIES, made_up_state
from benchmarks.serving import serving

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
PICTURES = (
    ("green", False, "phone-green"),
    ("red", False, "phone-red"),
    ("request", False, "phone-request"),
    ("closing", True, "phone-closing-dark"),
    ("orange", True, "phone-orange-dark"),
)
SETTLED_S = 0.4
WHOLE = "document.documentElement.scrollHeight"
Picture = tuple[str, bool, str]


def main() -> None:
    """Write each picture, 360 by 780, at one dot a pixel times two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", type=Path, metavar="DIR", help="every story in light and dark, whole pages")
    parser.add_argument("--story", action="append", choices=STORIES, help="with --all: these alone")
    chosen = parser.parse_args()
    folder = chosen.all or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    pictures = list(every(chosen.story or list(STORIES))) if chosen.all else PICTURES
    with browser() as chrome:
        for picture in pictures:
            print(take(chrome, picture, folder, is_whole=bool(chosen.all)), flush=True)


def every(stories: list[str]) -> Iterator[Picture]:
    """Return each story's picture in light and in dark."""
    for story in stories:
        yield story, False, story
        yield story, True, f"{story}-dark"


def take(chrome: Browser, picture: Picture, folder: Path, *, is_whole: bool) -> Path:
    """Write one picture and return where it lies."""
    story, is_dark, name = picture
    path = folder / f"{name}.png"
    with tempfile.TemporaryDirectory() as place:
        state = made_up_state(Path(place), story)
        with serving(state.root, "--no-live") as served, chrome.tab() as tab:
            tab.become_phone(is_dark=is_dark)
            tab.open(served.address)
            tab.listen(SETTLED_S)
            if is_whole:
                tab.become_phone(is_dark=is_dark, height=max(PHONE["height"], tab.evaluate(WHOLE)))
            tab.picture(path)
    return path


if __name__ == "__main__":
    main()
