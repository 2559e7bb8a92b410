"""The errors of storage that are not the SDK's, and those that a later attempt may not raise again."""

from azure.core.exceptions import AzureError


class StorageError(Exception):
    """The base of the errors of this package."""


class NotConfigured(StorageError):
    """No storage account is named in the settings."""

    def __init__(self) -> None:
        super().__init__("No storage is configured: set AzureWebJobsStorage or AzureWebJobsStorage__accountName.")


class Conflict(StorageError):
    """The document does not, or no longer, fulfil the condition of the write."""


class Contended(StorageError):
    """Other writers changed this document at every try of a change."""


class NoLog(StorageError):
    """The log does not exist: its owner was deleted. No process creates it again."""


class LogFull(StorageError):
    """The log takes no further append."""


class LogTooLong(StorageError):
    """The append would make the log longer than it may be."""


class Outrun(StorageError):
    """Another process has appended at this position."""


TRANSIENT = (AzureError, Contended)
"""Errors of storage after which the same call may succeed later."""
