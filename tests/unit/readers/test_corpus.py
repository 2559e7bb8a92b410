"""Files of real generators: visible text is found, and invisible text is not."""

from typing import Any

import pytest
import yaml

from assistants.ingestion.readers.registry import read
from tests.support.corpus import FILES

WORDS: dict[str, dict[str, Any]] = {
    name: words
    for table in sorted(FILES.glob("*.yaml"))
    for name, words in yaml.safe_load(table.read_text(encoding="utf-8")).items()
}


@pytest.mark.parametrize("name", WORDS)
def test_visible_text_is_found(name: str):
    text, words = read(name, (FILES / name).read_bytes()), WORDS[name]
    assert [word for word in words["found"] if word not in text] == []
    assert {word: text.count(word) for word in words.get("once", ())} == dict.fromkeys(words.get("once", ()), 1)
    assert [word for word in words.get("hidden", ()) if word in text] == []


def test_every_file_has_expected_words():
    assert {path.name for path in FILES.iterdir() if path.suffix != ".yaml"} == set(WORDS)
