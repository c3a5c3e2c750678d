"""The catalogue of features as one page, `docs/features.html`: each with its formula and a small picture.

`python -m qgtm.research.features_page` writes it; `make export` does so after printing. The pictures are of a
made-up market, so that the page needs no data and is the same wherever it is made.
"""

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from qgtm.adapters.files import write_atomic
from qgtm.features.bars import FloatArray
from qgtm.features.catalogue import CATALOGUE
from qgtm.features.feature import Feature
from qgtm.features.seen import Seen
from qgtm.research.made_up_panel import made_up_seen

PAGE: Final = Path("docs/features.html")
SESSIONS: Final = 640
SHOWN: Final = 252  # sessions in a picture
STEP: Final = 2  # of which every second is drawn
SEED: Final = 4
WIDTH, HEIGHT, EDGE = 320, 64, 3
NAMED: Final = 6  # columns that are listed by name; of more, their number is told

STYLE: Final = """
:root{color-scheme:light dark;--ink:#2b2b2b;--soft:#6a675f;--line:#d8d5cc;--gold:#96701a;--paper:#fbfaf6}
@media(prefers-color-scheme:dark){:root{--ink:#e8e5dc;--soft:#a5a196;--line:#45423b;--gold:#d3a84a;--paper:#1d1c19}}
body{margin:0 auto;padding:1rem;max-width:46rem;font:16px/1.45 system-ui,sans-serif;color:var(--ink);
background:var(--paper)}
h1{font-size:1.5rem;margin:.2rem 0}
h2{font-size:1.2rem;margin:2rem 0 .3rem;border-bottom:2px solid var(--gold)}
nav a{display:inline-block;margin:.15rem .7rem .15rem 0;padding:.25rem 0}a{color:var(--gold)}
article{border-bottom:1px solid var(--line);padding:.8rem 0}
h3{font:600 1rem ui-monospace,monospace;margin:0;overflow-wrap:anywhere}
.formula{margin:.25rem 0;font-family:ui-serif,Georgia,serif;font-size:1.05rem;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;max-width:26rem}
path{fill:none;stroke:var(--gold);stroke-width:1.4;vector-effect:non-scaling-stroke}
figure{margin:.3rem 0}figcaption,dl{font-size:.86rem;color:var(--soft)}
dl{margin:.3rem 0 0;display:grid;grid-template-columns:5.2rem 1fr;gap:.1rem .6rem}
dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
""".strip()


def page(features: Iterable[Feature], seen: Seen) -> str:
    """Return the whole page; `seen` is the market of the pictures."""
    families = [(name, list(group)) for name, group in groupby(features, lambda feature: feature.family)]
    number = sum((len(group) for _, group in families), start=0)
    links = "".join(
        f'<a href="#{_anchor(name)}">{escape(name)} ({len(group)})</a>' for name, group in families
    )
    cards = "".join(_family(name, group, seen) for name, group in families)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Features</title><style>{STYLE}</style></head>\n<body>\n<h1>Features</h1>\n"
        f"<p>{number} features in {len(families)} families, made by <code>make export</code> from the "
        f"notebooks in <code>notebooks/features</code>. r is the daily log return, mean(x, n), s(x, n), "
        f"z(x, n) and rank(x, n) are over the last n sessions, today's included. The pictures show the "
        f"last {SHOWN} of {SESSIONS} sessions of a made-up market: they tell the shape, and nothing of "
        f"gold.</p>\n<nav>{links}</nav>\n{cards}</body></html>\n"
    )


def _anchor(family: str) -> str:
    return escape(family.replace(" ", "-"))


def _family(name: str, features: list[Feature], seen: Seen) -> str:
    cards = "".join(_card(feature, seen) for feature in features)
    return f'<section id="{_anchor(name)}"><h2>{escape(name.capitalize())}</h2>\n{cards}</section>\n'


def _card(feature: Feature, seen: Seen) -> str:
    facts = "".join(f"<dt>{escape(what)}</dt><dd>{escape(told)}</dd>" for what, told in _facts(feature))
    return (
        f'<article id="{escape(feature.name)}"><h3>{escape(feature.name)}</h3>'
        f'<p class="formula">{escape(feature.formula)}</p>{_picture(feature, seen)}'
        f"<dl>{facts}</dl></article>\n"
    )


def _facts(feature: Feature) -> Iterator[tuple[str, str]]:
    yield "Unit", feature.unit
    if feature.symbols:
        yield "Of", _listed(feature.symbols)
    yield "Reads", _listed(feature.reads)
    yield (
        "Warm-up",
        f"{feature.warm_up} sessions" + ("; carries a memory from then on" if feature.fold else ""),
    )
    yield "Holes", feature.missing
    yield "Source", feature.source


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:2])} and {len(names) - 2} more"


def _picture(feature: Feature, seen: Seen) -> str:
    values = seen.get(feature)
    drawn = values if values.ndim == 1 else values[:, 0]
    newest = drawn[-SHOWN::STEP]
    known = newest[np.isfinite(newest)]
    if not len(known):
        return "<figure><figcaption>Not known in the made-up market.</figcaption></figure>"
    least, most = float(known.min()), float(known.max())
    whose = f"{feature.symbols[0]}, " if feature.symbols else ""
    said = f"{whose}{least:.3g} to {most:.3g}"
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">'
        f'<path d="{_path(newest, least, most)}"/></svg><figcaption>{escape(said)}</figcaption></figure>'
    )


def _path(values: FloatArray, least: float, most: float) -> str:
    """Return the line as an SVG path in whole pixels, lifted over what is not known."""
    reach = most - least if most > least else 1.0
    parts, is_down = [], False
    for i, value in enumerate(values.tolist()):
        if not np.isfinite(value):
            is_down = False
            continue
        x = round(i * WIDTH / (len(values) - 1))
        y = round(HEIGHT - EDGE - (value - least) / reach * (HEIGHT - 2 * EDGE))
        parts.append(f"{'L' if is_down else 'M'}{x} {y}")
        is_down = True
    return "".join(parts)


def main(root: Path) -> None:
    """Write the page into `docs` below `root`."""
    text = page(CATALOGUE.values(), made_up_seen(SESSIONS, SEED))
    write_atomic(root / PAGE, text.encode())


if __name__ == "__main__":
    main(Path(__file__).resolve().parents[2])
