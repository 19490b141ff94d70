"""Names of experiments and of the files of their tables."""

import re

from ..experiments import EXPERIMENTS, NOISE_TRAINED


def label(transform: str, experiment: str) -> str:
    """Return an experiment's name with its transform in front.

    >>> label("mel", "mel_clean"), label("mel", "street")
    ('mel_clean', 'mel_street')
    """
    return experiment if experiment.startswith(f"{transform}_") else f"{transform}_{experiment}"


def slug(text: str) -> str:
    """Return a text in the letters that both a file name and a LaTeX label allow.

    >>> slug("a/b: c")
    'a_b_c'
    """
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("._")


def is_noise_trained(experiment: str) -> bool:
    """Tell whether an experiment is one of the study's with a network that heard the noises.

    >>> is_noise_trained("mel_horse"), is_noise_trained("mel_horse_noise_trained")
    (False, True)
    """
    return experiment in NOISE_TRAINED


def is_clean(experiment: str, transform: str) -> bool:
    """Tell whether an experiment is the study's own on clean clips with this transform.

    >>> is_clean("mel_clean", "mel"), is_clean("mel_horse", "mel")
    (True, False)
    >>> is_clean("mel_clean_noise_trained", "mel")
    True
    """
    known = (EXPERIMENTS | NOISE_TRAINED).get(experiment)
    return known is not None and known.noise is None and known.transform == transform
