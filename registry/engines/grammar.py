"""What a request's method and Host may look like (RFC 9110 sections 7.2 and 9.1)."""

import re

METHOD = re.compile(rb"[A-Z]+(?:-[A-Z]+)*")
HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
