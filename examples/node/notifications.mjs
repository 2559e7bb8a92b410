// Receives a run's states instead of polling, by the stock client of SignalR (npm install openai @microsoft/signalr).

import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import OpenAI from "openai";

const baseURL = process.env.BASE_URL ?? "http://127.0.0.1:7071/v1";
const apiKey = process.env.OPENAI_API_KEY ?? "local-development-key";
const client = new OpenAI({ baseURL, apiKey });

const assistant = await client.beta.assistants.create({ model: "gpt-4o" });
const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Good morning!" }] });

// Without thread_id, the hub tells of all runs of the project.
const connection = new HubConnectionBuilder()
  .withUrl(new URL(`/notificationhub?thread_id=${thread.id}`, baseURL).href, { accessTokenFactory: () => apiKey })
  .withAutomaticReconnect()
  .configureLogging(LogLevel.Warning)
  .build();
const ended = new Promise((resolve) => {
  connection.on("notification", ({ run_id, status }) => {
    console.log(status);
    if (!["queued", "in_progress", "requires_action", "cancelling"].includes(status)) resolve(run_id);
  });
});
await connection.start();

await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
await ended;
const [answer] = (await client.beta.threads.messages.list(thread.id, { limit: 1 })).data;
console.log(answer.content[0].text.value);
await connection.stop();
