"""Which version of the package this is."""

import importlib.metadata

NOT_INSTALLED = "0+unknown"  # of a checkout that nobody installed, beside which no metadata lies


def version() -> str:
    """Return the version of the installed distribution, as its metadata states it."""
    try:
        return importlib.metadata.version("jaxcnn")
    except importlib.metadata.PackageNotFoundError:
        return NOT_INSTALLED


__version__ = version()
