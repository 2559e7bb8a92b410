"""An estimate of the tokens of a text: no vocabulary is downloaded."""


def of_text(text: str) -> int:
    """About four characters of English a token, and one of any other script."""
    plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-plain // 4) + len(text) - plain
