"""The words of a text as numbers, equal in every process, which the comparison of keywords uses."""

import re
from zlib import crc32

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
)
"""Scripts without spaces between words, or with many endings: pairs of characters are used as words."""


class Words(dict[str, int]):
    """Numbers of 32 bits for words, computed once each: singular and plural have the same number."""

    def __missing__(self, word: str) -> int:
        number = self[word] = crc32(_singular(word).encode())
        return number

    def of(self, text: str) -> list[int]:
        """The numbers of a text's words, in their order."""
        return list(map(self.__getitem__, words(text)))


def words(text: str) -> list[str]:
    """A text's words in lower case; `_` separates words."""
    found = _WORD.findall(text.lower())
    if text.isascii() or not _UNSPACED.search(text):
        return found
    return [part for word in found for part in _parts(word)]


def _parts(word: str) -> list[str]:
    parts: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        parts += [word[end : run.start()], *(_pairs(run[0]))]
        end = run.end()
    return [part for part in (*parts, word[end:]) if part]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(len(run) - 1, 1))]


def _singular(word: str) -> str:
    """The singular of a word, by Harman's S-stemmer (1991)."""
    if len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("es"):
        return word if word[-3] in "aeo" else word[:-1]
    return word if word[-2] in "us" else word[:-1]
