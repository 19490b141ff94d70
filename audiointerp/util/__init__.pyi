from .devices import halve_on_oom, is_out_of_memory, usable_device
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
from .forward import (
    BLACK_BOX_METHODS,
    explain_gradient_errors,
    network_logits,
    run_network,
    set_evaluation,
)
from .memory import keep_memory
from .probability import (
    BINARY,
    FLOOR,
    INDEPENDENT,
    OUTPUTS,
    log_of_the_others,
    log_probabilities,
    probabilities,
    to_logits,
    warn_of_probabilities,
)
from .text import encodable, one_line

__all__ = [
    "BINARY",
    "BLACK_BOX_METHODS",
    "FLOOR",
    "INDEPENDENT",
    "OUTPUTS",
    "atomic_write",
    "encodable",
    "explain_gradient_errors",
    "halve_on_oom",
    "is_out_of_memory",
    "json_text",
    "keep_memory",
    "locked",
    "log_of_the_others",
    "log_probabilities",
    "make_folder",
    "network_logits",
    "one_line",
    "plain",
    "probabilities",
    "read_json",
    "refuse_held",
    "run_network",
    "set_evaluation",
    "to_logits",
    "usable_device",
    "warn_of_probabilities",
    "write_json",
    "write_text",
]
