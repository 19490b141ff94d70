/*
 * The explorer in a notebook: a frame with the page, and the way to the kernel and back. The page
 * asks request(kind, …) and gets a promise of the answer; it is told states, events and trouble.
 */

const PATIENCE = 3000;
const BUSY =
  "The kernel does not answer: it runs another cell, or it was stopped. Sounds still play; after " +
  "a restart, run the cell again.";
const GONE =
  "The kernel was stopped, so no p and no method can be computed. Sounds still play; run the cell " +
  "again to go on.";
const LOST = ["dead", "terminating", "restarting", "autorestarting"];

class KernelLink {
  constructor(model) {
    this.model = model;
    this.name = crypto.randomUUID();
    this.count = 0;
    this.waiting = new Map();
    this.onState = this.onEvent = this.onTrouble = () => {};
    this.listeners = {
      "change:state": () => this.onState(this.state),
      "msg:custom": (message) => this.receive(message),
    };
    for (const [name, listener] of Object.entries(this.listeners)) {
      model.on(name, listener);
    }
    this.clock = setInterval(() => this.isGone() && this.onTrouble(GONE), 1000);
  }

  get state() {
    return this.model.get("state");
  }

  get section() {
    return this.model.get("section");
  }

  /** Whether the notebook says that the kernel has ended; other notebooks say nothing. */
  isGone() {
    const kernel = this.model.widget_manager?.kernel;
    return kernel === null || Boolean(kernel?.isDisposed) || LOST.includes(kernel?.status);
  }

  /** The answer of the kernel, or null if there is none in time; the page says why. */
  request(kind, values = {}, buffers = []) {
    const id = `${this.name} ${this.count++}`;
    return new Promise((resolve) => {
      const late = setTimeout(() => this.onTrouble(this.isGone() ? GONE : BUSY), PATIENCE);
      this.waiting.set(id, { resolve, late });
      try {
        this.model.send({ kind, id, ...values }, undefined, buffers);
      } catch {
        this.receive({ kind: "error", id, text: GONE });
      }
    });
  }

  receive(message) {
    const asked = this.waiting.get(message.id);
    if (message.kind !== "answer" && message.kind !== "error") {
      this.onEvent(message);
    } else if (asked) {
      clearTimeout(asked.late);
      this.waiting.delete(message.id);
      this.onTrouble(message.kind === "error" ? message.text : "");
      asked.resolve(message.kind === "error" ? null : message);
    }
  }

  close() {
    clearInterval(this.clock);
    this.waiting.forEach(({ late }) => clearTimeout(late));
    for (const [name, listener] of Object.entries(this.listeners)) {
      this.model.off(name, listener);
    }
  }
}

/** While the widget lives, the saved page below it would be a second copy. */
function hideSavedPage(el) {
  const area = el.closest(".jp-OutputArea");
  const style = document.createElement("style");
  style.textContent = ".audiointerp-live [data-audiointerp-saved] { display: none; }";
  el.append(style);
  area?.classList.add("audiointerp-live");
  return () => area?.classList.remove("audiointerp-live");
}

function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.className = "audiointerp-frame";
  frame.title = "audiointerp: explore clips";
  frame.allow = "microphone";
  frame.style = "width:100%;height:40rem;border:0";
  const link = new KernelLink(model);
  frame.addEventListener("load", () => frame.contentWindow.audiointerpExplore?.(link));
  frame.srcdoc = model.get("page");
  // Once the frame is in the document, it can be known where it lies.
  let showSavedPage = () => {};
  const placed = setTimeout(() => (showSavedPage = hideSavedPage(el)), 0);
  el.append(frame);
  return () => {
    clearTimeout(placed);
    showSavedPage();
    link.close();
  };
}

export default { render };
