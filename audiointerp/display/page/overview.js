"use strict";

/*
 * The clips of a page: sorted, filtered, and one of them shown. The state is in the URL's hash, so
 * that a link leads to the same view.
 */

const SORTS = {
  file: (a, b) => a.number - b.number,
  name: (a, b) => a.name.localeCompare(b.name) || a.number - b.number,
  "p of the kept part": (a, b) => a.pKept - b.pKept || a.number - b.number,
};
const EVERY = "all";
const NOT_EXPLAINED = "in doubt or not explained";
const WRONG = "wrong";

class Overview {
  constructor(box, onShow) {
    this.box = box;
    this.onShow = onShow;
    this.items = JSON.parse(box.querySelector("script").textContent);
    this.items.forEach((item, number) => (item.number = number));
    this.list = box.querySelector("[data-clips]");
    this.sort = box.querySelector("[data-sort]");
    this.filter = box.querySelector("[data-filter]");
  }

  async start() {
    const classes = [...new Set(this.items.map((item) => item.predicted))].sort();
    this.sort.append(...Object.keys(SORTS).map((name) => new Option(name)));
    const kinds = [EVERY, NOT_EXPLAINED, WRONG, ...classes];
    this.filter.append(...kinds.map((name) => new Option(spaced(name), name)));
    const wrong = [...this.filter.options].find(({ value }) => value === WRONG);
    wrong.disabled = !this.items.some(isWrong);
    if (wrong.disabled) {
      const isKnown = this.items.some(({ truth }) => truth !== null);
      wrong.text = isKnown ? "wrong: none" : "wrong: labels are not known, see interpret --label";
    }
    this.cards = await Promise.all(this.items.map((item) => this.card(item)));
    this.list.addEventListener("click", () => (this.isChosen = true));
    this.sort.addEventListener("change", () => this.write({}));
    this.filter.addEventListener("change", () => this.write(this.firstListed()));
    window.addEventListener("hashchange", () => this.read());
    this.box.hidden = false;
    this.read();
  }

  async card(item) {
    const link = element("a", "");
    link.append(await thumbnail(item.thumbnail), element("b", item.name));
    const truth = isWrong(item) ? ` (wrong: it is ${spaced(item.truth)})` : "";
    const [first, ...others] = Object.keys(item.heads);
    const by = others.length ? ` by\u00a0${first}` : "";
    const p = `p\u00a0kept\u00a0${shortP(item.pKept)}${by}`;
    link.append(element("span", `${spaced(item.predicted)}${truth}, ${p}`));
    const head = element("span", headOf(item));
    head.classList.toggle("explained", item.isExplained);
    link.append(head);
    link.title = item.verdict;
    const card = document.createElement("li");
    card.append(link);
    return card;
  }

  get state() {
    return new URLSearchParams(location.hash.slice(1));
  }

  /** The hash of a state: the present one with some values changed. */
  hash(changes) {
    const state = new URLSearchParams({
      clip: this.shown ?? 0,
      sort: this.sort.value,
      show: this.filter.value,
      ...changes,
    });
    return `#${state}`;
  }

  write(changes) {
    location.hash = this.hash(changes);
  }

  read() {
    const { state } = this;
    const option = (select, name) =>
      [...select.options].some(({ value, disabled }) => value === name && !disabled);
    const sort = state.get("sort");
    const show = state.get("show");
    this.sort.value = option(this.sort, sort) ? sort : "file";
    this.filter.value = option(this.filter, show) ? show : EVERY;
    const clip = Number(state.get("clip"));
    this.shown = this.items[clip] ? clip : 0;
    this.draw();
    this.onShow(this.shown, this.items[this.shown]);
    if (this.isChosen) {
      this.isChosen = false;
      goTo(this.box.parentElement.querySelector("section.clip:not([hidden]), [data-frame]"));
    }
  }

  /** The clips of the chosen kind, in the chosen order. */
  listed() {
    const { value } = this.filter;
    const isOfKind = { [EVERY]: () => true, [NOT_EXPLAINED]: (item) => !item.isExplained, [WRONG]: isWrong };
    const isListed = isOfKind[value] ?? ((item) => item.predicted === value);
    return this.items.filter(isListed).sort(SORTS[this.sort.value]);
  }

  /** What to show of a new list: its first clip, unless the one that is shown is in it. */
  firstListed() {
    const numbers = this.listed().map(({ number }) => number);
    return numbers.length === 0 || numbers.includes(this.shown) ? {} : { clip: numbers[0] };
  }

  draw() {
    const items = this.listed();
    const cards = items.map((item) => this.cards[item.number]);
    // A card that is taken out and put back would lose the focus.
    const { children } = this.list;
    if (cards.length !== children.length || cards.some((card, k) => card !== children[k])) {
      this.list.replaceChildren(...cards);
    }
    for (const item of this.items) {
      const link = this.cards[item.number].firstElementChild;
      link.href = this.hash({ clip: item.number });
      if (item.number === this.shown) {
        link.setAttribute("aria-current", "true");
      } else {
        link.removeAttribute("aria-current");
      }
    }
    const count = this.box.querySelector("[data-count]");
    count.textContent = `${items.length} of ${this.items.length} clips`;
  }
}

/** What the explanation is worth; of several methods, how many explain the clip. */
function headOf({ heads }) {
  const methods = Object.keys(heads);
  if (methods.length === 1) {
    return `${heads[methods[0]]}, by\u00a0${methods[0]}`;
  }
  const count = methods.filter((method) => heads[method] === "Explained").length;
  return `Explained by ${count || "none"} of ${methods.length}\u00a0methods`;
}

/** Scroll to what was chosen, and put the focus there, unless its upper part is seen already. */
function goTo(place) {
  const top = place.getBoundingClientRect().top;
  if (top < 0.5 * window.innerHeight) {
    return;
  }
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ behavior: isStill ? "auto" : "smooth", block: "start" });
}

function isWrong({ truth, predicted }) {
  return truth !== null && truth !== predicted;
}

function spaced(label) {
  return label.replaceAll("_", " ");
}

/** A small spectrogram. */
async function thumbnail({ levels, width, height }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  (await unpackedBytes(levels)).forEach((level, place) => {
    const row = height - 1 - Math.floor(place / width);
    image.data.set([...colourOf(level), 255], 4 * (row * width + (place % width)));
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
