from .batch_norm import right_batch_norm_gradients
from .cache import Cache, CacheChoice, digest_of, file_digest, open_cache
from .cluster import Cluster, compute_on_cluster
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
from .hooks import is_owned, owned
from .html import table_html
from .memory import importing, keep_memory, return_memory
from .parent import exit_with_parent
from .pools import few_at_a_time
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
from .remote import (
    delete_file,
    file_names,
    is_url,
    local_copy,
    open_binary,
    place_below,
    read_bytes,
    write_bytes,
)
from .text import encodable, join_names, one_line, split_names

__all__ = [
    "BINARY",
    "BLACK_BOX_METHODS",
    "FILLS",
    "FLOOR",
    "INDEPENDENT",
    "OUTPUTS",
    "Cache",
    "CacheChoice",
    "Cluster",
    "Progress",
    "atomic_write",
    "before_folding",
    "compute_on_cluster",
    "delete_file",
    "digest_of",
    "encodable",
    "evaluating",
    "exit_with_parent",
    "explain_gradient_errors",
    "explained_model",
    "few_at_a_time",
    "file_digest",
    "file_names",
    "fill_levels",
    "folded",
    "halve_on_oom",
    "importing",
    "input_gradient",
    "is_out_of_memory",
    "is_owned",
    "is_url",
    "join_names",
    "json_text",
    "keep_memory",
    "local_copy",
    "locked",
    "log_of_the_others",
    "log_probabilities",
    "make_folder",
    "network_logits",
    "network_name",
    "one_line",
    "open_binary",
    "open_cache",
    "owned",
    "owners_module",
    "place_below",
    "plain",
    "probabilities",
    "read_bytes",
    "read_json",
    "refuse_held",
    "return_memory",
    "right_batch_norm_gradients",
    "run_network",
    "set_evaluation",
    "show_progress",
    "split_names",
    "suspected_probabilities",
    "table_html",
    "to_logits",
    "usable_device",
    "warn_of_probabilities",
    "weight_type",
    "write_bytes",
    "write_json",
    "write_text",
]
