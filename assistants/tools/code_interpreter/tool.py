"""The code interpreter as a server tool (contract, 12)."""

from assistants.tools.code_interpreter.execution import CodeCall
from assistants.tools.servertool import Answer, Question, ServerTool


async def answer(question: Question) -> Answer:
    """The outcome of the code, as an answer."""
    outcome = await CodeCall(question).outcome()
    return Answer(outcome.output, ran=outcome.ran)


CODE_INTERPRETER = ServerTool(
    type="code_interpreter",
    queue="code-interpreter",
    description=(
        "Executes Python in a session of this conversation and gives what the code printed, the value of its last "
        "expression, and its traceback. The session is stateful: variables, imports and files stay between calls. "
        "numpy, pandas, scipy, matplotlib, openpyxl and Pillow are there; there is no internet, and no package can be "
        "installed. Files lie in /mnt/data, and what the user is to get is to be written there. Figures "
        "that are open at the end of the code are shown to the user. Link a file that the code has made as "
        "sandbox:/mnt/data/NAME, for example [the table](sandbox:/mnt/data/table.csv)."
    ),
    parameters={
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The Python code."}},
        "required": ["code"],
    },
    answer=answer,
)
