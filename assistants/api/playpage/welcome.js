/** The content of a thread without messages: the first steps, and texts to begin with. */

import { byId, fill, h } from "./dom.js";
import { on, state } from "./state.js";

const PLOT = `Please plot this.
\`\`\`python
import numpy as np
import matplotlib.pyplot as plt

x = np.linspace(0, 10, 200)
plt.plot(x, np.sin(x) * np.exp(-x / 5))
plt.title("A damped wave")
np.savetxt("/mnt/data/wave.csv", x, delimiter=",")
\`\`\``;

/** Texts that the tools of an assistant can do something with. @param {any} assistant @returns {[string, string][]} */
function beginnings(assistant) {
  /** @type {[string, string][]} */
  const made = [["Say hello", "Hello! What can you do for me?"]];
  for (const tool of assistant.tools ?? []) {
    if (tool.type === "code_interpreter") made.push(["Plot a curve with Python", PLOT]);
    else if (tool.type === "file_search") made.push(["Search the files", "Use file search: what are my files about?"]);
    else if (tool.type === "function") made.push([`Have ${tool.function.name} called`, `Please call ${tool.function.name}.`]);
  }
  return made.slice(0, 5);
}

/** @param {HTMLElement} list where messages will be */
export function welcome(list) {
  const box = h("div", { class: "welcome" });
  fill(list, box);
  draw(box);
}

export function watchWelcome() {
  on("assistant", () => {
    const box = document.querySelector(".welcome");
    if (box) draw(box);
  });
}

/** @param {Element} box */
function draw(box) {
  const assistant = state.assistant;
  if (!assistant) {
    fill(
      box,
      h("h3", {}, "Begin with an assistant"),
      h("p", {}, "It has a model, instructions, and tools: functions of yours, a search in files, or Python that it runs."),
      h("button", { type: "button", class: "main", onclick: () => byId("assistant-new").click() }, "Make an assistant"),
    );
    return;
  }
  const text = /** @type {HTMLTextAreaElement} */ (byId("text"));
  fill(
    box,
    h("h3", {}, `Talk to ${assistant.name || assistant.id}`),
    h("p", {}, "A new thread begins with your message. To begin with something, choose a text, and send it:"),
    h(
      "div",
      { class: "chips" },
      beginnings(assistant).map(([label, said]) =>
        h(
          "button",
          {
            type: "button",
            onclick: () => {
              text.value = said;
              text.focus();
            },
          },
          label,
        ),
      ),
    ),
  );
}
