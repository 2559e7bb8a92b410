"""One driver at a time: runs whose driver is lost, or considered lost."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from assistants.engine import machine
from assistants.engine.claim import change_run
from assistants.engine.requests import attended
from assistants.schema.runs import RunStatus
from assistants.state.runs import Turn
from assistants.state.store import Store
from tests.support.sdk.conversation import WEATHER, call
from tests.support.service.attending import Handlers, ScriptedModel, attend, hang, later, new_run_on, run_of, said

LAPSED = 31
"""Seconds after which a claim lapses unless it is renewed."""

ANSWER = {"text": "In Oslo."}


async def test_a_claimed_run_is_left_alone(store: Store):
    key, first, second = await new_run_on(store), ScriptedModel(ANSWER, silent=True), ScriptedModel(ANSWER)
    driver = await hang(store, key, first)
    await attend(Handlers(store, second), store, key)
    assert second.requests == []
    first.answer.set()
    await driver
    assert await said(store, key) == ["In Oslo."]


async def test_items_that_arrive_together_have_one_driver(store: Store):
    key, model = await new_run_on(store), ScriptedModel(ANSWER)
    await asyncio.gather(*(attend(Handlers(store, model), store, key) for _ in range(5)))
    assert len(model.requests) == 1
    assert await said(store, key) == ["In Oslo."]


async def test_a_request_that_read_the_run_before_its_end_does_not_write_after_it(store: Store):
    key, model = await new_run_on(store), ScriptedModel(ANSWER)
    met = await store.runs.read(key.name)
    assert met is not None
    await attend(Handlers(store, model), store, key)
    ended = await store.runs.read(key.name)
    assert await attended(later(store, 2 * LAPSED), key, met) == ended
    assert await store.runs.read(key.name) == ended


async def test_an_item_that_arrives_after_the_end_has_no_effect(store: Store):
    key, model = await new_run_on(store), ScriptedModel(ANSWER)
    handlers = Handlers(store, model)
    await attend(handlers, store, key)
    ended = await run_of(store, key)
    await attend(handlers, store, key)
    assert await run_of(store, key) == ended


@pytest.mark.parametrize(
    "late",
    [
        pytest.param({"text": "Too late."}, id="text"),
        pytest.param({"tool_calls": [call("get_weather", "call_w")]}, id="calls"),
        pytest.param({"text": "Cut", "finish_reason": "length"}, id="cut-off"),
    ],
)
async def test_a_lapsed_claim_is_taken_over_and_the_first_drivers_writes_have_no_effect(
    store: Store, late: Mapping[str, Any]
):
    key, first, second = await new_run_on(store, WEATHER), ScriptedModel(late, silent=True), ScriptedModel(ANSWER)
    driver = await hang(store, key, first)
    await attend(Handlers(later(store, LAPSED), second), store, key)
    ended = await run_of(store, key)
    assert ended.status is RunStatus.COMPLETED

    first.answer.set()
    await driver
    assert await run_of(store, key) == ended
    assert await said(store, key) == ["In Oslo."]


async def test_a_driver_that_lost_its_claim_stops_its_model_within_about_a_second(store: Store):
    key, first, second = await new_run_on(store), ScriptedModel(silent=True), ScriptedModel(ANSWER)
    driver = await hang(store, key, first)
    await attend(Handlers(later(store, LAPSED), second), store, key)
    await asyncio.wait_for(driver, 3)


async def test_the_turn_that_a_lost_driver_recorded_is_published_without_another_call_of_the_model(store: Store):
    key, lost, model = await new_run_on(store), ScriptedModel(silent=True), ScriptedModel()
    driver = await hang(store, key, lost)
    now = store.clock.now()
    recorded = Turn(started_at=now, ended_at=now, finish="stop", text="In Bergen.")
    await change_run(store, key, lambda run: machine.recorded(run, recorded, now), "turn recorded")

    await attend(Handlers(later(store, LAPSED), model), store, key)
    await driver
    assert model.requests == []
    assert (await run_of(store, key)).status is RunStatus.COMPLETED
    assert await said(store, key) == ["In Bergen."]


async def test_the_fifth_claim_without_progress_fails_the_run(store: Store):
    key = await new_run_on(store)
    instances = [later(store, LAPSED * number) for number in range(machine.MAX_TAKEOVERS - 1)]
    drivers = [await hang(instance, key, ScriptedModel(silent=True)) for instance in instances]
    model = ScriptedModel(ANSWER)
    await attend(Handlers(later(store, LAPSED * len(drivers)), model), store, key)
    await asyncio.gather(*drivers)

    run = await run_of(store, key)
    assert (run.status, model.requests) == (RunStatus.FAILED, [])
    assert run.last_error is not None
    assert run.last_error.message == "The run was taken up 5 times without making progress."


async def test_progress_makes_a_run_survive_any_number_of_lost_drivers(store: Store):
    key, lost, elapsed = await new_run_on(store, WEATHER), [], 0
    for number in range(machine.MAX_TAKEOVERS):
        lost.append(await hang(later(store, elapsed), key, ScriptedModel(silent=True)))
        elapsed += LAPSED
        asking = ScriptedModel({"tool_calls": [call("get_weather", f"call_{number}")]})
        await attend(Handlers(later(store, elapsed), asking), store, key)
        outputs, now = {f"call_{number}": "sunny"}, store.clock.now()
        await change_run(store, key, lambda run, outputs=outputs, now=now: machine.submitted(run, outputs, now), "")
    await attend(Handlers(later(store, elapsed), ScriptedModel(ANSWER)), store, key)
    await asyncio.gather(*lost)
    assert await said(store, key) == ["In Oslo."]
