// node conversation.mjs FOLDER BASE_URL: creates, polls, answers tool calls and streams with the openai-node in FOLDER,
// and prints the results as JSON.

import { pathToFileURL } from "node:url";

const [folder, baseURL] = process.argv.slice(2);
const { default: OpenAI } = await import(pathToFileURL(`${folder}/node_modules/openai/index.mjs`));
const { VERSION } = await import(pathToFileURL(`${folder}/node_modules/openai/version.mjs`));

const client = new OpenAI({ baseURL, apiKey: "unused", maxRetries: 0 });
const { assistants, threads } = client.beta;
const named = Number(VERSION.split(".")[0]) >= 5; // ids of parents are named since version 5
const helpers = "stream" in threads.runs; // streams came with 4.30

const WEATHER = {
  type: "function",
  function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string", enum: ["Oslo"] } } } },
};

function retrieve(run) {
  return named ? threads.runs.retrieve(run.id, { thread_id: run.thread_id }) : threads.runs.retrieve(run.thread_id, run.id);
}

async function ended(run) {
  while (["queued", "in_progress"].includes(run.status)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    run = await retrieve(run);
  }
  return run;
}

async function started(content) {
  const thread = await threads.create({ messages: [{ role: "user", content }] });
  return thread.id;
}

async function polled(threadId) {
  const body = { assistant_id: assistant.id };
  if (helpers) return threads.runs.createAndPoll(threadId, body, { pollIntervalMs: 50 });
  return ended(await threads.runs.create(threadId, body));
}

function outputs(run) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  return calls.map((call) => ({ tool_call_id: call.id, output: `sunny in ${JSON.parse(call.function.arguments).city}` }));
}

function submitted(run, stream) {
  const body = { tool_outputs: outputs(run) };
  const name = stream ? "submitToolOutputsStream" : "submitToolOutputs";
  if (named) return threads.runs[name](run.id, { thread_id: run.thread_id, ...body });
  return threads.runs[name](run.thread_id, run.id, body);
}

// Versions without a stream helper have only the response and its bytes.
async function* raw(path, body) {
  const response = await client.post(path, { body: { ...body, stream: true } }).asResponse();
  for (const block of (await response.text()).split("\n\n").filter(Boolean)) {
    const [event, data] = block.split("\n");
    if (event === "event: done") return;
    yield { event: event.replace("event: ", ""), data: JSON.parse(data.replace("data: ", "")) };
  }
}

async function streamed(stream) {
  const names = [];
  let run, text = "";
  for await (const { event, data } of stream) {
    if (event === "thread.message.delta") text += data.delta.content[0].text.value;
    if (!event.endsWith(".delta")) names.push(event);
    if (data.object === "thread.run") run = data;
  }
  if (stream.finalRun) {
    const final = await stream.finalRun();
    if (JSON.stringify(final) !== JSON.stringify(run)) throw new Error("finalRun() is another one");
  }
  return { names, text, run };
}

async function said(threadId) {
  const page = await threads.messages.list(threadId, { order: "asc" });
  return page.data.map((message) => message.content[0].text.value);
}

const assistant = await assistants.create({ model: "demo", tools: [WEATHER] });
const result = { version: VERSION };

const hello = await started("Hello");
result.polled = { status: (await polled(hello)).status, said: await said(hello) };

const weather = await started("get weather for Oslo");
const owing = await polled(weather);
result.tools = { status: owing.status };
result.tools.ended = (await ended(await submitted(owing, false))).status;
result.tools.said = await said(weather);

const again = await started("get weather for Oslo");
const body = { assistant_id: assistant.id };
const first = await streamed(helpers ? threads.runs.stream(again, body) : raw(`/threads/${again}/runs`, body));
const path = `/threads/${again}/runs/${first.run.id}/submit_tool_outputs`;
const second = await streamed(helpers ? submitted(first.run, true) : raw(path, { tool_outputs: outputs(first.run) }));
result.streamed = { first: first.names, second: second.names, text: second.text, said: await said(again) };
result.streamed.stored = (await retrieve(second.run)).status;

console.log(JSON.stringify(result));
