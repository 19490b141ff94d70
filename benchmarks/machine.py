"""Describes the machine: its processor and the versions, but not its name."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("captum", "grad-cam", "shap", "lime", "quantus")


@dataclass(frozen=True)
class Machine:
    """The machine that measured.

    Attributes:
        processor: its model, and the widest vector instructions that torch uses on it.
        cores, threads: of the machine, and of torch.
        memory: in GiB; 0 if not known.
        system, python, torch: names and versions.
        packages: the versions of what the library is compared with.
        load: how many processes wanted to run when the measurement began; 0 on a quiet machine.
        matrix_product: the rate of a float32 matrix product in GFLOP/s.
    """

    processor: str
    cores: int
    threads: int
    memory: float
    system: str
    python: str
    torch: str
    packages: str
    load: float
    matrix_product: float


def this_machine(matrix_product: float, load: float) -> Machine:
    """Describe this machine."""
    return Machine(
        processor=f"{_processor()} ({torch.backends.cpu.get_cpu_capability()})",
        cores=os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        memory=round(_memory(), 1),
        system=platform.system(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        packages=", ".join(f"{name} {version(name)}" for name in PACKAGES),
        load=round(load, 2),
        matrix_product=round(matrix_product, 1),
    )


def load_average() -> float:
    """Return how many processes have wanted to run in the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    family, model = fields.get("cpu family", "?"), fields.get("model", "?")
    return f"{fields.get('model name', platform.machine())}, family {family}, model {model}"


def _memory() -> float:
    path = Path("/proc/meminfo")
    if not path.exists():
        return 0.0
    return int(path.read_text().split()[1]) / 2**20
