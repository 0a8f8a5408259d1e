/** A horizontal bar chart, as a list that screen readers can read out. */

import { html } from "./dom.js";

/**
 * @typedef {object} Bar
 * @property {string} label
 * @property {number} share  length, 0 to 1
 * @property {string} text   the value, as written beside the bar
 * @property {string} [tone]  the row's CSS class
 */

export class Bars {
  /** @param {HTMLElement} list an <ol> or <ul> */
  constructor(list) {
    this.list = list;
    list.classList.add("bars");
  }

  /** @param {Bar[]} bars */
  show(bars) {
    while (this.list.children.length > bars.length) this.list.lastElementChild?.remove();
    while (this.list.children.length < bars.length) this.list.append(row());
    bars.forEach((bar, i) => update(this.list.children[i], bar));
  }
}

function row() {
  const fill = html("span", { class: "bar-fill" });
  return html(
    "li",
    {},
    html("span", { class: "bar-label" }),
    html("span", { class: "bar-track", "aria-hidden": "true" }, fill),
    html("span", { class: "bar-text" }),
  );
}

/**
 * Rows are kept and changed in place, so that their lengths move smoothly.
 * @param {Element} element
 * @param {Bar} bar
 */
function update(element, { label, share, text, tone = "" }) {
  const [name, track, value] = element.children;
  name.textContent = label;
  name.setAttribute("title", label);
  value.textContent = text;
  /** @type {HTMLElement} */ (track.firstElementChild).style.inlineSize = `${share * 100}%`;
  element.className = tone;
}
