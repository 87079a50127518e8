"""A container image of Debian's static busybox, as the archive that containerd imports: no registry is asked."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
IMAGE = "docker.io/kwit/busybox:1"


def write_image(path: Path) -> None:
    """One layer: busybox, a link for each of its programs, what shells look for. It is the pause image too."""
    layer = _layer()
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sleep", "2147483647"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [IMAGE], "Layers": [f"{digest}.tar"]}]).encode()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for entry, data in ((f"{digest}.tar", layer), (name, config), ("manifest.json", manifest)):
            _add(archive, entry, data, mode=0o644)


def _layer() -> bytes:
    programs = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as layer:
        for folder in ("bin", "etc", "root", "tmp", "home", "var", "var/www"):
            _add(layer, folder, kind=tarfile.DIRTYPE, mode=0o1777 if folder == "tmp" else 0o755)
        _add(layer, "bin/busybox", BUSYBOX.read_bytes())
        for program in programs:
            if program != "busybox":
                _add(layer, f"bin/{program}", kind=tarfile.SYMTYPE, link="busybox")
        _add(layer, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644)
        _add(layer, "etc/group", b"root:x:0:\n", mode=0o644)
    return data.getvalue()


def _add(
    archive: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o755,
    link: str = "",
) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
    archive.addfile(info, io.BytesIO(data))
