"""Alerts reach the operators: each once into the outbox, at least once out, and nothing red is held back."""

import email
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qgtm.adapters.channel import Channel, channels, mail_address
from qgtm.adapters.journal import JournalReader, SqliteJournal
from qgtm.core.errors import ConfigError
from qgtm.core.events import AlertRaised
from qgtm.core.request import Person
from qgtm.reporting.courier import Courier
from qgtm.reporting.outbox import Outbox, pause, waiting

AT = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)
OPA, OPB = Person.OPA, Person.OPB


def alert(level: str = "red", cause: str = "kill switch", text: str = "It fell.") -> AlertRaised:
    return AlertRaised(level=level, cause=cause, text=text)


@dataclass
class Pretended:
    """A channel that does as told."""

    person: Person
    name: str
    problem: str | None = None
    hangs: threading.Event | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)

    def send(self, title: str, text: str) -> str | None:
        if self.hangs is not None:
            self.hangs.wait(20)
        if self.problem is None:
            self.sent.append((title, text))
        return self.problem


@dataclass
class Post:
    """A journal, its outbox and a courier whose wall clock is moved by hand."""

    folder: Path
    ways: list[Any]
    now: datetime = AT
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = self.folder / "journal.db"
        self.outbox = Outbox(self.folder / "outbox.db")
        self.courier = Courier(
            self.journal, self.outbox, self.ways, lambda: self.now, self.said.append, patience_s=0.3
        )

    def raises(self, *alerts: AlertRaised, at: datetime = AT) -> None:
        with SqliteJournal(self.journal) as journal:
            journal.append(list(alerts), at)

    def looks(self, after_s: float = 0.0) -> None:
        self.now += timedelta(seconds=after_s)
        self.courier.look()

    def waiting(self) -> int:
        return waiting(self.folder / "outbox.db", self.now, timedelta(0)).number


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path, [Pretended(OPA, "a"), Pretended(OPB, "b")])
    yield made
    made.outbox.close()


def texts(way: Any) -> list[str]:
    return [text.split("\n\n")[0] for _, text in way.sent]


def test_red_alert_reaches_both_with_the_moment_at_which_it_arose(post: Post) -> None:
    post.raises(alert())
    post.looks()
    with JournalReader(post.journal) as reader:
        head = reader.head()
    anchor = f"The journal's row {head.seq} is {head.seq}:{head.hash}"  # as `audit verify --head` takes it
    assert [way.sent for way in post.ways] == [
        [("QGTM RED: kill switch", f"It fell.\n\n{anchor}\n\nMon 02 Mar 2026, 14:30 New York")]
    ] * 2


def test_everybody_hears_once_a_day_where_the_journal_stands(post: Post) -> None:
    post.courier.tells_head = True
    post.raises(alert("info"))
    heard = []
    for hour in range(60):  # from 14:30 on Monday in New York
        post.looks(3600 if hour else 0)
        heard += [hour] * (len(post.ways[1].sent) - len(heard))
    assert heard == [0, 3, 27, 51]  # at once, and from then on with the first look after 17:00
    assert post.ways[0].sent == post.ways[1].sent
    with JournalReader(post.journal) as reader:
        assert f"1:{reader.head().hash}" in post.ways[1].sent[0][1]


@pytest.mark.parametrize(
    ("level", "cause", "to_opb"),
    [("red", "broker", True), ("orange", "kill switch", True), ("yellow", "limits", True),
     ("orange", "strategy tsmom", False), ("yellow", "order rejected", False)],
)  # fmt: skip
def test_opb_is_told_what_is_red_or_touches_how_the_fund_is_run(
    post: Post, level: str, cause: str, to_opb: bool
) -> None:
    post.raises(alert(level, cause))
    post.looks()
    assert [len(way.sent) for way in post.ways] == [1, int(to_opb)]


def test_info_is_written_down_and_wakes_nobody(post: Post) -> None:
    post.raises(alert("info", "broker"))
    post.looks()
    assert [way.sent for way in post.ways] == [[], []]


def test_alert_goes_out_once_over_restarts_of_the_courier(post: Post, tmp_path: Path) -> None:
    post.raises(alert())
    post.looks()
    post.outbox.close()
    again = Post(tmp_path, post.ways)
    again.looks(1000)
    again.outbox.close()
    assert [len(way.sent) for way in post.ways] == [1, 1]


@pytest.mark.fault("K4")
def test_storm_of_one_cause_is_told_at_once_and_then_together(post: Post) -> None:
    post.raises(alert("orange", "strategy x", "first"))
    post.looks()
    for number in range(97):
        post.raises(alert("orange", "strategy x", f"again {number}"))
        post.looks(1)
    assert texts(post.ways[0]) == ["first"]
    post.looks(300 - 97)
    assert texts(post.ways[0])[1].split("\n") == [f"again {number}" for number in range(97)]
    post.raises(alert("orange", "strategy x", "later"))
    post.looks(299)
    assert len(post.ways[0].sent) == 2
    post.looks(2)
    assert texts(post.ways[0])[2:] == ["later"]


@pytest.mark.fault("K4")
def test_other_cause_does_not_wait_for_a_storm(post: Post) -> None:
    post.raises(
        alert("orange", "strategy x"), alert("orange", "strategy x", "more"), alert("orange", "strategy y")
    )
    post.looks()
    assert len(post.ways[0].sent) == 2


@pytest.mark.fault("K4")
@pytest.mark.invariant("V23")
def test_red_is_never_held_back_or_put_together(post: Post) -> None:
    post.raises(*[alert(text=f"red {number}") for number in range(20)])
    post.looks()
    assert texts(post.ways[0]) == texts(post.ways[1]) == [f"red {number}" for number in range(20)]


@pytest.mark.fault("K1", "K2")
@pytest.mark.invariant("V23")
def test_channel_that_fails_is_tried_again_ever_more_seldom_until_it_takes_it(post: Post) -> None:
    post.ways[0].problem = "refused"
    post.raises(alert("orange", "strategy x"))
    tried = []
    for second in range(200):
        post.looks(1 if second else 0)
        found = post.outbox._rows("SELECT COUNT(*) FROM delivery")[0][0]
        tried += [second] if found > len(tried) else []
    assert tried == [0, 5, 15, 35, 75, 155]  # 5, 10, 20, 40 and 80 seconds later
    found = waiting(post.folder / "outbox.db", post.now)
    assert (found.problem, found.number, found.failing) == ("a: refused", 1, 1)
    post.ways[0].problem = None
    post.looks(200)
    assert (len(post.ways[0].sent), post.waiting()) == (1, 0)


@pytest.mark.fault("K3")
@pytest.mark.invariant("V23")
def test_hard_cap_while_every_channel_is_down_is_told_later_with_its_own_moment(post: Post) -> None:
    for way in post.ways:
        way.problem = "refused"
    post.raises(alert(text="Trading is now halted hard."))
    for _ in range(40):
        post.looks(60)
    post.raises(alert("red", "not flat", "Still held: 70 SLV."), at=AT + timedelta(minutes=40))
    post.looks()
    assert [way.sent for way in post.ways] == [[], []]
    assert post.waiting() == 4  # each for both
    for way in post.ways:
        way.problem = None
    for _ in range(12):
        post.looks(60)
    for way in post.ways:
        told = dict(way.sent)
        assert len(way.sent) == 2
        assert "Trading is now halted hard." in told["QGTM RED: kill switch"]
        assert "14:30 New York" in told["QGTM RED: kill switch"]  # and not the hour at which it got through
        assert "15:10 New York" in told["QGTM RED: not flat"]
    assert post.waiting() == 0


def test_pause_ends_at_ten_minutes() -> None:
    assert [pause(n).total_seconds() for n in (1, 2, 7, 8, 50)] == [5, 10, 320, 600, 600]


@pytest.mark.fault("K1", "K2")
def test_second_channel_takes_what_the_first_does_not(post: Post) -> None:
    post.ways[0].problem = "refused"
    post.ways.append(Pretended(OPA, "a2"))
    post.raises(alert("orange", "strategy x"))
    post.looks()
    assert (len(post.ways[2].sent), post.waiting()) == (1, 0)


@pytest.mark.fault("K1", "K2")
@pytest.mark.invariant("V23")
def test_channel_that_hangs_delays_no_other_for_longer_than_the_patience(post: Post) -> None:
    hangs = threading.Event()
    post.ways.append(Pretended(OPA, "a2", hangs=hangs))
    post.raises(*[alert(text=f"red {number}") for number in range(4)])
    began = time.monotonic()
    post.looks()
    took_s = time.monotonic() - began
    hangs.set()
    assert len(post.ways[0].sent) == len(post.ways[1].sent) == 4
    assert took_s < 3  # the first waits 0.3 s for it, the others not at all


def test_without_a_channel_an_alert_waits_and_says_what_to_set(post: Post) -> None:
    post.courier.ways = []
    post.raises(alert())
    post.looks()
    found = waiting(post.folder / "outbox.db", post.now, timedelta(0))
    assert found.problem.startswith("no channel is set for OpB: set QGTM_ALERTS_OPB")
    assert (found.number, found.failing) == (2, 0)
    assert post.waiting() == 2


def test_journal_back_from_a_backup_tells_what_is_new_and_nothing_twice(post: Post) -> None:
    post.raises(alert(text="old"))
    kept = post.journal.read_bytes()
    post.raises(alert(text="lost"))
    post.looks()
    for path in post.folder.glob("journal.db*"):
        path.unlink()
    post.journal.write_bytes(kept)
    post.raises(alert(text="restored"))
    post.looks(1)
    assert texts(post.ways[0]) == ["old", "lost", "restored"]


def test_journal_that_is_not_there_or_broken_is_said_once(post: Post) -> None:
    post.looks()
    assert post.said == []
    post.journal.write_bytes(b"no database, but long enough to be taken for one" * 100)
    post.looks()
    post.looks()
    assert len(post.said) == 1


# --- real mail ------------------------------------------------------------------------------------


@dataclass
class Box:
    """What a mail server received."""

    mails: list[tuple[list[str], Any]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 taken"


@pytest.fixture
def server() -> Iterator[tuple[Box, int]]:
    from aiosmtpd.controller import Controller

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    box = Box()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def test_mail_reaches_a_real_server_with_subject_text_and_recipient(
    server: tuple[Box, int], tmp_path: Path
) -> None:
    box, port = server
    found = {"QGTM_SMTP_URL": f"smtp://127.0.0.1:{port}?from=fund@fund.example"}
    ways = channels(found, {OPA: "a@fund.example", OPB: "b@fund.example"})
    post = Post(tmp_path, list(ways))
    post.courier.patience_s = 20
    post.raises(alert(text="It fell to -12%.\nCall."))
    post.looks()
    post.outbox.close()
    assert sorted(to for to, _ in box.mails) == [["a@fund.example"], ["b@fund.example"]]
    mail = box.mails[0][1]
    assert mail["Subject"] == "QGTM RED: kill switch"
    assert "It fell to -12%.\nCall." in str(mail.as_string()).replace("=\n", "")
    assert "fund@fund.example" in mail["From"]
    assert post.waiting() == 0


@pytest.mark.fault("K1")
def test_mail_server_that_is_down_keeps_the_mail_until_it_is_back(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (way,) = channels({"QGTM_SMTP_URL": f"smtp://127.0.0.1:{port}"}, {OPA: "a@fund.example"})
    assert way.send("t", "x") == "it was not taken"


@pytest.mark.fault("J13")
@pytest.mark.invariant("V27")
def test_channel_shows_no_secret_in_its_name_or_its_problems(server: tuple[Box, int]) -> None:
    found = {"QGTM_ALERTS_OPA": "json://canary:s3cret@127.0.0.1:1/path gotify://127.0.0.1:1/t0kent0kent0ken"}
    ways = channels(found, {})
    said = " ".join(f"{way.name} {way.send('t', 'x')}" for way in ways)
    assert [way.person for way in ways] == [OPA, OPA]
    assert not any(secret in said for secret in ("canary", "s3cret", "t0ken"))


@pytest.mark.parametrize("address", ["nonsense", "unknown://x", "mailto://"])
def test_address_that_nobody_understands_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(ConfigError, match="QGTM_ALERTS_OPB") as told:
        channels({"QGTM_ALERTS_OPB": address}, {})
    assert address not in str(told.value)


@pytest.mark.parametrize(
    ("server", "begins"),
    [
        (
            "smtp://user:pass@mail.example",
            "mailtos://user:pass@mail.example:587?smtp=mail.example&mode=starttls",
        ),
        ("smtps://mail.example", "mailtos://mail.example:465?smtp=mail.example&mode=ssl"),
        ("smtp://127.0.0.1:25", "mailto://127.0.0.1:25?smtp=127.0.0.1&mode=insecure"),
    ],
)
def test_mail_server_is_written_as_people_know_it(server: str, begins: str) -> None:
    assert mail_address(server, "a@b.example").startswith(begins)


@pytest.mark.parametrize("server", ["", "mail.example", "http://mail.example", "smtp://mail.example:x"])
def test_mail_server_that_is_none_is_refused(server: str) -> None:
    with pytest.raises(ConfigError, match="QGTM_SMTP_URL"):
        mail_address(server, "a@b.example")


def test_channel_is_a_frozen_fact() -> None:
    with pytest.raises(AttributeError):
        Channel(OPA, "n", "a").name = "m"  # type: ignore[misc]
