"""Makes the metadata of the package that depends on where it is published: its URLs, and a README whose links
work on a package index. hatchling runs it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

MARKERS = re.compile(r"<!-- test: .*? -->\n")
"""What the tests of the pages read."""
RELATIVE_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)\s]+)\)")


class PublishedMetadata(MetadataHookInterface):
    """Fills in `readme` and `urls`; the setting `repository` is the address that they begin with, or ""."""

    def update(self, metadata: dict[str, Any]) -> None:
        repository = str(self.config.get("repository", "")).rstrip("/")
        if repository and not repository.startswith("https://"):
            raise ValueError(f"the repository {repository!r} is to be an address with https://")
        tree = f"{repository}/blob/v{metadata['version']}" if repository else ""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": published_readme(text, tree),
        }
        metadata["urls"] = published_urls(repository, tree)


def published_readme(text: str, tree: str) -> str:
    """The README with files of ``tree`` in the place of relative links; without links where it is empty."""

    def absolute(link: re.Match[str]) -> str:
        words, target = link.groups()
        return f"[{words}]({tree}/{target})" if tree else words

    return RELATIVE_LINK.sub(absolute, MARKERS.sub("", text))


def published_urls(repository: str, tree: str) -> dict[str, str]:
    """None where no repository is named."""
    if not repository:
        return {}
    return {
        "Homepage": repository,
        "Documentation": f"{tree}/docs/index.md",
        "Changelog": f"{tree}/CHANGELOG.md",
        "Source": repository,
        "Issues": f"{repository}/issues",
    }
