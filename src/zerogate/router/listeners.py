"""Where the router listens: sockets of its own, from systemd, or from its predecessor; and who connects to each."""

import asyncio
import enum
import os
import socket
from collections.abc import Callable, Container, Iterable, Mapping, MutableMapping, Sequence
from typing import NamedTuple, Protocol

from zerogate.errors import StartError, UsageError
from zerogate.link.accept import Turn
from zerogate.link.bind import Place, TakenError, bind, endpoint_places, tcp_places
from zerogate.link.listen import IsOurs, Listener, MakeProtocol
from zerogate.link.systemd import inherited_listeners
from zerogate.router.owner import owner_of
from zerogate.router.takeover import who_has
from zerogate.settings import ListenSettings
from zerogate.settings.endpoint import is_loopback, parse_address, parse_endpoint, parse_listening
from zerogate.settings.kinds import OFF_WORD


class Kind(enum.Enum):
    """Who connects to a listening socket."""

    CLIENTS = enum.auto()
    TLS_CLIENTS = enum.auto()
    LINKS = enum.auto()
    ADMIN = enum.auto()


OF_CLIENTS = (Kind.CLIENTS, Kind.TLS_CLIENTS)


class Addresses(NamedTuple):
    """Where a router can be reached, as one would write it.

    `127.0.0.1:9000`, `unix:/path`; `tcp://127.0.0.1:8000`, `ipc:///path`
    """

    http: list[str]
    https: list[str]
    bind: list[str]
    admin: list[str]


class Share(NamedTuple):
    """A listening socket that several processes have (`--processes`), as one tells another of it.

    is_inherited: it stays open elsewhere, whatever we do
    is_given: it is another router's still (`Listeners.adopt`)
    """

    kind: Kind
    place: Place
    sock: socket.socket
    is_inherited: bool
    is_given: bool


class Tally(Turn, Protocol):
    """A turn by how many each process has."""

    def left(self) -> None:
        """One that we took is gone."""


class Crew(Protocol):
    """The other processes that accept from our sockets."""

    def turn(self, kind: Kind) -> Tally | None:
        """Who takes the next connection of a kind."""

    def is_ours(self, kind: Kind, key: str) -> IsOurs | None:
        """Whom a connection is for that came to the place of this key."""


# What makes the protocols of a listener's connections, by its key.
Makers = Mapping[Kind, Callable[[str], MakeProtocol]]


class Listeners:
    """Every listening socket. `find`, then `bind`, then `accept`.

    `has_room` is asked before a client is accepted, and told how many have no protocol yet. `tls_port` is the first
    port for TLS; 0 if there is none.
    `has_keys`: workers may come from anywhere. `environ` says what systemd has passed.
    """

    def __init__(
        self,
        settings: ListenSettings,
        makers: Makers,
        has_room: Callable[[int], bool],
        crew: Crew | None = None,
        *,
        has_keys: bool = False,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._has_keys = has_keys
        self._makers = makers
        self._has_room = has_room
        self._crew = crew
        self._places: list[tuple[Kind, Place]] = []
        self._listeners: dict[Listener, Kind] = {}
        # Whose sockets whoever we replace has, too; and those of them that we have from there.
        self._shared: set[Listener] = set()
        self._handed_over: set[Listener] = set()
        self._started: set[Listener] = set()
        self.tls_port = 0

    @property
    def addresses(self) -> Addresses:
        """Where it listens, whatever the settings said: what systemd opened, and which port 0 has become."""
        where: dict[Kind, list[str]] = {kind: [] for kind in Kind}
        for listener, kind in self._listeners.items():
            of_tcp, of_unix = ("tcp://", "ipc://") if kind is Kind.LINKS else ("", "unix:")
            scheme = of_unix if listener.place.family == socket.AF_UNIX else of_tcp
            where[kind].append(scheme + listener.place.where)
        return Addresses(where[Kind.CLIENTS], where[Kind.TLS_CLIENTS], where[Kind.LINKS], where[Kind.ADMIN])

    @property
    def n_pauses(self) -> int:
        """How often connections had to wait because there was no room for them."""
        return sum(listener.n_pauses for listener in self._listeners)

    def descriptors(self) -> dict[str, int]:
        """The sockets by the keys of their places."""
        return {listener.key: listener.fileno() for listener in self._listeners}

    def n_connecting(self, *kinds: Kind) -> int:
        """How many connections of these kinds are accepted and have no protocol yet."""
        return sum(listener.n_connecting for listener, its in self._listeners.items() if its in kinds)

    @property
    def shares(self) -> list[Share]:
        """What other processes can be given."""
        return [
            Share(kind, listener.place, listener.sock, listener.is_inherited, listener in self._handed_over)
            for listener, kind in self._listeners.items()
            if kind is not Kind.ADMIN
        ]

    def use(self, shares: Iterable[Share]) -> None:
        """Have these sockets, which are others' as well."""
        for kind, place, sock, is_inherited, is_given in shares:
            listener = Listener(sock, place, is_inherited=True)
            self._listeners[listener] = kind
            if is_given:
                self._handed_over.add(listener)
            elif not is_inherited:
                listener.share()
        self._note_tls_port()

    def share(self) -> None:
        """The sockets that were given are ours, and no longer another router's."""
        for listener in self._handed_over:
            listener.share()
        self._handed_over.clear()

    def take(self, key: str, sock: socket.socket) -> None:
        """A connection that another process has accepted for us. It is closed if nobody is here for it."""
        for listener in self._started:
            if listener.key == key:
                listener.take(sock)
                return
        sock.close()

    def find(self) -> list[str]:
        """Find out where to listen. Returns the keys of all places. Raises UsageError or StartError."""
        settings = self._settings
        is_open = settings.insecure or self._has_keys
        inherited = inherited_listeners(insecure=is_open, environ=self._environ)
        for kind, listeners in (
            (Kind.CLIENTS, inherited.http),
            (Kind.TLS_CLIENTS, inherited.https),
            (Kind.LINKS, inherited.bind),
        ):
            self._listeners.update(dict.fromkeys(listeners, kind))
        if not inherited.http:
            self._want_clients(Kind.CLIENTS, "--http", settings.http)
        if not inherited.https:
            self._want_clients(Kind.TLS_CLIENTS, "--https", settings.https)
        if not inherited.bind:
            for text in settings.bind:
                endpoint = parse_endpoint(text)
                if not endpoint.is_local and not is_open:
                    raise UsageError(
                        f"--bind {text}: anybody who reaches this address could become a worker. `zerogate keys "
                        "router` makes keys; or bind a loopback address or ipc://, or say --insecure if the network is "
                        "yours alone"
                    )
                mode = int(settings.ipc_mode, 8)
                self._want(Kind.LINKS, endpoint_places(endpoint, f"--bind {text}", mode))
        if settings.admin != "off":
            host, port = parse_address(settings.admin)
            if not is_loopback(host) and not settings.admin_token:
                raise UsageError(
                    f"--admin {settings.admin}: anybody who reaches this address could read it. Give it an "
                    "--admin-token, or bind a loopback address"
                )
            self._want(Kind.ADMIN, tcp_places(host, port, f"--admin {settings.admin}"))
        return [*(listener.key for listener in self._listeners), *(place.key for _, place in self._places)]

    @property
    def wants_tls(self) -> bool:
        """Whether there is, or will be, anywhere to speak it."""
        return Kind.TLS_CLIENTS in [*self._listeners.values(), *(kind for kind, _ in self._places)]

    def bind(self, given: MutableMapping[str, socket.socket]) -> None:
        """Bind every place, or take the socket that was given for it. Raises StartError."""
        for listener in self._listeners:
            # Of systemd's sockets whoever is replaced has the very same.
            if (sock := given.pop(listener.key, None)) is not None:
                sock.close()
                self._shared.add(listener)
        port = 0
        label = ""
        for kind, place in self._places:
            # All addresses of one option have one port, also if the kernel chooses it.
            if place.label == label and place.family != socket.AF_UNIX and not place.address[1]:
                place = place._replace(address=(place.address[0], port, *place.address[2:]))
            sock = given.pop(place.key, None)
            if sock is not None:
                listener = Listener(sock, place, is_inherited=True)
                self._handed_over.add(listener)
                self._shared.add(listener)
            else:
                listener = Listener(self._bind(kind, place), place)
            self._listeners[listener] = kind
            label, port = place.label, listener.port
        self._note_tls_port()

    def accept_links(self) -> None:
        """Take workers where nobody else does: not from the sockets that were given."""
        for listener, kind in self._listeners.items():
            if kind is Kind.LINKS and listener not in self._shared:
                self._start(listener)

    def accept_all_links(self) -> None:
        """Take workers."""
        for listener, kind in self._listeners.items():
            if kind is Kind.LINKS:
                self._start(listener)

    def accept_admin(self) -> None:
        """Let people look."""
        for listener, kind in self._listeners.items():
            if kind is Kind.ADMIN:
                self._start(listener)

    def accept(self) -> None:
        """Take connections from everywhere."""
        for listener in self._listeners:
            self._start(listener)

    def adopt(self) -> None:
        """The sockets that were given are ours alone."""
        for listener in self._handed_over:
            listener.adopt()
        self._handed_over.clear()

    def pause(self, keys: Container[str]) -> None:
        """Take no connections at these places for now."""
        for listener in self._listeners:
            if listener.key in keys:
                listener.pause()

    def resume(self) -> None:
        """Take them again."""
        for listener in self._started:
            listener.resume()

    async def stop(self, handed_over: Container[str] = ()) -> None:
        """Close every socket, but take those first who have connected already; not where a successor takes them.

        The admin port stays until `close`, unless a successor has it. Returns when all that were accepted have their
        protocols.
        """
        ending = [each for each, kind in self._listeners.items() if kind is not Kind.ADMIN or each.key in handed_over]
        for listener in ending:
            del self._listeners[listener]
            self._started.discard(listener)
            if listener.key in handed_over:
                listener.hand_over()
        await asyncio.gather(*(listener.stop() for listener in ending))

    def close(self) -> None:
        """Close every socket."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        self._started.clear()

    def _want_clients(self, kind: Kind, option: str, addresses: Sequence[str]) -> None:
        mode = int(self._settings.http_mode, 8)
        for address in addresses:
            if address != OFF_WORD:
                self._want(kind, endpoint_places(parse_listening(address), f"{option} {address}", mode))

    def _note_tls_port(self) -> None:
        ports = [listener.port for listener, kind in self._listeners.items() if kind is Kind.TLS_CLIENTS]
        self.tls_port = next(filter(None, ports), 0)

    def _want(self, kind: Kind, places: list[Place]) -> None:
        self._places += [(kind, place) for place in places]

    def _start(self, listener: Listener) -> None:
        if listener in self._started:
            return
        self._started.add(listener)
        kind = self._listeners[listener]
        make_protocol = self._makers[kind](listener.key)
        turn = self._crew.turn(kind) if self._crew is not None else None
        is_ours = self._crew.is_ours(kind, listener.key) if self._crew is not None else None
        if kind in OF_CLIENTS:
            listener.start(make_protocol, self._has_room, turn=turn, is_ours=is_ours)
        else:
            listener.start(make_protocol, turn=turn, is_ours=is_ours)

    def _bind(self, kind: Kind, place: Place) -> socket.socket:
        try:
            return bind(place)
        except TakenError as error:
            router = who_has(place.key)
            advice = "stop it, or choose another " + ("path" if place.family == socket.AF_UNIX else "port")
            if kind is Kind.ADMIN:
                # Of a second router on this machine it is mostly the one thing that is the same.
                advice = "say another one, or --admin off"
            if router and not self._settings.replace:
                advice = f"{advice}; --replace takes over from it"
            owner = router or owner_of(place)
            raise StartError(f"{place.label}: {place.where} is taken by {owner}: {advice}") from error
