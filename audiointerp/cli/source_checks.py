"""Which options that name clips go together."""

from pathlib import Path

from ..errors import ArgumentError


def check_source(
    data: Path | None,
    clips: Path | None,
    manifest: str | None,
    subset: str | None,
    part: str | None,
) -> None:
    """Refuse options of --data beside --clips or --manifest, and the other way round.

    Raises:
        ArgumentError: two options do not go together.

    >>> check_source(None, Path("clips"), None, None, "test")
    """
    if clips is not None and manifest is not None:
        raise ArgumentError("--manifest replaces --clips; give one or the other")
    for name, value in (("--clips", clips), ("--manifest", manifest)):
        if value is not None and not (data is None and subset is None):
            raise ArgumentError(f"{name} replaces --data and --subset; give one or the other")
    if clips is None and part is not None:
        raise ArgumentError("--part is of --clips; for --data give --folds")
