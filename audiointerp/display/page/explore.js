"use strict";

/*
 * The page of an explorer: what a person asks of the kernel beside what a page does by itself. Its
 * clip is a ClipComponent as on any page; a box is one of its named masks.
 */

const BOXES = ["box", "all but the box"];
const MOST_BUTTONS = 12;
const LARGEST_UPLOAD = 9e6;
const LONGEST_RECORDING = 30000;
const BETWEEN_STATES = { waiting: "waits", running: "", failed: "failed", cancelled: "cancelled" };

class Explore {
  constructor(root, link) {
    this.root = root;
    this.link = link;
    this.component = null;
    this.box = null;
    this.recorder = null;
    this.sections = 0;
    this.labels = "";
  }

  find(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  start() {
    const { link } = this;
    link.onState = (state) => this.showState(state);
    link.onEvent = (event) => this.receive(event);
    link.onTrouble = (text) => this.trouble(text);
    this.listen();
    this.showState(link.state);
    if (link.section) {
      this.showSection();
    } else if (!link.state.isOpen) {
      link.request("open", { number: 0 });
    }
  }

  trouble(text) {
    const place = this.find("trouble");
    if (place.textContent !== text) {
      place.textContent = text;
    }
  }

  async receive(event) {
    if (event.kind === "section") {
      await this.showSection();
    } else if (event.kind === "method" && this.component) {
      await this.addMethod(event.entry);
    } else if (event.kind === "box" && this.component) {
      this.compared(event);
    }
  }

  get isGuessing() {
    return this.link.state.guess === null;
  }

  /** Replace the clip by the one that the kernel has explained. */
  async showSection() {
    if (playingNow) {
      playingNow.pause();
    }
    this.sections++;
    const place = this.find("place");
    place.innerHTML = this.link.section;
    const root = place.firstElementChild;
    const component = new ClipComponent(root, JSON.parse(root.querySelector("[data-clip]").text));
    this.box = null;
    components.splice(0, components.length, component);
    lastUsed = component;
    await component.start();
    if (root.isConnected) {
      this.component = component;
      this.addDrawing();
      this.showState(this.link.state);
    }
  }

  async addMethod(entry) {
    const { component } = this;
    const { methods } = component.data;
    if (methods.some(({ name }) => name === entry.name)) {
      return;
    }
    entry.ranks = await unpackedBytes(entry.map);
    entry.drawnRanks = component.drawn(entry.ranks, Math.min);
    methods.push(entry);
    this.buildGrid();
    await component.choose({ method: methods.length - 1 });
  }

  buildGrid() {
    this.component.find("grid").replaceChildren();
    this.component.buildGrid();
  }

  showState(state) {
    const isThere = this.component !== null;
    const isGuessing = isThere && state.guess === null;
    fillOptions(this.find("clips"), state.clips.map((name, number) => [number, name]));
    this.find("clips").value = state.number ?? "";
    this.find("next").disabled = state.clips.length < 2;
    this.find("guess").hidden = !isGuessing;
    this.find("question").hidden = !isThere || isGuessing;
    this.find("tools").hidden = !isThere || isGuessing;
    this.root.classList.toggle("guessing", isGuessing);
    this.showLabels(state.labels);
    this.showGuess(state);
    this.showMethods(state.methods);
    this.showQuestion(state);
    this.showScore(state.quiz);
    this.showWait(state.methods, isThere);
    this.find("pins").textContent = state.pins ? `${state.pins} pinned` : "";
    if (isThere) {
      this.showLayers();
    }
  }

  /** Without the mask while a person guesses: it could tell. */
  showLayers() {
    const { component } = this;
    const isHidden = this.isGuessing || this.root.classList.contains("quizzing");
    const { layers } = component.stage;
    for (const box of component.root.querySelectorAll("[data-layer]")) {
      layers[box.dataset.layer] = box.checked && !isHidden;
    }
    component.stage.redraw();
  }

  showWait(methods, isThere) {
    const running = methods.find(({ state }) => state === "running");
    const failed = methods.find(({ state }) => state === "failed");
    let text = "";
    if (!isThere && running) {
      text = `Computing ${running.title}: ${progressText(running)}`;
    } else if (failed) {
      text = `${failed.title}: ${failed.text}`;
    }
    this.find("wait").textContent = text;
  }

  showLabels(labels) {
    const key = JSON.stringify(labels);
    if (key === this.labels) {
      return;
    }
    this.labels = key;
    const place = this.find("labels");
    if (labels.length <= MOST_BUTTONS) {
      place.replaceChildren(...labels.map((label) => this.guessButton(spoken(label), label)));
    } else {
      const choice = document.createElement("select");
      choice.setAttribute("aria-label", "Class");
      fillOptions(choice, labels.map((label) => [label, spoken(label)]));
      const button = button_("Guess", () => this.link.request("guess", { label: choice.value }));
      place.replaceChildren(choice, button);
    }
    place.append(this.guessButton("Show me, without a guess", null));
  }

  guessButton(text, label) {
    return button_(text, () => this.link.request("guess", { label }));
  }

  showGuess({ guess, guesses, clip }) {
    const place = this.find("guessed");
    if (guess === null || this.component === null) {
      place.textContent = "";
      return;
    }
    const heard = `The classifier hears ${spoken(guess.predicted)} (p ${shortP(guess.p)})`;
    const said = guess.label === null ? "" : `, you heard ${spoken(guess.label)}`;
    const truth = guess.truth ? `; ${clip} is labelled ${spoken(guess.truth)}` : `: ${clip}`;
    const count = guesses[1] ? ` You agreed with it ${guesses[0]} of ${guesses[1]} times.` : "";
    place.textContent = `${heard}${said}${truth}.${count}`;
  }

  showMethods(methods) {
    const focused = document.activeElement?.dataset?.method;
    this.find("methods").replaceChildren(...methods.map((method) => this.chip(method)));
    this.find("methods").querySelector(`[data-method="${focused}"]`)?.focus();
  }

  /** A method: not computed, or its progress with a way to cancel it, or to show it. */
  chip(method) {
    const chip = document.createElement("span");
    const isOpen = ["waiting", "running"].includes(method.state);
    chip.className = `chip ${method.state}`;
    const note = BETWEEN_STATES[method.state] ?? "";
    const text = note ? `${method.title} (${note})` : method.title;
    const main = button_(text, () => this.chooseMethod(method));
    main.dataset.method = method.name;
    main.disabled = isOpen;
    main.title = method.text;
    chip.append(main);
    if (isOpen) {
      const bar = document.createElement("progress");
      bar.setAttribute("aria-label", `${method.title}: ${progressText(method)}`);
      bar.title = progressText(method);
      if (method.total) {
        bar.max = method.total;
        bar.value = method.done;
      }
      const stop = button_("×", () => this.link.request("cancel", { method: method.name }));
      stop.setAttribute("aria-label", `Cancel ${method.title}`);
      chip.append(bar, stop);
    }
    return chip;
  }

  chooseMethod({ name, state }) {
    const number = this.component.data.methods.findIndex((method) => method.name === name);
    if (state === "done" && number >= 0) {
      return this.component.choose({ method: number });
    }
    return this.link.request("explain", { method: name });
  }

  showQuestion({ labels, target, against, guess }) {
    const named = labels.map((label) => [label, spoken(label)]);
    const predicted = guess ? ` (${spoken(guess.predicted)})` : "";
    fillOptions(this.find("target"), [["", `what it predicts${predicted}`], ...named]);
    fillOptions(this.find("against"), [["", "all others"], ...named]);
    this.find("target").value = target ?? "";
    this.find("against").value = against ?? "";
  }

  async ask() {
    const [target, against] = ["target", "against"].map((name) => this.find(name).value || null);
    if (!(await this.link.request("ask", { target, against }))) {
      this.showQuestion(this.link.state);
    }
  }

  listen() {
    const on = (name, type, act) => this.find(name).addEventListener(type, act);
    const { link } = this;
    on("clips", "change", () => this.open(Number(this.find("clips").value)));
    on("next", "click", () => this.open(((link.state.number ?? -1) + 1) % link.state.clips.length));
    on("upload", "change", (event) => this.upload(event.target.files[0]));
    on("record", "click", () => this.record());
    on("target", "change", () => this.ask());
    on("against", "change", () => this.ask());
    on("draw", "click", () => this.setDrawing(!this.root.classList.contains("drawing")));
    on("keep", "click", () => this.sendBox(true));
    on("remove", "click", () => this.sendBox(false));
    on("quiz", "click", () => this.playQuiz());
    on("pin", "click", () => this.pin());
    on("export", "click", () => this.export());
    for (const button of this.root.querySelectorAll("[data-answer]")) {
      button.addEventListener("click", () => this.answer(button.dataset.answer));
    }
    for (const edge of this.root.querySelectorAll("[data-edge]")) {
      edge.addEventListener("change", () => this.readEdges());
    }
    document.addEventListener("keydown", (event) => this.holdKeys(event), true);
  }

  /** Keys must not show what a person is to guess. */
  holdKeys(event) {
    const isQuiz = this.root.classList.contains("quizzing");
    const tells = ["2", "3", "4", "ArrowUp", "ArrowDown"].includes(event.key);
    const isField = event.target.matches("input, select");
    if (!isField && ((this.isGuessing && tells) || (isQuiz && (tells || event.key === "1")))) {
      event.stopImmediatePropagation();
    }
  }

  open(number) {
    this.forget();
    return this.link.request("open", { number });
  }

  /** The clip that is shown is not the one that comes. */
  forget() {
    if (playingNow) {
      playingNow.pause();
    }
    this.endQuiz();
    this.setDrawing(false);
    this.component = null;
    this.box = null;
    this.find("place").replaceChildren();
    this.find("box").textContent = "";
    this.showState(this.link.state);
  }

  async upload(file) {
    if (!file) {
      return;
    }
    if (file.size > LARGEST_UPLOAD) {
      const size = (file.size / 1e6).toFixed(1);
      this.trouble(`${file.name} has ${size} MB; up to 9 MB can be sent. Give its path to explore().`);
      return;
    }
    await this.send("upload", { name: file.name }, await file.arrayBuffer());
    this.find("upload").value = "";
  }

  /** Send a sound to the kernel; if it can be read, the clip before it goes. */
  async send(kind, values, buffer) {
    const { sections } = this;
    const answer = await this.link.request(kind, values, [buffer]);
    // A quick network may have explained it before its answer is read here.
    if (answer !== null && sections === this.sections) {
      this.forget();
    }
  }

  async record() {
    if (this.recorder) {
      this.recorder.stop();
      return;
    }
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      this.trouble(`No microphone: ${error.message}`);
      return;
    }
    const pieces = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.ondataavailable = ({ data }) => pieces.push(data);
    this.recorder.onstop = () => this.recorded(stream, new Blob(pieces));
    this.recorder.start();
    setTimeout(() => this.recorder?.state === "recording" && this.recorder.stop(), LONGEST_RECORDING);
    this.showRecording("Stop recording");
  }

  showRecording(text) {
    this.find("record").textContent = text;
    this.find("record").setAttribute("aria-pressed", this.recorder !== null);
  }

  async recorded(stream, blob) {
    stream.getTracks().forEach((track) => track.stop());
    this.recorder = null;
    this.showRecording("Record");
    let decoded;
    try {
      decoded = await sharedContext().decodeAudioData(await blob.arrayBuffer());
    } catch {
      this.trouble("The recording holds no sound: record for a second or more.");
      return;
    }
    const samples = decoded.getChannelData(0).slice();
    await this.send("record", { rate: decoded.sampleRate }, samples.buffer);
  }

  /** A layer over the picture that takes the pointer while a box is drawn. */
  addDrawing() {
    const canvas = this.component.find("stage");
    const place = document.createElement("div");
    const layer = document.createElement("div");
    place.className = "stage-place";
    layer.className = "drawing-layer";
    canvas.replaceWith(place);
    place.append(canvas, layer);
    let from = null;
    const point = (event) => {
      const box = layer.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    layer.addEventListener("pointerdown", (event) => {
      from = point(event);
      layer.setPointerCapture(event.pointerId);
    });
    layer.addEventListener("pointermove", (event) => from && this.setBox(this.cells(from, point(event))));
    layer.addEventListener("pointerup", (event) => {
      this.setBox(this.cells(from, point(event)));
      from = null;
      this.setDrawing(false);
      this.sendBox(true);
    });
    layer.addEventListener("pointercancel", () => (from = null));
  }

  setDrawing(isOn) {
    this.root.classList.toggle("drawing", isOn);
    this.find("draw").setAttribute("aria-pressed", isOn);
  }

  /** The bins and frames between two points of the picture, at least one of each. */
  cells([x1, y1], [x2, y2]) {
    const { left, width, height } = this.component.stage.plot;
    const { bins, frames } = this.component.data.grid;
    const between = (low, high, count) => {
      const first = Math.min(Math.max(Math.floor(low * count), 0), count - 1);
      return [first, Math.min(Math.max(Math.ceil(high * count), first + 1), count)];
    };
    return {
      bins: between(1 - Math.max(y1, y2) / height, 1 - Math.min(y1, y2) / height, bins),
      frames: between((Math.min(x1, x2) - left) / width, (Math.max(x1, x2) - left) / width, frames),
    };
  }

  setBox(box) {
    this.box = box;
    const { seconds, grid } = this.component.data;
    const [low, high] = box.bins;
    const [start, end] = box.frames;
    const values = {
      start: ((start / grid.frames) * seconds).toFixed(3),
      end: ((end / grid.frames) * seconds).toFixed(3),
      low: Math.round(grid.frequencies[low]),
      high: Math.round(grid.frequencies[high - 1]),
    };
    for (const edge of this.root.querySelectorAll("[data-edge]")) {
      edge.value = values[edge.dataset.edge];
    }
    this.drawBox();
  }

  /** Read the box from its edges, which are seconds and the middles of the outer bins. */
  readEdges() {
    const { seconds, grid } = this.component.data;
    const values = {};
    for (const edge of this.root.querySelectorAll("[data-edge]")) {
      values[edge.dataset.edge] = edge.value === "" ? NaN : Number(edge.value);
    }
    const { start, end, low, high } = values;
    if ([start, end, low, high].some(Number.isNaN)) {
      return;
    }
    const frame = (time, round) => round(Number(((time / seconds) * grid.frames).toFixed(2)));
    const inside = grid.frequencies.map((hertz) => hertz >= low - 0.5 && hertz <= high + 0.5);
    const first = inside.indexOf(true);
    this.box = {
      bins: first < 0 ? [0, 0] : [first, inside.lastIndexOf(true) + 1],
      frames: [frame(start, Math.floor), frame(end, Math.ceil)],
    };
    this.drawBox();
  }

  drawBox() {
    const place = this.component.root.querySelector(".drawing-layer");
    const { bins, frames } = this.component.data.grid;
    const { bins: [low, high], frames: [start, end] } = this.box;
    const drawn = document.createElement("div");
    drawn.className = "drawn-box";
    const along = (share) => `calc(${LEFT}px + (100% - ${LEFT}px) * ${share})`;
    drawn.style.left = along(start / frames);
    drawn.style.width = `calc((100% - ${LEFT}px) * ${(end - start) / frames})`;
    drawn.style.top = `calc((100% - ${BOTTOM}px) * ${1 - high / bins})`;
    drawn.style.height = `calc((100% - ${BOTTOM}px) * ${(high - low) / bins})`;
    place.replaceChildren(drawn);
  }

  /** Ask the kernel for p of the box, or of all but the box, and let it be heard. */
  async sendBox(isKept) {
    if (this.box === null) {
      this.trouble("There is no box yet: draw one, or give its edges.");
      return;
    }
    const asked = performance.now();
    const values = { ...this.box, is_kept: isKept, method: this.component.state.method };
    const { component } = this;
    const answer = await this.link.request("box", values);
    if (answer === null || component !== this.component) {
      return;
    }
    const milliseconds = Math.round(performance.now() - asked);
    await this.showBox(answer);
    const { pKept, pRemoved } = answer.entry;
    const parts = isKept ? ["the box", "the rest"] : ["all but the box", "the box"];
    this.find("box").textContent =
      `p of ${parts[0]} ${shortP(pKept)}, of ${parts[1]} ${shortP(pRemoved)} ` +
      `(answered in ${milliseconds} ms). Kept and Removed play them.`;
    this.find("box").dataset.milliseconds = milliseconds;
  }

  async showBox({ entry, method }) {
    const { component } = this;
    const { data, sounds, state } = component;
    state.cell = null;
    for (const each of data.methods) {
      each.named = each.named.filter(({ name }) => !BOXES.includes(name));
    }
    data.methods[method].named.push(entry);
    // The sounds of the box before it have the same keys.
    sounds?.drop();
    for (const key of [...(sounds?.kept.keys() ?? [])]) {
      if (key.includes(" named ")) {
        sounds.kept.delete(key);
      }
    }
    this.buildGrid();
    await component.choose({ method, cell: data.methods[method].named.length - 1 });
    await component.setPart("kept");
  }

  /** The box as it is now known, compared with random masks. */
  compared({ entry, method }) {
    const { component } = this;
    const named = component.data.methods[method]?.named ?? [];
    const shown = named.find(({ name, map }) => name === entry.name && map === entry.map);
    if (shown) {
      const { verdict, details, asGood, compared, isAhead } = entry;
      Object.assign(shown, { verdict, details, asGood, compared, isAhead });
      this.buildGrid();
      component.showNumbers();
    }
  }

  async playQuiz() {
    const answer = await this.link.request("quiz");
    if (answer === null) {
      return;
    }
    const { component } = this;
    this.root.classList.add("quizzing");
    this.showLayers();
    this.setAnswers(true);
    component.state.cell = null;
    component.showMask();
    this.wasMatched = component.matchesLoudness;
    component.matchesLoudness = true;
    await component.setPart(answer.part);
    component.player.seek(0);
    component.player.play();
  }

  async answer(part) {
    const answer = await this.link.request("answer", { part });
    this.endQuiz();
    if (answer !== null) {
      const was = answer.part === "kept" ? "the method's" : "the random mask's";
      this.find("score").textContent =
        `${answer.isRight ? "Right" : "Wrong"}: it was ${was}. ${scoreText(this.link.state.quiz)}`;
    }
  }

  endQuiz() {
    if (this.root.classList.contains("quizzing")) {
      this.root.classList.remove("quizzing");
      this.setAnswers(false);
      this.component.player.pause();
      this.component.matchesLoudness = this.wasMatched;
      this.component.setPart("original");
      this.showLayers();
    }
  }

  setAnswers(isOpen) {
    for (const button of this.root.querySelectorAll("[data-answer]")) {
      button.disabled = !isOpen;
    }
  }

  showScore(quiz) {
    const place = this.find("score");
    if (!place.textContent && quiz[1]) {
      place.textContent = scoreText(quiz);
    }
  }

  async pin() {
    const { method, number, cell } = this.component.state;
    const answer = await this.link.request("pin", { method, number, cell });
    if (answer !== null) {
      this.find("line").textContent = answer.line;
      this.find("line").hidden = false;
    }
  }

  async export() {
    const answer = await this.link.request("export");
    if (answer !== null) {
      saveFile("explored.html", new Blob([answer.html], { type: "text/html" }));
    }
  }
}

function button_(text, act) {
  const button = element("button", text);
  button.type = "button";
  button.addEventListener("click", act);
  return button;
}

function fillOptions(select, options) {
  const key = JSON.stringify(options);
  if (select.dataset.options !== key) {
    select.dataset.options = key;
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  }
}

function spoken(label) {
  return label.replaceAll("_", " ");
}

function progressText({ stage, done, total }) {
  const count = total ? `, ${done} of ${total}` : done ? `, ${done} calls` : "";
  return `${stage || "waits for the method before it"}${count}`;
}

function scoreText([right, asked]) {
  return `${right} of ${asked} right; guessing gets about half.`;
}

/** Called by the widget when the page has loaded. */
function audiointerpExplore(link) {
  const explore = new Explore(document.querySelector("[data-explore]"), link);
  window.explore = explore;
  explore.start();
}
