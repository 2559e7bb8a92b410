import pytest

from assistants.model.contexts import DEFAULT, context, longest_prompt
from assistants.model.learnt import ModelLearnt
from assistants.settings import Settings


def settings(**values: str) -> Settings:
    return Settings.model_validate(values)


@pytest.mark.parametrize(
    ("told", "mapped", "model", "expected"),
    [
        ("", "", "gpt-4o", 128_000),
        ("", "", "gpt-4o-mini-2024-07-18", 128_000),
        ("", "", "gpt-4", 8_192),
        ("", "", "gpt-4-0613", 8_192),
        ("", "", "llama3", DEFAULT),
        ("", "*=deployment-a", "gpt-4", 8_192),
        ("", "gpt-4=gpt-4o", "gpt-4", 128_000),
        ("gpt-4=9000", "", "gpt-4", 9_000),
        ("deployment-a=9000,gpt-4=7000", "*=deployment-a", "gpt-4", 9_000),
        ("*=9000", "", "gpt-4", 9_000),
        ("other=1,*=9000", "", "llama3", 9_000),
    ],
)
def test_the_context_is_the_operators_then_the_tables_then_the_default(
    told: str, mapped: str, model: str, expected: int
):
    assert context(settings(MODEL_CONTEXT=told, MODEL_MAP=mapped), model) == expected


def test_an_eighth_is_left_to_the_answer_and_a_refusal_teaches_less():
    found, learnt = settings(MODEL_CONTEXT="*=8000"), ModelLearnt()
    assert longest_prompt(found, "m", learnt) == 7_000
    learnt.refuses(6_000)
    assert longest_prompt(found, "m", learnt) == 3_000
    learnt.accepts(9_000)
    assert longest_prompt(found, "m", learnt) == 7_000


@pytest.mark.parametrize("value", ["gpt-4o", "gpt-4o=many", "gpt-4o=0", "=5"])
def test_a_context_is_a_number_of_tokens(value: str):
    with pytest.raises(ValueError, match="MODEL_CONTEXT"):
        settings(MODEL_CONTEXT=value)
