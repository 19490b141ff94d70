"use strict";

/* Start the clips of the page, give them the keys, and tell a notebook how high the page is. */

const components = [];
const KEYS = new Set([" ", "1", "2", "3", "4", "l", "arrowleft", "arrowright", "arrowup", "arrowdown"]);

function startComponents() {
  for (const script of document.querySelectorAll("script[data-clip]")) {
    const root = script.parentElement;
    components.push(new ClipComponent(root, JSON.parse(script.textContent)));
  }
  const box = document.querySelector("[data-overview]");
  if (box) {
    new Overview(box, showClip).start();
  } else {
    components.forEach(startOne);
    lastUsed = components[0] ?? null;
  }
}

/** Start a clip when it is first shown. */
function startOne(component) {
  if (!component.isStarted) {
    component.isStarted = true;
    component.start().catch((error) => {
      component.root.classList.remove("ready");
      component.problem(`The page cannot show this clip: ${error.message}`);
      console.error(error);
    });
  }
}

/** Show a clip of the overview: a section of this page, or a page of its own in a frame. */
function showClip(number, item) {
  waiting = null;
  if (item.page) {
    showFrame(item);
    return;
  }
  components.forEach((component, other) => {
    component.root.hidden = other !== number;
  });
  const component = components[number];
  if (component) {
    if (playingNow && playingNow !== component.player) {
      playingNow.pause();
    }
    startOne(component);
    lastUsed = component;
  }
}

/** A new frame takes the place of the last one, so that the last sound ends with it. */
function showFrame({ page, name }) {
  const box = document.querySelector("[data-frame]");
  if (box.dataset.shown !== page) {
    box.dataset.shown = page;
    const frame = document.createElement("iframe");
    frame.title = `Explanation of ${name}`;
    // A key that is pressed beside the frame may start its sound.
    frame.allow = "autoplay";
    frame.src = page;
    box.replaceChildren(frame);
  }
}

function shownFrame() {
  return document.querySelector("[data-frame] iframe");
}

document.addEventListener("keydown", (event) => {
  const { target } = event;
  const isModified = event.ctrlKey || event.metaKey || event.altKey;
  const isText = target.matches(
    "input[type=text], input[type=search], input[type=number], textarea, select",
  );
  const isOwnKey = target.matches("input[type=range]") && event.key.startsWith("Arrow");
  const isPressed = target.matches("button, input[type=checkbox], summary") && event.key === " ";
  if (isModified || isText || isOwnKey || isPressed) {
    return;
  }
  const frame = shownFrame();
  if (lastUsed) {
    lastUsed.key(event);
  } else if (frame && KEYS.has(event.key.toLowerCase())) {
    frame.contentWindow.postMessage({ audiointerpKey: event.key }, "*");
    event.preventDefault();
  }
});

/* A page in a frame says how high it is, and gets the keys that are pressed beside the frame. */
window.addEventListener("message", ({ source, data }) => {
  const frame = shownFrame();
  if (frame && source === frame.contentWindow && data.audiointerpHeight) {
    frame.style.height = `${data.audiointerpHeight}px`;
  } else if (window.parent !== window && source === window.parent && data.audiointerpKey) {
    lastUsed?.key({ key: data.audiointerpKey, preventDefault() {} });
  }
});

/** In a notebook, and in a report of many clips, the page is a frame, which has to be told. */
function fitFrame() {
  if (window.parent === window) {
    return;
  }
  const frame = window.frameElement;
  // Not the height of the root, which is never below that of the frame: it must shrink, too.
  const height = () => document.body.offsetHeight + 4;
  if (frame && frame.classList.contains("audiointerp-frame")) {
    const fit = () => (frame.style.height = `${height()}px`);
    new ResizeObserver(fit).observe(document.body);
  } else if (!frame) {
    // Files are strangers to each other, so the page around has to be asked.
    document.documentElement.classList.add("in-report");
    const tell = () => window.parent.postMessage({ audiointerpHeight: height() }, "*");
    new ResizeObserver(tell).observe(document.body);
  }
}

startComponents();
document.querySelectorAll("[data-scores]").forEach(startScores);
fitFrame();
