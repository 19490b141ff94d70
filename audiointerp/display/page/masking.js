"use strict";

/*
 * The sound of a masked clip, exactly as the library makes it: the STFT of the clip, times the gain
 * of each bin, inverted. Nothing but the gains of the grid's bands differs from mask to mask.
 *
 * framing: {nFft, hop, center, reflect, preemphasis, window}, see Framing in processing/stft.py.
 * grid: {bands, frames, lifting}; lifting carries gains of bands to STFT bins (null: they are the
 * bins), as a list of [bin, band, weight].
 */

/** The part of a clip under the gains of bands, gain[band * frames + frame]. */
function maskedSound(samples, framing, grid, gain) {
  const padded = padForFrames(emphasised(samples, framing), framing);
  const length = samples.length;
  const sum = new Float64Array(padded.samples.length);
  const weight = new Float64Array(padded.samples.length);
  const fourier = new Fourier(framing.nFft);
  const re = new Float64Array(framing.nFft);
  const im = new Float64Array(framing.nFft);
  const binGain = new Float64Array(framing.nFft / 2 + 1);
  for (let frame = 0; frame < padded.frames; frame++) {
    const start = frame * framing.hop;
    // Frames before and after those of the grid take the gains of the nearest ones.
    const column = Math.min(Math.max(frame - padded.before, 0), grid.frames - 1);
    liftColumn(gain, grid, column, binGain);
    for (let k = 0; k < framing.nFft; k++) {
      re[k] = padded.samples[start + k] * framing.window[k];
      im[k] = 0;
    }
    fourier.forward(re, im);
    applyGain(re, im, binGain);
    fourier.inverse(re, im);
    for (let k = 0; k < framing.nFft; k++) {
      sum[start + k] += re[k] * framing.window[k];
      weight[start + k] += framing.window[k] ** 2;
    }
  }
  const sound = new Float64Array(length);
  for (let t = 0; t < length; t++) {
    sound[t] = sum[padded.start + t] / weight[padded.start + t];
  }
  return Float32Array.from(deemphasised(sound, framing.preemphasis));
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

/** In a worker: keep the clip, and answer each request {id, gain} with its sound. */
function serveSounds(scope) {
  let clip = null;
  scope.onmessage = ({ data }) => {
    if (data.clip) {
      clip = data.clip;
      return;
    }
    const sound = maskedSound(clip.samples, clip.framing, clip.grid, data.gain);
    scope.postMessage({ id: data.id, sound }, [sound.buffer]);
  };
}
