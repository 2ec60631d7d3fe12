// From values to pixels and back, where ticks stand, how numbers are written, and ranges that stand still. No drawing.

export const MINUS = "\u2212";
const PREFIXES = { "-15": "f", "-12": "p", "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T" };
// What may be written with k, M, µ; whatever else somebody calls a unit is left as it is.
const BASES = [
  "V",
  "A",
  "Hz",
  "s",
  "W",
  "m",
  "g",
  "Pa",
  "T",
  "Ohm",
  "Ω",
  "F",
  "H",
  "J",
  "eV",
  "N",
  "C",
  "K",
  "B",
  "bit",
  "mol",
];
const SUPERSCRIPTS = Object.fromEntries([..."-0123456789"].map((letter, k) => [letter, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[k]]));
const CALM_S = 2;
// What is beyond is drawn at the edge: the arithmetic of axes has room to spare.
export const LARGEST = 1e300;
export const SMALLEST = 1e-290;

/** From values to pixels: `low` is at pixel `start`, `high` at `end`. isLog: evenly by factors. */
export class Scale {
  constructor(low, high, start, end, isLog = false) {
    this.start = start;
    this.end = end;
    this.isLog = isLog;
    this.low = isLog ? Math.log10(low) : low;
    this.high = isLog ? Math.log10(high) : high;
    this.slope = (end - start) / (this.high - this.low);
  }

  /** NaN for what has no place. */
  pixel(value) {
    if (this.isLog) return value > 0 ? this.start + (Math.log10(value) - this.low) * this.slope : NaN;
    return this.start + (value - this.low) * this.slope;
  }

  value(pixel) {
    const found = this.low + (pixel - this.start) / this.slope;
    return this.isLog ? 10 ** found : found;
  }

  /** The range after a zoom around a pixel and a move; null if it is none that can be drawn. */
  changed(factor, around, moved) {
    const at = this.low + (around - this.start) / this.slope;
    const low = at - (at - this.low) * factor - moved / this.slope;
    const high = at + (this.high - at) * factor - moved / this.slope;
    const finest = this.isLog ? 1e-6 : 1e-12 * Math.max(Math.abs(low), Math.abs(high), Number.MIN_VALUE);
    if (!(high - low > finest) || !Number.isFinite(high - low) || (this.isLog && (low < -290 || high > 290)))
      return null;
    if (Math.max(Math.abs(low), Math.abs(high)) > 2 * LARGEST) return null;
    return this.isLog ? [10 ** low, 10 ** high] : [low, high];
  }
}

/** Round values within low..high, about `most` of them, and the step between: 1, 2 or 5 times a power of ten. */
export function niceTicks(low, high, most) {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [[], 0];
  const power = 10 ** Math.floor(Math.log10(span / most));
  const step = power * [1, 2, 5, 10].find((m) => power * m >= (span / most) * (1 - 1e-9));
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-6); n <= Math.floor(high / step + 1e-6); n += 1) ticks.push(n * step);
  return [ticks, step];
}

/** One tick alone says nothing of a scale. */
function atLeastTwo(low, high, most) {
  let found = niceTicks(low, high, most);
  for (let more = most + 1; found[0].length < 2 && more < most + 4; more += 1) found = niceTicks(low, high, more);
  return found;
}

/** A value with as many decimals as a step like this needs. */
export function decimals(value, step) {
  const places = step > 0 ? Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))) : 0;
  const text = value.toFixed(places);
  return (/^-[0.]*$/.test(text) ? text.slice(1) : text).replace("-", MINUS);
}

const power10 = (exponent) => `10${String(exponent).replace(/[-0-9]/g, (letter) => SUPERSCRIPTS[letter])}`;

/** One value in at most so many digits: "−0.4821", "1.25 × 10⁻⁷". */
export function brief(value, digits = 5) {
  if (Number.isNaN(value)) return "\u2013";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)) + 1e-12);
  if (size < -4 || size > 6) {
    const mantissa = Number((value / 10 ** size).toPrecision(digits));
    return `${String(mantissa).replace("-", MINUS)} × ${power10(size)}`;
  }
  if (Number.isInteger(value)) return String(value).replace("-", MINUS);
  return value.toFixed(Math.max(0, digits - 1 - Math.max(size, 0))).replace("-", MINUS);
}

/** Ticks, their labels, and what all of them are in: the units with a prefix, or a power of ten. */
export function tickAxis(low, high, most, units, isLog) {
  if (isLog) return logTicks(low, high, most, units);
  const [ticks, step] = atLeastTwo(low, high, most);
  const largest = Math.max(Math.abs(low), Math.abs(high));
  let power = largest > 0 ? 3 * Math.floor(Math.log10(largest) / 3 + 1e-9) : 0;
  let written = units;
  if (BASES.includes(units)) {
    power = Math.min(Math.max(power, -15), units === "s" ? 0 : 12);
    written = PREFIXES[power] + units;
  } else if (power < -3 || power > 3) {
    written = `${power10(power)}${units ? ` ${units}` : ""}`;
  } else {
    power = 0;
  }
  const scale = 10 ** -power;
  return { ticks, labels: ticks.map((tick) => decimals(tick * scale, step * scale)), units: written, fine: [] };
}

function logTicks(low, high, most, units) {
  const from = Math.log10(low);
  const to = Math.log10(high);
  const decades = to - from;
  if (decades < 1.2) {
    const [ticks, step] = atLeastTwo(low, high, most);
    const kept = ticks.filter((tick) => tick > 0);
    const isShort = low >= 1e-3 && high < 1e5;
    return {
      ticks: kept,
      labels: kept.map((tick) => (isShort ? decimals(tick, step) : brief(tick, 3))),
      units,
      fine: [],
    };
  }
  const every = Math.max(1, Math.ceil(decades / most));
  const ticks = [];
  const fine = [];
  for (let n = Math.floor(from); n <= Math.ceil(to); n += 1) {
    const tick = 10 ** n;
    if (n % every === 0 && n >= from - 1e-9 && n <= to + 1e-9) ticks.push(n);
    if (every === 1 && decades < 6)
      for (let m = 2; m < 10; m += 1) if (m * tick >= low && m * tick <= high) fine.push(m * tick);
  }
  const isPlain = ticks.every((n) => n >= -2 && n <= 3);
  const labels = ticks.map((n) => (isPlain ? String(Number((10 ** n).toFixed(2))) : power10(n)));
  return { ticks: ticks.map((n) => 10 ** n), labels, units, fine };
}

/** A range that follows what is to be seen without trembling: it grows at once, and shrinks when for two seconds less
 * than `share` of it was needed. room: how much of its length it leaves free at each end. */
export class SteadyRange {
  constructor(share = 0.4, room = 0.06) {
    this.share = share;
    this.room = room;
    this.reset();
  }

  reset() {
    this.range = null;
    this.smallSinceS = null;
    this.wasLog = false;
  }

  take(low, high, isLog, nowS) {
    if (this.wasLog !== isLog) this.reset();
    this.wasLog = isLog;
    const [from, to] = isLog ? [Math.log10(low), Math.log10(high)] : [low, high];
    const kept = this.range;
    if (!kept || from < kept[0] || to > kept[1]) {
      // With room on the side that it has just outgrown; the other side stays where it was, if that is not far off.
      const fresh = this.around(from, to, isLog);
      if (!kept || to - from > 2 * (kept[1] - kept[0])) this.range = fresh;
      else this.range = [from < kept[0] ? fresh[0] : kept[0], to > kept[1] ? fresh[1] : kept[1]];
      this.smallSinceS = null;
    } else if (to - from < this.share * (kept[1] - kept[0])) {
      this.smallSinceS ??= nowS;
      if (nowS - this.smallSinceS >= CALM_S) {
        this.range = this.around(from, to, isLog);
        this.smallSinceS = null;
      }
    } else {
      this.smallSinceS = null;
    }
    return isLog ? this.range.map((end) => 10 ** end) : this.range;
  }

  around(low, high, isLog) {
    let more = this.room * (high - low);
    if (low === high && this.room) more = isLog || low === 0 ? 0.5 : Math.max(0.1 * Math.abs(low), SMALLEST);
    return [low - more, high + more];
  }
}

/** What a number has been: rows (call, value) in bounded memory, without losing its extremes. When it is full, each
 * four neighbours become two, the least and the greatest, and what comes afterwards is thinned alike. */
export class Trail {
  constructor(limit = 16384) {
    this.limit = limit;
    this.begin([]);
  }

  begin(rows) {
    this.calls = [];
    this.values = [];
    this.group = 1;
    this.waiting = [];
    this.last = -1;
    for (const [call, value] of rows) this.add(call, value);
  }

  add(call, value) {
    if (call <= this.last) return;
    this.last = call;
    if (this.group === 1) {
      this.append(call, value);
      return;
    }
    this.waiting.push([call, value]);
    if (this.waiting.length >= this.group) {
      for (const row of leastAndGreatest(this.waiting)) this.append(...row);
      this.waiting = [];
    }
  }

  append(call, value) {
    if (this.calls.length >= this.limit) {
      const calls = [];
      const values = [];
      for (let k = 0; k < this.calls.length; k += 4) {
        const four = [0, 1, 2, 3].map((n) => [this.calls[k + n], this.values[k + n]]);
        for (const [at, seen] of leastAndGreatest(four)) {
          calls.push(at);
          values.push(seen);
        }
      }
      this.calls = calls;
      this.values = values;
      this.group = this.group === 1 ? 4 : 2 * this.group;
    }
    this.calls.push(call);
    this.values.push(value);
  }

  /** What is drawn: x and y. */
  get rows() {
    if (!this.waiting.length) return [this.calls, this.values];
    return [
      this.calls.concat(this.waiting.map((row) => row[0])),
      this.values.concat(this.waiting.map((row) => row[1])),
    ];
  }
}

function leastAndGreatest(rows) {
  const finite = rows.filter((row) => Number.isFinite(row[1]));
  if (!finite.length) return [rows[0], rows[rows.length - 1]];
  let least = finite[0];
  let greatest = finite[0];
  for (const row of finite) {
    if (row[1] < least[1]) least = row;
    if (row[1] >= greatest[1]) greatest = row;
  }
  return least[0] <= greatest[0] ? [least, greatest] : [greatest, least];
}
