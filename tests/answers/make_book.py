"""Write the answers on fills, sizes, profit and drawdown, by another route than the code's; run by hand.

    python tests/answers/make_book.py

It shares no function with qgtm and counts in fractions, from the whole list each time: a position is the
list of its single shares, each with what it cost, so that no average is ever carried on.
"""

import csv
import random
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).parent


def write(name: str, route: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one file: the route as a comment, a header, the rows."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as out:
        out.write(f"# {route}\n")
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(header)
        lines.writerows(
            [repr(float(each)) if isinstance(each, Fraction) else each for each in row] for row in rows
        )


def after(pieces: list[tuple[int, Fraction]]) -> tuple[int, Fraction, Fraction]:
    """Return shares held, their cost and what was realised, from (signed shares, price), share by share."""
    shares: list[Fraction] = []  # what each share held went in for; all of one sign
    sign, realised = 0, Fraction(0)
    for quantity, price in pieces:
        step = 1 if quantity > 0 else -1
        for _ in range(abs(quantity)):
            if not shares or sign == step:
                shares.append(price)
                sign = step
            else:
                mean = sum(shares) / len(shares)
                realised += sign * (price - mean)
                shares = [mean] * (len(shares) - 1)
    return sign * len(shares), sign * sum(shares, Fraction(0)), realised


def fills() -> None:
    """Orders that fill in parts, end before they are whole, and turn the position."""
    chance, rows, pieces, cash = random.Random(4), [], list[tuple[int, Fraction]](), Fraction(100_000)
    for number in range(12):
        side, ordered = chance.choice((1, -1)), chance.randint(3, 60)
        count, worth = 0, Fraction(0)
        for _ in range(chance.randint(1, 3)):
            more = chance.randint(1, max(1, (ordered - count) // 2)) if count < ordered else 0
            if not more:
                continue
            price = Fraction(chance.randint(9_000, 11_000), 100)
            count, worth, cash = count + more, worth + more * price, cash - side * more * price
            pieces.append((side * more, price))
            held, cost, realised = after(pieces)
            mean = worth / count
            told = Fraction(round(mean * 10**10), 10**10)
            rows.append([number, side, ordered, count, f"{float(told):.10f}", held, cost, realised, cash])
    write(
        "fills.csv",
        "Fractions, one share at a time over the whole list of pieces; see make_book.py",
        ["order", "side", "ordered", "count", "mean_price", "held", "cost_usd", "realized_usd", "cash_usd"],
        rows,
    )


def sizes() -> None:
    """Whole shares of a weight, rounded towards zero, as long division of whole cents."""
    chance, rows = random.Random(5), []
    for _ in range(60):
        millionths, equity_cents = chance.randint(-480_000, 480_000), chance.randint(5_000_000, 200_000_000)
        bid, spread = chance.randint(1_000, 30_000), chance.randint(1, 9)
        twice_mid = 2 * bid + spread  # in cents
        shares = abs(millionths) * equity_cents * 2 // (1_000_000 * twice_mid)
        signed = shares if millionths > 0 else -shares
        rows.append(
            [
                f"{millionths / 1e6:.6f}",
                f"{equity_cents / 100:.2f}",
                f"{bid / 100:.2f}",
                f"{(bid + spread) / 100:.2f}",
                signed,
            ]
        )
    write(
        "sizes.csv",
        "long division of whole cents and millionths; see make_book.py",
        ["weight", "equity_usd", "bid", "ask", "shares"],
        rows,
    )


def profit() -> None:
    """Two strategies in one symbol over six closes: what each earned is its own shares times each move."""
    # day: shares that a and b buy at the fill price, then the close; the account starts with 100,000
    days = [
        (30, 0, "50.00", "51.00"),
        (0, -10, "51.20", "50.40"),
        (10, 10, "50.10", "52.35"),
        (-40, 0, "52.00", "51.75"),
        (0, 0, "51.75", "49.25"),
        (0, 0, "49.25", "49.30"),
    ]
    held, rows, worth = [0, 0], [], Fraction(100_000)
    before = Fraction(0)
    for a, b, fill_text, close_text in days:
        fill, close = Fraction(fill_text), Fraction(close_text)
        earned = []
        for who, bought in enumerate((a, b)):
            carried = held[who] * (close - before) if before else Fraction(0)
            earned.append(carried + bought * (close - fill))
            held[who] += bought
        worth += sum(earned)
        before = close
        rows.append([a, b, fill_text, close_text, *earned, worth])
    write(
        "profit.csv",
        "shares held times the move of the price plus shares bought times close less fill; see make_book.py",
        ["a_bought", "b_bought", "fill_price", "close", "a_earned_usd", "b_earned_usd", "equity_usd"],
        rows,
    )


def drawdown() -> None:
    """The fall per unit with money in and out: the peak of the product of daily returns, flows left aside."""
    # each row: equity after the day's trading, then money that came in
    days = [
        ("100000", 0),
        ("104000", 0),
        ("101000", 50_000),
        ("148000", 0),
        ("140600", -40_600),
        ("99000", 0),
        ("103950", 0),
    ]
    rows, index, peak, base = [], Fraction(1), Fraction(1), Fraction(100_000)
    for text, flow in days:
        equity = Fraction(text)
        index *= equity / base
        peak = max(peak, index)
        rows.append([text, flow, index, peak, 1 - index / peak])
        base = equity + flow
    write(
        "drawdown.csv",
        "the chain of daily returns on equity plus flows, in fractions; see make_book.py",
        ["equity_usd", "flow_usd", "index", "peak", "drawdown_frac"],
        rows,
    )


if __name__ == "__main__":
    fills()
    sizes()
    profit()
    drawdown()
