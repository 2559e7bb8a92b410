"""Projects are separate: the objects of another project are not found, on any route."""

import pytest
from openai import OpenAI

from tests.support.reference.routes import ROUTES, Route, one_of_each, send
from tests.support.sdk.client import refused

ADDRESSED = [
    pytest.param(route, position, id=f"{route}-{route.ids[position]}")
    for route in ROUTES
    for position in range(len(route.ids))
]
"""Every route with ids in its path, once for each position from which on the ids are another project's."""

Ids = dict[str, str]


@pytest.fixture(scope="module")
def of_alice(alice: OpenAI) -> Ids:
    return one_of_each(alice)


@pytest.fixture(scope="module")
def untouched(alice: OpenAI, of_alice: Ids) -> list[object]:
    return all_of(alice, of_alice)


@pytest.fixture(scope="module")
def of_bob(bob: OpenAI) -> Ids:
    return one_of_each(bob)


def all_of(client: OpenAI, ids: Ids) -> list[object]:
    """The project's own objects at present."""
    retrieved = [route for route in ROUTES if route.method == "GET" and route.ids and not route.lists]
    return [route.call(client, ids) for route in retrieved]


@pytest.mark.parametrize(("route", "position"), ADDRESSED)
def test_anothers_object_is_not_found(
    alice: OpenAI,
    bob: OpenAI,
    of_alice: Ids,
    untouched: list[object],
    of_bob: Ids,
    route: Route,
    position: int,
):
    first, *others = route.ids[position:]
    ids = of_bob | {name: of_alice[name] for name in (first, *others)}
    message, param = route.unknown(first, ids)
    with refused(404, message, param):
        route.call(bob, ids)
    if route.method != "GET":
        assert all_of(alice, of_alice) == untouched


@pytest.mark.parametrize("route", [route for route in ROUTES if "assistant_id" in route.required], ids=str)
def test_anothers_assistant_cannot_be_run(bob: OpenAI, of_alice: Ids, of_bob: Ids, route: Route):
    with refused(404, f"No assistant found with id '{of_alice['assistant_id']}'."):
        route.call(bob, of_bob | {"assistant_id": of_alice["assistant_id"]})


@pytest.mark.parametrize("route", [route for route in ROUTES if route.lists], ids=str)
def test_lists_show_only_the_projects_own_objects(alice: OpenAI, bob: OpenAI, of_alice: Ids, of_bob: Ids, route: Route):
    seen_by_alice, seen_by_bob = (
        {each["id"] for each in route.call(client, ids)["data"]} for client, ids in ((alice, of_alice), (bob, of_bob))
    )
    assert seen_by_alice & set(of_alice.values())
    assert seen_by_bob & set(of_bob.values())
    assert not seen_by_alice & seen_by_bob


@pytest.mark.parametrize("cursor", ["after", "before"])
def test_an_object_of_another_project_is_no_cursor(bob: OpenAI, of_alice: Ids, of_bob: Ids, cursor: str):
    for path, name in (("/assistants", "assistant_id"), ("/threads", "thread_id")):
        page = send(bob, "GET", f"{path}?limit=100&{cursor}={of_alice[name]}")
        assert of_alice[name] not in [each["id"] for each in page["data"]]
