"""Whether the channels by which people are told would take a message; none is sent."""

from __future__ import annotations

from collections.abc import Iterator

from shared.errors import TrueUpError
from shared.notices.ports import CheckedPost, NoticePorts
from shared.sync.checkup import Check, told


def check_posts(ports: NoticePorts) -> Iterator[Check]:
    """One check for each channel that can be asked, by its name."""
    for channel, post in sorted(ports.posts.items()):
        if isinstance(post, CheckedPost):
            yield Check(channel.value, tuple(_problems(post)))


def _problems(post: CheckedPost) -> Iterator[str]:
    try:
        post.check()
    except TrueUpError as error:
        yield told(error)
