"""Reddit over the wire: a token, and the newest posts and comments of subs, as praw asks for them."""

import base64
import binascii
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs

from qgtm.exchange.draw import id_in
from qgtm.exchange.market.talk import Kind, Note
from qgtm.exchange.rate_limit import Allowance
from qgtm.exchange.wire import Call, Response

PREFIXES: Final = ("/api/v1/", "/r/", "/comments/")
LIMITED: Final = Response(429, {"message": "Too Many Requests", "error": 429})
TOKEN_S: Final = 86_400
MOST: Final = 1000  # a listing goes no further back
_PAGE: Final = 25
_MOST_PAGE: Final = 100
_PREFIX: Final[dict[Kind, str]] = {"post": "t3", "comment": "t1"}
_GRANTS: Final = ("client_credentials", "password", "https://oauth.reddit.com/grants/installed_client")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_LISTS: Final[dict[str, Kind]] = {"new": "post", "comments": "comment"}


def answer(call: Call) -> Response:
    """Answer a request under `/api/v1/` or `/r/`."""
    path = call.request.path.removesuffix("/").removesuffix(".json")
    if path == "/api/v1/access_token":
        return _token(call)
    if call.request.headers.get("authorization", "").lower() != f"bearer {_token_of(call)}":
        return Response(401, {"message": "Unauthorized", "error": 401})
    parts = path.split("/")
    if call.request.method == "GET" and len(parts) == 4 and parts[1] == "r" and parts[3] in _LISTS:
        return _listing(call, tuple(sub for sub in parts[2].split("+") if sub), _LISTS[parts[3]])
    return Response(404, {"message": "Not Found", "error": 404})


def limit_headers(allowance: Allowance) -> dict[str, str]:
    """Return the headers that tell what is left of the ten minutes."""
    return {
        "x-ratelimit-used": str(allowance.limit - allowance.remaining),
        "x-ratelimit-remaining": f"{allowance.remaining}.0",
        "x-ratelimit-reset": str(allowance.left_s),
    }


def _token(call: Call) -> Response:
    """Give the one token of this exchange to whoever brings an id of an application and a known grant."""
    if call.request.method != "POST" or not _has_application(call.request.headers.get("authorization", "")):
        return Response(401, {"message": "Unauthorized", "error": 401})
    grant = parse_qs(call.request.body.decode("utf-8", "replace")).get("grant_type", [""])[0]
    if grant not in _GRANTS:
        return Response(200, {"error": "unsupported_grant_type"})  # with 200, as Reddit has it
    token = {"access_token": _token_of(call), "token_type": "bearer", "expires_in": TOKEN_S, "scope": "*"}
    return Response(200, token)


def _token_of(call: Call) -> str:
    return sha256(id_in(call.exchange.desk.space, "reddit token").encode()).hexdigest()


def _has_application(header: str) -> bool:
    kind, _, pair = header.partition(" ")
    try:
        return kind.lower() == "basic" and len(base64.b64decode(pair).partition(b":")[0]) > 0
    except (binascii.Error, ValueError):
        return False


def _listing(call: Call, subs: Sequence[str], kind: Kind) -> Response:
    notes = call.exchange.beside.talk.newest(kind, subs, call.now, MOST)
    names = [_name(note) for note in notes]
    query = call.request.query
    text = query.get("limit") or str(_PAGE)
    limit = min(int(text) if text.isdecimal() and len(text) < 10 else _PAGE, _MOST_PAGE)
    after, before = query.get("after", ""), query.get("before", "")
    first = names.index(after) + 1 if after in names else 0 if not after else len(names)
    last = names.index(before) if before in names else len(names)
    page = notes[first : min(first + limit, last)]
    more = bool(page) and first + len(page) < last
    data = {
        "after": _name(page[-1]) if more else None,
        "dist": len(page),
        "modhash": None,
        "geo_filter": None,
        "children": [{"kind": _PREFIX[kind], "data": _thing(note)} for note in page],
        "before": _name(page[0]) if page and first else None,
    }
    return Response(200, {"kind": "Listing", "data": data})


def _name(note: Note) -> str:
    return f"{_PREFIX[note.kind]}_{_base_36(note.number)}"


def _base_36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


def _thing(note: Note) -> dict[str, Any]:
    made = note.at.timestamp()
    common: dict[str, Any] = {
        "id": _base_36(note.number),
        "name": _name(note),
        "author": note.author,
        "author_fullname": f"t2_{note.author}",
        "subreddit": note.sub,
        "subreddit_name_prefixed": f"r/{note.sub}",
        "subreddit_id": f"t5_{note.sub}",
        "created": made,
        "created_utc": made,
        "score": note.score,
        "ups": note.score,
        "downs": 0,
        "edited": False,
        "stickied": False,
        "distinguished": None,
        "gilded": 0,
        "likes": None,
        "saved": False,
    }
    return common | (_post(note) if note.kind == "post" else _comment(note))


def _post(note: Note) -> dict[str, Any]:
    link = f"/r/{note.sub}/comments/{_base_36(note.number)}/"
    return {
        "title": note.title,
        "selftext": note.text,
        "is_self": True,
        "url": f"https://www.reddit.com{link}",
        "permalink": link,
        "domain": f"self.{note.sub}",
        "num_comments": note.replies,
        "upvote_ratio": 0.9,
        "over_18": False,
        "locked": False,
        "spoiler": False,
        "link_flair_text": None,
        "removed_by_category": None,
    }


def _comment(note: Note) -> dict[str, Any]:
    link = f"t3_{_base_36(note.number - note.number % 64)}"
    return {
        "body": note.text,
        "link_id": link,
        "parent_id": link,
        "link_title": "",
        "permalink": f"/r/{note.sub}/comments/{link[3:]}/_/{_base_36(note.number)}/",
        "is_submitter": False,
        "score_hidden": False,
        "depth": 0,
        "replies": "",
    }
