"""Unpacking untrusted zip archives: nothing outside the folder, and complete or not at all."""

import io
import shutil
import stat
import struct
import time
import zipfile

import pytest
import torch
from conftest import torture

from audiointerp.downloads.archives import Limits, extract
from audiointerp.errors import DownloadError

pytestmark = pytest.mark.torture
GOOD = {"a/one.txt": b"one", "a/b/two.bin": bytes(range(256)) * 300, "three.txt": b""}


def zipped(members, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, body in members:
            file.writestr(name, body)
    return buffer.getvalue()


def zip_entry(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.fixture
def place(tmp_path):
    """The folder where archives are unpacked, inside a folder with a file to protect."""
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "outer" / "precious").write_text("precious")
    return tmp_path / "outer" / "inner"


def everything(root):
    return {str(path): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def refused(content, place, limits=None, match=None):
    """Check that an archive is refused quickly, and that no file has changed."""
    (place / "x.archive").write_bytes(content)
    before, start = everything(place.parents[1]), time.monotonic()
    with pytest.raises(DownloadError, match=match) as error:
        extract(place / "x.archive", place / "new", limits)
    assert time.monotonic() - start < 20
    assert everything(place.parents[1]) == before
    assert str(error.value).startswith(str(place))
    assert "\n" not in str(error.value)


def test_good_archives_are_unpacked_completely(place):
    (place / "x").write_bytes(zipped([*GOOD.items(), ("empty/", b"")]))
    folder = extract(place / "x", place / "deep" / "new")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {str(path.relative_to(folder)): path.read_bytes() for path in files} == GOOD
    assert (folder / "empty").is_dir()
    assert sorted(path.name for path in (place / "deep").iterdir()) == ["new"]
    (place / "usual").mkdir()
    assert folder.stat().st_mode == (place / "usual").stat().st_mode
    with pytest.raises(DownloadError, match="exists already"):
        extract(place / "x", folder)
    with pytest.raises(DownloadError, match="No such file"):
        extract(place / "y", place / "z")


def test_long_and_foreign_names(place):
    name = "д" * 90 + "/" + "é" * 100
    (place / "x").write_bytes(zipped([(name, b"1")]))
    assert (extract(place / "x", place / "new") / name).read_bytes() == b"1"


OUTSIDE = [
    "../precious",
    "a/../../precious",
    "/tmp/canary-of-audiointerp",
    "//tmp/x",
    "C:\\x",
    "C:x",
    "c:/x",
    "..\\precious",
    "a\\b",
    "a/..",
    "..",
    "a//b",
    "a\nb",
    "\x7f",
    "a/" * 40 + "b",
    "./../precious",
    "\\\\host\\share\\x",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_elsewhere(name, place):
    refused(zipped([("good", b"1"), (name, b"canary")]), place, match="not a path inside")


def test_a_nul_in_a_name(place):
    # writestr cuts a name at a NUL, so it is put into the bytes afterwards.
    content = zipped([("aXb.txt", b"x")]).replace(b"aXb.txt", b"a\0b.txt")
    refused(content, place, match="not a path inside")


def test_links_and_devices(place):
    outside = str(place.parent)
    for mode in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK):
        members = [(zip_entry("link", mode | 0o777), outside), ("link/precious", b"canary")]
        refused(zipped(members), place, match="is a link or a device")


def test_duplicate_entries(place):
    with pytest.warns(UserWarning, match="Duplicate"):
        duplicates = zipped([("a", b"1"), ("a", b"2")])
    refused(duplicates, place, match="is a duplicate")
    refused(zipped([("a", b"1"), ("./a", b"2")]), place, match="is a duplicate")
    refused(zipped([("a/b", b"1"), ("a", b"2")]), place, match="is a duplicate")
    refused(zipped([("a", b"1"), ("a/b", b"2")]), place)


def test_bombs(place, figure):
    zeros = bytes(torture(12, 300) * 2**20)
    few = Limits(members=50, size=2**22)
    by_ratio = [zipped([("a", zeros)]), zipped([(str(i), zeros[: 2**20]) for i in range(15)])]
    for content in by_ratio:
        refused(content, place, match="unpacks to more")
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (2**23,), dtype=torch.uint8, generator=generator)
    refused(zipped([("a", noise.numpy().tobytes())]), place, few, match="unpacks to more")
    many = [(str(number), b"") for number in range(51)]
    refused(zipped(many), place, few, match="more than 50 entries")
    figure(
        "zip bombs",
        f"4 of 4 refused by ratio ({len(zeros) // 2**20} MiB), size or count, "
        "nothing left on the disk",
    )


def test_headers_that_lie(place):
    body = bytearray(zipped([("a", b"x" * 5000)]))
    for stated in (1, 10**6, 2**32 - 2):
        lying = bytearray(body)
        central = lying.rindex(b"PK\x01\x02")
        lying[central + 24 : central + 28] = struct.pack("<I", stated)
        refused(bytes(lying), place)


def test_unusual_zips(place):
    refused(zipped([("a", b"1")], zipfile.ZIP_LZMA), place, match="unusual")
    encrypted = bytearray(zipped([("a", b"1")]))
    encrypted[encrypted.rindex(b"PK\x01\x02") + 8] |= 1
    refused(bytes(encrypted), place, match="encrypted")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"Rar!\x1a\x07",
        bytes(600),
        b"<html>",
        zipped([("a", b"1")])[:-9],
    ],
    # A zip holds the time; processes that collect the tests must see the same names.
    ids=["empty", "two bytes", "four bytes", "gzip", "rar", "zeros", "html", "cut zip"],
)
def test_not_a_zip(content, place):
    refused(content, place)


def test_damage_anywhere_leaves_nothing(place, figure):
    good = zipped(GOOD.items())
    draw = torch.Generator().manual_seed(0)
    count, unpacked = torture(90, 6000), 0
    (place / "x").touch()
    before = everything(place.parents[1])
    for number in range(count):
        content = bytearray(good)
        spot = int(torch.randint(0, len(content), (1,), generator=draw))
        if number % 2:
            content[spot] ^= 1 << int(torch.randint(0, 8, (1,), generator=draw))
        else:
            del content[spot : spot + 1 + number % 600]
        (place / "x").write_bytes(content)
        try:
            folder = extract(place / "x", place / "new")
        except DownloadError:
            pass
        else:
            unpacked += 1
            bodies = sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())
            assert bodies == sorted(GOOD.values())
            shutil.rmtree(folder)
        (place / "x").write_bytes(b"")
        assert everything(place.parents[1]) == before
    assert unpacked < count
    figure(
        "damaged archives",
        f"{count:,} archives: {count - unpacked:,} refused, {unpacked:,} unpacked, "
        "0 other outcomes, nothing outside",
    )
