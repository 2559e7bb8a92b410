/** Messages as they are shown: texts, images, citations, files. */

import { content, download, get } from "./api.js";
import { acting, append, dialog, fill, h } from "./dom.js";
import { anchor, markdown } from "./markdown.js";

const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** @type {Map<string, Promise<any>>} */
const files = new Map();

/** @param {string} id @returns {Promise<string>} */
export function nameOf(id) {
  let file = files.get(id);
  if (!file) files.set(id, (file = get(`/files/${id}`)));
  return file.then(
    (found) => found.filename,
    () => id,
  );
}

/**
 * An article that shows a message, and shows it anew as it grows.
 * @returns {{element: HTMLElement, show: (message: any) => void}}
 */
export function messageView() {
  const head = h("header");
  const body = h("div");
  const element = h("article", {}, head, body);
  /** @type {Map<string, HTMLElement>} images that are there already */
  const images = new Map();
  return {
    element,
    show(message) {
      element.className = message.role;
      element.dataset.id = message.id;
      fill(
        head,
        message.role === "user" ? "You" : "Assistant",
        message.status === "incomplete" && ` (incomplete: ${message.incomplete_details?.reason ?? ""})`,
      );
      fill(body, ...message.content.map((/** @type {any} */ part) => shownPart(part, message, images)));
      if (message.attachments?.length)
        append(
          body,
          h(
            "ul",
            { class: "uploads", "aria-label": "Files" },
            message.attachments.map((/** @type {any} */ each) => h("li", {}, fileButton(each.file_id))),
          ),
        );
    },
  };
}

/** @param {any} part @param {any} message @param {Map<string, HTMLElement>} images */
function shownPart(part, message, images) {
  if (part.type === "text") return shownText(part.text, message);
  if (part.type === "refusal") return h("p", { class: "bad" }, part.refusal);
  if (part.type === "image_file") {
    const id = part.image_file.file_id;
    let image = images.get(id);
    if (!image) images.set(id, (image = loadedImage(id)));
    return image;
  }
  if (part.type === "image_url") {
    const { url } = part.image_url;
    return h("p", {}, "Image elsewhere: ", /^https?:/i.test(url) ? anchor(url, [url]) : url);
  }
  return h("pre", {}, JSON.stringify(part, null, 2));
}

/** A picture of the service, loaded with the key; its bytes decide whether it is one. @param {string} id */
export function loadedImage(id) {
  const shown = h("figure", {}, h("small", {}, "Image …"));
  content(id)
    .then(async (blob) => {
      const head = new Uint8Array(await blob.slice(0, 12).arrayBuffer());
      const signs = String.fromCharCode(...head);
      const kind = signs.startsWith("\x89PNG")
        ? 0
        : signs.startsWith("\xff\xd8")
          ? 1
          : signs.startsWith("GIF8")
            ? 2
            : signs.slice(8) === "WEBP"
              ? 3
              : -1;
      if (kind < 0) return fill(shown, fileButton(id));
      const source = URL.createObjectURL(new Blob([blob], { type: IMAGES[kind] }));
      const name = await nameOf(id);
      fill(shown, h("img", { src: source, alt: name }), h("figcaption", {}, fileButton(id)));
    })
    .catch((error) => fill(shown, h("small", { class: "bad" }, error.message)));
  return shown;
}

/** A button that downloads a file. @param {string} id */
function fileButton(id) {
  const button = h("button", { type: "button", class: "quiet", onclick: acting(() => download(id)) }, id);
  nameOf(id).then((name) => fill(button, `Download ${name}`));
  return button;
}

/** The same within a text. @param {string} id @param {Node[] | null} label in place of the file's name */
function fileLink(id, label) {
  const button = h("button", { type: "button", class: "file", onclick: acting(() => download(id)) }, label ?? id);
  nameOf(id).then((name) => {
    button.title = `Download ${name}`;
    if (!label) fill(button, name);
  });
  return button;
}

/** @param {any} text @param {any} message */
function shownText(text, message) {
  const annotations = [...(text.annotations ?? [])].sort((one, other) => one.start_index - other.start_index);
  const value = text.value.replace(/[\uE000\uE001]/g, "");
  let marked = "";
  let from = 0;
  annotations.forEach((each, number) => {
    const at = each.text ? value.indexOf(each.text, from) : -1;
    if (at < 0) return;
    marked += `${value.slice(from, at)}\uE000${number}\uE001`;
    from = at + each.text.length;
  });
  const shown = h("div", {});
  append(
    shown,
    markdown(marked + value.slice(from), (number, label, plain) => {
      const each = annotations[number];
      if (!each) return null;
      if (plain) return document.createTextNode(each.text);
      if (each.type === "file_path") return fileLink(each.file_path.file_id, label);
      const id = each.file_citation?.file_id;
      if (!id) return null;
      const button = h(
        "button",
        {
          type: "button",
          class: "cite",
          "aria-label": `Citation ${number + 1}`,
          onclick: acting(() => passage(each.file_citation, message)),
        },
        `[${number + 1}]`,
      );
      nameOf(id).then((name) => {
        button.title = name;
      });
      return button;
    }),
  );
  return shown;
}

/** Show the passages of the cited file that the run has found. @param {{file_id: string, quote?: string}} citation @param {any} message */
async function passage(citation, message) {
  const name = await nameOf(citation.file_id);
  const include = "include[]=step_details.tool_calls[*].file_search.results[*].content";
  const steps = message.run_id
    ? (await get(`/threads/${message.thread_id}/runs/${message.run_id}/steps?limit=100&${encodeURI(include)}`)).data
    : [];
  const results = steps
    .flatMap((/** @type {any} */ step) => step.step_details.tool_calls ?? [])
    .flatMap((/** @type {any} */ call) => call.file_search?.results ?? [])
    .filter((/** @type {any} */ each) => each.file_id === citation.file_id);
  const holds = (/** @type {any} */ each) => !!citation.quote && textOf(each).includes(citation.quote);
  results.sort(
    (/** @type {any} */ one, /** @type {any} */ other) =>
      Number(holds(other)) - Number(holds(one)) || other.score - one.score,
  );
  dialog(
    name,
    citation.quote && !results.some(holds) ? h("blockquote", {}, citation.quote) : null,
    results.map((/** @type {any} */ each) => passageOf(textOf(each), each.score, citation.quote)),
    !results.length && !citation.quote ? h("p", {}, "The run has kept no passage of this file.") : null,
    fileButton(citation.file_id),
  );
}

/** @param {any} result */
export const textOf = (result) => (result.content ?? []).map((/** @type {any} */ each) => each.text).join("\n");

/** @param {string} text @param {number} score @param {string} [quote] */
export function passageOf(text, score, quote) {
  const at = quote ? text.indexOf(quote) : -1;
  return h(
    "div",
    { class: "passage" },
    h("small", {}, `Score ${score.toFixed(3)}`),
    h("br"),
    at < 0
      ? text
      : [
          text.slice(0, at),
          h("mark", {}, /** @type {string} */ (quote)),
          text.slice(at + /** @type {string} */ (quote).length),
        ],
  );
}
