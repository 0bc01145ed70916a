"""Why a call gets a status in place of an answer."""


class Absent(Exception):
    """The flavor does not have this capability."""


class Refused(Exception):
    """A stream whose config cannot be read: no message could say it."""


class Stopping(Exception):
    """The plugin is stopping."""

    def __str__(self) -> str:
        return "the plugin is stopping"


class Stranger(Exception):
    """The peer is not the host that started this plugin."""

    def __str__(self) -> str:
        return "the peer is not the host that started this plugin"
