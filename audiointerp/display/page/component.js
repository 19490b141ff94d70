"use strict";

/*
 * One clip of a page: its state, and what each control does to it. The state is a method, a mask
 * (a share of the slider, or a named mask of the grid) and the part that is heard.
 */

const PARTS = ["original", "kept", "removed", "random"];
const STEP = 0.1;
const NOT_JUDGED = { verdict: "Not judged: p was not computed for this share.", details: "" };
let lastUsed = null;
/** The clip whose sound was asked for and is still being made. */
let waiting = null;

class ClipComponent {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.state = { method: 0, cell: null, number: data.start.number, part: "original" };
    this.matchesLoudness = false;
  }

  find(name) {
    return this.root.querySelector(`[data-${name}]`);
  }

  async start() {
    const { data } = this;
    const [levels, lifting, fillGain] = await Promise.all([
      unpackedBytes(data.grid.levels),
      data.grid.lifting === null ? null : unpackedFloats(data.grid.lifting),
      unpackedGain(data.fillGain),
    ]);
    this.fillGain = fillGain;
    for (const method of data.methods) {
      if (typeof method.shares === "string") {
        method.shares = await unpackedJson(method.shares);
      }
      method.ranks = await unpackedBytes(method.map);
      method.drawnRanks = this.drawn(method.ranks, Math.min);
    }
    this.random = await unpackedBytes(data.random.map);
    this.stage = new Stage(this.find("stage"), {
      ...data.grid,
      levels,
      seconds: data.seconds,
      shares: data.shares,
    });
    this.player = new Player(data.seconds, () => this.showTransport());
    this.chart = new ShareChart(this.find("chart"), data.shares);
    await this.openSounds(lifting);
    this.buildGrid();
    this.listen();
    this.root.classList.add("ready");
    this.find("explorer").hidden = false;
    await this.choose(data.start);
    await this.showPart();
    this.showTransport();
    this.root.dataset.started = "";
  }

  /** Decode the clip, which is in the page once; a copy may have been made without sounds. */
  async openSounds(lifting) {
    const { data } = this;
    const element = this.find("original");
    const source = element && element.getAttribute("src");
    if (!source || !source.startsWith("data:")) {
      this.problem("The sound was left out of this copy; make the page again to hear it.");
      this.sounds = null;
      return;
    }
    const bytes = Uint8Array.from(atob(source.split(",")[1]), (letter) => letter.charCodeAt(0));
    const { sound } = data;
    const context = new OfflineAudioContext(sound.channels, sound.length, sound.sampleRate);
    const decoded = await context.decodeAudioData(bytes.buffer);
    const channels = Array.from({ length: sound.channels }, (_, number) => {
      const samples = new Float32Array(sound.length);
      samples.set(decoded.getChannelData(number).subarray(0, sound.length));
      return samples.map((sample) => sample * sound.scale);
    });
    const framing = { ...sound.framing, window: await unpackedFloats(sound.framing.window) };
    const { bins: bands, frames, stftBins } = data.grid;
    const { place, isLimited } = sound;
    const matrix = lifting && sparse(lifting, bands);
    const grid = { bands, frames, stftBins, lifting: matrix, place, isLimited };
    this.sounds = new PartSounds(channels, framing, grid, (share) => this.showProgress(share));
  }

  /** A sound of some seconds is there at once; of a long one, say how far it is. */
  showProgress(share) {
    if (share > 0) {
      this.find("gain").textContent = `making this sound: ${Math.round(100 * share)} %`;
    }
  }

  problem(text) {
    this.find("problem").textContent = text;
  }

  /** A map of the grid on the columns that are drawn, which are fewer for a long clip. */
  drawn(map, better) {
    const { bins, frames, columns } = this.data.grid;
    if (columns === frames) {
      return map;
    }
    const size = Math.ceil(frames / columns);
    const drawn = new Uint8Array(bins * columns).fill(better(0, 255) === 0 ? 255 : 0);
    for (let place = 0; place < map.length; place++) {
      const column = Math.floor((place % frames) / size);
      const target = Math.floor(place / frames) * columns + column;
      drawn[target] = better(drawn[target], map[place]);
    }
    return drawn;
  }

  get method() {
    return this.data.methods[this.state.method];
  }

  /** Choose a cell {method, cell} of the grid, or a share {method, number}. */
  async choose({ method, cell = null, number = null }) {
    const { state } = this;
    state.method = method ?? state.method;
    state.cell = cell;
    if (cell !== null) {
      await this.loadNamed(this.method.named[cell]);
    }
    state.number = number ?? state.number;
    this.showMask();
    this.showNumbers();
    if (state.part !== "original") {
      await this.showPart();
    }
  }

  async loadNamed(named) {
    if (named.mask) {
      return;
    }
    if (named.kind === "binary") {
      named.mask = await unpackedBytes(named.map);
    } else {
      [named.kept, named.removed] = await Promise.all([
        unpackedGain(named.keptGain),
        unpackedGain(named.removedGain),
      ]);
      named.mask = await unpackedBytes(named.map);
    }
    named.drawnMask = this.drawn(named.mask, Math.max);
  }

  get named() {
    return this.state.cell === null ? null : this.method.named[this.state.cell];
  }

  gainOf(part) {
    const { named } = this;
    const { number } = this.state;
    if (part === "random") {
      return gainOfMask(maskOfShare(this.random, number), false, this.fillGain);
    }
    if (named && named.kind === "soft") {
      return part === "kept" ? named.kept : named.removed;
    }
    const mask = named ? named.mask : maskOfShare(this.method.ranks, number);
    return gainOfMask(mask, part === "removed", this.fillGain);
  }

  /** The channels of a part of the present mask; null if another is asked for before it is there. */
  async samples(part) {
    if (part === "original") {
      this.sounds.drop();
      return this.sounds.channels;
    }
    const { method, cell, number } = this.state;
    const mask = part === "random" ? `random ${number}` : `${method} ${cell ?? number}`;
    const key = `${mask} ${cell === null ? "share" : "named"} ${part}`;
    return this.sounds.get(key, () => this.gainOf(part));
  }

  /** Let the transport play the chosen part, at the position where it is. */
  showPart() {
    this.partIsThere = this.loadPart();
    return this.partIsThere;
  }

  async loadPart() {
    this.showButtons();
    if (!this.sounds) {
      return;
    }
    const asked = JSON.stringify(this.state);
    const channels = await this.samples(this.state.part);
    if (!channels || asked !== JSON.stringify(this.state)) {
      return;
    }
    const level = rootMeanSquare(this.sounds.channels);
    const isMatched = this.matchesLoudness && this.state.part !== "original";
    const gain = isMatched ? matchingGain(channels, level) : 0;
    this.player.load(channels, this.data.sound.sampleRate, gain ?? 0);
    const isSilent = rootMeanSquare(channels) === 0;
    const text = isSilent ? "this part is silent" : isMatched ? `${signed(gain)} dB` : "";
    this.find("gain").textContent = text;
  }

  /** Play the chosen part as soon as it is made, and nothing before it; or pause. */
  async togglePlay() {
    if (this.player.isPlaying || waiting === this) {
      waiting = null;
      this.player.pause();
      return;
    }
    waiting = this;
    // A browser lets a sound start only at once after a click or a key.
    sharedContext().resume();
    let awaited = null;
    while (awaited !== this.partIsThere) {
      awaited = this.partIsThere;
      await awaited;
    }
    if (waiting === this) {
      waiting = null;
      await this.player.play();
    }
  }

  setPart(part) {
    this.state.part = part;
    return this.showPart();
  }

  setShare(number) {
    const last = this.data.shares.length - 1;
    return this.choose({ number: Math.min(Math.max(number, 0), last) });
  }

  showButtons() {
    for (const button of this.root.querySelectorAll("[data-part]")) {
      button.setAttribute("aria-pressed", button.dataset.part === this.state.part);
    }
  }

  showMask() {
    const { named } = this;
    const { drawnRanks } = this.method;
    const mask = named ? named.drawnMask : maskOfShare(drawnRanks, this.state.number);
    this.stage.show(mask, drawnRanks);
  }

  /** What is known of the present mask: the verdict in words, p, the random masks. */
  get judged() {
    const { start } = this.data;
    const { number } = this.state;
    const isAsked = this.state.method === start.method && number === start.number;
    return this.named ?? this.method.shares[number] ?? (isAsked ? start.judged : NOT_JUDGED);
  }

  /** What is shown: method, mask, and the layer that the method looked at. */
  about() {
    const { title, layer } = this.method;
    const percentage = Number((100 * this.data.shares[this.state.number]).toFixed(4));
    const mask = this.named ? this.named.name : `topK_${percentage}`;
    return `${title}, mask ${mask}${layer ? `, ${layer}` : ""}`;
  }

  showNumbers() {
    const { method, judged } = this;
    const { number } = this.state;
    this.find("verdict").firstElementChild.replaceChildren(...unbroken(judged.verdict));
    this.find("details").replaceChildren(...unbroken(judged.details));
    this.find("about").textContent = this.about();
    const share = `${Math.round(100 * this.data.shares[number])} %`;
    this.find("share").textContent = this.named ? `${share} (shown: mask ${this.named.name})` : share;
    const slider = this.find("keep");
    slider.value = number;
    slider.setAttribute("aria-valuetext", share);
    this.find("chart").classList.toggle("empty", method.shares.length === 0);
    this.find("compared").textContent = this.comparedText();
    if (method.shares.length) {
      const kept = method.shares.map((each) => each.pKept);
      const removed = method.shares.map((each) => each.pRemoved);
      const ranges = method.shares.map((each) => each.moreRandom);
      this.chart.show({ kept, removed, ranges }, this.data.random.p, number);
    }
    for (const button of this.root.querySelectorAll("[data-cell]")) {
      const [row, cell] = button.dataset.cell.split(",");
      const isNamed = this.state.cell !== null;
      const column = isNamed ? `n${this.state.cell}` : `s${number}`;
      const isPressed = Number(row) === this.state.method && cell === column;
      button.setAttribute("aria-pressed", isPressed);
    }
  }

  /** How many random masks stand behind the chart: a few at each share, more at the asked one. */
  comparedText() {
    const { data, method } = this;
    const few = data.random.p.length ? data.random.p[0].length : 0;
    const number = method.shares.findIndex((each) => each.moreRandom);
    if (number < 0) {
      return `of parts that ${few} random masks keep`;
    }
    const share = Math.round(100 * data.shares[number]);
    const { compared } = method.shares[number];
    const bar = `the bar is of ${compared}, at ${share}\u00a0%`;
    return `of parts that random masks keep: ${few} at each share; ${bar}`;
  }

  buildGrid() {
    const { data } = this;
    const table = this.find("grid");
    const columns = gridColumns(data);
    const head = table.createTHead().insertRow();
    head.append(element("th", "method"), ...columns.map(({ title }) => element("th", title)));
    const body = table.createTBody();
    data.methods.forEach((method, row) => {
      const line = body.insertRow();
      line.append(element("th", method.title));
      for (const { name, number } of columns) {
        const cell = method.named.findIndex((each) => each.name === name);
        const place = cell >= 0 ? { method: row, cell } : { method: row, number };
        const isStart = row === data.start.method && number === data.start.number;
        const ofShare = method.shares[number] ?? (isStart ? data.start.judged : null);
        const judged = cell >= 0 ? method.named[cell] : ofShare;
        const code = cell >= 0 ? `n${cell}` : `s${number}`;
        const box = line.insertCell();
        if (judged && (cell >= 0 || number >= 0)) {
          box.append(this.gridButton(method, name, judged, place, `${row},${code}`));
        }
      }
    });
  }

  gridButton(method, name, judged, place, code) {
    const button = element("button", shortP(judged.pKept));
    button.type = "button";
    button.dataset.cell = code;
    button.style.setProperty("--p", judged.pKept);
    button.classList.toggle("hatched", !judged.isAhead);
    button.title = judged.verdict;
    button.setAttribute("aria-label", `${method.title}, ${name}: ${judged.verdict} Load it.`);
    button.addEventListener("click", () => this.choose(place));
    return button;
  }

  listen() {
    const { root, stage, player, data } = this;
    root.addEventListener("pointerdown", () => (lastUsed = this));
    root.addEventListener("focusin", () => (lastUsed = this));
    this.find("play").addEventListener("click", () => this.togglePlay());
    for (const button of root.querySelectorAll("[data-part]")) {
      button.addEventListener("click", () => this.setPart(button.dataset.part));
    }
    for (const box of root.querySelectorAll("[data-layer]")) {
      box.addEventListener("change", () => {
        stage.layers[box.dataset.layer] = box.checked;
        stage.redraw();
      });
    }
    this.find("loop").addEventListener("change", (event) => this.setLoop(event.target.checked));
    this.find("match").addEventListener("change", (event) => {
      this.matchesLoudness = event.target.checked;
      this.showPart();
    });
    this.root.querySelector("[data-part=random]").hidden = data.random.p.length === 0;
    const slider = this.find("keep");
    slider.max = data.shares.length - 1;
    slider.addEventListener("input", () => this.setShare(Number(slider.value)));
    stage.listen({
      onSeek: (time) => player.seek(time),
      onLoop: (loop) => this.loopFromTo(loop),
      onHover: (cell, time) => this.showHover(cell, time),
    });
    for (const button of root.querySelectorAll("[data-save]")) {
      button.addEventListener("click", () => this.save(button.dataset.save));
    }
  }

  loopFromTo(loop) {
    this.player.setLoop(loop);
  }

  setLoop(isOn) {
    this.player.setLoop(isOn ? (this.stage.selection ?? [0, this.data.seconds]) : null);
  }

  key(event) {
    const { player } = this;
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    const change = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const part = PARTS[Number(event.key) - 1];
    const isThere = part && (part !== "random" || this.data.random.p.length > 0);
    if (event.key === " ") {
      this.togglePlay();
    } else if (isThere) {
      this.setPart(part);
    } else if (step) {
      player.seek(player.now() + step);
    } else if (change) {
      this.setShare(this.state.number + change);
    } else if (event.key.toLowerCase() === "l") {
      this.setLoop(player.loop === null);
    } else {
      return;
    }
    event.preventDefault();
  }

  showHover(cell, time) {
    const output = this.find("hover");
    if (cell === null) {
      output.textContent = "Click: go there. Drag: repeat that part.";
      return;
    }
    const { grid, shares } = this.data;
    const place = cell.bin * grid.columns + cell.column;
    const level = grid.low + (this.stage.clip.levels[place] / 255) * (grid.high - grid.low);
    const rank = this.method.drawnRanks[place];
    const percent = Math.round(100 * shares[rank]);
    const top = rank < shares.length ? `in the top ${percent}\u00a0%` : "lowest";
    const decibels = `${Math.round(level)} dB`.replace("-", "−");
    const hertz = Math.round(grid.frequencies[cell.bin]);
    output.textContent =
      `${time.toFixed(2)} s · ${hertz} Hz · ${decibels} · attribution ${top}`;
  }

  showTransport() {
    const { player, stage } = this;
    stage.selection = player.loop && player.loop[1] - player.loop[0] < this.data.seconds
      ? player.loop
      : null;
    this.find("loop").checked = player.loop !== null;
    const button = this.find("play");
    button.setAttribute("aria-label", player.isPlaying ? "Pause" : "Play");
    button.firstElementChild.textContent = player.isPlaying ? "❚❚" : "▶";
    this.showTime();
    if (player.isPlaying) {
      this.follow();
    }
  }

  showTime() {
    const time = this.player.now();
    const text = `${time.toFixed(2)} of ${this.data.seconds.toFixed(2)} s`;
    this.stage.drawPlayhead(time);
    this.find("time").textContent = text;
    const canvas = this.find("stage");
    canvas.setAttribute("aria-valuemax", this.data.seconds);
    canvas.setAttribute("aria-valuenow", time.toFixed(2));
    canvas.setAttribute("aria-valuetext", text);
  }

  /** Move the playhead with the sound, as often as the screen is drawn. */
  follow() {
    this.showTime();
    if (this.player.isPlaying && !this.isFollowing) {
      this.isFollowing = true;
      requestAnimationFrame(() => {
        this.isFollowing = false;
        this.follow();
      });
    }
  }

  async save(kind) {
    const name = this.data.clip || "clip";
    const stem = name.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "_");
    if (kind === "wav" && this.sounds) {
      const { part, number } = this.state;
      const share = Math.round(100 * this.data.shares[number]);
      const mask = this.named && part !== "random" ? this.named.name : `${share}_percent`;
      const what = part === "original" ? part : `${part}_${this.method.name}_${mask}`;
      const channels = await this.samples(part);
      if (channels) {
        saveFile(`${stem}_${what}.wav`, wavFile(channels, this.data.sound.sampleRate));
      }
    } else if (kind === "json") {
      const text = JSON.stringify(numbersOf(this.data), null, 1);
      saveFile(`${stem}.json`, new Blob([text], { type: "application/json" }));
    } else if (kind === "csv") {
      saveFile(`${stem}.csv`, new Blob([tableOf(this.data)], { type: "text/csv" }));
    }
  }
}

/** The masks of the grid: shares that every method has, then the named masks. */
function gridColumns(data) {
  const columns = [];
  for (const percentage of [5, 30, 50]) {
    const number = data.shares.findIndex((share) => Math.round(100 * share) === percentage);
    if (number >= 0) {
      columns.push({ name: `topK_${percentage}`, title: `top ${percentage}\u00a0%`, number });
    }
  }
  for (const { name } of data.methods.flatMap((method) => method.named)) {
    if (!columns.some((column) => column.name === name)) {
      columns.push({ name, title: name, number: -1 });
    }
  }
  return columns;
}

function numbersOf(data) {
  const methods = data.methods.map(({ name, shares, named }) => ({
    name,
    shares,
    named: named.map(({ name: mask, verdict, pKept, pRemoved }) => ({
      mask,
      verdict,
      pKept,
      pRemoved,
    })),
  }));
  const { clip, question, likeliest, shares, random, scores } = data;
  return { clip, question, likeliest, shares, random: random.p, methods, scores };
}

function tableOf(data) {
  const quoted = (text) => `"${String(text ?? "").replaceAll('"', '""')}"`;
  const lines = ["clip,explained,method,share,p_kept,p_removed,random_as_good,random"];
  for (const method of data.methods) {
    method.shares.forEach((each, k) => {
      const values = [data.shares[k], each.pKept, each.pRemoved, each.asGood, each.compared];
      const words = [data.clip, data.question, method.name].map(quoted);
      lines.push([...words, ...values].join(","));
    });
  }
  return `${lines.join("\n")}\n`;
}

/** The pieces of a text, where "(p .123)" stays on one line. */
function unbroken(text) {
  return text.split(/(\(p [^)]*\))/).map((piece) => {
    const span = element("span", piece);
    span.className = piece.startsWith("(p ") ? "unbroken" : "";
    return span;
  });
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function signed(decibels) {
  return decibels === null ? "+0.0" : `${decibels < 0 ? "−" : "+"}${Math.abs(decibels).toFixed(1)}`;
}

function saveFile(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
