// Which panels the values of a call make: the rules of axonlike/plotting/shown.py. tests/plotting/panel_cases.json has
// cases that both are tested with.

import { COLORMAPS } from "./colormaps.js";
import { Chunk, Complex, Other, Tensor } from "./messages.js";

export const MOST_PANELS = 64;
export const MOST_LINES = 32;
const FEW = 4;
const MANY = 16;
const DEEPEST = 8;
const TEXT_CHARACTERS = 20000;
const LIKE_LINES = ["lines", "points", "spectrum"];
const NAMES = { number: "a number", curves: "lines", field: "a field", picture: "a picture", words: "words" };

/** The panels by name, in order: a Map of plain objects. What each kind has is in `hinted` and `ofKind` below. */
export function panelsOf(args, kwargs, hints) {
  const found = new Map();
  const values = new Map();
  const together = args.length > 1 ? overTheFirst(args) : null;
  if (together) values.set("1", together);
  else args.forEach((value, k) => values.set(String(k + 1), value));
  for (const [name, value] of kwargs) values.set(free(name, values), value);
  const leftOut = gather(values, "", found, hints, 0);
  if (leftOut) {
    const last = [...found.keys()].pop();
    found.set(
      last,
      plain("text", { text: `${leftOut + 1} more values are not shown: ${MOST_PANELS} panels are the most` }),
    );
  }
  return found;
}

function plain(kind, more) {
  return {
    kind,
    title: "",
    units: "",
    x_label: "",
    x_units: "",
    x_start: 0,
    x_step: 1,
    low: null,
    high: null,
    log_x: false,
    log_y: false,
    colours: "viridis",
    note: "",
    names: [],
    ...more,
  };
}

function free(name, taken) {
  let found = name;
  for (let number = 2; taken.has(found); number += 1) found = `${name} (${number})`;
  return found;
}

function gather(values, before, found, hints, depth) {
  let leftOut = 0;
  for (const [key, value] of values) {
    const name = before + key;
    if (value instanceof Map && depth < DEEPEST) {
      leftOut += gather(value, `${name}.`, found, hints, depth + 1);
    } else if (value === null) {
      continue;
    } else if (found.size >= MOST_PANELS) {
      leftOut += 1;
    } else {
      found.set(free(name, found), hinted(formOf(value), value, hints[name] || {}));
    }
  }
  return leftOut;
}

// ------------------------------------------------------------------------------------------------ what a value is

function formOf(value) {
  if (typeof value === "number") return { is: "number", value };
  if (typeof value === "boolean") return { is: "number", value: value ? 1 : 0 };
  if (value instanceof Complex) return { is: "number", value: Math.hypot(value.real, value.imaginary) };
  if (typeof value === "string") return { is: "words", text: value };
  if (value instanceof Other) return { is: "words", text: value.text };
  if (value instanceof Chunk) return chunk(value);
  if (value instanceof Tensor) return array(value);
  if (Array.isArray(value)) return sequence(value);
  return { is: "words", text: textOf(value) };
}

function array(tensor) {
  const [rows, columns, channels] = tensor.shape;
  if (tensor.shape.length === 0) return { is: "number", value: tensor.sizes.data[tensor.offset] };
  if (tensor.shape.length === 1) return over(null, [tensor]);
  if (tensor.shape.length === 2) {
    const grid = tensor.sizes;
    if ((columns <= FEW && rows > MANY) || (rows <= FEW && columns > MANY)) {
      return { ...over(null, rowsOf(rows <= FEW ? tensor : tensor.transposed)), grid };
    }
    return { is: "field", grid };
  }
  if (
    tensor.shape.length === 3 &&
    (channels === 3 || channels === 4) &&
    (tensor.code === "u1" || tensor.code[0] === "f")
  ) {
    return { is: "picture", pixels: tensor };
  }
  return {
    is: "words",
    text: `an array of shape (${tensor.shape.join(", ")}), which no panel shows; give a part of it`,
  };
}

const rowsOf = (tensor) => Array.from({ length: tensor.shape[0] }, (_, k) => tensor.at(k));

/** Curves over x (a tensor, or null for the index); a complex one as two. */
function over(x, lines) {
  const curves = [];
  const names = [];
  lines.forEach((line, k) => {
    const own = lines.length > 1 ? String(k + 1) : "";
    if (line.isComplex) {
      curves.push(
        line.numbers(),
        line.numbers((data, at) => data[at + 1]),
      );
      names.push(`${own} real`.trim(), `${own} imaginary`.trim());
    } else {
      curves.push(line.numbers());
      names.push(own);
    }
  });
  return {
    is: "curves",
    kind: "lines",
    x: x && x.numbers(),
    curves: curves.slice(0, MOST_LINES),
    names: curves.length > 1 ? names.slice(0, MOST_LINES) : [],
    leftOut: Math.max(0, curves.length - MOST_LINES),
  };
}

/** These as [x, y1, y2, ...], if that is what they look like. */
function overTheFirst(values) {
  const flat = values.map((value) => {
    if (value instanceof Tensor) return value.shape.length === 1 ? value : null;
    return Array.isArray(value) ? asLine(value) : null;
  });
  if (!flat[0] || flat[0].isComplex) return null;
  return flat.every((line) => line && line.shape[0] === flat[0].shape[0]) ? flat : null;
}

/** A list of numbers as a tensor. */
function asLine(values) {
  const numbers = values.map((each) => {
    if (typeof each === "number" || typeof each === "boolean") return [Number(each), 0];
    if (each instanceof Complex) return [each.real, each.imaginary];
    return each instanceof Tensor && !each.shape.length
      ? [each.data[each.offset], each.isComplex ? each.data[each.offset + 1] : 0]
      : null;
  });
  if (!numbers.length || numbers.includes(null)) return null;
  const isComplex = values.some((each) => each instanceof Complex || (each instanceof Tensor && each.isComplex));
  const width = isComplex ? 2 : 1;
  const data = new Float64Array(values.length * width);
  numbers.forEach((pair, k) => data.set(pair.slice(0, width), k * width));
  return new Tensor(isComplex ? "c16" : "f8", [values.length], [width], 0, data);
}

function sequence(values) {
  const line = asLine(values);
  if (line) return array(line);
  if (values.length > 1 && values.every((each) => each instanceof Tensor)) {
    const together = overTheFirst(values);
    if (together) return over(together[0], together.slice(1));
  }
  const rows = values.map((each) => (Array.isArray(each) ? asLine(each) : null));
  if (rows.length && rows.every((row) => row && !row.isComplex && row.shape[0] === rows[0].shape[0])) {
    const columns = rows[0].shape[0];
    const data = new Float64Array(rows.length * columns);
    rows.forEach((row, k) => data.set(row.data, k * columns));
    return array(new Tensor("f8", [rows.length, columns], [columns, 1], 0, data));
  }
  return { is: "words", text: textOf(values) };
}

function chunk({ data, kind, units, rate, axis }) {
  const last = data.shape[0] - 1;
  if (kind === "video" && last >= 0) {
    const picture = data.at(last);
    return picture.shape.length === 3 ? array(picture) : { is: "picture", pixels: greys(picture, null, null) };
  }
  if (kind === "spectrum" && data.shape.length > 1 && last >= 0) {
    let row = data.sizes.at(last);
    const rows = [];
    while (row.shape.length > 2) row = row.at(0);
    rows.push(...(row.shape.length === 2 ? rowsOf(row) : [row]));
    const found = over(null, rows);
    const inDb = units.startsWith("dB");
    if (!inDb)
      found.curves = found.curves.map((curve) => curve.map((power) => 10 * Math.log10(Math.max(power, 1e-30))));
    const [label, x_units, x_start, x_step] = axis || ["", "", 0, 1];
    return {
      ...found,
      kind: "spectrum",
      units: inDb ? units : "dB",
      x_label: label,
      x_units,
      x_start,
      x_step: x_step || 1,
    };
  }
  if (kind === "analog" && data.shape.length <= 2) {
    const found = over(null, data.shape.length === 1 ? [data] : rowsOf(data.transposed));
    return { ...found, units, ...(rate ? { x_label: "time", x_units: "s", x_step: 1 / rate } : {}) };
  }
  return array(data);
}

/** A field as a picture without colours, from low to high. */
function greys(grid, low, high) {
  const [least, greatest] = extentOf(grid);
  const bottom = low ?? least;
  const top = high ?? greatest;
  const isPlain = grid.code === "u1" && low === null && high === null;
  const [rows, columns] = grid.shape;
  const data = new Uint8Array(rows * columns * 3);
  for (let i = 0, to = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1, to += 3) {
      const seen = grid.data[grid.offset + i * grid.strides[0] + j * grid.strides[1]];
      const part = isPlain ? seen / 255 : (seen - bottom) / (top - bottom);
      data.fill(Math.round(255 * Math.min(1, Math.max(0, part || 0))), to, to + 3);
    }
  }
  return new Tensor("u1", [rows, columns, 3], [columns * 3, 3, 1], 0, data);
}

/** Least and greatest of the finite numbers; 0 and 1 without any. isAbove: only of those above 0; else 0.1 and 10. */
export function extentOf(grid, isAbove = false) {
  const [rows, columns] = grid.shape;
  let least = Infinity;
  let greatest = -Infinity;
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0, at = grid.offset + i * grid.strides[0]; j < columns; j += 1, at += grid.strides[1]) {
      const seen = grid.data[at];
      if (seen < least && seen > (isAbove ? 0 : -Infinity)) least = seen;
      if (seen > greatest && seen < Infinity) greatest = seen;
    }
  }
  return least <= greatest ? [least, greatest] : isAbove ? [0.1, 10] : [0, 1];
}

function textOf(value) {
  if (value === null) return "None";
  if (value instanceof Other) return value.text;
  if (value instanceof Complex) return `${value.real}${value.imaginary < 0 ? "" : "+"}${value.imaginary}j`;
  if (value instanceof Tensor) return `array of shape (${value.shape.join(", ")})`;
  if (Array.isArray(value))
    return `[${value.slice(0, 100).map(textOf).join(", ")}${value.length > 100 ? ", ..." : ""}]`;
  if (value instanceof Map)
    return `{${[...value]
      .slice(0, 100)
      .map(([key, each]) => `${key}: ${textOf(each)}`)
      .join(", ")}}`;
  return typeof value === "string" ? `"${value}"` : String(value);
}

// --------------------------------------------------------------------------------------------- what a hint makes of it

function hinted(form, value, hint) {
  const notes = [];
  const usable = (name) => {
    const end = hint[name] ?? null;
    if (end === null || !hint.log_y || end > 0) return end;
    notes.push(`${name}=${end} is not used with log_y, which needs a number above 0`);
    return null;
  };
  const low = usable("low");
  const high = usable("high");
  let shown = hint.kind ? ofKind(hint.kind, form, value, low, high) : null;
  if (hint.kind && !shown) notes.push(`kind "${hint.kind}" does not fit ${NAMES[form.is]}`);
  const natural = { number: "history", curves: form.kind, field: "image", picture: "picture", words: "text" }[form.is];
  shown ||= ofKind(natural, form, value, low, high);
  if (form.leftOut) notes.push(`${form.leftOut} more lines are not shown: ${MOST_LINES} are the most`);
  const hasAxes = LIKE_LINES.includes(shown.kind) || shown.kind === "history";
  let colours = hint.colours || "viridis";
  if (!COLORMAPS.includes(colours)) {
    notes.push(`there are no colours "${colours}" (there are: ${COLORMAPS.join(", ")})`);
    colours = "viridis";
  }
  const isPlaced = (hint.x_start ?? 0) !== 0 || (hint.x_step ?? 1) !== 1;
  return {
    ...shown,
    title: hint.title || "",
    units: hint.units || shown.units,
    x_label: hint.x_label || shown.x_label,
    x_units: hint.x_units || shown.x_units,
    x_start: isPlaced ? (hint.x_start ?? 0) : shown.x_start,
    x_step: isPlaced ? (hint.x_step ?? 1) : shown.x_step,
    low,
    high,
    log_x: Boolean(hint.log_x && hasAxes),
    log_y: Boolean(hint.log_y && (hasAxes || shown.kind === "image")),
    colours,
    note: notes.join("; "),
  };
}

/** The value as this kind of panel shows it; null if that cannot be. */
function ofKind(kind, form, value, low, high) {
  if (kind === "text")
    return plain("text", { text: (form.is === "words" ? form.text : textOf(value)).slice(0, TEXT_CHARACTERS) });
  if (form.is === "number" && kind === "history") return plain("history", { value: form.value, x_label: "call" });
  if (form.is === "curves") {
    if (LIKE_LINES.includes(kind)) return curves(kind, form);
    if (kind === "history" && form.curves.length === 1 && form.curves[0].length === 1) {
      return plain("history", { value: form.curves[0][0], x_label: "call" });
    }
    if (kind === "image" && form.grid) return plain("image", { field: form.grid });
  }
  if (form.is === "field") {
    if (kind === "image") return plain("image", { field: form.grid });
    if (kind === "picture") return plain("picture", { field: greys(form.grid, low, high) });
    if (LIKE_LINES.includes(kind) && Math.min(...form.grid.shape) <= MOST_LINES) {
      return curves(
        kind,
        over(null, rowsOf(form.grid.shape[0] < form.grid.shape[1] ? form.grid : form.grid.transposed)),
      );
    }
  }
  if (form.is === "picture" && kind === "picture") return plain("picture", { field: form.pixels });
  return null;
}

function curves(kind, form) {
  const isSpectrum = kind === "spectrum";
  return plain(kind, {
    x: form.x,
    curves: form.curves,
    names: form.names,
    x_label: form.x_label || "",
    x_start: form.x_start ?? 0,
    x_step: form.x_step ?? 1,
    units: form.units || (isSpectrum ? "dB" : ""),
    x_units: form.x_units || (isSpectrum && !form.x_label ? "Hz" : ""),
  });
}
