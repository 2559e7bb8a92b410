// Function tools with openai-node (npm install openai): this program executes its functions, and streams the answer.

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.BASE_URL ?? "http://127.0.0.1:7071/v1",
  apiKey: process.env.OPENAI_API_KEY ?? "local-development-key",
});

const FUNCTIONS = {
  get_time: ({ city }) => ({ Oslo: "14:05", Lima: "08:05" })[city],
  get_weather: ({ city }) => ({ Oslo: "snow, -3 °C", Lima: "sunshine, 24 °C" })[city],
};
const CITY = { type: "object", properties: { city: { type: "string", enum: ["Oslo", "Lima"] } }, required: ["city"] };

const assistant = await client.beta.assistants.create({
  model: "gpt-4o",
  instructions: "Answer with what the functions tell you.",
  tools: Object.keys(FUNCTIONS).map((name) => ({ type: "function", function: { name, parameters: CITY } })),
});
const thread = await client.beta.threads.create({
  messages: [{ role: "user", content: "Get time and get weather for Oslo, please." }],
});

let stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
while (true) {
  stream.on("textDelta", (delta) => process.stdout.write(delta.value));
  const run = await stream.finalRun();
  if (run.status !== "requires_action") {
    console.log(run.status === "completed" ? "" : `The run is ${run.status}: ${run.last_error?.message}`);
    break;
  }
  const tool_outputs = run.required_action.submit_tool_outputs.tool_calls.map((call) => {
    const { name, arguments: given } = call.function;
    const values = JSON.parse(given);
    console.log(`calls ${name}(${JSON.stringify(values)})`);
    return { tool_call_id: call.id, output: FUNCTIONS[name](values) };
  });
  stream = client.beta.threads.runs.submitToolOutputsStream(run.id, { thread_id: thread.id, tool_outputs });
}
