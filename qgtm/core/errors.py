"""The one error tree.

QgtmError
├── ConfigError        a configuration that cannot be used
├── BarError           a bar that cannot be true
├── OrderError         an order's status change that the table does not allow
├── EventError         a journal row that is no known event
├── JournalError       the journal cannot be used
│   ├── JournalCorrupt a row's hash does not follow from the row before
│   └── JournalLocked  another process writes this journal
├── ExportError        a notebook that cannot be printed
├── MarketError        price files that the exchange cannot use
├── FeedError          data that did not come, or came wrong
├── BrokerError        the broker could not be asked, or its reply could not be read
├── BootRefused        the daemon will not start
└── ReportError        a report could not be made

Expected outcomes (denied, rejected, unknown) are values, not exceptions.
"""


class QgtmError(Exception):
    """Say what is wrong and what to do next, in one sentence a person can act on."""


class ConfigError(QgtmError):
    """A configuration that cannot be used."""


class BarError(QgtmError):
    """A bar that cannot be true."""


class OrderError(QgtmError):
    """An order's status change that the table does not allow."""


class EventError(QgtmError):
    """A journal row that is no known event."""


class JournalError(QgtmError):
    """The journal cannot be used."""


class JournalCorrupt(JournalError):
    """A row's hash does not follow from the row before."""


class JournalLocked(JournalError):
    """Another process writes this journal."""


class ExportError(QgtmError):
    """A notebook that cannot be printed."""


class MarketError(QgtmError):
    """Price files that the exchange cannot use."""


class FeedError(QgtmError):
    """Data that did not come, or came wrong."""


class BrokerError(QgtmError):
    """The broker could not be asked, or its reply could not be read."""


class BootRefused(QgtmError):
    """The daemon will not start."""


class ReportError(QgtmError):
    """A report could not be made."""
