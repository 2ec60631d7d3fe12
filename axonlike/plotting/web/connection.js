// The WebSocket to the plot: the handshake of axonlike/plotting/handshake.py, then messages. Connects again by itself.

import { BadMessage, decode, encode } from "./messages.js";

const PROTOCOL = "axonlike-plot-1";
const FIRST_DELAY_S = 0.5;
const LONGEST_DELAY_S = 10;
const HANDSHAKE_S = 8;
const WRONG_TOKEN = 4401;
const FINAL = {
  4406: "The plot is of another version: reload this page.",
  4400: "The plot did not understand this page: reload it.",
};

const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
};

/** told: {state(name, text), open(), message(message)}. States: "connecting", "lost", "wrong token", "failed". */
export class Connection {
  constructor(url, told) {
    this.url = url;
    this.told = told;
    this.token = "";
    this.delayS = FIRST_DELAY_S;
    this.socket = null;
    this.timer = null;
    this.isOver = false;
    // A laptop that wakes up, a phone that is back in the net: no reason to wait.
    window.addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.hurry());
  }

  /** With this token from now on. */
  connect(token) {
    this.token = token;
    this.isOver = false;
    this.delayS = FIRST_DELAY_S;
    this.open();
  }

  /** Nothing more is to come: does not connect again until `connect`. */
  end() {
    this.isOver = true;
    clearTimeout(this.timer);
    this.timer = null;
  }

  hurry() {
    if (this.timer === null || this.isOver) return;
    clearTimeout(this.timer);
    this.open();
  }

  send(said) {
    if (this.socket?.knowsToken && this.socket.readyState === WebSocket.OPEN) this.socket.send(encode(said));
  }

  open() {
    this.timer = null;
    if (!window.crypto?.subtle) {
      this.told.state(
        "failed",
        "The browser lets only pages of https or localhost prove that they know a token: look through an ssh tunnel, " +
          "or give the plot TLS.",
      );
      return;
    }
    const old = this.socket;
    this.socket = null;
    old?.close();
    this.told.state("connecting", "");
    const socket = new WebSocket(this.url, [PROTOCOL]);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    const limit = setTimeout(() => socket.close(), HANDSHAKE_S * 1000);
    let step = (data) =>
      this.reply(socket, data).then((proof) => (step = (answer) => this.trust(socket, answer, proof)));
    let order = Promise.resolve(); // one after the other: the handshake computes in the background
    socket.onmessage = (event) => {
      if (socket.knowsToken) {
        this.take(event.data);
        return;
      }
      order = order
        .then(() => (socket.knowsToken ? this.take(event.data) : step(event.data)))
        .then(
          () => {
            if (socket.knowsToken) clearTimeout(limit);
          },
          (error) => this.giveUp(socket, error),
        );
    };
    socket.onclose = (event) => {
      clearTimeout(limit);
      if (this.socket === socket) this.closed(event.code, event.reason);
    };
  }

  async key() {
    const bytes = new TextEncoder().encode(this.token);
    return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  }

  async reply(socket, challenge) {
    if (challenge.byteLength !== 32) throw new Error("this is no plot");
    const nonces = joined(new Uint8Array(challenge), crypto.getRandomValues(new Uint8Array(32)));
    const words = (side) => joined(new TextEncoder().encode(`${PROTOCOL} ${side}\0`), nonces);
    const proof = await crypto.subtle.sign("HMAC", await this.key(), words("viewer"));
    socket.send(joined(nonces.subarray(32), new Uint8Array(proof)));
    return words("plot");
  }

  async trust(socket, answer, words) {
    if (!(await crypto.subtle.verify("HMAC", await this.key(), answer, words))) {
      this.end();
      this.told.state("wrong token", "That is not the plot which gave you this token.");
      throw new Error("not to be trusted");
    }
    socket.knowsToken = true;
    this.delayS = FIRST_DELAY_S;
    this.told.open();
  }

  take(data) {
    let message;
    try {
      if (!(data instanceof ArrayBuffer)) throw new BadMessage("the plot sends a text");
      message = decode(data);
    } catch (error) {
      this.giveUp(this.socket, error);
      return;
    }
    this.told.message(message, data.byteLength);
  }

  giveUp(socket, error) {
    if (this.socket !== socket) return;
    if (!this.isOver) this.told.state("failed", error.message);
    this.end();
    socket.close();
  }

  closed(code, reason) {
    this.socket = null;
    if (this.isOver) return;
    if (code === WRONG_TOKEN) {
      this.end();
      this.told.state("wrong token", this.token ? "The plot has another token." : "");
    } else if (FINAL[code]) {
      this.end();
      this.told.state("failed", FINAL[code]);
    } else {
      this.told.state("lost", code === 4429 ? `${reason}; it tries again` : "");
      this.timer = setTimeout(() => this.open(), this.delayS * 1000);
      this.delayS = Math.min(LONGEST_DELAY_S, this.delayS * 1.7);
    }
  }
}
