// Lines and points on a canvas. plot: where the axes are, {x: Scale, y: Scale, left, top, right, bottom}.

/** A line, broken where a number is missing. Of many points within one pixel's width, the first, least, greatest and
 * last are drawn: the picture is the same. Returns how many parts it has, and where it begins and ends. */
export function paintCurve(context, plot, at, curve, colour) {
  context.beginPath();
  const drawn = { parts: 0, from: 0, to: 0 };
  const isDense = curve.length > 2 * (plot.right - plot.left);
  let isDown = false;
  let isGap = false;
  let count = 0; // of the points in this part
  let column = NaN;
  let least = 0;
  let greatest = 0;
  let last = 0;
  const endColumn = () => {
    if (least === last && greatest === last) return;
    context.lineTo(column, least);
    context.lineTo(column, greatest);
    context.lineTo(column, last);
  };
  const endPart = () => {
    if (!isDown) return;
    endColumn();
    if (count === 1) context.lineTo(column + 1.5, last); // one value between two gaps
    isDown = false;
  };
  for (let k = 0; k < curve.length; k += 1) {
    const y = plot.y.pixel(curve[k]);
    const exact = plot.x.pixel(at(k));
    if (!Number.isFinite(y) || !Number.isFinite(exact)) {
      isGap = true;
      continue;
    }
    const top = Math.max(-1e5, Math.min(1e5, y));
    const x = isDense ? Math.round(exact) : Math.max(-1e5, Math.min(1e5, exact));
    count += 1;
    if (isDown && x === column && (isDense || !isGap)) {
      least = Math.min(least, top);
      greatest = Math.max(greatest, top);
    } else {
      if (isGap) endPart();
      if (isDown) {
        endColumn();
        context.lineTo(x, top);
      } else {
        context.moveTo(x, top);
        if (drawn.parts === 0) drawn.from = x;
        drawn.parts += 1;
        isDown = true;
        count = 1;
      }
      least = greatest = top;
    }
    isGap = false;
    column = x;
    last = top;
    drawn.to = x;
  }
  endPart();
  context.strokeStyle = colour;
  context.lineWidth = 1.6;
  context.stroke();
  return drawn;
}

/** A faint ground below the line that was just drawn. */
export function shade(context, plot, colour, { from, to }) {
  context.lineTo(to, plot.bottom);
  context.lineTo(from, plot.bottom);
  const fade = context.createLinearGradient(0, plot.top, 0, plot.bottom);
  fade.addColorStop(0, `${colour}2e`);
  fade.addColorStop(1, `${colour}00`);
  context.fillStyle = fade;
  context.fill();
}

export function paintPoints(context, plot, at, curve, colour) {
  const radius = curve.length > 2000 ? 1 : curve.length > 300 ? 1.6 : 2.6;
  context.fillStyle = colour;
  context.beginPath();
  for (let k = 0; k < curve.length; k += 1) {
    const x = plot.x.pixel(at(k));
    const y = plot.y.pixel(curve[k]);
    if (!(x >= plot.left - 3 && x <= plot.right + 3 && y >= plot.top - 3 && y <= plot.bottom + 3)) continue;
    if (radius < 1.5) {
      context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    } else {
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
  }
  context.fill();
}
