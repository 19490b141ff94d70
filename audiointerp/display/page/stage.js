"use strict";

const LEFT = 46;
const BOTTOM = 22;
/** Width of the outline, in px, and the most of the picture that it may cover. */
const OUTLINE = 1.5;
const MOST_OUTLINE = 0.25;
const DRAGGED = 4;
const HZ_TICKS = [0, 100, 250, 500, 1000, 2000, 4000, 8000, 16000];
/* The colours of the levels, from silent to loud: magma at nine places. */
const COLOURS = [
  [0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122],
  [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191],
];

function colourOf(level) {
  const place = (level / 255) * (COLOURS.length - 1);
  const below = Math.min(Math.floor(place), COLOURS.length - 2);
  const share = place - below;
  return COLOURS[below].map((low, k) => low + share * (COLOURS[below + 1][k] - low));
}

/** The wide spectrogram of a clip with its layers, on a canvas that follows its box. */
class Stage {
  constructor(canvas, clip) {
    this.canvas = canvas;
    this.clip = clip;
    this.colours = Array.from({ length: 256 }, (_, level) => colourOf(level));
    this.picture = document.createElement("canvas");
    this.picture.width = clip.columns;
    this.picture.height = clip.bins;
    this.layers = { attribution: false, outline: true, dim: true };
    this.mask = null;
    this.ranks = null;
    this.pointer = null;
    this.selection = null;
    this.markup = document.createElement("canvas");
    new ResizeObserver(() => this.redraw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** Show another mask and map, both on the columns that are drawn. */
  show(mask, ranks) {
    this.mask = mask;
    this.ranks = ranks;
    this.redraw();
  }

  get plot() {
    const width = this.canvas.clientWidth - LEFT;
    return { left: LEFT, width, height: this.canvas.clientHeight - BOTTOM };
  }

  timeAt(x) {
    const { left, width } = this.plot;
    return (Math.min(Math.max(x - left, 0), width) / width) * this.clip.seconds;
  }

  xOf(time) {
    const { left, width } = this.plot;
    return left + (time / this.clip.seconds) * width;
  }

  /** The bin and the column under a point, or null beside the plot. */
  cellAt(x, y) {
    const { left, width, height } = this.plot;
    const column = Math.floor(((x - left) / width) * this.clip.columns);
    const bin = Math.floor((1 - y / height) * this.clip.bins);
    const isInside = column >= 0 && column < this.clip.columns && bin >= 0 && bin < this.clip.bins;
    return isInside ? { bin, column } : null;
  }

  redraw() {
    const scale = window.devicePixelRatio || 1;
    const { canvas } = this;
    if (canvas.clientWidth < LEFT + 10) {
      return;
    }
    for (const each of [canvas, this.markup]) {
      each.width = Math.round(canvas.clientWidth * scale);
      each.height = Math.round(canvas.clientHeight * scale);
    }
    this.paint();
    const context = this.markup.getContext("2d");
    context.scale(scale, scale);
    const { left, width, height } = this.plot;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.picture, left, 0, width, height);
    if (this.layers.outline && this.mask) {
      this.drawOutline(context);
    }
    this.drawAxes(context);
    this.drawPlayhead(this.time || 0);
  }

  /** One pixel for each bin: its level, dimmed where removed, and the attribution over it. */
  paint() {
    const { bins, columns, levels } = this.clip;
    const context = this.picture.getContext("2d");
    const image = context.createImageData(columns, bins);
    for (let bin = 0; bin < bins; bin++) {
      for (let column = 0; column < columns; column++) {
        const place = bin * columns + column;
        const pixel = 4 * ((bins - 1 - bin) * columns + column);
        image.data.set(this.pixel(place, levels[place]), pixel);
      }
    }
    context.putImageData(image, 0, 0);
  }

  pixel(place, level) {
    const isRemoved = this.layers.dim && this.mask && !this.mask[place];
    let colour = this.colours[level];
    if (isRemoved || this.layers.attribution) {
      // Grey, and never black: removed is not silent.
      const grey = isRemoved ? 118 + 0.4 * level : 0.75 * level;
      colour = [grey, grey, grey];
    }
    if (this.layers.attribution && this.ranks) {
      const strength = 0.85 * (1 - this.ranks[place] / this.clip.shares.length) ** 2;
      const [red, green, blue] = colour;
      colour = [
        red + strength * (255 - red),
        green + strength * (140 - green),
        blue + strength * (0 - blue),
      ];
    }
    return [...colour, 255];
  }

  drawOutline(context) {
    const { bins, columns } = this.clip;
    const { left, width, height } = this.plot;
    const [wide, high] = [width / columns, height / bins];
    const path = new Path2D();
    let length = 0;
    for (let bin = 0; bin < bins; bin++) {
      for (let column = 0; column < columns; column++) {
        const place = bin * columns + column;
        const [x, y] = [left + column * wide, height - bin * high];
        if (column > 0 && this.mask[place] !== this.mask[place - 1]) {
          path.moveTo(x, y);
          path.lineTo(x, y - high);
          length += high;
        }
        if (bin > 0 && this.mask[place] !== this.mask[place - columns]) {
          path.moveTo(x, y);
          path.lineTo(x + wide, y);
          length += wide;
        }
      }
    }
    // Of a mask in many pieces the line is thin, or it would hide the picture.
    const line = Math.min(OUTLINE, (MOST_OUTLINE * width * height) / (length + 1));
    if (line === OUTLINE) {
      context.strokeStyle = "rgba(0, 0, 0, 0.6)";
      context.lineWidth = OUTLINE + 2;
      context.stroke(path);
    }
    context.strokeStyle = "#5ff0ff";
    context.lineWidth = line;
    context.stroke(path);
  }

  drawAxes(context) {
    const style = getComputedStyle(this.canvas);
    const { left, width, height } = this.plot;
    context.fillStyle = style.color;
    context.strokeStyle = style.color;
    // "500 Hz" is as wide as the margin.
    context.font = `11px ${style.fontFamily}`;
    context.textAlign = "right";
    context.textBaseline = "middle";
    let lowest = height + 20;
    for (const hertz of HZ_TICKS) {
      const bin = this.binOf(hertz);
      const y = height - ((bin + 0.5) / this.clip.bins) * height;
      if (bin !== null && lowest - y > 16) {
        const text = hertz >= 1000 ? `${hertz / 1000} kHz` : `${hertz} Hz`;
        context.fillText(text, left - 6, Math.max(7, Math.min(y, height - 6)));
        lowest = y;
      }
    }
    context.textBaseline = "top";
    const step = niceStep(this.clip.seconds / Math.max(2, Math.floor(width / 90)));
    for (let time = 0; time <= this.clip.seconds * 1.0001; time += step) {
      const x = this.xOf(time);
      const isLast = time + step > this.clip.seconds * 1.0001;
      context.textAlign = time === 0 ? "left" : isLast && x > left + width - 20 ? "right" : "center";
      context.fillText(`${Number(time.toFixed(3))} s`, x, height + 6);
      context.fillRect(Math.min(x, left + width - 1), height, 1, 4);
    }
  }

  /** The place of a frequency among the bins, which need not be evenly spaced. */
  binOf(hertz) {
    const { frequencies } = this.clip;
    const above = frequencies.findIndex((centre) => centre >= hertz);
    if (above < 0 || (above === 0 && frequencies[0] > hertz)) {
      return null;
    }
    if (above === 0) {
      return 0;
    }
    const [low, high] = [frequencies[above - 1], frequencies[above]];
    return above - 1 + (hertz - low) / (high - low);
  }

  drawPlayhead(time) {
    this.time = time;
    const scale = window.devicePixelRatio || 1;
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.markup, 0, 0);
    context.scale(scale, scale);
    const { height } = this.plot;
    if (this.selection) {
      const [start, end] = this.selection.map((edge) => this.xOf(edge));
      context.fillStyle = "rgba(255, 255, 255, 0.25)";
      context.fillRect(start, 0, end - start, height);
      context.fillStyle = "#ffffff";
      context.fillRect(start - 1, 0, 2, height);
      context.fillRect(end - 1, 0, 2, height);
    }
    const x = this.xOf(time);
    context.fillStyle = "rgba(0, 0, 0, 0.6)";
    context.fillRect(x - 2, 0, 4, height);
    context.fillStyle = "#ffffff";
    context.fillRect(x - 1, 0, 2, height);
  }

  /** Report clicks as onSeek(time) and drags as onLoop([start, end]), hovers as onHover(cell). */
  listen({ onSeek, onLoop, onHover }) {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let start = null;
    canvas.addEventListener("pointerdown", (event) => {
      start = place(event)[0];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = place(event);
      onHover(this.cellAt(x, y), this.timeAt(x));
      if (start !== null && Math.abs(x - start) > DRAGGED) {
        this.selection = [this.timeAt(Math.min(x, start)), this.timeAt(Math.max(x, start))];
        this.drawPlayhead(this.time || 0);
      }
    });
    canvas.addEventListener("pointerup", (event) => {
      const [x] = place(event);
      const isDrag = start !== null && Math.abs(x - start) > DRAGGED;
      if (isDrag) {
        onLoop([this.timeAt(Math.min(x, start)), this.timeAt(Math.max(x, start))]);
      } else if (start !== null) {
        onSeek(this.timeAt(x));
      }
      start = null;
    });
    canvas.addEventListener("pointercancel", () => {
      start = null;
    });
    canvas.addEventListener("pointerleave", () => onHover(null, null));
  }
}

/** The smallest of 1, 2, 5 times a power of ten that is at least a value. */
function niceStep(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value * 0.999);
}
