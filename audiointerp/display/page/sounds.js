"use strict";

const MOST_SOUNDS = 24;
const MOST_SAMPLES = 4e7;
const LARGEST_MATCH_DB = 60;

/**
 * The sounds of a clip's parts, made when they are first needed: in a worker, so that the page
 * stays quick, or in the page itself where a browser allows no worker. A new request takes the
 * place of one that is not done.
 */
class PartSounds {
  constructor(channels, framing, grid, onProgress) {
    this.channels = channels;
    this.clip = { channels, framing, grid };
    this.onProgress = onProgress;
    this.most = Math.min(MOST_SOUNDS, Math.ceil(MOST_SAMPLES / (sampleCount(channels) + 1)));
    this.kept = new Map();
    this.waiting = null;
    this.count = 0;
    this.worker = this.startWorker();
  }

  startWorker() {
    try {
      const code = soundScripts();
      const url = URL.createObjectURL(new Blob([`${code}\nserveSounds(self);`]));
      const worker = new Worker(url);
      worker.onmessage = ({ data }) => this.answer(data);
      worker.onerror = () => this.withoutWorker();
      worker.postMessage({ clip: this.clip });
      return worker;
    } catch {
      return this.maker();
    }
  }

  /** Something that takes requests like a worker, but works in the page. */
  maker() {
    const maker = new SoundMaker(this.clip, (answer) => this.answer(answer));
    return { postMessage: (request) => maker.ask(request) };
  }

  withoutWorker() {
    this.worker = this.maker();
    if (this.waiting) {
      const { id, gain } = this.waiting;
      this.worker.postMessage({ id, gain });
    }
  }

  answer({ id, sound, share }) {
    if (!this.waiting || this.waiting.id !== id) {
      return;
    }
    if (sound) {
      this.waiting.resolve(sound);
      this.waiting = null;
    } else {
      this.onProgress(share);
    }
  }

  /**
   * The channels of a part, or null if another one is asked for before they are there; gainOf() is
   * asked for the gains only if they are needed.
   */
  get(key, gainOf) {
    if (!this.kept.has(key)) {
      this.drop();
      if (this.kept.size >= this.most) {
        this.kept.delete(this.kept.keys().next().value);
      }
      this.kept.set(key, this.requested(key, gainOf()));
    }
    return this.kept.get(key);
  }

  drop() {
    if (this.waiting) {
      this.kept.delete(this.waiting.key);
      this.waiting.resolve(null);
      this.waiting = null;
    }
  }

  requested(key, gain) {
    return new Promise((resolve) => {
      const id = this.count++;
      this.waiting = { id, key, gain, resolve };
      this.worker.postMessage({ id, gain });
    });
  }
}

/** The text of the scripts that make sounds, from the page or from the script that pages share. */
function soundScripts() {
  const script = document.getElementById("audiointerp-dsp");
  return script ? script.textContent : audiointerpDsp;
}

function sampleCount(channels) {
  return channels.length * channels[0].length;
}

function rootMeanSquare(channels) {
  let sum = 0;
  for (const samples of channels) {
    for (const sample of samples) {
      sum += sample * sample;
    }
  }
  return Math.sqrt(sum / sampleCount(channels));
}

/** The gain in dB to a level, as far as the part's peak and 60 dB allow; null if it is silent. */
function matchingGain(channels, level) {
  const own = rootMeanSquare(channels);
  if (own === 0 || level === 0) {
    return null;
  }
  let peak = 0;
  for (const samples of channels) {
    for (const sample of samples) {
      peak = Math.max(peak, Math.abs(sample));
    }
  }
  return Math.min(20 * Math.log10(level / own), -20 * Math.log10(peak), LARGEST_MATCH_DB);
}

/** A WAV file of 32-bit floats, not rescaled. */
function wavFile(channels, rate) {
  const count = channels.length;
  const size = 4 * sampleCount(channels);
  const view = new DataView(new ArrayBuffer(44));
  const text = (place, letters) =>
    [...letters].forEach((letter, k) => view.setUint8(place + k, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, count, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 4 * count * rate, true);
  view.setUint16(32, 4 * count, true);
  view.setUint16(34, 32, true);
  text(36, "data");
  view.setUint32(40, size, true);
  const samples = new Float32Array(sampleCount(channels));
  channels.forEach((channel, number) => {
    for (let t = 0; t < channel.length; t++) {
      samples[t * count + number] = channel[t];
    }
  });
  return new Blob([view, samples], { type: "audio/wav" });
}
