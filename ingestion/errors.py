"""The errors of ingestion. The messages name the value and the remedy.

IngestionError
├── SettingsError        a setting of the environment or the command line is wrong
├── ScopeError           the scope file is missing, unreadable or wrong
├── SourceError          a source or a file cannot be read
│   └── EmptySourceError a source can be reached, and there is nothing in it
├── EmbedderError        an embedding model is missing, damaged or of the wrong kind
├── ReleaseError         a release is missing, damaged or not of this collection
├── FilterError          a filter on metadata is not written as it must be
├── StateError           what the collection remembers, or a new release, can't be read or written
├── VaultError           the vault's key is missing or wrong
├── QuarantineError      there is nothing to decide about a document
├── AudienceError        a document is given to groups that its caller can't give it to
├── WorkersError         no process can be started that reads documents
├── StoppedError         the work was stopped before its end
└── CollectionBusyError  another writer holds the collection
"""


class IngestionError(Exception):
    """Anything that ingestion reports to a person; the message is safe to show."""


class SettingsError(IngestionError):
    """A setting of the environment or the command line is wrong."""


class ScopeError(IngestionError):
    """The scope file is missing, unreadable or wrong."""


class SourceError(IngestionError):
    """A source or a file cannot be read."""


class EmptySourceError(SourceError):
    """A source can be reached, and there is nothing in it or nothing of its name."""


class EmbedderError(IngestionError):
    """An embedding model is missing, damaged or of the wrong kind."""


class ReleaseError(IngestionError):
    """A release is missing, damaged or not of this collection."""


class FilterError(IngestionError):
    """A filter on metadata is not written as it must be."""


class StateError(IngestionError):
    """What a collection remembers of its runs, or a new release, can't be read or written."""


class VaultError(IngestionError):
    """The vault's key is missing or wrong."""


class QuarantineError(IngestionError):
    """No such document waits in quarantine."""


class AudienceError(IngestionError):
    """A document would be for groups that whoever brings it is not of."""


class WorkersError(IngestionError):
    """No process can be started that reads documents."""


class StoppedError(IngestionError):
    """The work was stopped before its end, because the process ends."""


class CollectionBusyError(IngestionError):
    """Another process is writing this collection."""
