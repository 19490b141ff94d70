"use strict";

/*
 * The sound of a masked clip, exactly as the library makes it: the STFT of each channel, times the
 * gain of each bin, inverted. Nothing but the gains of the grid's bands differs from mask to mask.
 *
 * channels: one or two Float32Arrays.
 * framing: {nFft, hop, center, reflect, preemphasis, window}, see Framing in processing/stft.py.
 * grid: {bands, frames, stftBins, lifting, place, isLimited}; lifting carries gains of bands to
 * STFT bins (null: they are the bins), as a list of [bin, band, weight]; place {firstFrame,
 * frameStep, binStep} is where the frames and bins of the sound lie on the grid, see
 * processing/own_rate.py; isLimited lets no gain exceed 1.
 */

const FRAMES_AT_ONCE = 250;

/** The part of a clip under the gains of bands, gain[band * frames + frame], for each channel. */
function maskedSound(channels, framing, grid, gain) {
  const steps = maskedSoundSteps(channels, framing, grid, gain);
  let step = steps.next();
  while (!step.done) {
    step = steps.next();
  }
  return step.value;
}

/** The same in steps of some frames each, which yield the share that is done. */
function* maskedSoundSteps(channels, framing, grid, gain) {
  const { nFft, hop, window } = framing;
  const padded = channels.map((samples) => padForFrames(emphasised(samples, framing), framing));
  const { frames, before, start } = padded[0];
  const size = padded[0].samples.length;
  const sums = channels.map(() => new Float64Array(size));
  const weight = new Float64Array(size);
  const fourier = new Fourier(nFft);
  const re = new Float64Array(nFft);
  const im = new Float64Array(nFft);
  const gains = new FrameGains(gain, grid, nFft / 2 + 1);
  const inside = framesOf(channels[0].length, framing);
  for (let frame = 0; frame < frames; frame++) {
    if (frame % FRAMES_AT_ONCE === FRAMES_AT_ONCE - 1) {
      yield frame / frames;
    }
    const first = frame * hop;
    for (let k = 0; k < nFft; k++) {
      re[k] = padded[0].samples[first + k] * window[k];
      // Real gains keep the real and the imaginary part apart, so two channels take one transform.
      im[k] = padded.length > 1 ? padded[1].samples[first + k] * window[k] : 0;
    }
    fourier.forward(re, im);
    // Frames before and after those of the features take the gains of the nearest ones.
    applyGain(re, im, gains.at(Math.min(Math.max(frame - before, 0), inside - 1)));
    fourier.inverse(re, im);
    for (let k = 0; k < nFft; k++) {
      sums[0][first + k] += re[k] * window[k];
      weight[first + k] += window[k] ** 2;
    }
    for (let k = 0; k < nFft && sums.length > 1; k++) {
      sums[1][first + k] += im[k] * window[k];
    }
  }
  return sums.map((sum) => {
    const sound = new Float64Array(channels[0].length);
    for (let t = 0; t < sound.length; t++) {
      sound[t] = sum[start + t] / weight[start + t];
    }
    return Float32Array.from(deemphasised(sound, framing.preemphasis));
  });
}

/** The gains of the STFT bins of a frame: linear interpolations between those of the grid. */
class FrameGains {
  constructor(gain, grid, bins) {
    this.gain = gain;
    this.grid = grid;
    this.columns = new Map();
    this.between = new Float64Array(grid.stftBins);
    this.bins = new Float64Array(bins);
  }

  at(frame) {
    const { grid, between, bins } = this;
    const { firstFrame, frameStep, binStep } = grid.place;
    const [early, late, share] = neighbours(firstFrame + frameStep * frame, grid.frames);
    const low = this.column(early);
    const high = this.column(late);
    for (let bin = 0; bin < between.length; bin++) {
      between[bin] = low[bin] + share * (high[bin] - low[bin]);
    }
    for (let bin = 0; bin < bins.length; bin++) {
      const [below, above, part] = neighbours(binStep * bin, between.length);
      const value = between[below] + part * (between[above] - between[below]);
      bins[bin] = grid.isLimited ? Math.min(value, 1) : value;
    }
    return bins;
  }

  /** A column of the grid on its own STFT bins; frames that follow each other share it. */
  column(frame) {
    if (!this.columns.has(frame)) {
      if (this.columns.size > 3) {
        this.columns.delete(this.columns.keys().next().value);
      }
      const lifted = new Float64Array(this.grid.stftBins);
      liftColumn(this.gain, this.grid, frame, lifted);
      this.columns.set(frame, lifted);
    }
    return this.columns.get(frame);
  }
}

/** The places before and after a position, and its share of the way; the ends are repeated. */
function neighbours(position, count) {
  const inside = Math.min(Math.max(position, 0), count - 1);
  const before = Math.floor(inside);
  return [before, Math.min(before + 1, count - 1), inside - before];
}

function framesOf(samples, { nFft, hop, center }) {
  const length = Math.max(samples, nFft);
  return 1 + Math.floor((center ? length : length - nFft) / hop);
}

/** Multiply a spectrum by real gains, and its mirrored half too, so that the sound stays real. */
function applyGain(re, im, binGain) {
  const size = re.length;
  for (let k = 0; k < binGain.length; k++) {
    re[k] *= binGain[k];
    im[k] *= binGain[k];
    const mirror = size - k;
    if (k > 0 && mirror !== k) {
      re[mirror] *= binGain[k];
      im[mirror] *= binGain[k];
    }
  }
}

function liftColumn(gain, grid, column, binGain) {
  if (grid.lifting === null) {
    for (let band = 0; band < grid.bands; band++) {
      binGain[band] = gain[band * grid.frames + column];
    }
    return;
  }
  binGain.fill(0);
  for (const [bin, band, weight] of grid.lifting) {
    binGain[bin] += weight * gain[band * grid.frames + column];
  }
}

/** A clip shorter than one frame is followed by silence; then high frequencies are raised. */
function emphasised(samples, framing) {
  const sound = new Float64Array(Math.max(samples.length, framing.nFft));
  sound.set(samples);
  for (let t = sound.length - 1; t > 0 && framing.preemphasis; t--) {
    sound[t] -= framing.preemphasis * sound[t - 1];
  }
  return sound;
}

function deemphasised(sound, coefficient) {
  for (let t = 1; t < sound.length && coefficient; t++) {
    sound[t] += coefficient * sound[t - 1];
  }
  return sound;
}

/** Pad a sound so that frames cover both ends; see analyse in processing/stft.py. */
function padForFrames(sound, framing) {
  const { nFft, hop, center, reflect } = framing;
  const length = sound.length;
  const before = center ? 0 : Math.floor((nFft - 1) / hop);
  const start = center ? nFft / 2 : before * hop;
  const end = center
    ? nFft / 2 + ((hop - (length % hop)) % hop)
    : Math.floor((length - 1) / hop) * hop + nFft - length;
  const samples = new Float64Array(start + length + end);
  samples.set(sound, start);
  if (center && reflect) {
    for (let k = 1; k <= nFft / 2; k++) {
      samples[start - k] = sound[k];
      samples[start + length - 1 + k] = sound[length - 1 - k];
    }
  }
  return { samples, start, before, frames: 1 + Math.floor((samples.length - nFft) / hop) };
}

/** Makes the sound that was asked for last; answers {id, share} on the way, {id, sound} then. */
class SoundMaker {
  constructor({ channels, framing, grid }, answer) {
    Object.assign(this, { channels, framing, grid, answer, wanted: null, isBusy: false });
  }

  ask(request) {
    this.wanted = request;
    if (!this.isBusy) {
      this.work();
    }
  }

  async work() {
    this.isBusy = true;
    while (this.wanted) {
      const { id, gain } = this.wanted;
      this.wanted = null;
      const steps = maskedSoundSteps(this.channels, this.framing, this.grid, gain);
      let step = { done: false };
      while (!step.done && !this.wanted) {
        // A pause, for requests to come in, and for a page without workers to stay alive.
        await new Promise((resolve) => setTimeout(resolve, 0));
        step = this.wanted ? step : steps.next();
        this.answer(step.done ? { id, sound: step.value } : { id, share: step.value ?? 0 });
      }
    }
    this.isBusy = false;
  }
}

/** In a worker: keep the clip, and answer each request {id, gain} with its sound. */
function serveSounds(scope) {
  let maker = null;
  scope.onmessage = ({ data }) => {
    if (data.clip) {
      maker = new SoundMaker(data.clip, (answer) =>
        scope.postMessage(answer, (answer.sound ?? []).map((samples) => samples.buffer))
      );
    } else {
      maker.ask(data);
    }
  };
}
