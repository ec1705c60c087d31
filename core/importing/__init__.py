"""Log files on their way into a registry: read and packed in a child process, then pushed by one logic, whether the
repositories lie behind HTTP (`dfr import`) or here (what was pushed as a plain file)."""
