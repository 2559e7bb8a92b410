/** Calls of the service that has served the page, with the key of this tab. */

/** @typedef {Record<string, any>} Json */
/** @typedef {{method: string, path: string, body?: Json, file?: {name: string, purpose: string}}} Call */

const KEY = "assistants-playground-key";

export const base = new URL("v1", document.baseURI).href;

/** The calls so far that changed something, the latest first. @type {Call[]} */
export const calls = [];

const events = new EventTarget();

export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @param {string} key */
export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

/** @param {() => void} listener */
export function onCall(listener) {
  events.addEventListener("call", listener);
}

/** @param {Call} call */
function note(call) {
  calls.unshift(call);
  calls.length = Math.min(calls.length, 20);
  events.dispatchEvent(new Event("call"));
}

/** @returns {Record<string, string>} */
function headers() {
  const key = sessionStorage.getItem(KEY);
  return { "OpenAI-Beta": "assistants=v2", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

/** @param {number} status @param {string} text */
function refused(status, text) {
  try {
    return new Refused(status, JSON.parse(text).error.message);
  } catch {
    return new Refused(status, `The service answered ${status}.`);
  }
}

/** @param {string} method @param {string} path @param {Json} [body] @param {AbortSignal} [signal] */
async function send(method, path, body, signal) {
  if (method !== "GET") note({ method, path, body });
  const response = await fetch(base + path, {
    method,
    headers: { ...headers(), ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
    signal,
  }).catch((error) => {
    throw error instanceof TypeError ? new Error("The service does not answer. Is it running?") : error;
  });
  if (!response.ok) throw refused(response.status, await response.text());
  return response;
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export const get = async (path, signal) => (await send("GET", path, undefined, signal)).json();
/** @param {string} path @param {Json} [body] @returns {Promise<any>} */
export const post = async (path, body = {}) => (await send("POST", path, body)).json();
/** @param {string} path @returns {Promise<any>} */
export const remove = async (path) => (await send("DELETE", path)).json();
/** @param {string} id @returns {Promise<Blob>} */
export const content = async (id) => (await send("GET", `/files/${id}/content`)).blob();

/**
 * The events of a stream, as they come.
 * @param {string} path @param {Json} body
 * @returns {AsyncGenerator<{event: string, data: any}>}
 */
export async function* stream(path, body) {
  const response = await send("POST", path, { ...body, stream: true });
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      let event = "";
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith("event: ")) event = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      if (data.length && data[0] !== "[DONE]") yield { event, data: JSON.parse(data.join("\n")) };
    }
  }
}

/**
 * Upload a file. `progress` is told the part that is sent, from 0 to 1.
 * @param {File} file @param {string} purpose @param {(part: number) => void} progress
 * @returns {Promise<any>}
 */
export function upload(file, purpose, progress) {
  note({ method: "POST", path: "/files", file: { name: file.name, purpose } });
  const form = new FormData();
  form.append("purpose", purpose);
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${base}/files`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    request.onerror = () => reject(new Error(`${file.name} was not sent: the service did not answer.`));
    request.onload = () =>
      request.status < 300
        ? resolve(JSON.parse(request.responseText))
        : reject(refused(request.status, request.responseText));
    request.send(form);
  });
}

/** Let the person save a file of the service. @param {string} id */
export async function download(id) {
  const [file, blob] = await Promise.all([get(`/files/${id}`), content(id)]);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  link.download = file.filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
