"""Where each feed is found unless the configuration says otherwise, and whether it is fetched at all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CotSetting:
    """The CFTC: its table, and the server of its yearly files. It takes no key."""

    enabled: bool = True
    url: str = "https://publicreporting.cftc.gov"
    files_url: str = "https://www.cftc.gov"


@dataclass(frozen=True, slots=True, kw_only=True)
class FredSetting:
    """FRED and ALFRED; the key is FRED_API_KEY."""

    enabled: bool = True
    url: str = "https://api.stlouisfed.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsSetting:
    """Option chains of the broker's data service, with the broker's keys."""

    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentSetting:
    """Reddit and the subs that are read; the keys are REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET.

    A sub in which more than a thousand comments are written an hour cannot be counted: Reddit lists no more.
    """

    enabled: bool = True
    url: str = "https://www.reddit.com"
    oauth_url: str = "https://oauth.reddit.com"
    subs: tuple[str, ...] = ("Gold", "Silverbugs", "Wallstreetsilver", "PreciousMetals", "investing")


COT = CotSetting()
FRED = FredSetting()
OPTIONS = OptionsSetting()
SENTIMENT = SentimentSetting()
