"""Why a file has no text."""


class Unsupported(Exception):
    """A file of a type that no reader knows."""


class Invalid(Exception):
    """A file that is not what its name says, or has no text in it."""
