"""The C library's memory allocator keeps memory, and returns it when it is told to."""

import subprocess
import sys

import pytest

SCRIPT = """
import re
import sys
from pathlib import Path

import numpy as np

from audiointerp.util import keep_memory, return_memory

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

keep_memory()
before = resident()
blocks = [np.ones(10 * 2**17) for _ in range(10)]
# So that the free memory is not the end of the heap, which may shrink anyway.
last = np.ones(1000)
del blocks
kept = resident() - before
return_memory()
print(kept, resident() - before)
assert "torch" not in sys.modules
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings and /proc")
def test_freed_memory_is_kept_until_it_is_returned():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    kept, returned = map(float, done.stdout.split())
    assert 90 < kept < 120
    assert returned < 10
