// The page as a whole: what comes from the plot goes to the panels, what the user does goes back.
//
// Nothing runs while nothing changes. A picture is drawn in an animation frame, which a hidden page does not get; only
// when it has been drawn is another one asked for.

import { brief } from "./axes.js";
import { BACKGROUND, CARD, DIM, FAMILY, LINE, TEXT } from "./colours.js";
import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { Panel } from "./panel.js";
import { panelsOf } from "./shown.js";

const KEPT = "axonlike-plot-token";
const NARROW_PX = 700;
const QUIET_S = 2;
const KEY_NAMES = {
  Enter: "return",
  Escape: "escape",
  " ": "space",
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  Backspace: "backspace",
  Delete: "delete",
  Tab: "tab",
  Home: "home",
  End: "end",
  PageUp: "page up",
  PageDown: "page down",
};

const $ = (id) => document.getElementById(id);
const page = {
  welcome: null,
  panels: new Map(),
  alone: null,
  frame: null, // the newest that has come
  isFresh: false, // it is not drawn yet
  isPaused: false,
  isReady: false, // a frame has been asked for, since the connection is open
  isResting: false, // the calculation has been told that nothing is drawn here
  ended: null,
  state: "connecting",
  counters: {},
  drawnAt: [],
  request: 0,
};

// ----------------------------------------------------------------------------- the token

function tokenFromAddress() {
  const token = decodeURIComponent(location.hash.slice(1));
  if (token) history.replaceState(null, "", location.pathname + location.search); // not for shoulders and screenshots
  try {
    if (token) sessionStorage.setItem(KEPT, token);
    return token || sessionStorage.getItem(KEPT) || "";
  } catch {
    return token; // in a frame of another site there is no storage: a reload asks for it
  }
}

function askForToken(text) {
  $("token-text").textContent = text || "It stands behind the # of the address that the calculation shows.";
  $("token-text").classList.toggle("wrong", Boolean(text));
  $("token-form").hidden = false;
  $("token").value = "";
  $("token").focus();
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("token").value.trim().replace(/^.*#/, ""); // a whole address will do
  if (!token) return;
  try {
    sessionStorage.setItem(KEPT, token);
  } catch {
    /* see above */
  }
  $("token-form").hidden = true;
  connection.connect(token);
});

// ----------------------------------------------------------------------------- the connection

const connection = new Connection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/plot`, {
  state(name, text) {
    if (name === "wrong token") askForToken(text);
    if (!(page.ended && name === "lost")) show(name, text);
  },
  open() {
    $("token-form").hidden = true;
    page.ended = null;
    page.isReady = false;
    page.isResting = false;
    show("open", "");
    askIfSeen();
  },
  message(message) {
    if (message.is === "welcome") welcome(message);
    else if (message.is === "frame") take(message);
    else if (message.is === "values") controls.show(message.values);
    else if (message.is === "ended") {
      page.ended = message.text || "has ended";
      connection.end();
      show("ended", page.ended);
    }
  },
});
const controls = new Controls($("params"), (name, value) => connection.send({ is: "set", name, value }));

/** The first frame, once the page is seen; and that none is waited for while it is paused or hidden. */
function askIfSeen() {
  if (page.state !== "open") return;
  const isSeen = document.visibilityState === "visible";
  if (isSeen && !page.isReady) {
    connection.send({ is: "ready", kind: "web" });
    page.isReady = true;
  }
  if (page.isResting !== (page.isPaused || !isSeen)) {
    page.isResting = !page.isResting;
    connection.send({ is: "did", what: page.isResting ? "paused" : "resumed" });
  }
}

document.addEventListener("visibilitychange", askIfSeen);

function welcome(message) {
  page.welcome = message;
  page.histories = new Map();
  for (const [name, rows] of message.history)
    page.histories.set(
      name,
      Array.from({ length: rows.shape[0] }, (_, k) => rows.at(k).numbers()),
    );
  $("title").textContent = message.title || "plot";
  document.title = message.title ? `${message.title} · axonlike` : "axonlike plot";
  for (const [name, param] of Object.entries(message.params || {})) param.isWhole = wholeNumbers(message, name);
  const count = controls.build(message.params, message.values || {}, message.controls !== false);
  $("show-params").hidden = !count;
  document.body.classList.toggle("has-params", count > 0);
}

/** JSON has one kind of number: 3 may be meant as 3.0. Whole is what has begun whole and has whole ends. */
function wholeNumbers({ params }, name) {
  return [params[name].value, params[name].low ?? 0, params[name].high ?? 0].every(Number.isInteger);
}

// ----------------------------------------------------------------------------- frames

function take(frame) {
  page.frame = frame;
  page.isFresh = true;
  page.counters = frame.counters || {};
  if (!page.isPaused) schedule();
}

function schedule() {
  page.request ||= requestAnimationFrame(paint);
}

function paint() {
  page.request = 0;
  const isFrame = page.isFresh && !page.isPaused;
  if (isFrame) {
    page.isFresh = false;
    arrange(page.frame);
  }
  for (const panel of page.panels.values()) {
    try {
      if (!page.alone || page.alone === panel.name) panel.draw();
    } catch (error) {
      failed(panel.name, error);
    }
  }
  if (!isFrame) return;
  const { number } = page.frame;
  // After this callback the browser paints; a task behind it finds the picture on the screen.
  setTimeout(() => connection.send({ is: "drawn", number }), 0);
  page.drawnAt.push(performance.now());
  if (page.drawnAt.length > 30) page.drawnAt.shift();
  if (page.state === "open") show("open", "");
  else status();
  clearTimeout(page.quiet);
  page.quiet = setTimeout(() => {
    page.drawnAt = [];
    status();
  }, QUIET_S * 1000);
}

const told = new Set();

function failed(name, error) {
  const text = `${name}: ${error.message}`;
  console.error(error);
  if (told.has(text)) return;
  told.add(text);
  connection.send({ is: "failed", text: text.slice(0, 1000) });
}

/** The panels of this frame: new ones are made, those whose values are gone leave. */
function arrange(frame) {
  const shown = panelsOf(frame.args, frame.kwargs, page.welcome?.panels || {});
  const gone = [...page.panels.keys()].filter((name) => !shown.has(name));
  const come = [...shown.keys()].filter((name) => !page.panels.has(name));
  for (const name of gone) {
    page.trails ||= new Map();
    page.trails.set(name, page.panels.get(name).trail); // should it come back
    page.panels.get(name).leave();
    page.panels.delete(name);
  }
  for (const name of come) {
    const panel = new Panel(name, { tap, alone, changed: schedule });
    if (page.trails?.has(name)) panel.trail = page.trails.get(name);
    page.panels.set(name, panel);
  }
  for (const [name, each] of shown) {
    page.panels.get(name).take(each, frame.call, page.histories?.get(name));
    page.histories?.delete(name);
  }
  if (gone.length || come.length) {
    page.panels = new Map([...shown.keys()].map((name) => [name, page.panels.get(name)]));
    $("panels").replaceChildren(...[...page.panels.values()].map((panel) => panel.element));
    if (page.alone && !page.panels.has(page.alone)) page.alone = null;
    lay();
  }
  $("nothing").hidden = shown.size > 0;
}

/** So many columns that panels come nearest to three wide by two high; on a narrow page one below the other. */
function lay() {
  const box = $("panels").getBoundingClientRect();
  const panels = [...page.panels.values()];
  for (const panel of panels) {
    panel.isAlone = page.alone === panel.name || panels.length === 1;
    panel.element.hidden = Boolean(page.alone) && page.alone !== panel.name;
    panel.element.classList.toggle("alone", panel.isAlone);
    panel.element.style.gridColumn = "";
  }
  const count = page.alone ? 1 : panels.length;
  let best = 1;
  let least = Infinity;
  for (let columns = 1; columns <= count && innerWidth >= NARROW_PX; columns += 1) {
    const rows = Math.ceil(count / columns);
    const wide = box.width / columns;
    const high = Math.max(190, box.height / rows);
    const off =
      Math.abs(Math.log(wide / high / 1.5)) +
      0.15 * (columns * rows - count) +
      (wide < 260 ? 3 : 0) +
      (box.height / rows < 190 ? 0.7 : 0);
    if (off < least) [best, least] = [columns, off];
  }
  $("panels").style.setProperty("--columns", best);
  const over = count % best;
  if (over && !page.alone) panels[count - 1].element.style.gridColumn = `span ${best - over + 1}`;
  $("panels").classList.toggle("few", count <= 2);
  $("show-all").hidden = !page.alone;
  for (const panel of panels) panel.touch();
}

new ResizeObserver(() => lay()).observe($("panels"));

// ----------------------------------------------------------------------------- what the user does

function alone(panel) {
  page.alone = page.alone || page.panels.size === 1 ? null : panel.name;
  lay();
}

function tap(panel, x, y, button) {
  if (Number.isFinite(x) && Number.isFinite(y)) did({ what: "click", panel: panel.name, x, y, button });
}

function did(said) {
  if (page.welcome?.controls !== false) connection.send({ is: "did", ...said });
}

function pause(isPaused) {
  page.isPaused = isPaused;
  document.body.classList.toggle("paused", isPaused);
  $("pause").setAttribute("aria-pressed", String(isPaused));
  $("pause").title = isPaused ? "Go on (space)" : "Pause (space)";
  askIfSeen();
  show(page.state, page.stateText);
  if (!isPaused && page.isFresh) schedule();
}

/** All panels that are seen, as one picture. */
function save() {
  const around = $("panels").getBoundingClientRect();
  const seen = [...page.panels.values()].filter((panel) => !panel.element.hidden && panel.shown);
  if (!seen.length) return;
  const ratio = Math.max(2, window.devicePixelRatio || 1);
  const boxes = seen.map((panel) => panel.element.getBoundingClientRect());
  const height = Math.max(...boxes.map((box) => box.bottom)) - Math.min(...boxes.map((box) => box.top)) + 24;
  const top = Math.min(...boxes.map((box) => box.top)) - 12;
  const canvas = document.createElement("canvas");
  canvas.width = around.width * ratio;
  canvas.height = (height + 30) * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.fillStyle = BACKGROUND;
  context.fillRect(0, 0, canvas.width, canvas.height);
  seen.forEach((panel, k) => {
    const box = boxes[k];
    const inside = panel.canvas.getBoundingClientRect();
    context.fillStyle = CARD;
    context.strokeStyle = LINE;
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(box.left - around.left + 0.5, box.top - top + 0.5, box.width - 1, box.height - 1, 9);
    context.fill();
    context.stroke();
    context.fillStyle = TEXT;
    context.font = `600 14px ${FAMILY}`;
    context.fillText(panel.title.textContent, box.left - around.left + 16, box.top - top + 24);
    context.font = `12px ${FAMILY}`;
    context.textAlign = "right";
    context.fillText(panel.reading.textContent, box.right - around.left - 16, box.top - top + 24);
    context.textAlign = "left";
    context.drawImage(panel.canvas, inside.left - around.left, inside.top - top, inside.width, inside.height);
  });
  context.fillStyle = DIM;
  context.font = `12px ${FAMILY}`;
  const when = new Date().toISOString().slice(0, 19).replace("T", " ");
  context.fillText(`${$("title").textContent} · call ${page.frame?.call ?? 0} · ${when} UTC`, 14, height + 12);
  canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const name =
      $("title")
        .textContent.replace(/[^\p{L}\p{N}_-]+/gu, "-")
        .replace(/^-+|-+$/g, "") || "plot";
    link.download = `${name}-${when.replace(/[ :]/g, "-")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

$("pause").addEventListener("click", () => pause(!page.isPaused));
$("save").addEventListener("click", save);
$("show-all").addEventListener("click", () => {
  page.alone = null;
  lay();
});
$("show-params").addEventListener("click", () => {
  const isOpen = document.body.classList.toggle(innerWidth < NARROW_PX ? "params-open" : "params-closed");
  $("show-params").setAttribute("aria-pressed", String(innerWidth < NARROW_PX ? isOpen : !isOpen));
});
$("again").addEventListener("click", () => connection.connect(tokenFromAddress()));

// A button that was clicked does not keep the focus: else the space key would press it again.
document.addEventListener("click", (event) => event.detail && event.target.closest("button")?.blur());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key === " " && !event.target.matches("button")) pause(!page.isPaused);
  else if (event.key === "s") save();
  else if (event.key === "f") page.panels.forEach((panel) => panel.fit());
  else if (event.key === "Escape" && page.alone) {
    page.alone = null;
    lay();
  } else {
    const name = KEY_NAMES[event.key] || (event.key.length === 1 ? event.key.toLowerCase() : "");
    if (name && !event.target.matches("button")) did({ what: "key", key: name });
    return;
  }
  event.preventDefault();
});

// ----------------------------------------------------------------------------- the state

const WORDS = {
  connecting: "connecting",
  open: "live",
  lost: "no connection",
  ended: "ended",
  "wrong token": "wrong token",
  failed: "failed",
};

function show(name, text) {
  page.state = name;
  page.stateText = text;
  const isPaused = page.isPaused && name === "open";
  $("state").className = `state ${isPaused ? "paused" : name.replace(" ", "-")}`;
  $("state").textContent = isPaused ? "paused" : WORDS[name];
  $("notice").textContent =
    {
      failed: text,
      ended: text === "has ended" ? "The calculation has ended." : text,
      lost: text || "The connection is lost; it tries again.",
    }[name] || "";
  $("notice-bar").hidden = !$("notice").textContent;
  $("again").hidden = name !== "ended" && name !== "failed";
  $("nothing").textContent = { open: "Nothing has been plotted yet.", connecting: "Connecting…" }[name] || "";
  status();
}

function status() {
  const { offered = 0, sent = 0, drawn = 0, dropped = 0, worst_call_s: worst = 0, viewers = 0 } = page.counters;
  const times = page.drawnAt;
  const rate = times.length > 2 ? ((times.length - 1) * 1000) / (times[times.length - 1] - times[0]) : 0;
  const parts = [
    ["calls", String(Math.max(offered, page.frame?.call ?? 0))],
    ["sent", String(sent)],
    ["drawn", String(drawn)],
    ["dropped", String(dropped)],
    ["frames a second", rate ? rate.toFixed(rate < 9.95 ? 1 : 0) : ""],
    ["longest call", worst ? `${brief(worst * 1000, 3)} ms` : ""],
    ["viewers", viewers ? String(viewers) : ""],
  ].filter(([, value]) => value);
  if (!page.frame) parts.length = 0;
  $("status").replaceChildren(
    ...parts.map(([label, value]) => {
      const part = document.createElement("span");
      part.dataset.name = label;
      const number = document.createElement("b");
      number.textContent = value;
      part.append(`${label} `, number);
      return part;
    }),
  );
}

window.addEventListener("hashchange", () => location.hash.length > 1 && connection.connect(tokenFromAddress()));
const first = tokenFromAddress();
if (first) connection.connect(first);
else {
  show("wrong token", "");
  $("state").textContent = "token";
  askForToken("");
}
