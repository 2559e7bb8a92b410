"""The table of docs/settings.md, made from the settings themselves."""

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from assistants.settings import Settings


def names(field: FieldInfo) -> list[str]:
    """The names of a setting in the environment, the main one first."""
    alias = field.validation_alias
    return [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]


def settings_table() -> str:
    """Every setting in Markdown: its names, its default and its purpose."""
    rows = [("Setting", "Default", "What it is for"), ("---", "---", "---")]
    rows += [(_names(field), _default(field), str(field.description)) for field in Settings.model_fields.values()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _names(field: FieldInfo) -> str:
    return ", ".join(f"`{name}`" for name in names(field))


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`" if default or default == 0 else "not set"
