"""The errors of storage that are not the SDK's, and the errors that a later attempt may not meet."""

from azure.core.exceptions import AzureError


class StorageError(Exception):
    """The base of the errors of this package."""


class NotConfigured(StorageError):
    """No storage account is named in the settings."""

    def __init__(self) -> None:
        super().__init__("No storage is configured: set AzureWebJobsStorage or AzureWebJobsStorage__accountName.")


class Conflict(StorageError):
    """The document is not, or no longer, as the condition of the write says."""


class Contended(StorageError):
    """So many writers change this document that a change found no turn."""


class NoLog(StorageError):
    """The log is not there: its owner is gone. No process creates it anew."""


class LogFull(StorageError):
    """The log takes no further append."""


TRANSIENT = (AzureError, Contended)
"""Errors of storage after which the same call may succeed later."""
