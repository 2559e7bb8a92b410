"""Rich Text Format."""

from striprtf.striprtf import rtf_to_text  # pyright: ignore[reportUnknownVariableType]

from assistants.ingestion.readers.errors import Invalid


def read(content: bytes) -> str:
    """The text, with ` | ` after each cell of a table."""
    if not content.lstrip()[:5] == rb"{\rtf":
        raise Invalid("The file is not in Rich Text Format.")
    text = str(rtf_to_text(content.decode("latin-1"), errors="ignore"))  # pyright: ignore[reportUnknownArgumentType]
    return text.replace("|", " | ")
