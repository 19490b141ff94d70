"use strict";

/** The discrete Fourier transform of one length, in place, of separate real and imaginary parts. */
class Fourier {
  constructor(size) {
    this.size = size;
    this.cos = new Float64Array(size);
    this.sin = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      this.cos[k] = Math.cos((2 * Math.PI * k) / size);
      this.sin[k] = Math.sin((2 * Math.PI * k) / size);
    }
    if ((size & (size - 1)) === 0) {
      this.order = bitReversed(size);
    } else {
      this.chirp = new Chirp(size);
    }
  }

  forward(re, im) {
    if (this.chirp) {
      this.chirp.forward(re, im);
      return;
    }
    this.reorder(re, im);
    for (let half = 1; half < this.size; half *= 2) {
      this.butterflies(re, im, half);
    }
  }

  /** The inverse is the transform with both parts exchanged, divided by the length. */
  inverse(re, im) {
    this.forward(im, re);
    for (let k = 0; k < this.size; k++) {
      re[k] /= this.size;
      im[k] /= this.size;
    }
  }

  reorder(re, im) {
    for (let k = 0; k < this.size; k++) {
      const other = this.order[k];
      if (other > k) {
        [re[k], re[other]] = [re[other], re[k]];
        [im[k], im[other]] = [im[other], im[k]];
      }
    }
  }

  butterflies(re, im, half) {
    const step = this.size / (2 * half);
    for (let start = 0; start < this.size; start += 2 * half) {
      for (let k = 0; k < half; k++) {
        const low = start + k;
        const high = low + half;
        const c = this.cos[k * step];
        const s = this.sin[k * step];
        const real = re[high] * c + im[high] * s;
        const imag = im[high] * c - re[high] * s;
        re[high] = re[low] - real;
        im[high] = im[low] - imag;
        re[low] += real;
        im[low] += imag;
      }
    }
  }
}

/** Bluestein's algorithm: a transform of any length by a longer one whose length is 2^n. */
class Chirp {
  constructor(size) {
    this.size = size;
    let longer = 1;
    while (longer < 2 * size) {
      longer *= 2;
    }
    this.inner = new Fourier(longer);
    this.cos = new Float64Array(size);
    this.sin = new Float64Array(size);
    this.filterRe = new Float64Array(longer);
    this.filterIm = new Float64Array(longer);
    this.re = new Float64Array(longer);
    this.im = new Float64Array(longer);
    for (let k = 0; k < size; k++) {
      // k * k modulo 2 * size keeps the angle small, and so exact.
      const angle = (Math.PI * ((k * k) % (2 * size))) / size;
      this.cos[k] = Math.cos(angle);
      this.sin[k] = Math.sin(angle);
      const mirror = (longer - k) % longer;
      this.filterRe[k] = this.filterRe[mirror] = this.cos[k];
      this.filterIm[k] = this.filterIm[mirror] = this.sin[k];
    }
    this.inner.forward(this.filterRe, this.filterIm);
  }

  forward(re, im) {
    const { size, inner, cos, sin, filterRe, filterIm, re: a, im: b } = this;
    a.fill(0, size);
    b.fill(0, size);
    for (let k = 0; k < size; k++) {
      a[k] = re[k] * cos[k] + im[k] * sin[k];
      b[k] = im[k] * cos[k] - re[k] * sin[k];
    }
    inner.forward(a, b);
    for (let k = 0; k < inner.size; k++) {
      const real = a[k] * filterRe[k] - b[k] * filterIm[k];
      b[k] = a[k] * filterIm[k] + b[k] * filterRe[k];
      a[k] = real;
    }
    inner.inverse(a, b);
    for (let k = 0; k < size; k++) {
      re[k] = a[k] * cos[k] + b[k] * sin[k];
      im[k] = b[k] * cos[k] - a[k] * sin[k];
    }
  }
}

function bitReversed(size) {
  const order = new Uint32Array(size);
  for (let k = 1; k < size; k++) {
    order[k] = (order[k >> 1] >> 1) | (k & 1 ? size >> 1 : 0);
  }
  return order;
}
