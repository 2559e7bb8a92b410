import azure.functions as func
import pytest

from assistants.local.pump import Outcome, QueueOptions, after, before, next_delay, queue_functions, seconds


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("00:00:30", 30), ("00:01:00", 60), ("01:00:00", 3600), ("00:00:00.500", 0.5), ("2.03:00:00", 183600)],
)
def test_time_spans(duration: str, expected: float):
    assert seconds(duration) == expected


@pytest.mark.parametrize("duration", ["", "30", "00:30", "00:00:-1", "soon"])
def test_texts_that_are_no_time_span(duration: str):
    with pytest.raises(ValueError, match="not a time span"):
        seconds(duration)


def test_an_idle_queue_is_polled_ever_more_rarely():
    delays = [0.0]
    for _ in range(6):
        delays.append(next_delay(delays[-1], 1.0))
    assert delays[1:] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert next_delay(0, 0.05) == 0.05


@pytest.mark.parametrize(
    ("dequeue_count", "has_poison", "expected"),
    [(1, True, Outcome.RUN), (5, True, Outcome.RUN), (6, True, Outcome.POISON), (6, False, Outcome.LEAVE)],
)
def test_the_outcome_for_a_received_item(dequeue_count: int, has_poison: bool, expected: Outcome):
    assert before(dequeue_count, 5, has_poison) is expected


@pytest.mark.parametrize(
    ("succeeded", "dequeue_count", "has_poison", "expected"),
    [
        (True, 1, True, Outcome.DELETE),
        (True, 5, True, Outcome.DELETE),
        (True, 1, False, Outcome.DELETE),
        (False, 1, True, Outcome.RETRY),
        (False, 4, True, Outcome.RETRY),
        (False, 5, True, Outcome.POISON),
        (False, 1, False, Outcome.LEAVE),
        (False, 5, False, Outcome.LEAVE),
    ],
)
def test_the_outcome_for_a_handled_item(succeeded: bool, dequeue_count: int, has_poison: bool, expected: Outcome):
    assert after(succeeded, dequeue_count, 5, has_poison) is expected


def test_options_of_an_empty_host_json_are_the_hosts_defaults():
    assert QueueOptions.from_host({"version": "2.0"}) == QueueOptions(16, 8, 60.0, 0.0, 5, True)


def test_options_of_a_host_json():
    queues = {
        "batchSize": 9,
        "maxPollingInterval": "00:00:02",
        "visibilityTimeout": "00:00:15",
        "maxDequeueCount": 3,
        "messageEncoding": "none",
    }
    options = QueueOptions.from_host({"extensions": {"queues": queues}})
    assert options == QueueOptions(9, 4, 2.0, 15.0, 3, False)


def test_queue_functions_are_found_among_others():
    app = func.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule="0 0 * * * *")
    def tick(timer: func.TimerRequest) -> None: ...

    @app.queue_trigger(arg_name="item", queue_name="work", connection="AzureWebJobsStorage")
    def work(item: func.QueueMessage) -> None: ...

    (found,) = queue_functions(app.get_functions())
    assert found[:3] == ("work", "work", "item")


def test_another_connection_is_refused():
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="item", queue_name="work", connection="Elsewhere")
    def work(item: func.QueueMessage) -> None: ...

    with pytest.raises(ValueError, match="AzureWebJobsStorage"):
        queue_functions(app.get_functions())
