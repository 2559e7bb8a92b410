"""Every constraint of the reference: a request on the limit passes, and one beyond it is refused as catalogued.

The cases are generated from the document and the supplement in `tests/data`; see `tests/unit/constraints.py`.
"""

import asyncio
import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.reference.document import SUPPLEMENT, operations, reference
from tests.support.reference.routes import ROUTES
from tests.unit.accepting import UNAWAITED, accepting
from tests.unit.constraints import Case, Cases, Sent

pytestmark = UNAWAITED

ALL = operations(reference())
ABSENT = set(SUPPLEMENT["absent"])
TRIED = ALL.keys() - ABSENT - set(SUPPLEMENT["forms"])
PRESENT = [Cases(reference(), operation) for name, operation in ALL.items() if name in TRIED]
CASES = [case for cases in PRESENT for case in cases.all()]


Answer = Callable[[Sent], tuple[int, object]]


@pytest.fixture(scope="module")
def answer() -> Iterator[Answer]:
    """Asks the application: 418 says that the request was accepted."""

    def ask(sent: Sent) -> tuple[int, object]:
        body = None if sent.body is ... else json.dumps(sent.body)
        got = runner.run(client.request(sent.method, sent.path, params=sent.query, content=body))
        return got.status_code, got.json()["error"]

    with accepting() as client, asyncio.Runner() as runner:
        yield ask


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request_on_the_limit_passes_and_one_beyond_it_is_refused(answer: Answer, case: Case):
    assert answer(case.passes())[0] == 418
    assert answer(case.refused()) == (400, case.error)


def test_no_constraint_is_forgotten():
    tried = {case.constraint for case in CASES}
    untried = {str(each) for cases in PRESENT for each in cases.constraints() if each not in tried}
    assert untried == set(SUPPLEMENT["untried"])


def test_every_operation_exists_or_is_listed_as_absent():
    routes = {(route.method, route.path) for route in ROUTES}
    assert {name for name, each in ALL.items() if (each.method, each.path) not in routes} == ABSENT
