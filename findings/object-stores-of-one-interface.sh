#!/usr/bin/env bash
# obstore's stores have one interface and three behaviours: what a test with MemoryStore shows is not what S3 or a folder do.
#
# Seen with obstore 0.12.1, moto 5.2.5 (PyPI, its S3 server).
#
# - A media type with the object, `attributes={"Content-Type": ...}`: kept by MemoryStore and S3, NotImplementedError from
#   LocalStore, which writes nothing then.
# - Deleting what is not there: nothing happens, but in LocalStore, FileNotFoundError: cleaning up twice fails there alone.
# - Copying to a free name only, `overwrite=False`: AlreadyExistsError from MemoryStore and LocalStore, as it should be; on
#   S3 always NotSupportedError, so that the code that handles the one never meets the other before production.
# - Replacing what one has read, with what `head` said: `mode={"e_tag": ..., "version": ...}` is refused by all of
#   them, TypeError, where the store has no versions, since `head` says None, and None is no text. Without `version`
#   MemoryStore and S3 take it, LocalStore does not know how.
# - The order of `list` is that of the names in MemoryStore and S3, and the file system's in LocalStore.
#
# Output when written:
#   memory: typed yes, deleted twice yes, copied over AlreadyExistsError, replaced by head's answer TypeError, by its tag yes
#   folder: typed NotImplementedError, deleted twice FileNotFoundError, copied over AlreadyExistsError, replaced by head's answer TypeError, by its tag NotImplementedError
#   S3: typed yes, deleted twice yes, copied over NotSupportedError, replaced by head's answer TypeError, by its tag yes
#
# Documented: what the errors mean, with `obstore.exceptions`; which store raises which was not found. Known:
# developmentseed/obstore#281 (a NotImplementedError of `mode`), developmentseed/obstore#310. Of None for a version nothing
# was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "moto[s3,server]==5.2.5" obstore==0.12.1

"$work/venv/bin/python" - "$work" 2>"$work/log" <<'PYTHON' || { cat "$work/log"; exit 1; }
import logging
import sys
import urllib.request
from pathlib import Path

from moto.server import ThreadedMotoServer
from obstore.store import LocalStore, MemoryStore, S3Store

logging.getLogger("werkzeug").setLevel(logging.ERROR)


def outcome(act):
    try:
        act()
    except Exception as error:
        return type(error).__name__
    return "yes"


def behaviour(store):
    store.put("report", b"1")
    store.put("other", b"2")
    told = store.head("report")
    assert told["version"] is None, told
    whole = {"e_tag": told["e_tag"], "version": told["version"]}
    tag = {"e_tag": told["e_tag"]}
    return {
        "typed": outcome(lambda: store.put("typed", b"<p>", attributes={"Content-Type": "text/html"})),
        "deleted twice": outcome(lambda: [store.delete("gone"), store.delete("gone")]),
        "copied over": outcome(lambda: store.copy("other", "report", overwrite=False)),
        "replaced by head's answer": outcome(lambda: store.put("report", b"3", mode=whole)),
        "by its tag": outcome(lambda: store.put("report", b"4", mode=tag)),
    }


server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
try:
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    made = urllib.request.Request(f"{address}/reports", method="PUT")
    urllib.request.urlopen(made).close()
    folder = Path(sys.argv[1], "folder")
    folder.mkdir()
    stores = {
        "memory": MemoryStore(),
        "folder": LocalStore(folder),
        "S3": S3Store(
            "reports",
            endpoint=address,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
            client_options={"allow_http": True},
        ),
    }
    seen = {name: behaviour(store) for name, store in stores.items()}
finally:
    server.stop()

alike = {"typed": "yes", "deleted twice": "yes", "copied over": "AlreadyExistsError"}
alike |= {"replaced by head's answer": "TypeError", "by its tag": "yes"}
expected = {
    "memory": alike,
    "folder": alike
    | {
        "typed": "NotImplementedError",
        "deleted twice": "FileNotFoundError",
        "by its tag": "NotImplementedError",
    },
    "S3": alike | {"copied over": "NotSupportedError"},
}
assert seen == expected, seen
for name, found in seen.items():
    print(f"{name}: " + ", ".join(f"{what} {how}" for what, how in found.items()))
PYTHON
