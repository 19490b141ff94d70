"use strict";

const MOST_SOUNDS = 24;
const LARGEST_MATCH_DB = 60;

/**
 * The sounds of a clip's parts, made when they are first needed: in a worker, so that the page
 * stays quick, or in the page itself where a browser allows no worker.
 */
class PartSounds {
  constructor(samples, framing, grid) {
    this.samples = samples;
    this.clip = { samples, framing, grid };
    this.kept = new Map();
    this.waiting = new Map();
    this.count = 0;
    this.worker = this.startWorker();
  }

  startWorker() {
    try {
      const code = document.getElementById("audiointerp-dsp").textContent;
      const url = URL.createObjectURL(new Blob([`${code}\nserveSounds(self);`]));
      const worker = new Worker(url);
      worker.onmessage = ({ data }) => this.answer(data);
      worker.onerror = () => this.withoutWorker();
      worker.postMessage({ clip: this.clip });
      return worker;
    } catch {
      return null;
    }
  }

  withoutWorker() {
    this.worker = null;
    for (const [id, { gain }] of this.waiting) {
      this.answer({ id, sound: this.made(gain) });
    }
  }

  made(gain) {
    return maskedSound(this.samples, this.clip.framing, this.clip.grid, gain);
  }

  answer({ id, sound }) {
    const { resolve } = this.waiting.get(id);
    this.waiting.delete(id);
    resolve(sound);
  }

  /** The samples of a part; gainOf() is asked for the gains only if they are not there yet. */
  get(key, gainOf) {
    if (!this.kept.has(key)) {
      if (this.kept.size >= MOST_SOUNDS) {
        this.kept.delete(this.kept.keys().next().value);
      }
      this.kept.set(key, this.requested(gainOf()));
    }
    return this.kept.get(key);
  }

  requested(gain) {
    return new Promise((resolve) => {
      const id = this.count++;
      this.waiting.set(id, { resolve, gain });
      if (this.worker) {
        this.worker.postMessage({ id, gain });
      } else {
        // After the page had time to show that it works.
        setTimeout(() => this.answer({ id, sound: this.made(gain) }), 0);
      }
    });
  }
}

function rootMeanSquare(samples) {
  let sum = 0;
  for (const sample of samples) {
    sum += sample * sample;
  }
  return Math.sqrt(sum / samples.length);
}

/** The gain in dB to a level, as far as the part's peak and 60 dB allow; null if it is silent. */
function matchingGain(samples, level) {
  const own = rootMeanSquare(samples);
  if (own === 0 || level === 0) {
    return null;
  }
  let peak = 0;
  for (const sample of samples) {
    peak = Math.max(peak, Math.abs(sample));
  }
  return Math.min(20 * Math.log10(level / own), -20 * Math.log10(peak), LARGEST_MATCH_DB);
}

/** A mono WAV file of 32-bit floats, not rescaled. */
function wavFile(samples, rate) {
  const bytes = new ArrayBuffer(44 + 4 * samples.length);
  const view = new DataView(bytes);
  const text = (place, letters) =>
    [...letters].forEach((letter, k) => view.setUint8(place + k, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 4 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 4 * rate, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 32, true);
  text(36, "data");
  view.setUint32(40, 4 * samples.length, true);
  new Float32Array(bytes, 44).set(samples);
  return new Blob([bytes], { type: "audio/wav" });
}
