"use strict";

/* Maps of a clip's grid, as the page holds them: deflated, in base64. */

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function unpackedBytes(text) {
  return new Uint8Array(await unpacked(text));
}

async function unpackedFloats(text) {
  return new Float32Array(await unpacked(text));
}

async function unpackedJson(text) {
  return JSON.parse(new TextDecoder().decode(await unpacked(text)));
}

/** Gains are held as 16-bit levels from low to high dB; 0 stands for silence. */
async function unpackedGain(map) {
  if (map === null) {
    return null;
  }
  const codes = new Uint16Array(await unpacked(map.codes));
  const step = (map.high - map.low) / 65534;
  return Float64Array.from(codes, (code) =>
    code === 0 ? 0 : 10 ** ((map.high - (65535 - code) * step) / 20)
  );
}

/** The matrix from bands to STFT bins as the list of its entries that are not 0. */
function sparse(matrix, bands) {
  const entries = [];
  matrix.forEach((weight, place) => {
    if (weight !== 0) {
      entries.push([Math.floor(place / bands), place % bands, weight]);
    }
  });
  return entries;
}

/** 1 where a bin is among the shares up to a number, of a map of the first share that has it. */
function maskOfShare(ranks, number) {
  return Uint8Array.from(ranks, (rank) => (rank <= number ? 1 : 0));
}

/** The gain of the part that a 0/1 mask keeps (or removes); others get the gain of the fill. */
function gainOfMask(mask, isRemoved, fillGain) {
  const kept = isRemoved ? 0 : 1;
  const gain = new Float64Array(mask.length);
  for (let place = 0; place < mask.length; place++) {
    gain[place] = mask[place] === kept ? 1 : fillGain === null ? 0 : fillGain[place];
  }
  return gain;
}
