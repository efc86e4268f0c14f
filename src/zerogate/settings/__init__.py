"""Every setting, once: its default, its unit, its range and its words for people.

`--queue-timeout` on the command line is `queue_timeout` here and `ZEROGATE_QUEUE_TIMEOUT` in the environment. All of
it, the help and docs/options.md are made from one declaration, in the class of its noun.
"""

from zerogate.settings.address import AddressSettings
from zerogate.settings.attach import AttachSettings, ServerSettings
from zerogate.settings.commands import (
    CheckSettings,
    DemoSettings,
    KeySettings,
    RotationSettings,
    RunSettings,
    StatusSettings,
    WorkerKeySettings,
)
from zerogate.settings.config import ConfigSettings
from zerogate.settings.environment import environment_name, to_environment
from zerogate.settings.files import FilesSettings, StaticSettings
from zerogate.settings.link import LinkSettings, ProcessSettings
from zerogate.settings.option import Settings
from zerogate.settings.renewal import ReloadSettings, RenewalSettings
from zerogate.settings.router import (
    ClientSettings,
    JoinSettings,
    ListenSettings,
    QueueSettings,
    ReplySettings,
    RequestSettings,
    RetrySettings,
    RouterSettings,
    TlsSettings,
)
from zerogate.settings.worker import (
    ApplicationSettings,
    DialSettings,
    ServeSettings,
    WebSocketSettings,
    WorkerSettings,
)

__all__ = [
    "AddressSettings",
    "ApplicationSettings",
    "AttachSettings",
    "CheckSettings",
    "ClientSettings",
    "ConfigSettings",
    "DemoSettings",
    "DialSettings",
    "FilesSettings",
    "JoinSettings",
    "KeySettings",
    "LinkSettings",
    "ListenSettings",
    "ProcessSettings",
    "QueueSettings",
    "ReloadSettings",
    "RenewalSettings",
    "ReplySettings",
    "RequestSettings",
    "RetrySettings",
    "RotationSettings",
    "RouterSettings",
    "RunSettings",
    "ServeSettings",
    "ServerSettings",
    "Settings",
    "StaticSettings",
    "StatusSettings",
    "TlsSettings",
    "WebSocketSettings",
    "WorkerKeySettings",
    "WorkerSettings",
    "environment_name",
    "to_environment",
]
