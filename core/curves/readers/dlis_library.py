"""dlisio, the library that reads DLIS and LIS for us: fetched when needed, its complaints told in one line.

It is the extra `[dlis]` (LGPL-3.0, imported and never copied).
"""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import CurveError


def dlisio(part: str) -> Any:
    """dlisio.dlis or dlisio.lis; CurveError that names the extra where it is not installed."""
    try:
        return importlib.import_module(f"dlisio.{part}")
    except ImportError as error:
        raise CurveError(
            "DLIS and LIS files are read through dlisio, which is not installed: pip install 'dataforge-registry[dlis]'"
        ) from error


@contextmanager
def told(findings: list[str], file: str) -> Iterator[None]:
    """What dlisio logs as an error becomes a finding, what it raises a CurveError; its warnings are let go."""
    log = logging.getLogger("dlisio")
    heard = _Heard(findings)
    before = log.propagate
    log.addHandler(heard)
    log.propagate = False
    try:
        yield
    except CurveError:
        raise
    except (RuntimeError, ValueError, OSError, EOFError, IndexError, KeyError, TypeError, MemoryError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise CurveError(f"{file} cannot be read: {one_line(error)}") from error
    finally:
        log.removeHandler(heard)
        log.propagate = before


class _Heard(logging.Handler):
    def __init__(self, findings: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        line = one_line(record.getMessage())
        if line not in self.findings:
            self.findings.append(line)


def one_line(error: object) -> str:
    """An error's first lines as one, of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:299] + "…"
