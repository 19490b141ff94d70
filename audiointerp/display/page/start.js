"use strict";

/* Start the clips of the page, give them the keys, and tell a notebook how high the page is. */

const components = [];

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

function showClip(number) {
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

document.addEventListener("keydown", (event) => {
  const { target } = event;
  const isModified = event.ctrlKey || event.metaKey || event.altKey;
  const isText = target.matches("input[type=text], input[type=search], textarea, select");
  const isOwnKey = target.matches("input[type=range]") && event.key.startsWith("Arrow");
  const isPressed = target.matches("button, input[type=checkbox], summary") && event.key === " ";
  if (lastUsed && !isModified && !isText && !isOwnKey && !isPressed) {
    lastUsed.key(event);
  }
});

/** In a notebook the page is a frame, which does not grow by itself. */
function fitFrame() {
  const frame = window.frameElement;
  if (frame && frame.classList.contains("audiointerp-frame")) {
    const fit = () => (frame.style.height = `${document.documentElement.scrollHeight + 4}px`);
    new ResizeObserver(fit).observe(document.body);
  }
}

startComponents();
fitFrame();
