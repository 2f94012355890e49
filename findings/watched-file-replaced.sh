#!/usr/bin/env bash
# A watched file that is replaced, as editors and Kubernetes do: watchfiles says once that it is deleted, then nothing.
#
# Seen with watchfiles 1.3.0 (PyPI) on Linux (inotify).
#
# Who writes a configuration safely writes another file and renames it over the first. Kubernetes changes the link `..data`
# of a mounted ConfigMap to another folder, behind which the file is another. `watch("settings.yaml")` follows the file
# that was there at first: the rename is ("deleted", settings.yaml), and at that instant the new one is in its place;
# every later change, however it is made, goes unseen. So a reload works once, in a test, and not the second time.
# Watching the folder helps for the rename: each is seen. For a ConfigMap it brings the changes of `..data`, and none of
# `settings.yaml`, so that a filter by the file's name is never true.
#
# Output when written:
#   the file, replaced 3 times: deleted+modified, nothing, nothing; its folder: seen, seen, seen; a ConfigMap's folder names settings.yaml itself: no
#
# Documented: inotify(7) watches the inode that a path leads to at that time. Known of Go's
# fsnotify: open-feature/flagd#42. Of watchfiles nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check watchfiles==1.3.0

"$work/venv/bin/python" - "$work" <<'PYTHON'
import sys
import threading
from pathlib import Path
from queue import Empty, Queue

from watchfiles import watch

work = Path(sys.argv[1])


class Watched:
    """Keeps what `watch` tells of a path, from now on."""

    def __init__(self, path):
        self.changes = Queue()
        self.stop = threading.Event()
        told = watch(path, watch_filter=None, stop_event=self.stop, step=20, rust_timeout=50, yield_on_timeout=True)
        next(told)  # it watches from here on
        self.thread = threading.Thread(target=self.read, args=(told,))
        self.thread.start()

    def read(self, told):
        for changes in told:
            for kind, path in changes:
                self.changes.put((kind.name, Path(path)))

    def all_told(self):
        """Until nothing has come for two seconds."""
        seen = set()
        while True:
            try:
                seen.add(self.changes.get(timeout=2))
            except Empty:
                return seen

    def close(self):
        self.stop.set()
        self.thread.join()


def replace(file):
    (work / "new").write_text("changed")
    (work / "new").rename(file)


def replaced_thrice(path, file):
    watched = Watched(path)
    try:
        for _ in range(3):
            replace(file)
            yield watched.all_told()
    finally:
        watched.close()


def kinds(changes):
    return "+".join(sorted({kind for kind, _ in changes})) or "nothing"


file = work / "folder" / "settings.yaml"
file.parent.mkdir()
file.write_text("first")
by_file = [kinds(changes) for changes in replaced_thrice(file, file)]
assert by_file == ["deleted+modified", "nothing", "nothing"], by_file
by_folder = ["seen" if changes else "nothing" for changes in replaced_thrice(file.parent, file)]
assert by_folder == ["seen"] * 3, by_folder

volume = work / "volume"
for version in ("..1", "..2"):
    (volume / version).mkdir(parents=True)
    (volume / version / "settings.yaml").write_text(version)
(volume / "..data").symlink_to("..1")
(volume / "settings.yaml").symlink_to("..data/settings.yaml")
watched = Watched(volume)
try:
    (volume / "..data_tmp").symlink_to("..2")
    (volume / "..data_tmp").rename(volume / "..data")
    told = watched.all_told()
finally:
    watched.close()
assert told and (volume / "settings.yaml").read_text() == "..2", told
named = "yes" if volume / "settings.yaml" in {path for _, path in told} else "no"
assert named == "no", told
print(
    f"the file, replaced 3 times: {', '.join(by_file)}; its folder: {', '.join(by_folder)}; "
    f"a ConfigMap's folder names settings.yaml itself: {named}"
)
PYTHON
