"""The errors of files without a text."""


class Unsupported(Exception):
    """A file of a type without a reader."""


class Invalid(Exception):
    """A file that is not of its name's type, or has no text."""
