"""Old module names, which can still be imported, e.g. ``audiointerp.plot`` for ``display.plot``.

Version 0.1 had 28 modules at the top level. Each old name is an alias of the modules that define
its contents now; importing it gives a ``DeprecationWarning``.
"""

import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "audiointerp"
MOVED: dict[str, tuple[str, ...]] = {
    "archives": ("downloads.archives",),
    "bootstrap": ("tables.bootstrap",),
    "curves": ("scoring.curves",),
    "exports": ("tables",),
    "plot": ("display.plot",),
    "protocols": ("scoring.protocols",),
    "report": ("display.report",),
    "rows": ("scoring.rows", "scoring.columns", "dataset.loaded_clip"),
    "setting": ("paper.setting",),
    "store": ("experiments.store",),
    "supplementary": ("paper.supplementary",),
    "training": ("fit", "display.card"),
    "validity": ("paper.validity",),
}
"""Old module names, each with the modules that define its contents now."""


class OldModules(MetaPathFinder):
    """Import hook for the old module names; ``audiointerp/__init__.py`` installs it.

    >>> OldModules().find_spec("audiointerp.plot", None).name
    'audiointerp.plot'
    >>> OldModules().find_spec("audiointerp.metrics", None) is None
    True
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an alias module, or None if ``fullname`` is not an old name."""
        package, _, name = fullname.partition(".")
        if package != PACKAGE or name not in MOVED:
            return None
        return importlib.util.spec_from_loader(fullname, _AliasLoader(name))


class _AliasLoader(Loader):
    def __init__(self, name: str) -> None:
        self.name = name

    def exec_module(self, module: ModuleType) -> None:
        targets = [f"{PACKAGE}.{target}" for target in MOVED[self.name]]
        # Python skips the frames of the import system: level 2 is the user's import statement.
        warnings.warn(
            f"{PACKAGE}.{self.name} has moved to {' and '.join(targets)}; import it from there",
            DeprecationWarning,
            stacklevel=2,
        )
        module.__doc__ = f"Deprecated alias of {' and '.join(targets)}."

        def look_up(attribute: str) -> Any:
            for target in targets:
                module_now = importlib.import_module(target)
                if hasattr(module_now, attribute):
                    return getattr(module_now, attribute)
            raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")

        module.__dict__["__getattr__"] = look_up
