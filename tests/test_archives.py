"""The gate for archives: nothing is written outside the folder, and what cannot be trusted leaves no trace."""

import gzip
import io
import stat
import struct
import tarfile
import time
import zipfile

import pytest
import torch
from conftest import torture

from audiointerp import archives
from audiointerp.archives import Limits, extract
from audiointerp.errors import DownloadError

pytestmark = pytest.mark.torture
GOOD = {"a/one.txt": b"one", "a/b/two.bin": bytes(range(256)) * 300, "three.txt": b""}


def zipped(members, **kwargs):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **kwargs) as file:
        for name, body in members:
            file.writestr(name, body)
    return buffer.getvalue()


def tarred(members, packed=True, form=tarfile.PAX_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if packed else "w", format=form) as file:
        for member, body in members:
            if isinstance(member, str):
                member = tarfile.TarInfo(member)
            member.size = len(body)
            file.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def entry(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_entry(name, mode):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def nul_name(kind):
    """writestr cuts a name at a NUL, so it is put into the bytes afterwards."""
    body = zipped([("aXb.txt", b"x")]) if kind == "zip" else tarred([("aXb.txt", b"x")], packed=False)
    return body.replace(b"aXb.txt", b"a\0b.txt")


@pytest.fixture
def place(tmp_path):
    """An outer folder with something to lose, and in it the folder where archives are unpacked."""
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "outer" / "precious").write_text("precious")
    return tmp_path / "outer" / "inner"


def everything(root):
    return {str(path): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def refused(content, place, limits=None, match=None):
    """It is refused, at once, and leaves everything as it was."""
    (place / "x.archive").write_bytes(content)
    before, start = everything(place.parents[1]), time.monotonic()
    with pytest.raises(DownloadError, match=match) as error:
        extract(place / "x.archive", place / "new", limits)
    assert time.monotonic() - start < 20
    assert everything(place.parents[1]) == before
    assert str(error.value).startswith(str(place))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "gnu"])
def test_good_archives_come_out_whole(kind, place):
    members = list(GOOD.items())
    content = {
        "zip": lambda: zipped([*members, ("empty/", b"")]),
        "tar": lambda: tarred([*members, (entry("empty", tarfile.DIRTYPE), b"")], packed=False),
        "tar.gz": lambda: tarred([(entry("./", tarfile.DIRTYPE), b""), *(("./" + name, body) for name, body in members),
                                  (entry("empty", tarfile.DIRTYPE), b"")]),
        "gnu": lambda: tarred([*members, (entry("empty", tarfile.DIRTYPE), b"")], form=tarfile.GNU_FORMAT),
    }[kind]()  # fmt: skip
    (place / "x").write_bytes(content)
    folder = extract(place / "x", place / "deep" / "new")
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == GOOD
    assert (folder / "empty").is_dir()
    assert sorted(path.name for path in (place / "deep").iterdir()) == ["new"]
    (place / "usual").mkdir()
    assert folder.stat().st_mode == (place / "usual").stat().st_mode
    with pytest.raises(DownloadError, match="exists already"):
        extract(place / "x", folder)
    with pytest.raises(DownloadError, match="no such archive"):
        extract(place / "y", place / "z")


def test_long_and_foreign_names(place):
    name = "д" * 90 + "/" + "é" * 100
    for content in (zipped([(name, b"1")]), tarred([(name, b"1")]), tarred([(name, b"1")], form=tarfile.GNU_FORMAT)):
        (place / "x").write_bytes(content)
        assert (extract(place / "x", place / "new") / name).read_bytes() == b"1"
        (place / "new").rename(place / f"done{len(list(place.iterdir()))}")


OUTSIDE = ["../precious", "a/../../precious", "/tmp/canary-of-audiointerp", "//tmp/x", "C:\\x", "C:x", "c:/x", "..\\precious",
           "a\\b", "a/..", "..", "a//b", "a\nb", "\x7f", "a/" * 40 + "b", "./../precious", "\\\\host\\share\\x"]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_elsewhere(name, place):
    for content in (zipped([("good", b"1"), (name, b"canary")]), tarred([("good", b"1"), (name, b"canary")]),
                    tarred([(name, b"canary")], form=tarfile.GNU_FORMAT)):  # fmt: skip
        refused(content, place, match="not a path inside")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_nul_in_a_name(kind, place):
    content = nul_name(kind)
    if kind == "zip":
        refused(content, place, match="not a path inside")
    else:  # its header's checksum no longer holds; a pax header's does
        refused(content, place)
        info = tarfile.TarInfo("x")
        info.pax_headers = {"path": "a\0b"}
        refused(tarred([(info, b"x")]), place, match="not a path inside")


def test_links_and_devices(place):
    outside = str(place.parent)
    for kind, word in (
        (tarfile.SYMTYPE, "symbolic link"), (tarfile.LNKTYPE, "hard link"), (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"), (tarfile.FIFOTYPE, "device"), (tarfile.CONTTYPE, "device"), (b"Z", "device"),
    ):  # fmt: skip
        for target in (outside, "..", f"{outside}/precious", "good"):
            link = entry("link", kind, target)
            refused(tarred([("good", b"1"), (link, b"")]), place, match=word)
            refused(tarred([(link, b""), ("link/precious", b"canary")]), place, match=word)
    for mode in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK):
        refused(
            zipped([(zip_entry("link", mode | 0o777), outside), ("link/precious", b"canary")]),
            place,
            match="link|device",
        )
    sparse = entry("s", tarfile.GNUTYPE_SPARSE)
    refused(tarred([(sparse, b"")], form=tarfile.GNU_FORMAT), place, match="sparse")
    info = tarfile.TarInfo("s")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**50)}
    refused(tarred([(info, b"1\n0\n1\n".ljust(512, b"\0"))]), place)


def test_files_that_stand_twice(place):
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = zipped([("a", b"1"), ("a", b"2")])
    refused(twice, place, match="stands twice")
    refused(tarred([("a", b"1"), ("./a", b"2")]), place, match="stands twice")
    refused(tarred([("a", b"1"), ("a/b", b"2")]), place)
    refused(zipped([("a/b", b"1"), ("a", b"2")]), place, match="stands twice")


def test_bombs(place, figure):
    zeros = bytes(torture(12, 300) * 2**20)
    few = Limits(members=50, size=2**22)
    peak = 0
    for content in (
        zipped([("a", zeros)]),
        tarred([("a", zeros)]),
        zipped([(str(i), zeros[: 2**20]) for i in range(15)]),
    ):
        refused(content, place, match="unpacks to more")  # by the ratio
        peak += 1
    noise = (
        torch.randint(256, (2**23,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy().tobytes()
    )
    for content in (zipped([("a", noise)]), tarred([("a", noise)], packed=False)):
        refused(content, place, few, match="unpacks to more")  # by the size
        peak += 1
    many = [(str(number), b"") for number in range(51)]
    for content in (zipped(many), tarred(many), tarred(many, packed=False)):
        refused(content, place, few, match="more than 50 entries")
        peak += 1
    size = len(zeros) // 2**20
    figure(
        "zip and tar bombs", f"{peak} of {peak} refused by ratio ({size} MiB), size or count, nothing left on the disk"
    )


def test_heads_that_lie(place):
    body = bytearray(zipped([("a", b"x" * 5000)]))
    for stated in (1, 10**6, 2**32 - 2):
        lying = bytearray(body)
        central = lying.rindex(b"PK\x01\x02")
        lying[central + 24 : central + 28] = struct.pack("<I", stated)
        refused(bytes(lying), place)
    plain = tarred([("a", b"x" * 5000)], packed=False)
    for stated in (1, 10**6, 2**62):
        info = tarfile.TarInfo("a")
        info.size = stated
        refused(info.tobuf(tarfile.GNU_FORMAT) + plain[512:], place)
    refused(gzip.compress(tarfile.TarInfo("a").tobuf()[:300]), place)


def test_the_head_of_an_entry_takes_no_memory(place):
    """A pax header, which tarfile reads in one go, of 1 GiB in 1 MB."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 2**30
    refused(gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + bytes(2**22)), place, match="the head of an entry")
    chain = b"".join(entry("pax", tarfile.XHDTYPE).tobuf() for _ in range(5000))
    refused(gzip.compress(chain), place)


def test_strange_zips(place):
    lzma = io.BytesIO()
    with zipfile.ZipFile(lzma, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a", b"1")
    refused(lzma.getvalue(), place, match="unusual")
    locked = bytearray(zipped([("a", b"1")]))
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    refused(bytes(locked), place, match="encrypted")
    for content in (
        b"",
        b"PK",
        b"PK\x03\x04",
        b"\x1f\x8b",
        b"Rar!\x1a\x07",
        bytes(600),
        b"<html>",
        zipped([("a", b"1")])[:-9],
    ):
        refused(content, place)


def test_damage_anywhere_leaves_nothing(place, figure):
    members = list(GOOD.items())
    draw = torch.Generator().manual_seed(0)
    count, whole = torture(90, 6000), 0
    contents = [zipped(members), tarred(members), tarred(members, packed=False)]
    (place / "x").touch()
    before = everything(place.parents[1])
    for number in range(count):
        content = bytearray(contents[number % 3])
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
            whole += 1
            found = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
            assert [path.read_bytes() for path in found] == [b"", b"one", GOOD["a/b/two.bin"]] or number % 3 == 2, found
            archives.shutil.rmtree(folder)
        (place / "x").write_bytes(b"")
        assert everything(place.parents[1]) == before
    assert whole < count
    figure(
        "damaged archives",
        f"{count:,} archives: {count - whole:,} refused, {whole:,} unpacked, 0 other outcomes, nothing outside",
    )
