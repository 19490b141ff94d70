"""Words and rules on A4 pages in landscape, in points from the lower left corner, and how they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.lines import Line2D

WIDTH, HEIGHT = 297 / 25.4 * 72, 210 / 25.4 * 72
MARGIN = 40.0
LEFT, RIGHT, TOP, BOTTOM = MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN, MARGIN + 14  # the page's number is below
FAMILY = "STIXGeneral"  # comes with matplotlib; its digits are of one width, in each of its styles
STYLES = {
    "plain": FontProperties(family=FAMILY),
    "bold": FontProperties(family=FAMILY, weight="bold"),
    "italic": FontProperties(family=FAMILY, style="italic"),
}


@dataclass(frozen=True)
class Word:
    """A text at a place: the left or the right end of its baseline."""

    x: float
    y: float
    text: str
    size: float
    style: str = "plain"
    right: bool = False


@dataclass(frozen=True)
class Rule:
    """A horizontal line."""

    left: float
    right: float
    y: float
    thickness: float


@dataclass
class Sheet:
    """A page that is being filled from above; ``y`` is how far it has come."""

    y: float = TOP
    words: list[Word] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)


def text_width(text: str, size: float, style: str = "plain") -> float:
    """Points that a text takes, without kerning, which only draws letters together."""
    return size * sum(_advance(letter, style) for letter in text)


@lru_cache(maxsize=4096)
def _advance(letter: str, style: str) -> float:
    font = _font(style)
    font.set_size(100, 72)
    return float(font.load_char(ord(letter), flags=LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / 100


def _font(style: str) -> FT2Font:
    return get_font(findfont(STYLES[style]))


@lru_cache(maxsize=4096)
def _known(letter: str) -> bool:
    return all(_font(style).get_char_index(ord(letter)) for style in STYLES)


def drawable(text: str) -> str:
    """The text with a question mark for each letter that the font lacks."""
    return "".join(letter if _known(letter) else "?" for letter in text)


def shortened(text: str, width: float, size: float, style: str = "plain") -> str:
    """The text, or as much of it as fits into a width, with an ellipsis."""
    if text_width(text, size, style) <= width:
        return text
    while text and text_width(f"{text}…", size, style) > width:
        text = text[:-1]
    return f"{text}…"


def wrapped(text: str, width: float, size: float, style: str = "plain") -> list[str]:
    """The lines of a text that fit into a width; a word that is too long alone is shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, style) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, width, size, style))
    return lines


def drawn(sheet: Sheet, footer: str, number: int, count: int) -> Figure:
    """A page as a figure of A4's size, with its number."""
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    below = [
        Word(LEFT, MARGIN, shortened(footer, RIGHT - LEFT - 100, 7), 7),
        Word(RIGHT, MARGIN, f"page {number} of {count}", 7, right=True),
    ]
    for word in [*sheet.words, *below]:
        figure.text(
            word.x / WIDTH, word.y / HEIGHT, word.text, fontproperties=STYLES[word.style], fontsize=word.size,
            ha="right" if word.right else "left", va="baseline", parse_math=False,
        )  # fmt: skip
    for rule in sheet.rules:
        ends = [rule.left / WIDTH, rule.right / WIDTH]
        figure.add_artist(
            Line2D(ends, [rule.y / HEIGHT] * 2, color="black", linewidth=rule.thickness, solid_capstyle="butt")
        )
    return figure


def put_lines(sheet: Sheet, lines: Sequence[str], size: float, style: str = "plain") -> None:
    """Lines at the left margin, from where the page has come."""
    for line in lines:
        sheet.y -= size * 1.25
        sheet.words.append(Word(LEFT, sheet.y, line, size, style))
