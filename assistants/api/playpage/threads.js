/** The threads, the newest first, each by the beginning of its first message. */

import { get, remove } from "./api.js";
import { acting, announce, byId, h } from "./dom.js";
import { listing } from "./lists.js";
import { on, set, state } from "./state.js";

/** @type {Map<string, string>} */
const titles = new Map();

export const showThreads = listing("threads", "/threads?limit=15", async (thread) => {
  const title = await titleOf(thread.id);
  const choose = h("button", { type: "button", title, onclick: acting(() => openThread(thread.id)) }, title);
  choose.dataset.id = thread.id;
  if (state.thread?.id === thread.id) choose.setAttribute("aria-current", "true");
  return h(
    "li",
    {},
    choose,
    h("small", {}, day(/** @type {any} */ (thread).created_at)),
  );
});

/** The time of today, else the day. @param {number} seconds */
function day(seconds) {
  const date = new Date(seconds * 1000);
  if (date.toDateString() === new Date().toDateString())
    return date.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" });
  return date.toLocaleDateString(undefined, { month: "short", day: "numeric" });
}

/** @param {string} id */
async function titleOf(id) {
  const known = titles.get(id);
  if (known) return known;
  const page = await get(`/threads/${id}/messages?order=asc&limit=1`).catch(() => ({ data: [] }));
  const part = page.data[0]?.content.find((/** @type {any} */ each) => each.type === "text");
  const text = part?.text.value ?? "";
  const said = text.replace(/```[^]*?(```|$)/g, " ").trim() || text.trim();
  const title = said.replace(/\s+/g, " ").slice(0, 80);
  if (title) titles.set(id, title);
  return title || (page.data.length ? "Images" : "Empty thread");
}

/** @param {string} id */
async function openThread(id) {
  if (state.busy) return announce("A run is in progress; cancel it first, or wait.", true);
  set("thread", await get(`/threads/${id}`));
  byId("columns").dataset.shown = "middle";
}

export function watchThreads() {
  byId("thread-new").addEventListener(
    "click",
    acting(async () => {
      if (state.busy) return announce("A run is in progress; cancel it first, or wait.", true);
      set("thread", null);
      byId("columns").dataset.shown = "middle";
      byId("text").focus();
    }),
  );
  byId("thread-delete").addEventListener(
    "click",
    acting(async () => {
      if (!state.thread || state.busy || !confirm("Delete this thread with its messages and runs?")) return;
      await remove(`/threads/${state.thread.id}`);
      set("thread", null);
      await showThreads();
    }),
  );
  const showTitle = async () => {
    const thread = state.thread;
    const title = thread ? await titleOf(thread.id) : "New thread";
    if (state.thread?.id === thread?.id) byId("talk-title").textContent = title;
  };
  on("threads", () => Promise.all([showThreads(), showTitle()]));
  on("thread", () => {
    const thread = state.thread;
    byId("thread-delete").hidden = !thread;
    void showTitle();
    for (const each of byId("threads").querySelectorAll("button[data-id]")) {
      if (/** @type {HTMLElement} */ (each).dataset.id === thread?.id) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
  });
}
