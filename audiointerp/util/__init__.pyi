from .batch_norm import right_batch_norm_gradients
from .cache import Cache, CacheChoice, digest_of, file_digest, open_cache
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
from .fills import FILLS, fill_levels
from .folding import before_folding, folded
from .forward import (
    BLACK_BOX_METHODS,
    evaluating,
    explain_gradient_errors,
    explained_model,
    network_logits,
    network_name,
    owners_module,
    run_network,
    set_evaluation,
    weight_type,
)
from .html import table_html
from .memory import keep_memory
from .probability import (
    BINARY,
    FLOOR,
    INDEPENDENT,
    OUTPUTS,
    log_of_the_others,
    log_probabilities,
    probabilities,
    suspected_probabilities,
    to_logits,
    warn_of_probabilities,
)
from .products import input_gradient
from .progress import Progress, show_progress
from .text import encodable, one_line

__all__ = [
    "BINARY",
    "BLACK_BOX_METHODS",
    "FILLS",
    "FLOOR",
    "INDEPENDENT",
    "OUTPUTS",
    "Cache",
    "CacheChoice",
    "Progress",
    "atomic_write",
    "before_folding",
    "digest_of",
    "encodable",
    "evaluating",
    "explain_gradient_errors",
    "explained_model",
    "file_digest",
    "fill_levels",
    "folded",
    "halve_on_oom",
    "input_gradient",
    "is_out_of_memory",
    "json_text",
    "keep_memory",
    "locked",
    "log_of_the_others",
    "log_probabilities",
    "make_folder",
    "network_logits",
    "network_name",
    "one_line",
    "open_cache",
    "owners_module",
    "plain",
    "probabilities",
    "read_json",
    "refuse_held",
    "right_batch_norm_gradients",
    "run_network",
    "set_evaluation",
    "show_progress",
    "suspected_probabilities",
    "table_html",
    "to_logits",
    "usable_device",
    "warn_of_probabilities",
    "weight_type",
    "write_json",
    "write_text",
]
