"""The choice of the engine that executes code, by the settings and the abilities of this machine."""

from assistants.settings import Settings
from assistants.tools.code_interpreter.engine import Engine

OFF = "The code interpreter is off: CODE_INTERPRETER is `off`."
NONE = (
    "The code interpreter has no engine here: set CODE_INTERPRETER=local to execute code on this machine, in processes "
    "that are confined but share its kernel."
)


def choose(settings: Settings, under_local_runner: bool) -> Engine | str:
    """The engine, or a sentence that says why there is none and which setting is needed.

    The first call for `local` starts a confined process that tries forbidden actions, which takes about a second.
    """
    match settings.code_interpreter:
        case "off":
            return OFF
        case "sessions" | "auto" if settings.code_interpreter_pool is not None:
            # Engines are imported here, as most processes need none.
            from assistants.tools.code_interpreter.sessions.host import Sessions

            return Sessions(settings)
        case "auto" if not under_local_runner:
            return NONE
        case _:
            from assistants.tools.code_interpreter.local.availability import available
            from assistants.tools.code_interpreter.local.host import Local

            reason = available()
            return reason if reason else Local(settings)
