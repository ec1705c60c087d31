"""The kinds of values a configuration holds besides plain ones: durations, sizes and secrets."""

import re
from typing import Any

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_SIZE = re.compile(r"(\d+)\s*([a-zA-Z]*)")


class Duration(float):
    """Seconds. Written as a number of seconds or as `90s`, `1h30m`, `7d`."""

    @classmethod
    def parse(cls, value: object) -> "Duration":
        """The duration a configuration value stands for, or ValueError."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return cls(value)
        if isinstance(value, str):
            text = value.strip()
            if re.fullmatch(r"\d+(?:\.\d+)?", text):
                return cls(text)
            parts = _PART.findall(text)
            if parts and "".join(number + unit for number, unit in parts) == text:
                return cls(sum(float(number) * _SECONDS[unit] for number, unit in parts))
        raise ValueError(f"not a duration: {value!r} (write seconds, or 30s, 5m, 24h, 7d)")


class Size(int):
    """Bytes. Written as a number of bytes or as `8KiB`, `64 MiB`, `10GB`."""

    @classmethod
    def parse(cls, value: object) -> "Size":
        """The size a configuration value stands for, or ValueError."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
            return cls(value)
        if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
            number, unit = match.groups()
            if unit.lower() in _BYTES and (size := int(number) * _BYTES[unit.lower()]) < 2**63:
                return cls(size)
        raise ValueError(f"not a size: {value!r} (write bytes, or 8KiB, 4MiB, 10GiB)")


class Secret(str):
    """A string that does not show itself in a repr, a log line or a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')" if self else "Secret('')"

    def redacted(self) -> str:
        """What may be shown: `***`, or a URL without its password."""
        if "://" in self:
            return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", re.sub(r"(?i)(password=)[^&]*", r"\1***", self))
        return "***" if self else ""

    @classmethod
    def parse(cls, value: object) -> "Secret":
        """The secret itself, or ValueError where the value is no text (the value is not repeated)."""
        if not isinstance(value, str):
            raise ValueError("not a text")
        return cls(value)


def decode(kind: type[Any], value: object) -> Any:
    """msgspec's dec_hook for the kinds of this module."""
    if issubclass(kind, (Duration, Size, Secret)):
        return kind.parse(value)
    raise NotImplementedError(kind.__name__)
