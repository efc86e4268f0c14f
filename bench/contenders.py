"""The contenders: one row each. What a row needs, and the commands that serve it."""

import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import certificate
import parts
import replies
from failure import BenchError
from service import Command, Service
from surroundings import surroundings

TRANSPORTS = ("tcp", "ipc")
MAX_UPSTREAMS = 2

# What is behind a proxy or in a worker: an application, a server with one, or a folder; or an application to which
# nobody can listen on the way.
ASGI, WSGI, SERVER, FILES, SEALED = INTERFACES = ("asgi", "wsgi", "server", "files", "sealed")
APPLICATIONS = {ASGI: "app:app", WSGI: "wsgi_app:app"}
# As many as zerogate has by itself on two cores, for every WSGI server alike.
N_THREADS = 8

# How each proxy, and the application behind it, is told where they meet.
UPSTREAM = {
    ("zerogate", "tcp"): "tcp://127.0.0.1:{port}",
    ("zerogate", "ipc"): "ipc://{path}",
    ("nginx", "tcp"): "127.0.0.1:{port}",
    ("nginx", "ipc"): "unix:{path}",
    ("haproxy", "tcp"): "127.0.0.1:{port}",
    ("haproxy", "ipc"): "unix@{path}",
}

# Connections of one nginx, and those that it keeps to what is behind it: more than there are clients.
NGINX_CONNECTIONS = 1024
NGINX_KEEPALIVE = 128

NGINX_CONFIG = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {directory}/nginx-client-body;
    proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    # A connection lives as long as the client wants: the default closes it after 1000 requests.
    keepalive_requests 1000000000;
    client_max_body_size 0;
    upstream application {{
{servers}        keepalive {keepalive};
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{http_port}{tls};
        location / {{
            proxy_pass {upstream_scheme}://application;
{upstream_tls}            proxy_http_version 1.1;
            # Each reply fits, but for the slow readers': no other goes by way of the disk.
            proxy_buffers 8 16k;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
{forwarding}        }}
    }}
}}
"""

# What zerogate tells the application about the client, in the peers' words.
NGINX_FORWARDING = """\
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Request-ID $request_id;
"""

NGINX_TLS = """\
 ssl;
        ssl_certificate {file};
        ssl_certificate_key {file};
        ssl_protocols TLSv1.3"""

# As CURVE does: both sides of the way to the application know each other, and nothing is remembered of a session.
NGINX_UPSTREAM_TLS = """\
            proxy_ssl_protocols TLSv1.3;
            proxy_ssl_name localhost;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {file};
"""

HAPROXY_TLS = " ssl crt {file} ssl-min-ver TLSv1.3"

HAPROXY_CONFIG = """\
global
    nbthread 1
    maxconn 1024
defaults
    mode http
    option http-keep-alive
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend clients
    bind 127.0.0.1:{http_port}{tls}
{forwarding}    default_backend application
backend application
    http-reuse always
    server application {upstream}
"""

HAPROXY_FORWARDING = """\
    unique-id-format %[uuid()]
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Request-ID %[unique-id]
"""


NGINX_FILES_CONFIG = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/nginx-client-body;
    proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    keepalive_requests 1000000000;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    server {{ listen 127.0.0.1:{http_port}{tls}; root {files}; }}
}}
"""


@dataclass(frozen=True)
class Manner:
    """How proxy and application meet in this run, for every contender alike.

    transport: "tcp" on loopback, or "ipc", a Unix socket.
    forwards: whether the peers add the fields that zerogate always adds, and uvicorn reads them.
    certificate: with its key in one file, if clients come by TLS.
    """

    transport: str
    forwards: bool
    certificate: Path | None = None

    @property
    def scheme(self) -> str:
        return "http" if self.certificate is None else "https"


@dataclass(frozen=True)
class Site:
    """Where one contender lives: a directory of its own, free ports for HTTP and for what is behind the proxy."""

    directory: Path
    http_port: int
    upstream_ports: tuple[int, ...]
    manner: Manner

    def upstream(self, proxy: str, position: int = 0) -> str:
        """Where a proxy and a process behind it meet, in the proxy's own words."""
        port, path = self.upstream_ports[position], self.upstream_path(position)
        return UPSTREAM[proxy, self.manner.transport].format(port=port, path=path)

    def tls(self, *templates: str) -> tuple[str, ...]:
        """What a server is told of TLS: nothing if clients come without."""
        file = self.manner.certificate
        return () if file is None else tuple(template.format(file=file) for template in templates)

    def upstream_path(self, position: int) -> Path:
        """The Unix socket of a process behind the proxy."""
        return self.directory / f"app-{position}.sock"


@dataclass(frozen=True)
class Contender:
    """One row: its name on the command line, its title, what must be installed, and how it is served.

    subjects: the rows whose figures are divided by this one's, if this is a peer.
    interface: of the application that it serves; rows of different ones are not measured side by side.
    """

    name: str
    title: str
    needs: tuple[parts.Part, ...]
    commands: Callable[[Site], list[Command]]
    subjects: tuple[str, ...] = ()
    interface: str = ASGI


def _zerogate(
    site: Site,
    tree: parts.Tree = parts.ZEROGATE,
    n_workers: int = 1,
    interface: str = ASGI,
    router_options: tuple[str, ...] = (),
) -> list[Command]:
    commands = [_router(site, tree, *router_options)]
    for name in _numbered("worker", n_workers):
        worker = ("worker", APPLICATIONS[interface], "--name", name, "--threads", str(N_THREADS))
        commands.append(_dialling(site, tree, name, *worker))
    return commands


def _router(site: Site, tree: parts.Tree, *options: str, bind: str = "") -> Command:
    address = f"127.0.0.1:{site.http_port}"
    where = site.tls("--http", "off", "--https", address, "--tls-cert", "{file}") or ("--http", address)
    router = (*where, "--bind", bind or site.upstream("zerogate"), "--admin", "off", "--access-log", "off", *options)
    return Command("router", (sys.executable, "-m", "zerogate", "router", *router), tree.variables())


def _dialling(site: Site, tree: parts.Tree, name: str, *words: str, **variables: str) -> Command:
    argv = (sys.executable, "-m", "zerogate", *words, "--connect", site.upstream("zerogate"))
    return Command(name, argv, {**tree.variables(), **variables})


def keyed(
    site: Site, tree: parts.Tree = parts.ZEROGATE, n_workers: int = 1, bind: str = ""
) -> tuple[list[Command], str]:
    """A router with keys and workers that are on its list; and the router's key."""
    folder = str(site.directory / "keys")
    router_key = _keys(tree, "router", "--keys", folder).strip()
    commands = [_router(site, tree, "--keys", folder, bind=bind)]
    for name in _numbered("worker", n_workers):
        variable, *words = shlex.split(_keys(tree, "worker", name, "--keys", folder))
        worker = ("worker", APPLICATIONS[ASGI], "--name", name, "--router-key", words[words.index("--router-key") + 1])
        key, _, value = variable.partition("=")
        commands.append(_dialling(site, tree, name, *worker, **{key: value}))
    return commands, router_key


def _keys(tree: parts.Tree, *words: str) -> str:
    """What `zerogate keys` prints. Raises BenchError."""
    argv = [sys.executable, "-m", "zerogate", "keys", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=surroundings(tree.variables()))
    if done.returncode:
        raise BenchError(f"zerogate keys {words[0]}: {done.stderr.strip()}")
    return done.stdout


def _attach(site: Site, tree: parts.Tree = parts.ZEROGATE) -> list[Command]:
    # The server is at the second place, as the link has the first.
    behind = Site(site.directory, site.http_port, site.upstream_ports[1:], site.manner)
    worker = _dialling(
        site, tree, "attach", "attach", f"http://127.0.0.1:{behind.upstream_ports[0]}", "--pool-idle", "5m"
    )
    return [_router(site, tree), worker, *_uvicorns_behind_proxy(behind, 1)]


def _files(site: Site, tree: parts.Tree = parts.ZEROGATE) -> list[Command]:
    return [_router(site, tree), _dialling(site, tree, "files", "files", str(_folder(site)))]


def _nginx_files(site: Site) -> list[Command]:
    config = site.directory / "nginx.conf"
    config.write_text(
        NGINX_FILES_CONFIG.format(
            directory=site.directory,
            http_port=site.http_port,
            tls="".join(site.tls(NGINX_TLS)),
            files=_folder(site),
        )
    )
    return [Command("nginx", (parts.NGINX.path(), "-p", str(site.directory), "-c", str(config), "-e", "stderr"))]


def _folder(site: Site) -> Path:
    """The replies that are always the same, as files; those with no type of their own, as their names have none."""
    folder = site.directory / "files"
    folder.mkdir()
    for path, (kind, body) in replies.FIXED.items():
        if kind == b"application/octet-stream":
            (folder / path.removeprefix("/")).write_bytes(body)
    return folder


def nginx_command(
    site: Site,
    servers: Sequence[str],
    *,
    connections: int = NGINX_CONNECTIONS,
    keepalive: int = NGINX_KEEPALIVE,
    upstream_certificate: Path | None = None,
) -> Command:
    """nginx before these servers, in its own words, to each of which the same number of requests goes.

    upstream_certificate: theirs, if they are spoken to by TLS
    """
    config = site.directory / "nginx.conf"
    config.write_text(
        NGINX_CONFIG.format(
            directory=site.directory,
            servers="".join(f"        server {server};\n" for server in servers),
            http_port=site.http_port,
            tls="".join(site.tls(NGINX_TLS)),
            forwarding=NGINX_FORWARDING if site.manner.forwards else "",
            connections=connections,
            keepalive=keepalive,
            upstream_scheme="http" if upstream_certificate is None else "https",
            upstream_tls="" if upstream_certificate is None else NGINX_UPSTREAM_TLS.format(file=upstream_certificate),
        )
    )
    return Command("nginx", (parts.NGINX.path(), "-p", str(site.directory), "-c", str(config), "-e", "stderr"))


def _nginx(site: Site, n_workers: int = 1, interface: str = ASGI) -> list[Command]:
    behind = _uvicorns_behind_proxy(site, n_workers) if interface == ASGI else _gunicorn_behind_proxy(site)
    return [nginx_command(site, [site.upstream("nginx", n) for n in range(n_workers)]), *behind]


def _nginx_sealed(site: Site) -> list[Command]:
    file = certificate.make(site.directory)
    tls = ("--ssl-certfile", str(file), "--ssl-keyfile", str(file))
    nginx = nginx_command(site, [site.upstream("nginx")], upstream_certificate=file)
    return [nginx, *_uvicorns_behind_proxy(site, 1, *tls)]


def _haproxy(site: Site) -> list[Command]:
    config = site.directory / "haproxy.cfg"
    config.write_text(
        HAPROXY_CONFIG.format(
            upstream=site.upstream("haproxy"),
            http_port=site.http_port,
            tls="".join(site.tls(HAPROXY_TLS)),
            forwarding=HAPROXY_FORWARDING if site.manner.forwards else "",
        )
    )
    return [Command("haproxy", (parts.HAPROXY.path(), "-db", "-f", str(config))), *_uvicorns_behind_proxy(site, 1)]


def _uvicorn_alone(site: Site) -> list[Command]:
    where = ("--host", "127.0.0.1", "--port", str(site.http_port))
    tls = site.tls("--ssl-certfile", "{file}", "--ssl-keyfile", "{file}")
    return [_uvicorn("uvicorn", *where, *tls, "--no-proxy-headers")]


def _uvicorns_behind_proxy(site: Site, n_workers: int, *tls: str) -> list[Command]:
    reads = ("--proxy-headers", "--forwarded-allow-ips", "*") if site.manner.forwards else ("--no-proxy-headers",)
    commands = []
    for position, name in enumerate(_numbered("uvicorn", n_workers)):
        where = {
            "tcp": ("--host", "127.0.0.1", "--port", str(site.upstream_ports[position])),
            "ipc": ("--uds", str(site.upstream_path(position))),
        }[site.manner.transport]
        # The proxy decides when an idle connection between them ends, or a request could meet a closed one.
        commands.append(_uvicorn(name, *where, *reads, *tls, "--timeout-keep-alive", "300"))
    return commands


def _uvicorn(name: str, *options: str) -> Command:
    fixed = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
    return Command(name, (sys.executable, "-m", "uvicorn", "app:app", *fixed, *options))


def _gunicorn_behind_proxy(site: Site) -> list[Command]:
    where = {"tcp": f"127.0.0.1:{site.upstream_ports[0]}", "ipc": f"unix:{site.upstream_path(0)}"}
    serves = ("--worker-class", "gthread", "--workers", "1", "--threads", str(N_THREADS), "--log-level", "warning")
    # As of uvicorn: the proxy decides when an idle connection ends.
    meets = ("--bind", where[site.manner.transport], "--keep-alive", "300")
    return [Command("gunicorn", (sys.executable, "-m", "gunicorn", *serves, *meets, APPLICATIONS[WSGI]))]


def _granian(site: Site, interface: str = ASGI) -> list[Command]:
    by_interface = {ASGI: ("--no-ws", "--loop", "uvloop"), WSGI: ("--blocking-threads", str(N_THREADS))}
    serves = ("--interface", interface, "--http", "1", "--workers", "1", *by_interface[interface])
    where = ("--host", "127.0.0.1", "--port", str(site.http_port), "--log-level", "warning")
    where += site.tls("--ssl-certificate", "{file}", "--ssl-keyfile", "{file}")
    return [Command("granian", (sys.executable, "-m", "granian", *serves, *where, APPLICATIONS[interface]))]


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}-{n}" for n in range(1, count + 1)]


SUBJECT = "zerogate"
SUBJECT_IN_PYTHON = "zerogate-python"
SUBJECTS = (SUBJECT, SUBJECT_IN_PYTHON)
SUBJECT_PROCESSES = "zerogate-processes"
SUBJECT_2 = "zerogate-2"
SUBJECT_WSGI = "zerogate-wsgi"
SUBJECT_SERVER = "zerogate-attach"
SUBJECT_FILES = "zerogate-files"
SUBJECT_SEALED = "zerogate-keys"

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(SUBJECT, "zerogate", (parts.ZEROGATE,), _zerogate),
        Contender("nginx", "nginx + uvicorn", (parts.NGINX, *parts.UVICORN), _nginx, SUBJECTS),
        Contender("haproxy", "HAProxy + uvicorn", (parts.HAPROXY, *parts.UVICORN), _haproxy, SUBJECTS),
        Contender("uvicorn", "uvicorn alone", parts.UVICORN, _uvicorn_alone, SUBJECTS),
        Contender("granian", "granian alone", parts.GRANIAN, _granian, SUBJECTS),
        Contender(
            SUBJECT_IN_PYTHON,
            "zerogate, not compiled",
            (parts.ZEROGATE_IN_PYTHON,),
            lambda site: _zerogate(site, parts.ZEROGATE_IN_PYTHON),
        ),
        Contender(
            SUBJECT_PROCESSES,
            "zerogate, 2 router processes",
            (parts.ZEROGATE,),
            lambda site: _zerogate(site, router_options=("--processes", "2")),
            (SUBJECT,),
        ),
        Contender(SUBJECT_2, "zerogate, 2 workers", (parts.ZEROGATE,), lambda site: _zerogate(site, n_workers=2)),
        Contender(
            "nginx-2", "nginx + 2 uvicorn", (parts.NGINX, *parts.UVICORN), lambda site: _nginx(site, 2), (SUBJECT_2,)
        ),
        Contender(
            SUBJECT_WSGI,
            "zerogate, Flask",
            (parts.ZEROGATE, parts.FLASK),
            lambda site: _zerogate(site, interface=WSGI),
            interface=WSGI,
        ),
        Contender(
            "nginx-gunicorn",
            "nginx + gunicorn (gthread), Flask",
            (parts.NGINX, parts.GUNICORN, parts.FLASK),
            lambda site: _nginx(site, interface=WSGI),
            (SUBJECT_WSGI,),
            WSGI,
        ),
        Contender(
            "granian-wsgi",
            "granian alone, Flask",
            (*parts.GRANIAN, parts.FLASK),
            lambda site: _granian(site, WSGI),
            (SUBJECT_WSGI,),
            WSGI,
        ),
        Contender(
            SUBJECT_SERVER, "zerogate attach + uvicorn", (parts.ZEROGATE, *parts.UVICORN), _attach, interface=SERVER
        ),
        Contender("nginx-server", "nginx + uvicorn", (parts.NGINX, *parts.UVICORN), _nginx, (SUBJECT_SERVER,), SERVER),
        Contender(SUBJECT_FILES, "zerogate files", (parts.ZEROGATE, parts.STARLETTE), _files, interface=FILES),
        Contender("nginx-files", "nginx, its own files", (parts.NGINX,), _nginx_files, (SUBJECT_FILES,), FILES),
        Contender(SUBJECT_SEALED, "zerogate, CURVE", (parts.ZEROGATE,), lambda site: keyed(site)[0], interface=SEALED),
        Contender("zerogate-open", "zerogate, no keys", (parts.ZEROGATE,), _zerogate, (SUBJECT_SEALED,), SEALED),
        Contender(
            "nginx-sealed",
            "nginx + TLS + uvicorn",
            (parts.NGINX, *parts.UVICORN),
            _nginx_sealed,
            (SUBJECT_SEALED,),
            SEALED,
        ),
        Contender(
            "nginx-open", "nginx + uvicorn, no TLS", (parts.NGINX, *parts.UVICORN), _nginx, (SUBJECT_SEALED,), SEALED
        ),
    )
}

# The row that another zerogate is compared with, by what it serves; and how that is served.
BASELINES: dict[str, tuple[str, Callable[[Site, parts.Tree], list[Command]]]] = {
    ASGI: (SUBJECT, _zerogate),
    WSGI: (SUBJECT_WSGI, lambda site, tree: _zerogate(site, tree, interface=WSGI)),
    SERVER: (SUBJECT_SERVER, _attach),
    FILES: (SUBJECT_FILES, _files),
    SEALED: (SUBJECT_SEALED, lambda site, tree: keyed(site, tree)[0]),
}


def baseline(tree: parts.Tree, interface: str) -> Contender:
    """The row of another zerogate, to see what a change costs or saves."""
    subject, commands = BASELINES[interface]
    return Contender(tree.name, "zerogate baseline", (tree,), lambda site: commands(site, tree), (subject,), interface)


def services(contenders: Sequence[Contender], directory: Path, manner: Manner) -> list[Service]:
    """Lay out every contender in a directory of its own and on ports of its own; nothing is started yet."""
    ports = iter(free_ports((1 + MAX_UPSTREAMS) * len(contenders)))
    made = []
    for contender in contenders:
        home = directory / contender.name
        home.mkdir()
        site = Site(home, next(ports), tuple(next(ports) for _ in range(MAX_UPSTREAMS)), manner)
        made.append(Service(contender.name, site.http_port, contender.commands(site), home, manner.scheme))
    return made


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody has now, all different because all are held until the last is found."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
