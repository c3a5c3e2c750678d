"""How the boards look, in light and dark, with the colours of the phone's first page."""

from dataclasses import dataclass
from typing import Final

FONTS: Final = "-apple-system,Roboto,'Segoe UI',system-ui,sans-serif"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one scheme, as CSS writes them."""

    card: str
    ink: str
    soft: str
    rule: str
    line: str
    fall: str
    up: str
    down: str


LIGHT: Final = Palette("#ffffff", "#0a101c", "#465066", "#d5dbe5", "#0a101c", "#c4122f", "#0a6b2f", "#b30f2a")
DARK: Final = Palette("#141a24", "#f4f6fa", "#a9b4c6", "#283142", "#f4f6fa", "#ff4a5c", "#46d97f", "#ff7684")


def palette(arguments: dict[str, list[bytes]]) -> Palette:
    """Return the scheme that a session's address asks for: `?theme=dark`, else light."""
    return DARK if arguments.get("theme") == [b"dark"] else LIGHT


def page_css(colours: Palette) -> str:
    """Return the rules of the page around the panes."""
    return f"html,body{{margin:0;background:{colours.card};color:{colours.ink};font-family:{FONTS}}}"


def numbers_css(colours: Palette, grey_after_s: float) -> str:
    """Return the rules of the numbers: they turn pale by themselves when no new ones come."""
    return (
        f":host{{font-family:{FONTS};font-variant-numeric:tabular-nums}}"
        f".live{{font-family:{FONTS};color:{colours.ink};padding:12px 16px 0}}"
        f".live{{animation:pale 1ms linear {grey_after_s:.0f}s forwards}}"
        "@keyframes pale{from,to{opacity:.4}}"
        f".live b{{font-size:22px}}.live .up{{color:{colours.up}}}.live .down{{color:{colours.down}}}"
        f".live small{{color:{colours.soft};font-size:14px}}"
    )
