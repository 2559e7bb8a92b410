"""Both engines: the outputs of code, the state between calls, and the notices to the model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from assistants.settings import Settings
from assistants.tools.code_interpreter import notices
from assistants.tools.code_interpreter.engine import Engine, Image, Logs, is_name
from assistants.tools.code_interpreter.local.availability import available
from assistants.tools.code_interpreter.local.host import Local
from tests.support.interpreter.pool import served_pool
from tests.support.interpreter.talk import SESSION, Talk, content, file, printed

pytestmark = pytest.mark.skipif(bool(available()), reason=str(available()))

KINDS = ["local", "sessions"]


@asynccontextmanager
async def started(kind: str, seconds: str = "30") -> AsyncIterator[Engine]:
    limits = {"CODE_INTERPRETER_TIMEOUT": seconds, "CODE_INTERPRETER_FILES": "3"}
    if kind == "sessions":
        async with served_pool(**limits) as (_, engine):
            yield engine
    else:
        engine = Local(Settings.model_validate(limits))
        yield engine
        await engine.close()


@pytest.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    async with started(request.param) as engine:
        yield engine


@pytest.fixture
def talk(engine: Engine) -> Talk:
    return Talk(engine)


async def test_logs_values_images_and_tracebacks_come_in_their_order(talk: Talk):
    execution = await talk.say(
        "import sys, matplotlib.pyplot as plt\nprint('a')\nprint('b', file=sys.stderr)\nplt.plot([1]); plt.show()\n"
        "print('c')\nplt.plot([2])\n1 / 0"
    )
    first, shown, then, left = execution.outputs
    assert first == Logs("a\nb\n")
    assert isinstance(then, Logs)
    assert then.text.startswith('c\nTraceback (most recent call last):\n  File "<cell 1>", line 7')
    assert then.text.endswith("ZeroDivisionError: division by zero\n")
    assert isinstance(shown, Image)
    assert isinstance(left, Image)
    assert shown.png.startswith(b"\x89PNG")


async def test_the_value_of_the_last_expression_is_shown_and_variables_stay(talk: Talk):
    await talk.say("x = 20")
    assert printed(await talk.say("x += 1\nx")) == "21\n"


async def test_the_model_learns_that_all_variables_are_lost_without_a_snapshot(talk: Talk):
    await talk.say("x = 1")
    await talk.engine.end(SESSION)
    talk.snapshot = None
    execution = await talk.say("x")
    assert "NameError" in printed(execution)
    assert execution.notices == [notices.ALL_LOST]


async def test_a_file_has_its_name_and_its_id_in_the_folder(talk: Talk):
    files = [file("file-abc", "numbers.csv", b"1,2")]
    assert printed(
        await talk.say("open('/mnt/data/numbers.csv').read() + open('/mnt/data/file-abc').read()", files)
    ) == ("'1,21,2'\n")
    assert "FileNotFoundError" in printed(await talk.say("open('/mnt/data/numbers.csv')"))


async def test_files_that_were_made_or_changed_are_put_out_up_to_a_number(talk: Talk):
    files = [file("file-abc", "in.txt", b"in"), file("file-def", "same.txt", b"same")]
    execution = await talk.say(
        "import os\nos.mkdir('d'); open('d/new', 'w').write('n'); open('in.txt', 'a').write('!')", files
    )
    assert {output.name: await content(output) for output in execution.files} == {"d/new": b"n", "in.txt": b"in!"}
    more = await talk.say("for n in range(5): open(f'm{n}', 'w').close()", files)
    assert len(more.files) == 3
    assert more.notices == [notices.files_left_out(["m0", "m1"], 3)]


async def test_names_that_deceive_are_not_put_out(talk: Talk):
    execution = await talk.say(
        "import os\nfor n in (b'a\\nb', b'\\xff', b'\\x1b[2J', b'.hidden', b'good'): open(n, 'w').close()\n"
        "deep = '/'.join('abcdefghijkl')\nos.makedirs(deep); open(deep + '/f', 'w').close()"
    )
    assert [output.name for output in execution.files] == ["good"]
    assert not is_name("a/../b")


async def test_the_beginning_and_the_end_of_long_logs_are_kept(talk: Talk):
    text = printed(await talk.say("print('begin', 'x' * 10 ** 8, 'end')"))
    assert text.startswith("begin x")
    assert text.endswith("x end\n")
    assert "characters are left out" in text


@pytest.mark.parametrize("kind", KINDS)
async def test_code_is_stopped_at_its_limit(kind: str):
    async with started(kind, "1") as engine:
        talk = Talk(engine)
        stopped = await talk.say("print('begun')\nwhile True: pass")
        assert stopped.timed_out
        assert printed(stopped).startswith("begun\n")
        assert "after 1 s" in stopped.notices[0]
        assert printed(await talk.say("1")) == "1\n"


async def test_the_model_learns_that_its_code_has_ended_the_process(talk: Talk):
    died = await talk.say("import os\nos._exit(3)")
    assert "The process that executed the code has ended" in died.notices[0]
    assert not died.timed_out
    assert printed(await talk.say("1")) == "1\n"


async def test_a_cancelled_call_leaves_no_running_code(talk: Talk):
    call = asyncio.create_task(talk.say("import time\nwhile True: open('alive', 'w').write(str(time.time()))"))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert "FileNotFoundError" in printed(await talk.say("open('alive')"))


async def test_a_file_that_was_put_out_has_its_id_in_the_next_call(talk: Talk):
    await talk.say("open('made.txt', 'w').write('made')")
    given = file("file-made", "made.txt", b"made")
    assert printed(await talk.say("open('file-made').read()", [given])) == "'made'\n"
    assert printed(await talk.say("open('file-made').read()", [given])) == "'made'\n"
