import itertools
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistants.storage.clock import Clock
from assistants.storage.ids import IdSource, beginning, blob_name, derived

PREFIXES = ["asst_", "thread_", "msg_", "run_"]

ODD = {
    "empty": "",
    "a dot": ".",
    "the parent": "..",
    "a way out": "../other/asst_1",
    "an encoded way out": "%2e%2e%2fother",
    "a slash": "asst_1/asst_2",
    "a trailing slash": "asst_1/",
    "a backslash": "asst_1\\asst_2",
    "a trailing dot": "asst_1.",
    "a percent sign": "100%",
    "what a percent sign becomes": "100%25",
    "a question mark and a hash": "asst_1?x#y",
    "blanks": " \t\r\n",
    "NUL": "\0",
    "accents": "é",
    "what an accent becomes": "%C3%A9",
    "emoji": "🦀" * 64,
    "a lone surrogate": "\ud800",
    "long": "a" * 65,
    "another long one": "a" * 66,
    "very long": "/" * 100_000,
}


def source(time: float = 1_750_000_000.0) -> IdSource:
    return IdSource(Clock(lambda: time))


@pytest.mark.parametrize("prefix", [*PREFIXES, "step_", "call_", "vs_", "file-", ""])
def test_an_id_is_its_prefix_and_24_base62_characters(prefix: str):
    for made in (source().new(prefix), derived(prefix, "run_1", 0)):
        assert re.fullmatch(re.escape(prefix) + "[0-9A-Za-z]{24}", made)


def test_ids_of_one_microsecond_sort_newest_first():
    ids = source()
    made = [ids.new("msg_") for _ in range(1000)]
    assert sorted(made, reverse=True) == made
    assert len(set(made)) == len(made)


def test_ids_with_different_prefixes_share_one_order():
    ids = source()
    times = [ids.new(prefix).removeprefix(prefix) for prefix in PREFIXES * 10]
    assert sorted(times, reverse=True) == times


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_beginning_of_ids_of_a_time_sorts_between_ids_made_before_and_after_it(prefix: str):
    time = 1_750_000_000.0
    before, at, after = (source(time + seconds).new(prefix) for seconds in (-0.001, 0, 0.001))
    assert after < beginning(prefix, time) < at < before


def test_ids_of_later_times_sort_first():
    times = [0.0, 1.0, 1_750_000_000.0, 1_750_000_000.000_01, 1_750_000_001.0, 13_000_000_000.0]
    made = [source(time).new("") for time in times]
    assert sorted(made, reverse=True) == made


def test_ids_stay_in_order_when_the_clock_goes_back():
    times = itertools.chain([200.0, 100.0], itertools.repeat(150.0))
    ids = IdSource(Clock(lambda: next(times)))
    made = [ids.new("") for _ in range(3)]
    assert sorted(made, reverse=True) == made


def test_ids_made_by_threads_at_once_are_all_different():
    ids = source()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ids.new(""), range(1000)))
    assert len({each[:9] for each in made}) == 1000


def test_ids_of_two_processes_differ_even_in_one_microsecond():
    assert source().new("") != source().new("")


def test_a_derived_id_is_the_same_whenever_it_is_derived():
    assert derived("msg_", "run_1", 0) == derived("msg_", "run_1", 0)


def test_a_derived_id_depends_on_every_part():
    parts = [("run_1", 0), ("run_1", 1), ("run_2", 0), ("run_1",), ("run_1", 0, "tool_calls")]
    assert len({derived("msg_", *each) for each in parts}) == len(parts)


def test_the_name_of_a_blob_begins_with_its_project_and_its_owners():
    assert blob_name("default", "asst_1") == "default/asst_1"
    assert blob_name("team-a_1", "thread_1", "run_1") == "team-a_1/thread_1/run_1"


@pytest.mark.parametrize("identifier", ODD.values(), ids=ODD.keys())
def test_any_text_names_a_blob_that_stays_where_it_belongs(identifier: str):
    project, thread, name = blob_name("p", identifier, identifier).split("/")
    assert (project, thread) == ("p", name)
    assert re.fullmatch("[A-Za-z0-9_~%-]*", name)
    assert len(name) <= 65


def test_different_texts_name_different_blobs():
    texts = [*ODD.values(), *(blob_name("p", text).removeprefix("p/") for text in ODD.values())]
    assert len({blob_name("p", text) for text in texts}) == len(set(texts))


def test_names_sort_as_their_ids_do():
    ids = source()
    names = [blob_name("p", ids.new("run_")) for _ in range(100)]
    assert sorted(names, reverse=True) == names
