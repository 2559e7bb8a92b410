// node agents.mjs FOLDER ENDPOINT: as conversation.mjs, with the @azure/ai-agents in FOLDER; also files.

import { pathToFileURL } from "node:url";

const [folder, endpoint] = process.argv.slice(2);
const { AgentsClient } = await import(pathToFileURL(`${folder}/node_modules/@azure/ai-agents/dist/esm/index.js`));

// Its policy for tokens refuses to send them without TLS, and this service does not require it.
const client = new AgentsClient(endpoint, undefined, { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } });
const pollingOptions = { intervalInMs: 50 };

const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather.",
    parameters: { type: "object", properties: { city: { type: "string", enum: ["Oslo"] } } },
  },
};

async function started(content) {
  const thread = await client.threads.create();
  await client.messages.create(thread.id, "user", content);
  return thread.id;
}

async function said(threadId) {
  const texts = [];
  for await (const message of client.messages.list(threadId, { order: "asc" })) texts.push(message.content[0].text.value);
  return texts;
}

async function ended(threadId, run) {
  while (["queued", "in_progress"].includes(run.status)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    run = await client.runs.get(threadId, run.id);
  }
  return run;
}

function outputs(run) {
  const calls = run.requiredAction.submitToolOutputs.toolCalls;
  return calls.map((call) => ({ toolCallId: call.id, output: `sunny in ${JSON.parse(call.function.arguments).city}` }));
}

async function streamed(stream) {
  const names = [];
  let run, text = "";
  for await (const { event, data } of stream) {
    if (event === "thread.message.delta") text += data.delta.content[0].text.value;
    if (!event.endsWith(".delta")) names.push(event);
    if (data?.object === "thread.run") run = data;
  }
  return { names, text, run };
}

const agent = await client.createAgent("demo", { name: "Weather", tools: [WEATHER] });
const result = { name: agent.name };

const hello = await started("Hello");
const run = await client.runs.createAndPoll(hello, agent.id, { pollingOptions });
result.polled = { status: run.status, said: await said(hello) };

const weather = await started("get weather for Oslo");
const owing = await ended(weather, await client.runs.create(weather, agent.id));
result.tools = { status: owing.status };
result.tools.ended = (await ended(weather, await client.runs.submitToolOutputs(weather, owing.id, outputs(owing)))).status;
result.tools.said = await said(weather);

const again = await started("Hello");
result.streamed = await streamed(await client.runs.create(again, agent.id).stream());
result.streamed = { first: result.streamed.names.slice(0, 3), last: result.streamed.names.slice(-2), text: result.streamed.text };

const file = await client.files.upload(Buffer.from("The spire is high."), "assistants", { fileName: "spire.txt" });
const store = await client.vectorStores.createAndPoll({ fileIds: [file.id], pollingOptions });
result.store = { status: store.status, completed: store.fileCounts.completed, filename: file.filename };

try {
  await client.createAgent("demo", { tools: [{ type: "bing_grounding", bingGrounding: { searchConfigurations: [{ connectionId: "c" }] } }] });
} catch (error) {
  result.refused = { status: error.statusCode, code: error.code, tool: error.message.includes("bing_grounding") };
}

console.log(JSON.stringify(result));
