import pytest

from assistants.search.words import Words, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The spire, 142 m high!", ["the", "spire", "142", "m", "high"]),
        ("max_chunk_size", ["max", "chunk", "size"]),
        ("Grüße ÉTÉ", ["grüße", "été"]),
        ("東京都に5人", ["東京", "京都", "都に", "5", "人"]),
        ("한국어", ["한국", "국어"]),
        ("", []),
    ],
)
def test_words_consist_of_letters_and_digits_and_are_pairs_in_scripts_without_spaces(text: str, expected: list[str]):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("one", "many"), [("spire", "spires"), ("city", "cities"), ("house", "Houses"), ("key", "keys")]
)
def test_singular_and_plural_are_one(one: str, many: str):
    assert Words().of(one) == Words().of(many)


@pytest.mark.parametrize(("one", "other"), [("bus", "bu"), ("glass", "glas"), ("is", "i"), ("gas", "ga")])
def test_not_every_s_is_a_plural(one: str, other: str):
    assert Words().of(one) != Words().of(other)


def test_the_numbers_are_the_same_in_every_process():
    assert Words().of("spire") == [1958261650]
