from .devices import halve_on_oom, usable_device
from .files import (
    atomic_write,
    json_text,
    locked,
    make_folder,
    plain,
    read_json,
    refuse_held,
    write_json,
    write_text,
)
from .memory import keep_memory
from .probability import FLOOR, OUTPUTS, log_of_the_others, log_probabilities, probabilities
from .text import encodable, one_line

__all__ = [
    "FLOOR",
    "OUTPUTS",
    "atomic_write",
    "encodable",
    "halve_on_oom",
    "json_text",
    "keep_memory",
    "locked",
    "log_of_the_others",
    "log_probabilities",
    "make_folder",
    "one_line",
    "plain",
    "probabilities",
    "read_json",
    "refuse_held",
    "usable_device",
    "write_json",
    "write_text",
]
