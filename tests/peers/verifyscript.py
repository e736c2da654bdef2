"""Verifies signatures with what Debian has; run by its own Python, which knows nothing of ours.

    /usr/bin/python3 verifyscript.py dkimpy
    unshare --net --mount /usr/bin/python3 verifyscript.py opendkim

Each line of standard input is JSON, {"mail": base64, "records": {name: TXT}}; each is answered by
one line. dkimpy says what it finds of each DKIM-Signature, from the top, and of the ARC chain.
opendkim-testmsg asks DNS, so it has a network and a /etc/resolv.conf to itself, with a name server
that we are; it says whether no signature is wrong, and why.
"""

from __future__ import annotations

import base64
import fcntl
import importlib
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading

RECORDS: dict[str, str] = {}


def dkimpy(mail: bytes) -> dict[str, object]:
    """Every signature, and the chain."""
    dkim = importlib.import_module("dkim")

    def ask(name: bytes, timeout: float = 0) -> bytes | None:
        text = RECORDS.get(name.decode().rstrip("."))
        return text.encode() if text is not None else None

    try:
        found = dkim.DKIM(mail)
        count = sum(name.lower() == b"dkim-signature" for name, _ in found.headers)
        cv, _, reason = dkim.arc_verify(mail, dnsfunc=ask)
        return {
            "dkim": [_passes(dkim, mail, index, ask) for index in range(count)],
            "arc": cv.decode() if isinstance(cv, bytes) else "ended",
            "reason": reason,
        }
    except dkim.DKIMException as error:
        return {"dkim": [], "arc": "", "reason": f"{type(error).__name__}: {error}"}


def _passes(dkim: object, mail: bytes, index: int, ask: object) -> bool:
    try:
        return bool(dkim.DKIM(mail).verify(index, dnsfunc=ask))  # type: ignore[attr-defined]
    except dkim.DKIMException:  # type: ignore[attr-defined]
        return False


def opendkim(mail: bytes) -> dict[str, object]:
    """What opendkim-testmsg says: nothing, where all is well."""
    ran = subprocess.run(
        ["/usr/sbin/opendkim-testmsg"], input=mail, capture_output=True, check=False
    )
    told = (ran.stdout + ran.stderr).decode("utf-8", "replace").strip()
    return {"dkim": [ran.returncode == 0 and not told], "arc": "", "reason": told}


def serve() -> None:
    """Be the only name server: 127.0.0.1, port 53, TXT records only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # ip link set lo up
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh22x", b"lo", 1))
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=_answer, args=(server,), daemon=True).start()


def _answer(server: socket.socket) -> None:
    while True:
        question, peer = server.recvfrom(4096)
        labels, at = [], 12
        while size := question[at]:
            labels.append(question[at + 1 : at + 1 + size].decode())
            at += 1 + size
        asked = question[12 : at + 5]
        text = RECORDS.get(".".join(labels))
        head = question[:2] + struct.pack(">HHHHH", 0x8183 if text is None else 0x8180, 1, 0, 0, 0)
        if text is None:
            server.sendto(head + asked, peer)
            continue
        octets = text.encode()
        strings = [octets[cut : cut + 255] for cut in range(0, len(octets), 255)]
        data = b"".join(bytes([len(each)]) + each for each in strings)
        head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data
        server.sendto(head + asked + record, peer)


if __name__ == "__main__":
    if sys.argv[1] == "opendkim":
        serve()
    verify = {"dkimpy": dkimpy, "opendkim": opendkim}[sys.argv[1]]
    for line in sys.stdin:
        question = json.loads(line)
        RECORDS.clear()
        RECORDS.update(question["records"])
        print(json.dumps(verify(base64.b64decode(question["mail"]))), flush=True)
