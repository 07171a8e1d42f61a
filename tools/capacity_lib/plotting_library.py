"""Apache ECharts, which draws the plots of a report: one file of a pinned version, fetched once with npm, checked, and kept."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile

from .failure import Failure

PACKAGE, VERSION = "echarts", "6.1.0"
# What the registry states for this version (npm view echarts@6.1.0 dist.integrity).
INTEGRITY = "sha512-q0yaFPggC9FUdsWH4blavRWFmxdrIodbkoKNAjJudAI6CA9gNPxHtV2RcZNEepZVlk4yvBYkOkbk6HIVpIyHZA=="
FILE = "package/dist/echarts.common.min.js"  # lines, bars, marks; draws SVG


def cache_path():
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(folder, "basalt", "%s-%s.common.min.js" % (PACKAGE, VERSION))


def text():
    """The library's source. Fetches it when it is not in the cache; raises Failure when that cannot be done."""
    path = cache_path()
    if not os.path.exists(path):
        fetch(path)
    with open(path, encoding="utf-8") as file:
        return file.read()


def fetch(path):
    npm = shutil.which("npm")
    if npm is None:
        raise Failure(
            "the report's plots need %s %s, which npm fetches once, and npm is missing: tools/install-packages capacity"
            % (PACKAGE, VERSION)
        )
    with tempfile.TemporaryDirectory(prefix="capacity-npm.") as folder:
        try:
            done = subprocess.run(
                [npm, "pack", "--silent", "--ignore-scripts", "%s@%s" % (PACKAGE, VERSION)],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Failure("npm did not fetch %s@%s within 5 minutes" % (PACKAGE, VERSION)) from error
        packed = [name for name in os.listdir(folder) if name.endswith(".tgz")]
        if done.returncode or not packed:
            said = [line for line in done.stderr.splitlines() if line.startswith("npm err") or "ERR!" in line]
            raise Failure(
                "npm cannot fetch %s@%s: %s" % (PACKAGE, VERSION, (said or ["no connection to the registry?"])[0])
            )
        archive = os.path.join(folder, packed[0])
        check(archive)
        with tarfile.open(archive) as tar:
            content = tar.extractfile(FILE).read()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = "%s.%d" % (path, os.getpid())
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def check(archive):
    with open(archive, "rb") as file:
        digest = base64.b64encode(hashlib.sha512(file.read()).digest()).decode()
    if "sha512-" + digest != INTEGRITY:
        raise Failure(
            "what npm fetched as %s@%s is not what this tool was made with (its SHA-512 differs)" % (PACKAGE, VERSION)
        )
