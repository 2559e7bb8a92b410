"""The simulation detects the removal of each rule of the engine."""

import logging
from collections.abc import Iterator
from itertools import islice

import pytest

from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.world import simulate

WITHIN = 1_000
"""Schedules."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}-{mutation.without}")
def test_a_violated_rule_is_detected(mutation: Mutation):
    with mutation.schedules():
        with mutation.patch():
            noticed = next((seed for seed in islice(mutation.seeds(), WITHIN) if simulate(seed).problems), None)
        assert noticed is not None
        assert not simulate(noticed).problems


def test_every_rule_is_tried():
    assert {mutation.rule for mutation in MUTATIONS} == {*range(1, 10), 12}
