"""What can be wrong with a curve, a log file or a reference."""


class CurveError(ValueError):
    """One line that says what is wrong and how to mend it."""


class LasRefused(CurveError):
    """A LAS file that would not be read right. `line` counts from 1; 0 means the file as a whole."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line


class ContentMismatch(CurveError):
    """Bytes that do not match the digest they were asked by, or a layer whose rows do not match its manifest."""


class ReferenceInvalid(CurveError):
    """A REF that does not follow `[http[s]://HOST[:PORT]/]PROJECT/WELL[/FRAME[/CURVE]][:TAG|@TAG|@DIGEST]`."""
