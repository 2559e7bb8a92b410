// Runs Azurite's blob and queue services while any process holds a lease: an open connection to the lease port.
// Arguments: Azurite's package folder, the data folder, blob port, queue port (0: any free port), and the accounts as
// in AZURITE_ACCOUNTS.
"use strict";
const { randomUUID } = require("crypto");
const { renameSync, rmSync, writeFileSync } = require("fs");
const Module = require("module");
const { createServer } = require("net");
const { join } = require("path");

const UNUSED = 10_000; // ms until the first lease
const GRACE = 1_000; // ms between the end of the last lease and the shutdown

const [home, data, blobPort, queuePort, accounts] = process.argv.slice(2);
const load = (module) => require(join(home, "dist", "src", module));
const file = join(data, "azurite.json");
const leases = new Set();
let services = [];
let closing = false;
let timer;

process.env.AZURITE_ACCOUNTS = accounts;
delete process.env.AZURITE_DB;
// Telemetry is off; loading its client alone would take more than half of the start.
const loadModule = Module._load;
Module._load = (name, ...rest) => (name === "applicationinsights" ? {} : loadModule(name, ...rest));
process.argv = [
  process.argv[0], "azurite", "--location", data, "--blobPort", blobPort, "--queuePort", queuePort,
  "--silent", "--skipApiVersionCheck", "--disableTelemetry",
];
process.on("SIGINT", () => {}).on("SIGHUP", () => {}).on("SIGTERM", shutdown);

async function start() {
  const Environment = load("common/Environment").default;
  const { BlobServerFactory } = load("blob/BlobServerFactory");
  const QueueConfiguration = load("queue/QueueConfiguration").default;
  const QueueServer = load("queue/QueueServer").default;
  const names = load("queue/utils/constants");

  const env = new Environment();
  const stores = names.DEFAULT_QUEUE_PERSISTENCE_ARRAY;
  stores[0].locationPath = join(data, names.DEFAULT_QUEUE_PERSISTENCE_PATH);
  const blob = await new BlobServerFactory().createServer(env);
  const queue = new QueueServer(new QueueConfiguration(
    env.queueHost(), env.queuePort(), env.queueKeepAliveTimeout(), join(data, names.DEFAULT_QUEUE_LOKI_DB_PATH),
    join(data, names.DEFAULT_QUEUE_EXTENT_LOKI_DB_PATH), stores, false, undefined, false, undefined, false, true,
  ));
  for (const service of [blob, queue]) {
    await service.start();
    services.push(service);
  }
  const port = (service) => Number(new URL(service.getHttpServerAddress()).port);
  const about = { id: randomUUID(), blob: port(blob), queue: port(queue) };

  const server = createServer({ allowHalfOpen: true }, (socket) => lease(socket, about));
  server.listen(0, "127.0.0.1", () => {
    writeFileSync(file + ".new", JSON.stringify({ ...about, lease: server.address().port }));
    renameSync(file + ".new", file);
    timer = setTimeout(shutdown, UNUSED);
  });
}

// A lease that is explicitly released ends at once; after a broken connection the grace period begins.
function lease(socket, about) {
  if (closing) return void socket.write("closing\n");
  clearTimeout(timer);
  leases.add(socket);
  let asked = false;
  const end = () => {
    if (!leases.delete(socket)) return;
    if (leases.size) return void socket.end();
    timer = setTimeout(shutdown, asked ? 0 : GRACE);
  };
  socket.on("data", () => (asked = true)).on("end", end).on("error", end).on("close", end);
  socket.write(JSON.stringify(about) + "\n");
}

async function shutdown() {
  if (closing) return;
  closing = true;
  await Promise.all(services.map((service) => service.close()));
  rmSync(file, { force: true });
  process.exit(0);
}

start().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
