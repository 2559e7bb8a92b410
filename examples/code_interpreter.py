"""The assistant executes code that reads an uploaded file, prints a sum and draws a plot, which this program saves."""

import os
import warnings
from io import BytesIO
from pathlib import Path

from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's, as OpenAI itself no longer serves this API

client = OpenAI(
    base_url=os.environ.get("BASE_URL", "http://127.0.0.1:7071/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "local-development-key"),
)

# The demo model executes the code in the question; a real model writes its own.
QUESTION = """What is the sum of the sales in sales.csv, month by month? Plot them, please.
```python
import pandas as pd
import matplotlib.pyplot as plt

sales = pd.read_csv("/mnt/data/sales.csv")
print("Sum:", sales["amount"].sum())
sales.plot.bar(x="month", y="amount")
plt.show()
```"""

table = BytesIO(b"month,amount\nJanuary,120\nFebruary,90\nMarch,150\n")
file = client.files.create(file=("sales.csv", table), purpose="assistants")
assistant = client.beta.assistants.create(
    model="gpt-4o", instructions="Answer with code.", tools=[{"type": "code_interpreter"}]
)
run = client.beta.threads.create_and_run_poll(
    assistant_id=assistant.id,
    thread={
        "messages": [
            {
                "role": "user",
                "content": QUESTION,
                "attachments": [{"file_id": file.id, "tools": [{"type": "code_interpreter"}]}],
            }
        ]
    },
)
if run.status != "completed":
    raise SystemExit(f"The run is {run.status}: {run.last_error}")

for step in client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"):
    if step.step_details.type == "tool_calls":
        for call in step.step_details.tool_calls:
            if call.type == "code_interpreter":
                for output in call.code_interpreter.outputs:
                    if output.type == "logs":
                        print(f"logs: {output.logs.strip()}")
for part in client.beta.threads.messages.list(run.thread_id).data[0].content:
    if part.type == "image_file":
        client.files.content(part.image_file.file_id).write_to_file("plot.png")
        print(f"image: plot.png, {Path('plot.png').stat().st_size:,} bytes")
    elif part.type == "text":
        print(f"assistant: {part.text.value}")

client.files.delete(file.id)
client.beta.threads.delete(run.thread_id)
