"""Take the pictures of OpB's page in docs/pictures: `python -m benchmarks.phone_pictures`."""

import tempfile
from pathlib import Path

from benchmarks.browser import browser
from benchmarks.made_up_fund import made_up_state
from benchmarks.serving import serving

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
PICTURES = (
    ("green", False, "phone-green"),
    ("red", False, "phone-red"),
    ("orange", True, "phone-orange-dark"),
)
SETTLED_S = 0.4


def main() -> None:
    """Write each picture, 360 by 780, at one dot a pixel times two."""
    FOLDER.mkdir(exist_ok=True)
    with browser() as chrome:
        for story, is_dark, name in PICTURES:
            with tempfile.TemporaryDirectory() as folder:
                state = made_up_state(Path(folder), story)
                with serving(state.root, "--no-live") as served, chrome.tab() as tab:
                    tab.become_phone(is_dark=is_dark)
                    tab.open(served.address)
                    tab.listen(SETTLED_S)
                    tab.picture(FOLDER / f"{name}.png")
                    print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
