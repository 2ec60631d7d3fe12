// One panel: its heading, its canvas, and what fingers and the mouse do to it.

import { brief, LARGEST, Scale, SMALLEST, SteadyRange, tickAxis, Trail } from "./axes.js";
import { DIM, FAMILY, GRID, FINE_GRID, PLOT, TEXT, TRACES } from "./colours.js";
import { paintCurve, paintPoints, shade } from "./curves.js";
import { colourRange, paintColourBar, Raster, spare } from "./raster.js";
import { extentOf } from "./shown.js";

const TAP_PX = 7;
const TAP_MS = 450;
const DOUBLE_MS = 280;
const LEAST_SIDE = 40;

/** tells: {tap(panel, x, y), alone(panel), changed(panel)}. */
export class Panel {
  constructor(name, tells) {
    this.name = name;
    this.tells = tells;
    this.shown = null;
    this.trail = new Trail();
    this.view = { x: null, y: null };
    this.steady = { x: new SteadyRange(), y: new SteadyRange(), colours: new SteadyRange(0.8, 0) };
    this.plot = null; // where the axes are, since the last drawing: {x: Scale, y: Scale, left, top, right, bottom}
    this.cursor = null;
    this.isDirty = true;
    this.isAlone = false;
    this.raster = new Raster();
    this.build();
  }

  build() {
    const make = (tag, className, inside) => {
      const made = document.createElement(tag);
      made.className = className;
      inside.append(made);
      return made;
    };
    this.element = document.createElement("figure");
    this.element.className = "panel";
    this.element.dataset.name = this.name;
    const heading = make("figcaption", "heading", this.element);
    this.title = make("button", "title", heading);
    this.title.type = "button";
    this.title.title = "Show this panel alone, or all";
    this.legend = make("span", "legend", heading);
    this.reading = make("span", "reading", heading);
    this.fitter = make("button", "fit", heading);
    this.fitter.type = "button";
    this.fitter.textContent = "fit";
    this.fitter.title = "Show all of it again (double click)";
    this.fitter.hidden = true;
    this.canvas = make("canvas", "canvas", this.element);
    this.canvas.setAttribute("role", "img");
    this.note = make("p", "note", this.element);
    this.note.hidden = true;
    this.context = this.canvas.getContext("2d");
    this.title.addEventListener("click", () => this.tells.alone(this));
    this.fitter.addEventListener("click", () => this.fit());
    this.listen();
    this.watcher = new ResizeObserver(() => this.touch());
    this.watcher.observe(this.canvas);
  }

  /** Its picture is to be drawn anew. */
  touch() {
    this.isDirty = true;
    this.tells.changed(this);
  }

  /** What it shows from now on. */
  take(shown, call, history) {
    if (this.shown && this.shown.kind !== shown.kind) this.fit();
    if (history) this.trail.begin(history);
    if (shown.kind === "history") this.trail.add(call, shown.value);
    this.shown = shown;
    this.title.textContent = shown.title || this.name;
    this.canvas.setAttribute("aria-label", `${shown.title || this.name}: ${shown.kind}`);
    const notes = shown.note;
    if (this.note.textContent !== notes) this.note.textContent = notes;
    this.note.hidden = !notes;
    const names = shown.kind === "text" ? "" : shown.names.join("\n");
    if (this.legend.dataset.names !== names) {
      this.legend.dataset.names = names;
      this.legend.replaceChildren(
        ...shown.names.map((text, k) => {
          const name = document.createElement("span");
          const dot = document.createElement("i");
          dot.className = `dot trace-${k % TRACES.length}`;
          name.append(dot, text);
          return name;
        }),
      );
    }
    this.read();
    this.isDirty = true;
  }

  leave() {
    this.watcher.disconnect();
    this.element.remove();
  }

  fit() {
    this.view = { x: null, y: null };
    this.steady.x.reset();
    this.steady.y.reset();
    this.steady.colours.reset();
    this.fitter.hidden = true;
    this.touch();
  }

  // ----------------------------------------------------------------------------------------------- the numbers above

  /** What stands at the right of the heading: the newest value, or what is under the mouse. */
  read() {
    const { shown, plot, cursor } = this;
    let text = "";
    let isDim = false;
    if (cursor && plot && shown.kind !== "text" && plot.x) {
      const x = plot.x.value(cursor[0]);
      const y = plot.y.value(cursor[1]);
      const placed = this.isGrid ? this.cell(x, y) : null;
      if (placed) text = placed;
      else if (!this.isGrid) text = `${brief(x, 4)}  ${brief(y, 4)}`;
      isDim = true;
    } else if (shown.kind === "history") {
      text = `${brief(shown.value)}${shown.units ? ` ${shown.units}` : ""}`;
    } else if (this.isGrid && shown.kind !== "text") {
      text = `${shown.field.shape[1]} × ${shown.field.shape[0]}`;
      isDim = true;
    }
    if (this.reading.textContent !== text) this.reading.textContent = text;
    this.reading.classList.toggle("dim", isDim);
  }

  get isGrid() {
    return this.shown?.kind === "image" || this.shown?.kind === "picture";
  }

  cell(x, y) {
    const { field, x_start, x_step, kind } = this.shown;
    const [rows, columns] = field.shape;
    const column = kind === "image" ? Math.round((x - x_start) / x_step) : Math.floor(x);
    const row = kind === "image" ? Math.round(y) : Math.floor(y);
    if (column < 0 || row < 0 || column >= columns || row >= rows) return "";
    const at = field.offset + row * field.strides[0] + column * field.strides[1];
    if (kind === "picture") return `${column}, ${row}`;
    return `${brief(field.data[at], 4)}  at ${brief(x_start + column * x_step, 4)}, ${row}`;
  }

  // --------------------------------------------------------------------------------------------------------- drawing

  /** Draws it, if anything has changed. */
  draw() {
    const box = this.canvas.getBoundingClientRect();
    if (!this.isDirty || !this.shown || box.width < LEAST_SIDE || box.height < LEAST_SIDE) return;
    this.isDirty = false;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(box.width * ratio);
    const height = Math.round(box.height * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.paint(this.context, width / ratio, height / ratio);
    if (this.cursor) this.read();
  }

  /** Onto any context, in so many pixels of the page. */
  paint(context, width, height) {
    context.clearRect(0, 0, width, height);
    context.font = `11.5px ${FAMILY}`;
    context.lineJoin = "round";
    if (this.shown.kind === "text") this.paintText(context, width, height);
    else if (this.shown.kind === "picture") this.paintPicture(context, width, height);
    else if (this.shown.kind === "image") this.paintImage(context, width, height);
    else this.paintLines(context, width, height);
  }

  paintText(context, width, height) {
    this.plot = null;
    context.font = `13px ui-monospace, "DejaVu Sans Mono", monospace`;
    context.fillStyle = TEXT;
    context.textBaseline = "top";
    context.textAlign = "left";
    const most = Math.max(8, Math.floor((width - 32) / context.measureText("0").width));
    const lines = this.shown.text.split("\n").flatMap((line) => wrapped(line, most));
    lines.slice(0, Math.floor((height - 16) / 19)).forEach((line, k) => context.fillText(line, 16, 8 + 19 * k));
  }

  lines() {
    const { shown } = this;
    if (shown.kind !== "history") {
      const { x, x_start, x_step } = shown;
      return { at: x ? (k) => x[k] : (k) => x_start + k * x_step, curves: shown.curves, isEven: !x };
    }
    const [calls, values] = this.trail.rows;
    return { at: (k) => calls[k], curves: [values], isEven: false };
  }

  paintLines(context, width, height) {
    const { shown } = this;
    const { at, curves, isEven } = this.lines();
    const count = curves.length ? curves[0].length : 0;
    const seen = { x: [Infinity, -Infinity], y: [Infinity, -Infinity] };
    const widen = (range, value, isLog) => {
      if (!Number.isFinite(value) || (isLog && value <= 0)) return;
      const kept = Math.min(LARGEST, Math.max(isLog ? SMALLEST : -LARGEST, value));
      if (kept < range[0]) range[0] = kept;
      if (kept > range[1]) range[1] = kept;
    };
    if (isEven && !shown.log_x && count) {
      widen(seen.x, at(0), false);
      widen(seen.x, at(count - 1), false);
    } else {
      for (let k = 0; k < count; k += 1) widen(seen.x, at(k), shown.log_x);
    }
    for (const curve of curves) for (let k = 0; k < count; k += 1) widen(seen.y, curve[k], shown.log_y);
    const x = this.rangeOf("x", seen.x, shown.log_x, null, null);
    const y = this.rangeOf("y", seen.y, shown.log_y, shown.low, shown.high);
    const plot = this.axes(context, width, height, x, y);
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top, plot.right - plot.left, plot.bottom - plot.top);
    context.clip();
    curves.forEach((curve, k) => {
      const colour = TRACES[k % TRACES.length];
      if (shown.kind === "points") paintPoints(context, plot, at, curve, colour);
      else {
        const drawn = paintCurve(context, plot, at, curve, colour);
        if (shown.kind === "history" && drawn.parts === 1) shade(context, plot, colour, drawn);
      }
    });
    context.restore();
    if (shown.kind === "history" && count) this.paintNewest(context, plot, at(count - 1), curves[0][count - 1]);
    if (!count) this.paintNothing(context, plot);
  }

  paintNewest(context, plot, x, y) {
    const left = plot.x.pixel(x);
    const top = plot.y.pixel(y);
    if (!(left >= plot.left - 1 && left <= plot.right + 1 && top >= plot.top - 1 && top <= plot.bottom + 1)) return;
    context.fillStyle = `${TRACES[0]}44`;
    context.beginPath();
    context.arc(left, top, 6.5, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = TRACES[0];
    context.beginPath();
    context.arc(left, top, 3, 0, 2 * Math.PI);
    context.fill();
  }

  paintNothing(context, plot) {
    context.fillStyle = DIM;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("no values", (plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2);
  }

  /** What an axis shows: what the user has zoomed to, what was asked for, or what there is. */
  rangeOf(axis, seen, isLog, low, high) {
    if (this.view[axis]) return this.view[axis];
    const isEmpty = !(seen[0] <= seen[1]);
    const shownAs = this.shown.kind;
    const [least, greatest] = isEmpty ? (isLog ? [0.1, 10] : [0, 1]) : seen;
    let range;
    if (axis === "x" && shownAs === "points")
      range = this.steady.x.take(least, greatest, isLog, performance.now() / 1000);
    else if (axis === "x")
      range = least < greatest ? [least, greatest] : isLog ? [least / 2, least * 2] : [least - 0.5, least + 0.5];
    else range = this.steady.y.take(least, greatest, isLog, performance.now() / 1000);
    const bottom = low ?? range[0];
    const top = high ?? range[1];
    if (bottom < top) return [bottom, top];
    return low === null ? [isLog ? top / 10 : top - 1, top] : [bottom, isLog ? bottom * 10 : bottom + 1];
  }

  /** Frame, grid, ticks and labels. Returns where the data goes, and keeps it for the mouse. */
  axes(context, width, height, xRange, yRange, beside = 16) {
    const { shown } = this;
    const isImage = shown.kind === "image";
    let bottom = height - 26;
    let right = width - beside;
    const y = tickAxis(
      ...yRange,
      Math.max(2, Math.floor(bottom / 44)),
      isImage ? "" : shown.units,
      shown.log_y && !isImage,
    );
    let top = y.units ? 22 : 8;
    const widest = Math.max(0, ...y.labels.map((label) => context.measureText(label).width));
    let left = Math.ceil(Math.max(34, widest + 18));
    if (isImage) {
      const [across, down] = spare(shown, right - left, bottom - top);
      left += across / 2;
      right -= across / 2;
      top += down / 2;
      bottom -= down / 2;
    }
    const x = tickAxis(...xRange, Math.max(2, Math.floor((right - left) / 84)), shown.x_units, shown.log_x);
    const plot = {
      left,
      top,
      right,
      bottom,
      x: new Scale(...xRange, left, right, shown.log_x),
      y: new Scale(...yRange, bottom, top, shown.log_y && !isImage),
    };
    this.plot = plot;
    context.fillStyle = PLOT;
    context.fillRect(left, top, plot.right - left, bottom - top);
    context.lineWidth = 1;
    const grid = (pixels, isAcross, colour) => {
      context.strokeStyle = colour;
      context.beginPath();
      for (const pixel of pixels) {
        const at = Math.round(pixel) + 0.5;
        context.moveTo(isAcross ? left : at, isAcross ? at : top);
        context.lineTo(isAcross ? plot.right : at, isAcross ? at : bottom);
      }
      context.stroke();
    };
    grid(
      x.fine.map((tick) => plot.x.pixel(tick)),
      false,
      FINE_GRID,
    );
    grid(
      y.fine.map((tick) => plot.y.pixel(tick)),
      true,
      FINE_GRID,
    );
    grid(
      x.ticks.map((tick) => plot.x.pixel(tick)),
      false,
      GRID,
    );
    grid(
      y.ticks.map((tick) => plot.y.pixel(tick)),
      true,
      GRID,
    );
    context.fillStyle = DIM;
    context.textBaseline = "middle";
    context.textAlign = "right";
    // What an axis is in stands in the place of its last label.
    y.ticks.forEach((tick, k) => context.fillText(y.labels[k], left - 8, plot.y.pixel(tick)));
    context.textBaseline = "alphabetic";
    const label = [shown.x_label, x.units && (shown.x_label ? `(${x.units})` : x.units)].filter(Boolean).join(" ");
    const labelLeft = plot.right - (label ? context.measureText(label).width + 14 : 0);
    context.textAlign = "center";
    x.ticks.forEach((tick, k) => {
      const at = plot.x.pixel(tick);
      if (at + context.measureText(x.labels[k]).width / 2 < labelLeft || !label)
        context.fillText(x.labels[k], at, bottom + 17);
    });
    context.textAlign = "right";
    if (label) context.fillText(label, plot.right, bottom + 17);
    context.textAlign = "left";
    if (y.units) context.fillText(y.units, left, 14);
    return plot;
  }

  paintImage(context, width, height) {
    const { shown } = this;
    const { field, x_start, x_step, log_y } = shown;
    const [rows, columns] = field.shape;
    const extent = extentOf(field, log_y).map((end) => Math.min(LARGEST, Math.max(log_y ? SMALLEST : -LARGEST, end)));
    const [least, greatest] = this.steady.colours.take(...extent, log_y, performance.now() / 1000);
    const [low, high] = colourRange(shown, least, greatest);
    const ends = [x_start - x_step / 2, x_start + (Math.max(columns, 1) - 0.5) * x_step].sort((a, b) => a - b);
    const barLabels = tickAxis(low, high, 5, shown.units, log_y);
    const widest = Math.max(
      ...barLabels.labels.map((label) => context.measureText(label).width),
      context.measureText(barLabels.units).width,
      12,
    );
    const right = Math.ceil(widest) + 50;
    const plot = this.axes(
      context,
      width,
      height,
      this.view.x || ends,
      this.view.y || [-0.5, Math.max(rows, 1) - 0.5],
      right,
    );
    if (!rows || !columns) {
      this.paintNothing(context, plot);
      return;
    }
    this.raster.paintCells(context, plot, shown, low, high);
    paintColourBar(context, plot, shown, new Scale(low, high, plot.bottom, plot.top, log_y), barLabels);
  }

  paintPicture(context, width, height) {
    const [rows, columns] = this.shown.field.shape;
    if (!rows || !columns) {
      this.plot = null;
      return;
    }
    const scale = Math.min((width - 24) / columns, (height - 20) / rows);
    const left = (width - columns * scale) / 2;
    const top = (height - 4 - rows * scale) / 2;
    const right = left + columns * scale;
    const bottom = top + rows * scale;
    const y = this.view.y || [0, rows];
    this.plot = {
      left,
      top,
      right,
      bottom,
      x: new Scale(...(this.view.x || [0, columns]), left, right),
      y: new Scale(...y, top, bottom),
    };
    this.raster.paintPicture(context, this.plot, this.shown.field);
  }

  // ------------------------------------------------------------------------------------------------ mouse and fingers

  listen() {
    const { canvas } = this;
    const held = new Map();
    let downAt = null;
    let hasMoved = false;
    let lastTap = 0;
    let timer = null;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const canMove = (event) => event.pointerType === "mouse" || this.isAlone || this.isZoomed;
    canvas.addEventListener("pointerdown", (event) => {
      held.set(event.pointerId, place(event));
      hasMoved = hasMoved && held.size > 1;
      downAt = { place: place(event), time: event.timeStamp };
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = place(event);
      if (event.pointerType === "mouse") this.point(now);
      const before = held.get(event.pointerId);
      if (!before || !this.plot?.x) return;
      if (!hasMoved && Math.hypot(now[0] - downAt.place[0], now[1] - downAt.place[1]) < TAP_PX) return;
      if (!hasMoved) canvas.setPointerCapture(event.pointerId);
      hasMoved = true;
      lastTap = 0;
      if (held.size === 1) {
        if (canMove(event)) this.move(now[0] - before[0], now[1] - before[1]);
      } else {
        const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
        const apart = (a, b) => Math.max(12, Math.hypot(a[0] - b[0], a[1] - b[1]));
        this.zoom(
          apart(before, other) / apart(now, other),
          [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2],
          true,
          true,
        );
      }
      held.set(event.pointerId, now);
    });
    const up = (event) => {
      const isTap = held.delete(event.pointerId) && event.type === "pointerup" && !hasMoved && held.size === 0;
      if (held.size === 0) hasMoved = false;
      if (!isTap || event.timeStamp - downAt.time > TAP_MS) return;
      const at = place(event);
      if (this.plot?.x && this.isInside(at))
        this.tells.tap(this, this.plot.x.value(at[0]), this.plot.y.value(at[1]), event.button + 1 || 1);
      clearTimeout(timer);
      if (event.timeStamp - lastTap < DOUBLE_MS) {
        lastTap = 0;
        this.fit();
      } else {
        lastTap = event.timeStamp;
        if (!this.isAlone) timer = setTimeout(() => this.tells.alone(this), DOUBLE_MS);
      }
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener(
      "wheel",
      (event) => {
        const at = place(event);
        if (!this.plot?.x || (!this.isAlone && !event.ctrlKey && isScrollable(canvas))) return;
        event.preventDefault();
        lastTap = 0;
        const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400)));
        const isLeft = at[0] < this.plot.left;
        const isBelow = at[1] > this.plot.bottom;
        this.zoom(factor, at, !isLeft && !event.altKey, !isBelow && !event.shiftKey);
      },
      { passive: false },
    );
  }

  get isZoomed() {
    return Boolean(this.view.x || this.view.y);
  }

  isInside([x, y]) {
    const { left, right, top, bottom } = this.plot;
    return x >= left && x <= right && y >= top && y <= bottom;
  }

  point(at) {
    const inside = at && this.plot?.x && this.isInside(at) ? at : null;
    if (!inside && !this.cursor) return;
    this.cursor = inside;
    if (this.shown) this.read();
  }

  move(across, down) {
    this.change("x", 1, 0, across);
    this.change("y", 1, 0, down);
  }

  zoom(factor, at, isAcross, isDown) {
    if (isAcross) this.change("x", factor, at[0], 0);
    if (isDown) this.change("y", factor, at[1], 0);
  }

  change(axis, factor, around, moved) {
    const range = this.plot[axis].changed(factor, around, moved);
    if (!range) return;
    this.view[axis] = range;
    this.plot[axis] = new Scale(...range, this.plot[axis].start, this.plot[axis].end, this.plot[axis].isLog);
    this.fitter.hidden = false;
    this.element.classList.add("zoomed");
    this.touch();
  }
}

// ----------------------------------------------------------------------------- curves

function wrapped(line, most) {
  const parts = [];
  let rest = line;
  while (rest.length > most) {
    const blank = rest.lastIndexOf(" ", most);
    const end = blank > most / 2 ? blank : most;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...parts, rest];
}

function isScrollable(element) {
  const around = element.closest("#panels");
  return around && around.scrollHeight > around.clientHeight + 4;
}
