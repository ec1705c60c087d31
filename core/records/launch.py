"""Run as a script: become the service user, ask to be told when our parent dies, then become another program.

    python -I -S launch.py UID GID PARENT FOLDER PROGRAM ARGUMENT...

A script of its own, because the same steps between fork and exec (`preexec_fn`) are not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def launch(uid: int, gid: int, parent: int, folder: str, command: list[str]) -> None:
    """Never returns: exec, or exit with one line on stderr. The kernel forgets the death signal when the user id
    changes, so it is asked for last; a parent that died before that is noticed by comparing its pid."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            sys.exit("the process that started PostgreSQL is gone")
    try:
        os.chdir(folder)
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename}")


if __name__ == "__main__":
    launch(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:])
