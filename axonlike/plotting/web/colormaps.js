// Colours for values: the maps of axonlike/components/ui/colormaps.py (viridis, magma, inferno: Nathaniel J. Smith,
// Stéfan van der Walt; cividis: Jamie R. Nuñez and others; all CC0). A test compares the two.

const ANCHORS = {
  viridis: "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
  inferno: "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
  magma: "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
  cividis: "00204d 00336f 39486b 575c6d 707173 8a8779 a69d75 c4b56c e4cf5b ffea46",
  grey: "000000 ffffff",
};

export const COLORMAPS = Object.keys(ANCHORS);

const made = new Map();

/** RGB of 256 even steps from the lowest to the highest value, one after the other. */
export function colormap(name) {
  if (!made.has(name)) {
    const anchors = ANCHORS[name].split(" ").map((text) => [0, 2, 4].map((k) => parseInt(text.slice(k, k + 2), 16)));
    const colours = new Uint8Array(256 * 3);
    for (let place = 0; place < 256; place += 1) {
      const at = (place * (anchors.length - 1)) / 255;
      const low = Math.min(Math.floor(at), anchors.length - 2);
      for (let c = 0; c < 3; c += 1) {
        colours[3 * place + c] = Math.round(anchors[low][c] + (at - low) * (anchors[low + 1][c] - anchors[low][c]));
      }
    }
    made.set(name, colours);
  }
  return made.get(name);
}

const pixels = new Map();

/** The same as pixels of an ImageData, seen as a Uint32Array. */
export function pixelsOf(name) {
  if (pixels.has(name)) return pixels.get(name);
  const colours = colormap(name);
  const bytes = new Uint8Array(256 * 4);
  for (let k = 0; k < 256; k += 1) bytes.set([colours[3 * k], colours[3 * k + 1], colours[3 * k + 2], 255], 4 * k);
  pixels.set(name, new Uint32Array(bytes.buffer));
  return pixels.get(name);
}
