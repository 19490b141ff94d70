"""The study as a whole: its experiments one after the other, each on its setting's network."""

import os
from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from ..dataset import EvenSubset, InMemory
from ..errors import ArgumentError, ModelError, choose
from ..experiments import EXPERIMENTS, NOISE_TRAINED, Experiment, background_of, run
from ..interpretation import METHODS
from ..scoring import ood_reference
from .choice import Setting, choose_setting
from .published import COMPARED_METHODS, STUDY_MASKS
from .setting import TRAINED, WEIGHTS, load_or_train, open_folds, weights_of


def run_study(
    data: str | os.PathLike[str] | None = None,
    subset: str | None = None,
    *,
    experiments: Sequence[str] | None = None,
    methods: Sequence[str] = COMPARED_METHODS,
    out: str | os.PathLike[str] | None = None,
    resume: bool = True,
    device: str | torch.device = "cpu",
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
) -> dict[str, pd.DataFrame]:
    """Run the experiments of the study with the settings that suit the data.

    Interrupted, the same call resumes; once it is done, it changes nothing. ``results/`` holds the
    rows in small files, see :func:`~audiointerp.paper.pack_results`.

    Args:
        data, subset: see :func:`choose_setting`.
        experiments: see :func:`settings_of_study`.
        methods, resume, device, workers, shard: see :func:`~audiointerp.experiments.runner.run`.
        out: the folder of results; if None the setting's own.

    Returns:
        The rows of each experiment, by name. Those of ``NOISE_TRAINED`` are among them if there is
        a network that heard the noises, see :func:`settings_of_study`.

    Raises:
        ArgumentError: a method is unknown; or see :func:`settings_of_study`.
        ModelError: see :func:`load_or_train` and :func:`settings_of_study`.

    Example (hours)::

        results = run_study("data/ESC-50", "esc10", workers=4)
        results["mel_clean"].groupby("method")["FF"].mean()
    """
    settings = settings_of_study(data, subset, experiments)
    for method in methods:
        choose("method", method, METHODS)
    folds = {setting.transform: open_folds(setting) for setting in settings}
    # All networks are loaded first, so that a missing one is reported before the long runs.
    classifiers = [
        load_or_train(setting, folds[setting.transform], device=device)[0] for setting in settings
    ]
    # The experiments of one sample rate share the clips in memory.
    clips = {
        setting.transform: EvenSubset(InMemory(folds[setting.transform][2]), setting.scored)
        for setting in settings
    }
    results = {}
    backgrounds: dict[str, Tensor] = {}
    for setting, classifier in zip(settings, classifiers, strict=True):
        train, valid, _ = folds[setting.transform]
        # Two networks on equal features share it.
        features = str(classifier.transform.to_dict())
        if features not in backgrounds:
            backgrounds[features] = background_of(train, classifier.transform)
        reference = ood_reference(classifier, train, valid)
        for experiment in _experiments_of(setting, experiments):
            results[experiment.name] = run(
                experiment,
                classifier,
                clips[setting.transform],
                methods,
                out or setting.results,
                background=backgrounds[features],
                reference=reference,
                masks=STUDY_MASKS,
                attributions=False,
                resume=resume,
                device=device,
                workers=workers,
                shard=shard,
            )
    return results


def settings_of_study(
    data: str | os.PathLike[str] | None = None,
    subset: str | None = None,
    experiments: Sequence[str] | None = None,
) -> list[Setting]:
    """Return the settings of the study's experiments: STFT, mel, and mel trained with noise.

    Args:
        data, subset: see :func:`choose_setting`.
        experiments: names in ``EXPERIMENTS`` or ``NOISE_TRAINED``, whose settings are returned; if
            None those of all, but of ``NOISE_TRAINED`` only if there is a network of it in
            ``weights`` or ``trained``.

    Raises:
        ArgumentError: an experiment is unknown, or there are none.
        ModelError: there is no network of a chosen experiment of ``NOISE_TRAINED``.

    >>> [setting.name for setting in settings_of_study()][:2]
    ['synthetic_stft_cnn10', 'synthetic_mel_cnn10']
    >>> [setting.name for setting in settings_of_study(experiments=["mel_horse"])]
    ['synthetic_mel_cnn10']
    """
    if experiments is not None and not experiments:
        raise ArgumentError("experiments: none is named; None stands for all")
    for name in experiments or ():
        choose("experiment", name, EXPERIMENTS | NOISE_TRAINED)
    transforms = dict.fromkeys(experiment.transform for experiment in EXPERIMENTS.values())
    settings = [choose_setting(transform, data, subset) for transform in transforms]
    noise_trained = choose_setting("mel", data, subset, noise_trained=True)
    if weights_of(noise_trained) is not None:
        settings.append(noise_trained)
    elif wanted := [name for name in experiments or () if name in NOISE_TRAINED]:
        raise ModelError(
            f"{wanted[0]}: there is no network that heard noise, {noise_trained.name}.safetensors, "
            f"in {WEIGHTS} or {TRAINED}; train one on the same data (audiointerp train --noises "
            f"horse,room,white --out {TRAINED}), or leave the experiment out"
        )
    return [setting for setting in settings if _experiments_of(setting, experiments)]


def _experiments_of(setting: Setting, names: Sequence[str] | None = None) -> list[Experiment]:
    """Return the experiments of a setting, or those of these names."""
    known = NOISE_TRAINED if setting.noise_trained else EXPERIMENTS
    return [
        experiment
        for experiment in known.values()
        if experiment.transform == setting.transform and (names is None or experiment.name in names)
    ]
