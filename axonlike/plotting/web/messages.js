// What a calculation and its viewers say to each other; axonlike/plotting/messages.py has the format.

export class BadMessage extends Error {}

const VERSION = 1;
const HEAD_BYTES = 12;
const DEEPEST = 16;
const MAGIC = [0x41, 0x58, 0x50, 0x4c]; // AXPL
const THIS_IS_LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const half = (bits) => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};

// By numpy's letter and size: bytes of a number (of half a complex one), the view, and what makes numbers of that.
const DTYPES = {
  b1: [1, Uint8Array],
  i1: [1, Int8Array],
  u1: [1, Uint8Array],
  i2: [2, Int16Array],
  u2: [2, Uint16Array],
  i4: [4, Int32Array],
  u4: [4, Uint32Array],
  i8: [8, BigInt64Array, (data) => Float64Array.from(data, Number)],
  u8: [8, BigUint64Array, (data) => Float64Array.from(data, Number)],
  f2: [2, Uint16Array, (data) => Float32Array.from(data, half)],
  f4: [4, Float32Array],
  f8: [8, Float64Array],
  c8: [4, Float32Array],
  c16: [8, Float64Array],
};

/** An array as it lies in memory: number [i, j] stands at data[offset + i * strides[0] + j * strides[1]]. Of a complex
 * one that is the real part, and the imaginary one follows. */
export class Tensor {
  constructor(code, shape, strides, offset, data) {
    this.code = code;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.data = data;
  }

  get isComplex() {
    return this.code[0] === "c";
  }
  get size() {
    return this.shape.reduce((all, length) => all * length, 1);
  }

  /** Without its first axis, at one place of it. */
  at(place) {
    const offset = this.offset + place * this.strides[0];
    return new Tensor(this.code, this.shape.slice(1), this.strides.slice(1), offset, this.data);
  }

  get transposed() {
    return new Tensor(this.code, [...this.shape].reverse(), [...this.strides].reverse(), this.offset, this.data);
  }

  /** Of one axis: its numbers, or what `part` makes of the place of each in `data`. */
  numbers(part = null) {
    const [length] = this.shape;
    const [step] = this.strides;
    const found = new Float64Array(length);
    for (let k = 0, at = this.offset; k < length; k += 1, at += step)
      found[k] = part ? part(this.data, at) : this.data[at];
    return found;
  }

  /** The same with the size of each complex number. */
  get sizes() {
    if (!this.isComplex) return this;
    const found = new Float64Array(this.data.length);
    for (let at = 0; at < found.length; at += 2) found[at] = Math.sqrt(this.data[at] ** 2 + this.data[at + 1] ** 2);
    return new Tensor("f8", this.shape, this.strides, this.offset, found);
  }
}

export class Complex {
  constructor(real, imaginary) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

/** A piece of a stream: samples, and what they are. */
export class Chunk {
  constructor(data, of) {
    this.data = data;
    this.kind = of.kind;
    this.units = of.units || "";
    this.rate = of.rate || 0;
    this.axis = of.axis || null;
  }
}

/** An object whose text is all that came of it. */
export class Other {
  constructor(text) {
    this.text = text;
  }
}

/** The message in an ArrayBuffer, as a plain object. Throws BadMessage. */
export function decode(buffer) {
  const bytes = new Uint8Array(buffer);
  if (bytes.length < HEAD_BYTES || MAGIC.some((byte, k) => bytes[k] !== byte))
    throw new BadMessage("this is no message of a plot");
  if (bytes[4] !== VERSION || bytes[5] || bytes[6] || bytes[7]) {
    throw new BadMessage(`the plot speaks version ${bytes[4]}, this page version ${VERSION}: reload it`);
  }
  const headerBytes = new DataView(buffer).getUint32(8);
  if (headerBytes > bytes.length - HEAD_BYTES) throw new BadMessage("a message that is cut off");
  let said;
  try {
    said = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(HEAD_BYTES, HEAD_BYTES + headerBytes)),
    );
  } catch (error) {
    throw new BadMessage(`a message that cannot be read: ${error.message}`);
  }
  let at = HEAD_BYTES + headerBytes;
  const parts = (said.buffers || []).map((length) => {
    at += -at & 7;
    const part = [at, length];
    at += length;
    return part;
  });
  if (at !== bytes.length) throw new BadMessage("a message whose parts do not add up");
  const read = (node) => value(node, buffer, parts, 0);
  const each = (nodes) => new Map(Object.entries(nodes || {}).map(([name, node]) => [name, read(node)]));
  if (said.is === "frame") return { ...said, args: (said.args || []).map(read), kwargs: each(said.kwargs) };
  if (said.is === "welcome") return { ...said, history: each(said.history) };
  return said;
}

function value(node, buffer, parts, depth) {
  if (node === null || typeof node !== "object") return node;
  if (depth > DEEPEST) throw new BadMessage("values nested too deep");
  const inner = (each) => value(each, buffer, parts, depth + 1);
  if (Array.isArray(node)) return node.map(inner);
  if (node.array) return tensor(node.array, buffer, parts);
  if (node.tuple) return node.tuple.map(inner);
  if (node.map) return new Map(Object.entries(node.map).map(([key, each]) => [key, inner(each)]));
  if (node.float) return { nan: NaN, inf: Infinity, "-inf": -Infinity }[node.float] ?? NaN;
  if (node.int) return Number(node.int);
  if (node.complex) return new Complex(inner(node.complex[0]), inner(node.complex[1]));
  if (node.chunk) return new Chunk(inner(node.chunk), node.of);
  if (typeof node.object === "string") return new Other(node.object);
  if (typeof node.bytes === "number") return new Other(`${parts[node.bytes]?.[1] ?? 0} bytes`);
  throw new BadMessage("a value that is none");
}

function tensor([dtype, shape, order, number], buffer, parts) {
  const code = dtype.slice(1);
  if (!(code in DTYPES) || !parts[number]) throw new BadMessage(`an array of dtype ${dtype}`);
  const [width, View, numbers] = DTYPES[code];
  const each = code[0] === "c" ? 2 : 1;
  const count = shape.reduce((all, length) => all * length, 1) * each;
  const [at, length] = parts[number];
  if (length !== count * width) throw new BadMessage(`an array of shape ${shape} for which ${length} bytes came`);
  let data;
  if (width === 1 || (dtype[0] === "<") === THIS_IS_LITTLE) {
    data = new View(buffer, at, count);
  } else {
    const turned = new Uint8Array(buffer.slice(at, at + length));
    for (let k = 0; k < length; k += width) turned.subarray(k, k + width).reverse();
    data = new View(turned.buffer);
  }
  // `order` names the axes from slowest to fastest; ~axis is one that runs backwards.
  const strides = new Array(shape.length).fill(0);
  let offset = 0;
  let step = each;
  for (const place of [...order].reverse()) {
    const axis = place < 0 ? ~place : place;
    strides[axis] = place < 0 ? -step : step;
    if (place < 0 && shape[axis] > 0) offset += (shape[axis] - 1) * step;
    step *= shape[axis];
  }
  return new Tensor(code, shape, strides, offset, numbers ? numbers(data) : data);
}

/** A message of ours (none has arrays) as bytes. */
export function encode(said) {
  const header = new TextEncoder().encode(JSON.stringify(said));
  const bytes = new Uint8Array(HEAD_BYTES + header.length);
  bytes.set(MAGIC);
  bytes[4] = VERSION;
  new DataView(bytes.buffer).setUint32(8, header.length);
  bytes.set(header, HEAD_BYTES);
  return bytes;
}
