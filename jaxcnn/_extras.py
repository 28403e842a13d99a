"""Import what only an extra of this package installs."""

import importlib
from types import ModuleType


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module that the base install does not need.

    Args:
      module: its full name.
      extra: the extra that installs it.

    Raises:
      ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise ModuleNotFoundError(
            f'{module} must be installed for this: pip install "jaxcnn[{extra}]"', name=error.name
        ) from error
