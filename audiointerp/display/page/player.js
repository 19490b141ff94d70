"use strict";

const CROSSFADE = 0.008;
let audioContext = null;
let playingNow = null;

function sharedContext() {
  audioContext = audioContext || new AudioContext();
  return audioContext;
}

/**
 * One transport: plays one sound at a time, of this page's clips all together, and keeps the
 * position when another sound takes its place.
 */
class Player {
  constructor(seconds, onChange) {
    this.seconds = seconds;
    this.onChange = onChange;
    this.buffer = null;
    this.decibels = 0;
    this.position = 0;
    this.loop = null;
    this.voice = null;
  }

  get isPlaying() {
    return this.voice !== null;
  }

  /** The sound to play, at once if another one is playing. */
  load(channels, rate, decibels) {
    const context = sharedContext();
    this.buffer = context.createBuffer(channels.length, channels[0].length, rate);
    channels.forEach((samples, number) => this.buffer.copyToChannel(samples, number));
    this.decibels = decibels;
    if (this.isPlaying) {
      this.startAt(this.now());
    }
  }

  async play() {
    if (this.buffer === null) {
      return;
    }
    if (playingNow && playingNow !== this) {
      playingNow.pause();
    }
    playingNow = this;
    const context = sharedContext();
    if (context.state !== "running") {
      await context.resume();
    }
    if (!this.isPlaying) {
      this.startAt(this.position);
    }
    this.onChange();
  }

  pause() {
    this.position = this.now();
    this.silence();
    this.onChange();
  }

  seek(position) {
    this.position = Math.min(Math.max(position, 0), this.seconds);
    if (this.loop && (this.position < this.loop[0] || this.position > this.loop[1])) {
      this.loop = null;
    }
    if (this.isPlaying) {
      this.startAt(this.position);
    }
    this.onChange();
  }

  /** Repeat from one time to another; null plays on to the end. */
  setLoop(loop) {
    const position = this.now();
    this.loop = loop;
    const isOutside = loop && (position < loop[0] || position >= loop[1]);
    this.position = isOutside ? loop[0] : position;
    if (this.isPlaying) {
      this.startAt(this.position);
    }
    this.onChange();
  }

  /** The time in the clip that is heard now, in seconds. */
  now() {
    if (!this.isPlaying) {
      return this.position;
    }
    const { startedAt, from } = this.voice;
    const time = from + Math.max(0, sharedContext().currentTime - startedAt);
    if (this.loop && time >= this.loop[1]) {
      const [start, end] = this.loop;
      return start + ((time - start) % (end - start));
    }
    return Math.min(time, this.seconds);
  }

  startAt(position) {
    const context = sharedContext();
    const from = position >= this.seconds ? 0 : position;
    this.silence();
    const source = context.createBufferSource();
    const level = context.createGain();
    const startedAt = context.currentTime;
    source.buffer = this.buffer;
    if (this.loop) {
      [source.loopStart, source.loopEnd] = this.loop;
      source.loop = true;
    }
    level.gain.setValueAtTime(0, startedAt);
    level.gain.linearRampToValueAtTime(10 ** (this.decibels / 20), startedAt + CROSSFADE);
    source.connect(level).connect(context.destination);
    const voice = { source, level, startedAt, from };
    source.onended = () => this.ended(voice);
    source.start(startedAt, from);
    this.voice = voice;
  }

  /** Fade the present sound out. */
  silence() {
    if (!this.isPlaying) {
      return;
    }
    const { source, level } = this.voice;
    const time = sharedContext().currentTime;
    level.gain.cancelScheduledValues(time);
    level.gain.setValueAtTime(10 ** (this.decibels / 20), time);
    level.gain.linearRampToValueAtTime(0, time + CROSSFADE);
    source.stop(time + CROSSFADE);
    this.voice = null;
  }

  ended(voice) {
    if (this.voice === voice) {
      this.voice = null;
      this.position = 0;
      this.onChange();
    }
  }
}
