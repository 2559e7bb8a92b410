/** The assistant, the thread and the run that the page shows, and those who are told of their changes. */

/** @type {{assistant: any, thread: any, run: any, busy: boolean}} */
export const state = { assistant: null, thread: null, run: null, busy: false };

const changes = new EventTarget();

/** @typedef {"assistant" | "thread" | "run" | "busy" | "stores" | "threads" | "runs" | "files"} Topic */

/** @param {keyof typeof state} name @param {any} value */
export function set(name, value) {
  state[name] = value;
  tell(name);
}

/** @param {Topic} topic */
export function tell(topic) {
  changes.dispatchEvent(new Event(topic));
}

/** @param {Topic} topic @param {() => void} listener */
export function on(topic, listener) {
  changes.addEventListener(topic, listener);
}

/** Whether a run has not ended. @param {any} run */
export function isActive(run) {
  return !!run && ["queued", "in_progress", "requires_action", "cancelling"].includes(run.status);
}
