"""Which engine executes code, by the settings and by what this machine can do."""

from assistants.settings import Settings
from assistants.tools.code_interpreter.engine import Engine

OFF = "The code interpreter is off: CODE_INTERPRETER is `off`."
NONE = (
    "The code interpreter has no engine: set CODE_INTERPRETER_POOL to the management endpoint of a session pool of "
    "Azure Container Apps."
)


def choose(settings: Settings, under_local_runner: bool) -> Engine | str:
    """The engine, or a sentence that says why there is none and what to set.

    The first call for `local` starts a confined process that tries what it may not, which takes about a second.
    """
    match settings.code_interpreter:
        case "off":
            return OFF
        case "auto" if settings.code_interpreter_pool is None and not under_local_runner:
            return NONE
        case "auto" | "sessions" if settings.code_interpreter_pool is not None:
            # Here, as most processes need neither.
            from assistants.tools.code_interpreter.sessions import Sessions

            return Sessions(settings)
        case _:
            from assistants.tools.code_interpreter.local.availability import available
            from assistants.tools.code_interpreter.local.host import Local

            reason = available()
            return reason if reason else Local(settings)
