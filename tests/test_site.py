"""The site of docs/: pages are in the navigation, the build is strict, nothing is fetched."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install '.[docs]'")
pytestmark = pytest.mark.skipif(
    not (ROOT / "mkdocs.yml").exists(), reason="installed without its sources"
)
PAGES = sorted(path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md"))
HOSTS = re.compile(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//([\w.-]+)""")
SHOWN = re.compile(r"<(?:script|img|iframe|audio|source|link)\b[^>]*>")


def navigation():
    return re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_in_the_navigation(page):
    assert navigation().count(page) == 1


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built strictly: a broken link or anchor is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_fetch_nothing_from_other_hosts(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    for page in pages:
        tags = "".join(SHOWN.findall(page.read_text(encoding="utf-8")))
        # The address of a page itself is no request.
        tags = re.sub(r'<link[^>]*rel="(?:canonical|alternate)"[^>]*>', "", tags)
        assert HOSTS.findall(tags) == [], page
    for sheet in site.rglob("*.css"):
        assert HOSTS.findall(sheet.read_text(encoding="utf-8")) == [], sheet


@pytest.mark.parametrize("page", PAGES)
def test_lists_and_marks_are_seen_as_such(site, page):
    """A list without an empty line before it is a part of the paragraph; stars may be emphasis."""
    text = (site / page).with_suffix(".html").read_text(encoding="utf-8")
    text = re.sub(r"<(pre|code)\b.*?</\1>", "", text, flags=re.S)
    paragraphs = re.findall(r"<p>(.*?)</p>", text, re.S)
    assert [each for each in paragraphs if re.search(r"\n(?:-|\d+\.) ", each)] == []
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text, re.S)
    assert [cell for cell in cells if re.search(r"\d<em>|\d\*", cell)] == []


def test_every_public_name_has_its_place(site):
    import audiointerp as ai
    from audiointerp.util.moved import MOVED

    reference = "".join(page.read_text(encoding="utf-8") for page in site.glob("api/*.html"))
    rooms = {path.stem for path in (ROOT / "audiointerp").iterdir()} | set(MOVED)
    for name in set(ai.__all__) - rooms:
        assert re.search(rf'id="audiointerp\.\w+\.{name}"', reference), name


def test_what_is_returned_is_one_entry(site):
    """Each line of it would otherwise be one, with the type repeated."""
    for path in site.glob("api/*.html"):
        for part in path.read_text(encoding="utf-8").split("Returns:</span>")[1:]:
            assert part.split("</ul>", 1)[0].count('class="doc-section-item') == 1, path.name


def test_docstrings_are_markdown(site):
    page = (site / "api" / "predict.html").read_text(encoding="utf-8")
    assert ":func:" not in page
    assert "&gt;&gt;&gt;</span> " in page or "&gt;&gt;&gt; " in page
    assert "<blockquote>" not in page
