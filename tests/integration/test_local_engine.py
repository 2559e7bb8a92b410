"""The engine on this machine: its state between calls, its refusals, and its end."""

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistants.settings import Settings
from assistants.tools.code_interpreter.choice import NONE, OFF, choose
from assistants.tools.code_interpreter.engine import EngineBusy
from assistants.tools.code_interpreter.local import notices, snapshots
from assistants.tools.code_interpreter.local.availability import available
from assistants.tools.code_interpreter.local.host import Local
from assistants.tools.code_interpreter.local.outputs import Folder, State
from assistants.tools.code_interpreter.sessions.host import Sessions
from tests.support.interpreter.talk import SESSION, Talk, content, printed

pytestmark = pytest.mark.skipif(bool(available()), reason=str(available()))

LIMITS = {"CODE_INTERPRETER_TIMEOUT": "1", "CODE_INTERPRETER_SESSIONS": "2", "CODE_INTERPRETER_FILES": "3"}


@pytest.fixture
async def engine() -> AsyncIterator[Local]:
    engine = Local(Settings.model_validate(LIMITS))
    yield engine
    await engine.close()


@pytest.fixture
def talk(engine: Local) -> Talk:
    return Talk(engine)


async def test_variables_are_restored_in_another_process_and_share_their_objects(talk: Talk):
    await talk.say(
        "import numpy as np\nx = 1\ndef f(): return x\nclass C: pass\nc = C(); a = []; b = a; g = (i for i in a)"
    )
    await talk.engine.end(SESSION)
    execution = await talk.say("x = 2\n(f(), a is b, isinstance(c, C), int(np.int64(3)))")
    assert printed(execution) == "(2, True, True, 3)\n"
    assert execution.notices == [notices.some_lost(["g"])]


async def test_large_arrays_are_restored(talk: Talk):
    await talk.say("import numpy as np\nnumbers = np.arange(1_000_000)")
    await talk.engine.end(SESSION)
    execution = await talk.say("int(numbers[-1])")
    assert printed(execution) == "999999\n"
    assert not execution.notices


async def test_a_process_at_another_execution_than_the_last_one_is_not_used(talk: Talk):
    await talk.say("x = 1")
    before, snapshot = talk.last, talk.snapshot
    await talk.say("x = 2")
    talk.last, talk.snapshot = before, snapshot
    assert printed(await talk.say("x")) == "1\n"


async def test_the_host_follows_no_link_and_opens_no_pipe(tmp_path: Path):
    secret, inside = tmp_path / "secret", tmp_path / "data"
    secret.write_text("secret")
    (inside / "d").mkdir(parents=True)
    (inside / "d" / "real").write_text("real")
    (inside / "link").symlink_to(secret)
    (inside / "folder").symlink_to(tmp_path)
    os.mkfifo(inside / "fifo")
    folder = Folder(os.open(inside, os.O_RDONLY), None)
    states = folder.states(100)
    assert list(states) == ["d/real"]
    (inside / "d" / "real").unlink()
    (inside / "d" / "real").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        await content(folder.output("d/real", states["d/real"]))
    with pytest.raises(OSError, match="directory"):
        await content(folder.output("folder/secret", State(0, 6, 0, 0)))
    assert (inside / "folder" / "secret").read_text() == "secret"  # the control: a reader that follows links reads it
    folder.close()


async def test_code_that_catches_everything_is_stopped_and_the_variables_before_it_stay(talk: Talk):
    await talk.say("x = 1")
    stopped = await talk.say(
        "x = 2\nprint('begun')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"
    )
    assert stopped.timed_out
    assert printed(stopped) == "begun\n"
    assert "after 1 s" in stopped.notices[0]
    assert printed(await talk.say("x")) == "1\n"


@pytest.mark.parametrize(
    "flood",
    [
        "while True: print('x' * 10 ** 6)",
        "import os\nwhile True: os.write(1, b'x' * 10 ** 6)",
        "import sys\nwhile True: sys.stdout._channel.send('log', b'x' * 10 ** 6)",
        "import os\nwhile True: os.write(4, b'x' * 10 ** 6)",
    ],
)
async def test_output_without_end_is_bounded(talk: Talk, flood: str):
    execution = await talk.say(flood)
    assert execution.notices
    assert len(printed(execution)) < 600_000


async def test_the_model_learns_that_a_process_has_ended_itself(talk: Talk):
    await talk.say("x = 1")
    died = await talk.say("import os\nopen('kept', 'w').write('k'); os._exit(3)")
    assert "exit code 3" in died.notices[0]
    assert [await content(output) for output in died.files] == [b"k"]
    assert printed(await talk.say("x")) == "1\n"


async def test_a_poisoned_snapshot_is_loaded_inside_only(talk: Talk, tmp_path: Path):
    mark = tmp_path / "mark"

    class Poison:
        def __reduce__(self):
            return exec, (f"open({str(mark)!r}, 'w').close()",)

    poison = pickle.dumps(Poison())
    talk.last, talk.snapshot = "before", snapshots.written(poison, ["a\nb", 7, "x" * 500])
    assert snapshots.read(talk.snapshot) == snapshots.Snapshot(poison, [])
    assert (await talk.say("1")).notices == [notices.ALL_LOST]
    assert not mark.exists()
    pickle.loads(poison)
    assert mark.exists()  # the control


async def test_a_cancelled_call_ends_with_its_process(talk: Talk, engine: Local):
    call = asyncio.create_task(talk.say("while True: pass"))
    while not any(engine._busy.values()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    (session,) = engine._busy.values()
    assert session
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not session.process.is_alive


async def test_ending_a_session_ends_its_process(talk: Talk, engine: Local):
    await talk.say("x = 1")
    (session,) = engine._idle.values()
    await engine.end(SESSION)
    assert not session.process.is_alive
    assert not engine._idle


async def test_an_idle_process_ends_and_its_variables_come_back():
    engine = Local(Settings.model_validate({**LIMITS, "CODE_INTERPRETER_IDLE": "0.05"}))
    talk = Talk(engine)
    await talk.say("x = 1")
    while engine._idle:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert printed(await talk.say("x")) == "1\n"
    await engine.close()


async def test_the_number_of_processes_is_limited_and_idle_ones_are_ended_for_others(engine: Local):
    talks = [Talk(engine, f"{number:016x}") for number in range(3)]
    for talk in talks:
        await talk.say("x = 1")
    assert list(engine._idle) == [talk.session for talk in talks[1:]]
    calls = [asyncio.create_task(talk.say("import time; time.sleep(0.3)")) for talk in talks[:2]]
    await asyncio.sleep(0)
    with pytest.raises(EngineBusy):
        await talks[2].say("1")
    await asyncio.gather(*calls)


def test_the_settings_choose_the_engine():
    def chosen(local_runner: bool, **settings: str) -> object:
        return choose(
            Settings.model_validate({f"CODE_INTERPRETER{name}": value for name, value in settings.items()}),
            local_runner,
        )

    pool = "https://region.dynamicsessions.io/pool"
    assert isinstance(chosen(True), Local)
    assert isinstance(chosen(False, **{"": "local"}), Local)
    assert chosen(False) == NONE
    assert chosen(True, **{"": "off"}) == OFF
    assert isinstance(chosen(True, _POOL=pool), Sessions)
    assert isinstance(chosen(False, **{"": "sessions", "_POOL": pool}), Sessions)
