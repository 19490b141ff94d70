"""The methods of a finished run, and its attributions, to show and to hear them again."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..dataset import ClipDataset
from ..errors import ArgumentError, AudioInterpError
from ..interpretation import METHODS, Explainer
from ..model import Classifier
from ..scoring import Stored, build_explainer
from ..util import encodable, read_json
from .fingerprint import name_of_device, settings_of
from .model_record import described_model
from .plain_values import sha256_of_state
from .prepare import clip_names
from .shards import kept_attributions
from .store import attribution_path


@dataclass(frozen=True, eq=False)
class FinishedMethod:
    """The results of one method in one experiment.

    Attributes:
        folder: of the method.
        record: its run.json.

    >>> FinishedMethod(Path("results/mel/mel_clean/lime"), {}).name
    'lime'
    """

    folder: Path
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The method's name."""
        return self.folder.name

    def check(self, classifier: Classifier, clips: ClipDataset) -> None:
        """Refuse another network, or other clips, than those of the run.

        Raises:
            ArgumentError: they are not those of the run.
        """
        if self._is_of_another(classifier):
            raise ArgumentError(
                f"{self.folder}: was computed with another network, or one with other settings or "
                "code; give that of the run"
            )
        if self.record.get("clip_names_sha256") != clip_names(clips).sha256:
            raise ArgumentError(
                f"{self.folder}: was computed on {self.record.get('clips')} clips, which are not "
                f"the {len(clips)} given here; give the data of that run, e.g. by --data, --clips, "
                "--folds or --part"
            )

    def _is_of_another(self, classifier: Classifier) -> bool:
        """Whether the run had other weights, or a model that answers otherwise with these."""
        if self.record.get("network_sha256") != sha256_of_state(classifier.network):
            return True
        before = (self.record.get("model") or {}).get("answers")
        # On another kind of device, the digits differ more.
        is_same_device = self.record.get("device") == name_of_device(classifier.device)
        if before is None or not is_same_device:
            return False
        return bool(before != described_model(classifier)["answers"])

    def explainer(self, classifier: Classifier, background: Tensor | None = None) -> Explainer:
        """Build the method anew, with the settings of the run.

        Raises:
            ArgumentError: it is no method of this library, the run used other settings than the
                method has by default, or the classifier's gradients go through something else.
        """
        advice = "run it again with its attributions kept, which are then shown as they are"
        if self.name not in METHODS:
            raise ArgumentError(f"{self.folder}: {self.name} cannot be made again; {advice}")
        explainer = build_explainer(self.name, classifier, background)
        before, now = self.record.get("explainer", {}), settings_of(explainer)
        # Older runs know fewer settings.
        other = [name for name in now if name in before and before[name] != now[name]]
        if other:
            raise ArgumentError(
                f"{self.folder}: {self.name} was run with another {', '.join(other)}; {advice}"
            )
        if explainer.uses_input_gradients:
            self._check_gradients(classifier)
        return explainer

    def _check_gradients(self, classifier: Classifier) -> None:
        """Refuse a model of sounds whose gradients go through something else than the run's."""
        model = self.record.get("model") or {}
        before = model.get("gradients")
        now = None if classifier.features is None else str(classifier.features)
        if before != now:
            words = "through the sound" if before is None else f"of its features ({before})"
            raise ArgumentError(
                f"{self.folder}: {self.name} was run with gradients {words}, and those of this "
                f"classifier are {classifier.gradients}; give from_waveform(gradients=) of the run"
            )

    def has_stored(self, clips: Mapping[int, str]) -> bool:
        """Whether the run kept the attributions of all of these clips, names by number.

        Raises:
            AudioInterpError: a file is damaged.
        """
        return all(self._kept(index, clip) is not None for index, clip in clips.items())

    def stored(self, network: nn.Module, index: int, clip: str) -> Stored | None:
        """Return the attribution that the run kept of a clip, or None if it kept none.

        Args:
            network: of the classifier.
            index, clip: the clip's number and name.

        Raises:
            AudioInterpError: the file is damaged.
        """
        kept = self._kept(index, clip)
        return None if kept is None else Stored(network, *kept, self.name)

    def _kept(self, index: int, clip: str) -> tuple[Tensor, int] | None:
        """Read the values and the target of a clip, from its own file or that of its shard."""
        own_file = attribution_path(self.folder, index, encodable(clip))
        path = own_file if own_file.is_file() else kept_attributions(self.folder, index)
        if path is None:
            return None
        try:
            with safe_open(path, framework="pt") as file:
                if path == own_file:
                    target = json.loads(file.metadata()["audiointerp"])["target"]
                    return file.get_tensor("values"), target
                # A clip that failed has none.
                if f"{index:09d}.values" not in file.keys():  # noqa: SIM118
                    return None
                target = int(file.get_tensor(f"{index:09d}.target"))
                return file.get_tensor(f"{index:09d}.values"), target
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise AudioInterpError(
                f"{path}: no attribution of a run ({error}); repeat the run"
            ) from error


def finished_methods(folders: Sequence[str | os.PathLike[str]]) -> list[FinishedMethod]:
    """Find the methods of one experiment in folders of a run.

    Args:
        folders: of an experiment (``results/mel/mel_clean``) or of single methods of it; also a
            folder of results that holds one experiment alone.

    Raises:
        AudioInterpError: a folder has no finished results.
        ArgumentError: they are of several experiments, or two are of one method.

    >>> finished_methods(["no such folder"])
    Traceback (most recent call last):
    audiointerp.errors.AudioInterpError: no such folder: holds no finished run ...
    """
    paths: list[Path] = []
    for folder in folders:
        levels = ("run.json", "*/run.json", "*/*/*/run.json")
        inside = [sorted(Path(folder).glob(level)) for level in levels]
        found_paths = next((level for level in inside if level), [])
        if not found_paths:
            raise AudioInterpError(
                f"{folder}: holds no finished run (METHOD/run.json); make one with "
                "`audiointerp run`"
            )
        paths += [path for path in found_paths if path not in paths]
    methods = []
    for path in paths:
        record = read_json(path)
        if not isinstance(record, dict):
            raise AudioInterpError(f"{path}: cannot be read; repeat the run")
        methods.append(FinishedMethod(path.parent.resolve(), record))
    _check_one_experiment(methods)
    return methods


def _check_one_experiment(methods: Sequence[FinishedMethod]) -> None:
    experiments = list(dict.fromkeys(str(method.folder.parent) for method in methods))
    networks = {method.record.get("network_sha256") for method in methods}
    names = [method.name for method in methods]
    same = [json.dumps(method.record.get("experiment"), sort_keys=True) for method in methods]
    if len(set(same)) > 1 or len(networks) > 1:
        raise ArgumentError(
            f"these are runs of several experiments ({', '.join(experiments)}); give one of them"
        )
    if len(set(names)) < len(names):
        raise ArgumentError(f"two of these runs are of one method ({', '.join(names)}); leave one")
