"""The courier where things go wrong: channels that hang, damaged files, words that are no subject."""

import email
import email.policy
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from qgtm.adapters.channel import channels
from qgtm.adapters.journal import SqliteJournal
from qgtm.core.events import AlertRaised, CommandTaken
from qgtm.core.request import Person
from qgtm.engine.act import refused, told_both
from qgtm.reporting.courier import LONGEST_TEXT
from qgtm.reporting.outbox import Outbox, recipients, waiting
from tests.reporting.test_outbox import AT, OPA, OPB, Post, Pretended, alert, texts


@pytest.fixture
def hangs() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def test_what_takes_both_and_what_was_refused_is_told_to_both() -> None:
    told = [told_both("OpA asks."), *refused("approve a request", "OpA", "same person")]
    alerts = [each for each in told if isinstance(each, AlertRaised)]
    assert [recipients(each) for each in alerts] == [(OPA, OPB)] * 2


def test_red_alert_of_one_person_waits_for_no_channel_of_the_other(
    tmp_path: Path, hangs: threading.Event
) -> None:
    post = Post(tmp_path, [Pretended(OPA, f"a{n}", hangs=hangs) for n in range(3)] + [Pretended(OPB, "b")])
    post.courier.patience_s = 6.0
    post.raises(*[alert(text=f"red {number}") for number in range(5)])
    began, looking = time.monotonic(), threading.Thread(target=post.courier.look)
    looking.start()
    while len(post.ways[3].sent) < 5 and time.monotonic() - began < 6:
        time.sleep(0.01)
    took_s = time.monotonic() - began
    hangs.set()
    looking.join(20)
    assert took_s < 3


@pytest.mark.fault("K1", "K2")
def test_of_five_channels_four_hang_and_each_red_alert_goes_out_at_once(
    tmp_path: Path, hangs: threading.Event
) -> None:
    ways = [Pretended(OPA, f"a{n}", hangs=hangs) for n in range(4)]
    post = Post(tmp_path, [*ways, Pretended(OPA, "good"), Pretended(OPB, "b")])
    post.courier.patience_s = 8.0
    slowest_s, before = 0.0, threading.active_count()
    for number in range(60):
        post.raises(alert(text=f"red {number}"), at=AT + timedelta(seconds=number))
        began = time.monotonic()
        post.looks(1)
        slowest_s = max(slowest_s, time.monotonic() - began)
    assert len(post.ways[4].sent) == 60
    assert slowest_s < 4
    assert post.waiting() == 0
    assert threading.active_count() - before <= 6  # a thread a channel, however many hang


def test_channel_that_answers_late_is_heard_and_nothing_is_sent_twice(
    tmp_path: Path, hangs: threading.Event
) -> None:
    way = Pretended(OPA, "slow", hangs=hangs)
    post = Post(tmp_path, [way])
    post.raises(alert("orange", "strategy x"))
    post.looks()
    assert post.waiting() == 1
    post.looks(600)  # it hangs still: it is given nothing more
    hangs.set()
    for _ in range(200):
        post.looks()
        if not post.waiting():
            break
        time.sleep(0.02)
    assert (len(way.sent), post.waiting()) == (1, 0)


def test_red_burst_reaches_every_channel_also_the_slower_one(tmp_path: Path) -> None:
    class Slow(Pretended):
        def send(self, title: str, text: str) -> str | None:
            time.sleep(0.05)
            return super().send(title, text)

    post = Post(tmp_path, [Slow(OPA, "slow"), Pretended(OPA, "quick"), Pretended(OPB, "b")])
    post.courier.patience_s = 5.0
    post.raises(*[alert(text=f"red {number}") for number in range(10)])
    post.looks()
    deadline = time.monotonic() + 5
    while len(post.ways[0].sent) < 10 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert texts(post.ways[0]) == texts(post.ways[1]) == [f"red {number}" for number in range(10)]


# --- files ------------------------------------------------------------------------------------------


def test_outbox_that_is_damaged_is_put_aside_and_made_anew(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"no rows at all" * 500)
    post = Post(tmp_path, [Pretended(OPA, "a"), Pretended(OPB, "b")])
    post.raises(alert())
    post.looks()
    assert [len(way.sent) for way in post.ways] == [1, 1]
    assert (tmp_path / "outbox.db.damaged").exists()


def test_outbox_that_is_damaged_under_the_courier_is_made_anew_and_goes_on(tmp_path: Path) -> None:
    post = Post(tmp_path, [Pretended(OPA, "a"), Pretended(OPB, "b")])
    post.raises(*[alert(text=f"red {number} {'x' * 500}") for number in range(40)])
    post.looks()
    post.outbox._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = (tmp_path / "outbox.db").stat().st_size
    with (tmp_path / "outbox.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    post.outbox._connection.execute("PRAGMA shrink_memory")
    post.outbox.close()
    post.outbox = post.courier.outbox = Outbox(
        tmp_path / "outbox.db"
    )  # as after a restart: the head is sound
    post.raises(alert(text="after"), at=AT + timedelta(minutes=1))
    for _ in range(3):
        post.looks(1)
    assert "after" in texts(post.ways[0])
    assert "after" in texts(post.ways[1])
    assert any("damaged" in said for said in post.said)


def test_new_outbox_over_an_old_journal_tells_of_the_last_day_alone(tmp_path: Path) -> None:
    post = Post(tmp_path, [Pretended(OPA, "a"), Pretended(OPB, "b")])
    for days in (0, 400, 799):
        post.raises(alert(text=f"after {days} days"), at=AT + timedelta(days=days))
    post.raises(alert(text="now"), at=AT + timedelta(days=800, seconds=-1))
    post.looks()
    assert texts(post.ways[0]) == ["after 799 days", "now"]


def test_row_that_no_version_can_read_keeps_no_alert_back(tmp_path: Path) -> None:
    from qgtm.adapters import chain

    post = Post(tmp_path, [Pretended(OPA, "a"), Pretended(OPB, "b")])
    post.raises(alert(text="before"))
    with SqliteJournal(post.journal) as journal:
        journal.append([CommandTaken(command_id=1, kind="Halt", by="OpA")], AT)
    known = chain.type_registry.pop("CommandTaken")
    try:
        post.raises(alert(text="behind"))
        post.looks()
    finally:
        chain.type_registry["CommandTaken"] = known
    assert texts(post.ways[0]) == ["before", "behind"]


def test_errand_that_fails_in_any_way_is_tried_again() -> None:
    from qgtm.cli.scheduler import _begin_errands

    stop, said, done = threading.Event(), list[str](), threading.Event()
    tries = iter([ValueError("a bug"), ZeroDivisionError("another")])

    def errand() -> None:
        problem = next(tries, None)
        if problem:
            raise problem
        done.set()

    _begin_errands({"e": (0.01, errand)}, stop, said.append)
    assert done.wait(5)
    stop.set()
    assert "a bug" in said[0]


# --- words ------------------------------------------------------------------------------------------


class Box:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 taken"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_cause_with_line_ends_makes_no_header_and_every_letter_arrives(tmp_path: Path) -> None:
    box, port = Box(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        (way,) = channels(
            {"QGTM_SMTP_URL": f"smtp://127.0.0.1:{port}?from=f@fund.example"}, {OPA: "a@b.example"}
        )
        post = Post(tmp_path, [way, Pretended(OPB, "b")])
        post.courier.patience_s = 20
        evil = "x\r\nBcc: thief@evil.example\r\n\r\n<script>"
        post.raises(alert("red", evil, "Kurs fällt − 12 %\r\n.\r\nBcc: z@evil.example ☠"))
        post.looks()
    finally:
        controller.stop()
    (mail,) = box.mails
    assert mail["bcc"] is None
    assert "Bcc: thief" in mail["subject"]
    assert "\n" not in mail["subject"]
    body = mail.get_body(("plain", "html")).get_content()
    assert "Kurs fällt − 12 %" in body
    assert "☠" in body


def test_endless_text_is_cut_where_a_phone_stops_reading(tmp_path: Path) -> None:
    post = Post(tmp_path, [Pretended(OPA, "a"), Pretended(OPB, "b")])
    post.raises(alert(cause="a\r\nb" + "c" * 5000, text="t" * 1_000_000))
    post.looks()
    ((title, text),) = post.ways[0].sent
    assert title.startswith("QGTM RED: a bc")
    assert len(title) < 200
    assert len(text) < LONGEST_TEXT + 200
    assert "characters more" in text


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # on loopback, in a test
@pytest.mark.fault("J13", "K1")
def test_server_that_refuses_the_password_is_tried_again_and_the_password_is_not_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    box, port = Box(), free_port()
    controller = Controller(
        box, hostname="127.0.0.1", port=port, auth_required=True, auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )  # fmt: skip
    controller.start()
    try:
        found = {"QGTM_SMTP_URL": f"smtp://me%40fund.example:canary-s3cret@127.0.0.1:{port}"}
        ways = channels(found, {OPA: "a@b.example"})
        post = Post(tmp_path, [*ways, Pretended(OPB, "b")])
        post.courier.patience_s = 20
        caplog.set_level(0)
        post.raises(alert())
        post.looks()
    finally:
        controller.stop()
    left = waiting(tmp_path / "outbox.db", post.now, timedelta(0))
    assert (box.mails, left.number) == ([], 1)
    out, err = capfd.readouterr()
    assert "canary-s3cret" not in caplog.text + out + err + left.problem + repr(post.said)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("outbox.db*"))
    assert b"canary-s3cret" not in raw


def test_name_that_no_server_knows_is_tried_again(tmp_path: Path) -> None:
    ways = channels({"QGTM_SMTP_URL": "smtp://u:p@mail.invalid:25"}, {OPA: "a@b.example"})
    post = Post(tmp_path, [*ways, Pretended(OPB, "b")])
    post.courier.patience_s = 20
    post.raises(alert())
    post.looks()
    assert post.waiting() == 1
    assert Person.OPB in {way.person for way in post.ways if getattr(way, "sent", None)}


def certificate(folder: Path) -> ssl.SSLContext:
    """Return the TLS side of a server that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.2")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(AT - timedelta(days=900))
    signed = made.not_valid_after(AT + timedelta(days=9000)).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.mark.parametrize("is_tls", [False, True])
def test_mail_for_another_machine_is_never_sent_in_the_clear_or_to_who_only_vouches_for_himself(
    tmp_path: Path, is_tls: bool
) -> None:
    box, port = Box(), free_port()
    more = {"tls_context": certificate(tmp_path), "require_starttls": True} if is_tls else {}
    controller = Controller(box, hostname="127.0.0.2", port=port, **more)
    controller.start()
    try:
        (way,) = channels({"QGTM_SMTP_URL": f"smtp://u:p@127.0.0.2:{port}"}, {OPA: "a@b.example"})
        assert way.send("title", "text") is not None
    finally:
        controller.stop()
    assert box.mails == []
