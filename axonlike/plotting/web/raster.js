// Fields in colours and pictures on a canvas.

import { LARGEST, SMALLEST } from "./axes.js";
import { pixelsOf } from "./colormaps.js";
import { DIM } from "./colours.js";

const MOST_PIXELS = 4096;
const MOST_LONG = 4;
const MOST_STRETCHED = 2;

/** Pixels of our own, kept from picture to picture: putImageData can neither clip nor scale, drawing a canvas can. */
export class Raster {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.pixels = new ImageData(1, 1);
  }

  fit(wide, tall) {
    if (this.pixels.width === wide && this.pixels.height === tall) return;
    this.canvas.width = wide;
    this.canvas.height = tall;
    this.pixels = new ImageData(wide, tall);
  }

  /** The part of a field that is seen: for each pixel of the screen the number that stands there, row 0 lowest. */
  paintCells(context, plot, { field, x_start, x_step, log_y, colours }, low, high) {
    const [rows, columns] = field.shape;
    const ratio = window.devicePixelRatio || 1;
    const columnAt = (pixel) => (plot.x.value(pixel) - x_start) / x_step + 0.5;
    const [from, to] = [columnAt(plot.left), columnAt(plot.right)];
    const [below, above] = [plot.y.value(plot.bottom) + 0.5, plot.y.value(plot.top) + 0.5];
    const pixels = (length) => Math.max(1, Math.min(Math.round(length * ratio), MOST_PIXELS));
    const wide = pixels(plot.right - plot.left);
    const tall = pixels(plot.bottom - plot.top);
    this.fit(wide, tall);
    const out = new Uint32Array(this.pixels.data.buffer);
    const map = pixelsOf(colours);
    const bottom = log_y ? Math.log10(low) : low;
    const slope = 255 / ((log_y ? Math.log10(high) : high) - bottom);
    const columnOf = new Int32Array(wide);
    for (let i = 0; i < wide; i += 1) {
      const column = Math.floor(from + ((i + 0.5) / wide) * (to - from));
      columnOf[i] = column >= 0 && column < columns ? column : -1;
    }
    let last = NaN;
    for (let j = 0, at = 0; j < tall; j += 1, at += wide) {
      const row = Math.floor(above - ((j + 0.5) / tall) * (above - below));
      if (row === last) {
        out.copyWithin(at, at - wide, at);
        continue;
      }
      last = row;
      if (row < 0 || row >= rows) {
        out.fill(0, at, at + wide);
        continue;
      }
      const begins = field.offset + row * field.strides[0];
      for (let i = 0; i < wide; i += 1) {
        if (columnOf[i] < 0) {
          out[at + i] = 0;
          continue;
        }
        let value = field.data[begins + columnOf[i] * field.strides[1]];
        if (log_y) value = value > 0 ? Math.log10(value) : NaN;
        const colour = (value - bottom) * slope;
        out[at + i] = Number.isNaN(colour) ? 0 : map[colour <= 0 ? 0 : colour >= 255 ? 255 : (colour + 0.5) | 0];
      }
    }
    this.context.putImageData(this.pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, plot.left, plot.top, plot.right - plot.left, plot.bottom - plot.top);
  }

  /** A picture, row 0 at the top, the part of it that the scales of `plot` show. */
  paintPicture(context, plot, field) {
    const [rows, columns, channels] = field.shape;
    const [down, across, along] = field.strides;
    this.fit(columns, rows);
    const out = this.pixels.data; // rounds and clamps; NaN is 0
    const byte = field.code === "u1" ? (value) => value : (value) => 255 * value;
    for (let i = 0, to = 0; i < rows; i += 1) {
      for (let j = 0, at = field.offset + i * down; j < columns; j += 1, at += across, to += 4) {
        out[to] = byte(field.data[at]);
        out[to + 1] = byte(field.data[at + along]);
        out[to + 2] = byte(field.data[at + 2 * along]);
        out[to + 3] = channels === 4 ? byte(field.data[at + 3 * along]) : 255;
      }
    }
    this.context.putImageData(this.pixels, 0, 0);
    const [left, right] = [plot.x.pixel(0), plot.x.pixel(columns)];
    const [top, bottom] = [plot.y.pixel(0), plot.y.pixel(rows)];
    context.save();
    context.beginPath();
    context.rect(plot.left, plot.top, plot.right - plot.left, plot.bottom - plot.top);
    context.clip();
    context.imageSmoothingEnabled = right - left < columns;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, left, top, right - left, bottom - top);
    context.restore();
  }
}

/** What the colours mean, at the right of a field. */
export function paintColourBar(context, plot, { colours }, scale, { ticks, labels, units }) {
  const left = plot.right + 14;
  const bar = context.createLinearGradient(0, plot.bottom, 0, plot.top);
  const bytes = new Uint8Array(pixelsOf(colours).buffer);
  for (let k = 0; k < 256; k += 15) bar.addColorStop(k / 255, `rgb(${bytes.slice(4 * k, 4 * k + 3).join(",")})`);
  context.fillStyle = bar;
  context.fillRect(left, plot.top, 10, plot.bottom - plot.top);
  context.fillStyle = DIM;
  context.textAlign = "left";
  context.textBaseline = "middle";
  ticks.forEach((tick, k) => {
    const at = scale.pixel(tick);
    if (at < plot.top - 1 || at > plot.bottom + 1) return;
    context.fillText(labels[k], left + 16, Math.min(Math.max(at, plot.top + 5), plot.bottom - 5));
  });
  context.textBaseline = "alphabetic";
  if (units) context.fillText(units, left, plot.bottom + 17);
}

/** What of a place is left over, so that cells are square, or not too long if their places are of another kind than
 * the rows'. Nothing of a field that is itself long and thin. */
export function spare({ field, x_start, x_step }, width, height) {
  const [rows, columns] = field.shape;
  const aspect = columns / Math.max(1, rows);
  if (!(aspect >= 1 / MOST_LONG && aspect <= MOST_LONG)) return [0, 0];
  const most = x_step === 1 && x_start === 0 ? 1 : MOST_STRETCHED;
  const cell = width / columns / (height / rows);
  return [Math.max(0, width * (1 - most / cell)), Math.max(0, height * (1 - most * cell))];
}

/** What the colours of an image mean, at both ends: what was asked for, what there is, and in any case a range. */
export function colourRange({ low, high, log_y }, least, greatest) {
  const bottom = Math.max(low ?? least, log_y ? SMALLEST : -LARGEST);
  const top = Math.min(high ?? greatest, LARGEST);
  if (top > bottom) return [bottom, top];
  const more = log_y ? 9 * bottom : Math.abs(bottom) * 1e-6 || 1;
  return low === null && high !== null ? [log_y ? top / 10 : top - more, top] : [bottom, bottom + more];
}
