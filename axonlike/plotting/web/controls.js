// What may be set in the page and is read by the calculation: one row for each parameter.

import { brief } from "./axes.js";

const EVERY_MS = 50;
const STEPS = 1000;

export class Controls {
  /** set(name, value) is called when the user changes one. */
  constructor(element, set) {
    this.element = element;
    this.set = set;
    this.rows = new Map();
  }

  /** Rows for these parameters, with these values. */
  build(params, values, mayset) {
    this.rows.clear();
    const rows = Object.entries(params || {}).map(([name, param]) => {
      const row = rowOf(name, param, mayset, (value) => this.set(name, value));
      this.rows.set(name, row);
      row.show(values[name] ?? param.value);
      return row.element;
    });
    this.element.replaceChildren(...rows);
    return rows.length;
  }

  /** Set elsewhere. */
  show(values) {
    for (const [name, value] of Object.entries(values)) this.rows.get(name)?.show(value);
  }
}

function rowOf(name, param, maySet, set) {
  const element = document.createElement("label");
  element.className = "param";
  element.dataset.name = name;
  element.title = param.text || "";
  const heading = document.createElement("span");
  heading.className = "param-name";
  heading.textContent = name.replaceAll("_", " ");
  const amount = document.createElement("output");
  amount.className = "param-value";
  const make = { boolean: switchOf, number: numberOf, string: param.choices?.length ? choiceOf : wordsOf }[
    typeof param.value
  ];
  const { inputs, show, read, isDragged } = make(param, amount);
  element.append(heading, amount, ...inputs);
  if (param.text) {
    const text = document.createElement("small");
    text.textContent = param.text;
    element.append(text);
  }
  let later = null;
  let heldUntil = 0;
  const tell = () => {
    later = null;
    heldUntil = performance.now() + EVERY_MS;
    const value = read();
    if (value !== null) set(value);
  };
  const changed = (event) => {
    const value = read(event.target);
    element.classList.toggle("wrong", value === null);
    if (value === null) return;
    const wait = heldUntil - performance.now();
    if (wait <= 0) tell();
    else later ??= setTimeout(tell, wait);
  };
  for (const input of inputs) {
    input.disabled = !maySet;
    input.setAttribute("aria-label", name);
    input.addEventListener(isDragged && input.type === "range" ? "input" : "change", changed);
  }
  return {
    element,
    show: (value) => {
      // Not under the user's fingers: what is being moved or typed stays.
      if (
        inputs.some(
          (input) =>
            input === document.activeElement && input.matches(":active, [type=text]:focus, [type=number]:focus"),
        )
      )
        return;
      element.classList.remove("wrong");
      show(value);
    },
  };
}

function switchOf() {
  const input = document.createElement("input");
  input.type = "checkbox";
  return { inputs: [input], show: (value) => (input.checked = value), read: () => input.checked };
}

function choiceOf(param) {
  const input = document.createElement("select");
  input.append(...param.choices.map((choice) => new Option(choice, choice)));
  return { inputs: [input], show: (value) => (input.value = value), read: () => input.value };
}

function wordsOf() {
  const input = document.createElement("input");
  input.type = "text";
  input.maxLength = 1000;
  return { inputs: [input], show: (value) => (input.value = value), read: () => input.value };
}

/** A field to type in; with both ends known, a slider too. JSON does not say if 1 is whole: the calculation knows. */
function numberOf(param, amount) {
  const { low = null, high = null, log = false, units = "" } = param;
  const typed = document.createElement("input");
  typed.type = "number";
  typed.step = "any";
  if (low !== null) typed.min = low;
  if (high !== null) typed.max = high;
  amount.textContent = units;
  if (low === null || high === null) {
    return { inputs: [typed], show: (value) => (typed.value = value), read: () => fitting(typed) };
  }
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = 0;
  const isWhole = param.isWhole && !log && high - low <= 10 * STEPS;
  slider.max = isWhole ? Math.floor(high) - Math.ceil(low) : STEPS;
  slider.step = 1;
  const toValue = (place) => {
    const part = place / slider.max;
    if (log) return round(low * (high / low) ** part, isWhole || param.isWhole);
    return isWhole ? Math.ceil(low) + place : round(low + (high - low) * part, param.isWhole);
  };
  const round = (value, whole) =>
    Math.min(high, Math.max(low, whole ? Math.round(value) : Number(value.toPrecision(4))));
  const toPlace = (value) =>
    Math.round(slider.max * (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)));
  let last = param.value;
  const show = (value) => {
    last = value;
    typed.value = value;
    slider.value = toPlace(value);
    slider.setAttribute("aria-valuetext", `${brief(value)} ${units}`);
    slider.style.setProperty("--part", `${(100 * slider.value) / slider.max}%`);
  };
  const read = (source) => {
    if (source === slider) show(toValue(Number(slider.value)));
    else if (source === typed) {
      const value = fitting(typed);
      if (value === null) return null;
      show(value);
    }
    return last;
  };
  return { inputs: [typed, slider], show, read, isDragged: true };
}

const fitting = (input) => (input.value !== "" && input.checkValidity() ? Number(input.value) : null);
