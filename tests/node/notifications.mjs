// Listens with @microsoft/signalr: `node notifications.mjs FOLDER URL KEY TRANSPORT RUNS [THREAD]`.
// It prints "connected" and then each notification, one JSON line each, until RUNS runs have ended.

import { createRequire } from "node:module";

const [folder, url, key, transport, runs, thread] = process.argv.slice(2);
const signalr = createRequire(`${folder}/`)("@microsoft/signalr");

const connection = new signalr.HubConnectionBuilder()
  .withUrl(`${url}/notificationhub${thread ? `?thread_id=${thread}` : ""}`, {
    accessTokenFactory: () => key,
    ...(transport && { transport: signalr.HttpTransportType[transport] }),
  })
  .withAutomaticReconnect([100, 100, 500, 1000, 1000])
  .configureLogging(signalr.LogLevel.Error)
  .build();

let left = Number(runs);
connection.on("notification", (state) => {
  console.log(JSON.stringify(state));
  if (["completed", "failed", "cancelled", "expired", "incomplete"].includes(state.status) && --left === 0) {
    connection.stop();
  }
});
connection.onreconnected(() => console.log('"reconnected"'));
connection.onclose((error) => error && console.log(JSON.stringify(`closed: ${error.message}`)));

await connection.start();
console.log('"connected"');
