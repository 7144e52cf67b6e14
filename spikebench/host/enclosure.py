"""Shuts a process in before it runs somebody's code: no network, and no writing outside one folder, as far as the kernel allows it.

Landlock denies writing and TCP, a filter of system calls (seccomp) denies sockets of every kind. Neither can be undone by
the process or by what it starts. Reading files and using time and memory stay allowed. Linux on x86-64 and ARM64 only.
"""

import ctypes
import os
import platform
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
# rights to change the file system, each with the version of Landlock that has it
WRITING = ((1, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1), (9, 1), (10, 1), (11, 1), (12, 1), (13, 2), (14, 3))
OF_A_FILE = (1 << 1) | (1 << 14)  # rights that a rule on a file may have
TCP, TCP_SINCE = 0b11, 4
SCOPES, SCOPES_SINCE = 0b11, 6  # abstract sockets and signals to processes outside
DENIED = 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES
ALLOWED = 0x7FFF0000
LOAD, EQUAL, ABOVE, RETURN = 0x20, 0x15, 0x35, 0x06
# socket, ptrace, process_vm_readv and _writev, setns, unshare, mount, bpf; then those of chmod and chown, which Landlock lets pass
CALLS = {
    "x86_64": (0xC000003E, (41, 101, 310, 311, 308, 272, 165, 321, 90, 91, 92, 93, 94, 260, 268)),
    "aarch64": (0xC00000B7, (198, 117, 270, 271, 268, 97, 40, 280, 52, 53, 54, 55)),
}
EVERYWHERE = (425, 438, 428, 429, 430, 431, 432, 452)  # io_uring_setup, pidfd_getfd, open_tree to fsmount, fchmodat2
X32 = 0x40000000


@dataclass(frozen=True)
class Enclosed:
    """What holds for this process from now on: whether it cannot reach a network, and whether it can write in one folder only."""

    network: bool
    writing: bool
    told: str

    @property
    def whole(self) -> bool:
        """Whether all of it is enforced."""
        return self.network and self.writing


def enclose(folder: Path) -> Enclosed:
    """Shut this process in: from now on it writes only in `folder`, where temporary files and caches go too."""
    os.environ |= {k: str(folder) for k in ("TMPDIR", "HOME", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "XDG_CACHE_HOME")}
    tempfile.tempdir = str(folder)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    writing = version > 0 and _landlock(libc, version, folder)
    network = _filter(libc)
    said = [f"writing outside {folder.name}: {f'denied (Landlock {version})' if writing else 'NOT enforced'}"]
    said += [f"network: {'denied (seccomp)' if network else 'NOT enforced'}"]
    said += [f"signals to others: {'denied' if writing and version >= SCOPES_SINCE else 'NOT enforced'}"]
    return Enclosed(network, writing, "; ".join([*said, "reading files, time and memory: not restricted"]))


def _landlock(libc: ctypes.CDLL, version: int, folder: Path) -> bool:
    rights = sum(1 << bit for bit, since in WRITING if since <= version)
    wanted = [rights, TCP if version >= TCP_SINCE else 0, SCOPES if version >= SCOPES_SINCE else 0]
    size = 24 if version >= SCOPES_SINCE else 16 if version >= TCP_SINCE else 8
    rules = libc.syscall(CREATE_RULESET, struct.pack("QQQ", *wanted), size, 0)
    if rules < 0:
        return False
    allowed = [_allow(libc, rules, folder, rights), _allow(libc, rules, Path(os.devnull), rights & OF_A_FILE)]
    done = libc.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return done and all(allowed)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return libc.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", rights, place), 0) == 0
    finally:
        os.close(place)


def _filter(libc: ctypes.CDLL) -> bool:
    """Deny the system calls that open a network or reach into other processes; every one of another architecture too."""
    if platform.machine() not in CALLS:
        return False
    machine, own = CALLS[platform.machine()]
    program = _program(machine, (*own, *EVERYWHERE))
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(text))
    return libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.c_char_p(whole), 0, 0) == 0


def _program(machine: int, calls: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Steps of the kernel's filter machine: code, jump if true, jump if false, operand."""
    n = len(calls)
    program = [(LOAD, 0, 0, 4), (EQUAL, 0, n + 3, machine), (LOAD, 0, 0, 0), (ABOVE, n + 1, 0, X32)]
    program += [(EQUAL, n - k, 0, call) for k, call in enumerate(calls)]
    return [*program, (RETURN, 0, 0, ALLOWED), (RETURN, 0, 0, DENIED)]


def trial(folder: Path) -> list[str]:
    """What an enclosed process can do although it should not: empty if the enclosure holds. Leaves nothing behind."""
    import socket

    def write() -> None:
        outside = folder.parent / f"{folder.name}.outside"
        outside.write_text("x", encoding="utf-8")
        outside.unlink()

    attempts: dict[str, Callable[[], object]] = {"network": socket.socket, "writing": write}
    found: list[str] = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except PermissionError:
            continue
        found.append(name)
    return found
