"""The code of a call, while the model writes it."""

import json

import pytest

from assistants.state.code import Decoder, code_of

CODES = [
    "print(1)\nx = 'a\\n\"b\"'\t# é 😀 \x07",
    "",
    '\\u0041 "',
    "Ünï🇳🇴 end",
]


def decoded(*pieces: str) -> str:
    decoder = Decoder()
    return "".join(decoder.feed(piece) for piece in pieces)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("code", CODES)
def test_every_split_gives_the_same_code(code: str, ascii_only: bool):
    text = json.dumps({"code": code, "more": "x"}, ensure_ascii=ascii_only, indent=1)
    assert code_of(text) == code
    assert decoded(*text) == code
    for at in range(len(text)):
        assert decoded(text[:at], text[at:]) == code


def test_the_decoded_text_is_always_a_prefix_of_the_code():
    code = CODES[0]
    text = json.dumps({"code": code})
    assert all(code.startswith(code_of(text[:at])) for at in range(1, len(text)))


def test_half_a_surrogate_pair_without_its_other_half_is_replaced():
    assert decoded('{"code": "a\\ud83d', 'b"}') == "a\ufffdb"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("print(1)", "print(1)"), ('"print(1)"', "print(1)"), ('{"other": 1}', ""), ("[1]", ""), ('{"code": 1}', "")],
)
def test_arguments_that_are_not_as_they_should_be(arguments: str, code: str):
    assert code_of(arguments) == code
