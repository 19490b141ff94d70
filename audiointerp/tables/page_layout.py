"""Text and rules on A4 landscape pages, drawn with matplotlib.

Positions are in points from the lower left corner of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D

WIDTH, HEIGHT = 297 / 25.4 * 72, 210 / 25.4 * 72
MARGIN = 40.0
LEFT, RIGHT, TOP = MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN
# The page number is below the text area.
BOTTOM = MARGIN + 14
LEADING = 1.25
"""Line spacing of paragraphs, relative to the font size."""
# This font comes with matplotlib; its digits have one width, in each style.
FAMILY = "STIXGeneral"
STYLES = {
    "plain": FontProperties(family=FAMILY),
    "bold": FontProperties(family=FAMILY, weight="bold"),
    "italic": FontProperties(family=FAMILY, style="italic"),
}


@dataclass(frozen=True)
class Word:
    """A text on a page; ``x``, ``y`` is the left or, if ``right``, the right end of its baseline.

    >>> Word(40, 500, "Tables", size=11, style="bold").right
    False
    """

    x: float
    y: float
    text: str
    size: float
    style: str = "plain"
    right: bool = False


@dataclass(frozen=True)
class Rule:
    """A horizontal line.

    >>> Rule(left=40, right=800, y=500, thickness=0.5).thickness
    0.5
    """

    left: float
    right: float
    y: float
    thickness: float


@dataclass
class Page:
    """A page that is filled from the top; ``y`` is the lowest position used so far.

    >>> page = Page(y=500)
    >>> page.write_lines(["one line"], size=8)
    >>> page.y, page.words[0].text
    (490.0, 'one line')
    """

    y: float = TOP
    words: list[Word] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    def write(
        self, x: float, text: str, size: float, style: str = "plain", right: bool = False
    ) -> None:
        """Write a text with its baseline at ``y``."""
        self.words.append(Word(x, self.y, text, size, style, right))

    def write_lines(self, lines: Sequence[str], size: float, style: str = "plain") -> None:
        """Write lines at the left margin, below what is there."""
        for line in lines:
            self.y -= size * LEADING
            self.write(LEFT, line, size, style)


def text_width(text: str, size: float, style: str = "plain") -> float:
    """Width of a text in points, without kerning, which only makes it narrower.

    >>> text_width("00", size=10) == 2 * text_width("0", size=10)
    True
    """
    return size * sum(_letter_width(letter, style) for letter in text)


@lru_cache(maxsize=4096)
def _letter_width(letter: str, style: str) -> float:
    font = _font(style)
    font.set_size(100, 72)
    glyph = font.load_char(ord(letter))
    # linearHoriAdvance is in 1/65536 of a point, without hinting.
    return float(glyph.linearHoriAdvance) / 65536 / 100


def _font(style: str) -> FT2Font:
    return get_font(findfont(STYLES[style]))


@lru_cache(maxsize=4096)
def _is_drawable(letter: str) -> bool:
    return all(_font(style).get_char_index(ord(letter)) for style in STYLES)


def drawable(text: str) -> str:
    """Replace each letter that the font lacks by a question mark.

    >>> drawable("α漢")
    'α?'
    """
    return "".join(letter if _is_drawable(letter) else "?" for letter in text)


def shortened(text: str, width: float, size: float, style: str = "plain") -> str:
    """Shorten a text with an ellipsis if it is wider than ``width`` points.

    >>> shortened("faithfulness", 30, size=10)
    'faith…'
    """
    if text_width(text, size, style) <= width:
        return text
    while text and text_width(f"{text}…", size, style) > width:
        text = text[:-1]
    return f"{text}…"


def wrapped(text: str, width: float, size: float, style: str = "plain") -> list[str]:
    """Wrap a text into lines of at most ``width`` points; a wider word is shortened.

    >>> wrapped("methods and masks", 50, size=10)
    ['methods', 'and masks']
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, style) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, width, size, style))
    return lines


def draw(page: Page, footer: str, number: int, count: int) -> Figure:
    """Draw a page as a figure of A4 size, with a footer and its page number.

    >>> [text.get_text() for text in draw(Page(), "My tables", 1, 2).texts]
    ['My tables', 'page 1 of 2']
    """
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    footer_words = [
        Word(LEFT, MARGIN, shortened(footer, RIGHT - LEFT - 100, 7), 7),
        Word(RIGHT, MARGIN, f"page {number} of {count}", 7, right=True),
    ]
    for word in [*page.words, *footer_words]:
        figure.text(
            word.x / WIDTH,
            word.y / HEIGHT,
            word.text,
            fontproperties=STYLES[word.style],
            fontsize=word.size,
            ha="right" if word.right else "left",
            va="baseline",
            parse_math=False,
        )
    for rule in page.rules:
        line = Line2D(
            [rule.left / WIDTH, rule.right / WIDTH],
            [rule.y / HEIGHT] * 2,
            color="black",
            linewidth=rule.thickness,
            solid_capstyle="butt",
        )
        figure.add_artist(line)
    return figure
