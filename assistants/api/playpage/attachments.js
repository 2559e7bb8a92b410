/** Files on their way into a message: chosen, or dropped on the conversation. */

import { upload } from "./api.js";
import { announce, byId, fill, h } from "./dom.js";
import { state } from "./state.js";

const IMAGE = /^image\/(png|jpeg|gif|webp)$/;

/** @typedef {{file: File, image: boolean, tools: HTMLSelectElement | null, id: Promise<string | null>}} Attachment */

/** @type {Attachment[]} */
let waiting = [];

/**
 * The parts and the attachments of the next message; waits for their uploads.
 * @returns {Promise<{parts: any[], attachments: any[]}>}
 */
export async function attached() {
  const taken = await Promise.all(waiting.map(async (each) => ({ ...each, fileId: await each.id })));
  const sent = taken.filter((each) => each.fileId);
  return {
    parts: sent
      .filter((each) => each.image)
      .map((each) => ({ type: "image_file", image_file: { file_id: each.fileId } })),
    attachments: sent
      .filter((each) => !each.image)
      .map((each) => ({
        file_id: each.fileId,
        tools: (each.tools?.value ?? "file_search").split("+").map((type) => ({ type })),
      })),
  };
}

export function forgetAttachments() {
  waiting = [];
  fill(byId("attachments"));
}

/** @param {Iterable<File>} files */
function add(files) {
  for (const file of files) {
    const image = IMAGE.test(file.type);
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    const note = h("small", {}, "");
    const codes = (state.assistant?.tools ?? []).some((/** @type {any} */ each) => each.type === "code_interpreter");
    const tools = image
      ? null
      : h(
          "select",
          { "aria-label": `Tool for ${file.name}` },
          ["file_search", "code_interpreter", "file_search+code_interpreter"].map((value) =>
            h(
              "option",
              { value, selected: value === (codes ? "code_interpreter" : "file_search") },
              value.replace("+", " and "),
            ),
          ),
        );
    const id = upload(file, image ? "vision" : "assistants", (part) => {
      bar.value = part;
    }).then(
      (made) => {
        note.textContent = "uploaded";
        bar.value = 1;
        return made.id;
      },
      (error) => {
        note.textContent = error.message;
        note.className = "bad";
        bar.remove();
        return null;
      },
    );
    /** @type {Attachment} */
    const attachment = { file, image, tools, id };
    const row = h(
      "li",
      {},
      file.name,
      bar,
      tools,
      note,
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-label": `Remove ${file.name}`,
          onclick: () => {
            waiting = waiting.filter((each) => each !== attachment);
            row.remove();
          },
        },
        "✕",
      ),
    );
    waiting.push(attachment);
    byId("attachments").append(row);
    announce(`${file.name} is attached.`);
  }
}

export function watchAttachments() {
  const input = /** @type {HTMLInputElement} */ (byId("attach"));
  input.addEventListener("change", () => {
    add([...(input.files ?? [])]);
    input.value = "";
  });
  dropping(byId("middle"), add);
  byId("text").addEventListener("paste", (event) => {
    const files = event.clipboardData?.files;
    if (files?.length) add([...files]);
  });
}

/** Take files that are dropped on an element. @param {HTMLElement} element @param {(files: File[]) => void} take */
export function dropping(element, take) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    take([...(event.dataTransfer?.files ?? [])]);
  });
}
