"""What a request's method and Host may look like (RFC 9110 sections 7.2 and 9.1), and what is said of a bad request."""

import re

METHOD = re.compile(rb"[A-Z]+(?:-[A-Z]+)*")
HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
REASONS = {
    400: "the request breaks HTTP/1.1: check its line ends, framing, method, target and Host",
    414: "the request target is too long",
    431: "too many or too long header lines",
    501: "this transfer coding is not served: use chunked or Content-Length",
    505: "only HTTP/1.0 and HTTP/1.1 are served",
}
