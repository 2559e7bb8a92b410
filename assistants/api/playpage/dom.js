/** Elements, made without markup: a text is always a text node. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element. Properties that begin with `on` are listeners; others are properties where the element has them, else attributes.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && !name.startsWith("aria")) /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, ...children);
  return element;
}

/** @param {Node} parent @param {...(Child | Child[])} children */
export function append(parent, ...children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** @param {Element} parent @param {...(Child | Child[])} children */
export function fill(parent, ...children) {
  parent.replaceChildren();
  append(parent, ...children);
}

/**
 * The element of the page that has this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

/** The status of a run or a step, coloured by how it went. @param {string} status */
export function badge(status) {
  const tone = status === "completed" ? "good" : ["failed", "expired", "incomplete"].includes(status) ? "bad" : "";
  const moving = ["queued", "in_progress", "cancelling"].includes(status) ? "moving" : "";
  return h("strong", { class: `badge ${tone} ${moving}` }, status);
}

/** Tell it to everybody, screen readers included. @param {string} text @param {boolean} [bad] */
export function announce(text, bad = false) {
  const status = byId("status");
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

/** @type {WeakSet<EventTarget>} */
const under = new WeakSet();

/**
 * A listener that shows an error of its action, and ignores events while the action is in progress.
 * @param {(event: any) => Promise<unknown>} act
 * @returns {(event: Event) => Promise<void>}
 */
export function acting(act) {
  return async (event) => {
    event.preventDefault();
    const element = /** @type {EventTarget} */ (event.currentTarget);
    if (under.has(element)) return;
    under.add(element);
    try {
      await act(event);
    } catch (error) {
      announce(error instanceof Error ? error.message : String(error), true);
    } finally {
      under.delete(element);
    }
  };
}

/** Copy a text, where the browser lets pages do that. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    announce("Copied.");
  } catch {
    announce("The browser does not let this page copy; mark the text and copy it.", true);
  }
}

let numbered = 0;

/**
 * A control with its label, and a hint if there is one.
 * @param {string} label @param {HTMLElement} control @param {string} [hint]
 */
export function field(label, control, hint) {
  control.id ||= `field-${++numbered}`;
  const note = hint ? h("small", { id: `${control.id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { class: "field" }, h("label", { htmlFor: control.id }, label), control, note);
}

/** An input of files that looks like a button. @param {string} label @param {HTMLInputElement} input */
export function picker(label, input) {
  input.className = "hidden";
  return h("label", { class: "drop" }, label, input);
}

/** A box to tick, with its label. @param {string} label @param {HTMLInputElement} box */
export function ticked(label, box) {
  return h("label", { class: "tick" }, box, label);
}

/**
 * A modal dialog, shown; it leaves the page when it is closed.
 * @param {string} title @param {...(Child | Child[])} children
 */
export function dialog(title, ...children) {
  const heading = h("h2", { id: `dialog-${++numbered}` }, title);
  const close = h(
    "button",
    { type: "button", "aria-label": "Close", class: "quiet", onclick: () => shown.close() },
    "✕",
  );
  const shown = h(
    "dialog",
    { "aria-labelledby": heading.id, onclose: () => shown.remove() },
    h("header", {}, heading, close),
    ...children,
  );
  document.body.append(shown);
  shown.showModal();
  return shown;
}

/** A time of the wire, as the person writes times. @param {number | null | undefined} seconds */
export function time(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleTimeString() : "";
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** A choice of one value. @param {string[]} values @param {string} chosen @param {(value: string) => string} [label] */
export function select(values, chosen, label = (value) => value || "default") {
  const listed = values.includes(chosen) ? values : [...values, chosen];
  return h(
    "select",
    {},
    listed.map((value) => h("option", { value, selected: value === chosen }, label(value))),
  );
}
