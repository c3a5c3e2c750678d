"""A small grammar of how people write about metals: names, openings, and what they feel."""

from collections.abc import Sequence
from typing import Final

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "GLD": ("gold", "Gold", "GLD", "gold bullion", "$GLD", "physical gold"),
    "SLV": ("silver", "Silver", "SLV", "silver eagles", "$SLV", "physical silver"),
    "GDX": ("gold miners", "GDX", "the gold miners", "$GDX", "GDXJ"),
}
AUTHORS: Final = tuple(f"stacker_{number:03d}" for number in range(120))
_GOOD: Final = (
    "{name} looks great here, I love this rally",
    "so happy with my {name}, what a strong and beautiful week",
    "{name} is a winner, easy profit and more gains to come",
    "best day for {name} in a long time, excited to hold",
    "I trust {name}, it is safe and it keeps winning",
    "good news for {name}: demand is strong and the trend is excellent",
)
_BAD: Final = (
    "{name} is terrible, I hate this crash",
    "worried about {name}, the losses are getting ugly",
    "{name} looks weak and awful, sold everything in panic",
    "what a disaster for {name}, I lost a lot of money",
    "{name} is dead money, a horrible and disappointing trade",
    "bad news for {name}: fear everywhere and a nasty drop",
)
_PLAIN: Final = (
    "where do you buy {name} these days?",
    "how much {name} do you hold as a share of savings?",
    "{name} premium over spot at my dealer today, see the table",
    "what does the chart of {name} say about the next weeks?",
    "is {name} taxed as a collectible where you live?",
)
_ELSEWHERE: Final = (
    "my dealer moved to a new shop across the street",
    "what do you read on a Sunday?",
    "weekly thread: what did you do at work",
    "found an old coin album in the attic",
)
_OPENINGS: Final = ("", "", "Honestly, ", "Update: ", "Anyone else? ", "Been here ten years and ", "Today ")
_ENDINGS: Final = ("", "", ".", "!", ". Just my view.", ". Not advice.", " - thoughts?")
_FELT: Final = 0.45  # below that nothing is felt


def topic_of(sub: str, chance: float) -> str | None:
    """Return what a note of a sub is about, a fund's symbol; None for one that names no metal."""
    name = sub.lower()
    if "silver" in name or "slv" in name:
        shares = (0.14, 0.82, 0.84)
    elif "gold" in name or "gld" in name or "mining" in name:
        shares = (0.62, 0.74, 0.84)
    elif "metal" in name or "stack" in name:
        shares = (0.38, 0.72, 0.80)
    else:
        shares = (0.14, 0.26, 0.30)
    return next((root for root, share in zip(NAMES, shares, strict=True) if chance < share), None)


def written(root: str | None, feeling: float, chances: Sequence[float]) -> tuple[str, str]:
    """Return title and text of a note: good, bad or plain by its feeling; `chances` pick the words."""
    if root is None:
        said = _picked(_ELSEWHERE, chances[0])
        return said.capitalize(), said
    forms = _GOOD if feeling > _FELT else _BAD if feeling < -_FELT else _PLAIN
    title = _picked(forms, chances[0]).format(name=_picked(NAMES[root], chances[1]))
    said = _picked(forms, chances[2]).format(name=_picked(NAMES[root], chances[3]))
    opening, ending = _picked(_OPENINGS, chances[4]), _picked(_ENDINGS, (chances[4] * 7.0) % 1.0)
    return title, f"{opening}{said}{ending}"


def _picked(forms: Sequence[str], chance: float) -> str:
    return forms[int(chance * len(forms))]
