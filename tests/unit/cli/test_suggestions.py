"""What somebody meant."""

import click
import pytest

from tests.support.each import each
from zerogate.cli.commands import commands
from zerogate.cli.options import setting_options
from zerogate.cli.suggestions import (
    FOREIGN_NAMES,
    FOREIGN_WORDS,
    explain_no_such_keyword,
    idle_options,
    meant_setting,
    unknown_variables,
    who_has,
)
from zerogate.settings import RunSettings, WorkerSettings

MEANT = {
    "router --workers 4": "no option --workers: it is --processes COUNT",
    "run app:app -b 0.0.0.0:80": "no option -b: it is --http HOST:PORT",
    "run app:app --bind-http :80": "no option --bind-http: it is --http HOST:PORT",
    "run app:app --limit-concurrency 5": "no option --limit-concurrency: it is --concurrency COUNT",
    "run app:app -t 30": "no option -t: it is --timeout DURATION (gunicorn's ends a worker",
    # Of another command.
    "worker app:app --port 80": "here: `zerogate router` and `zerogate run` have --port",
    "worker app:app --http :80": "here: `zerogate router`, `zerogate run` and `zerogate demo` have --http",
    "worker app:app --queue-timeout 1": "here: `zerogate router` and `zerogate run` have --queue-timeout",
    "run app:app --connect tcp://x:1": "`zerogate hello`, `zerogate attach` and `zerogate files` have --connect",
    "status --once": "no option --once here: `zerogate demo` has --once",
    # Of nobody's.
    "router --reload": "no option --reload here: `zerogate worker` and `zerogate run` have --reload",
    "run app:app -k gthread": "no option -k: an application's interface is found out",
    "run app:app --no-access-log": "no option --no-access-log: write --access-log off",
    "router --htttp x": "--http",
    "router --colour red": "No such option",
    # By their name, and not in their way.
    "run app:app --access-log": "--access-log has no value (uvicorn's --access-log has no value; here it says where",
    "run --access-log app:app": "no APP: --access-log has taken app:app as its value (uvicorn's",
    "run --access-log off": "Missing argument 'APP'",
    "run app:app --grace": "requires an argument",
    "run app:app --bind 0.0.0.0:80": (
        "--bind 0.0.0.0:80: not an endpoint: write tcp://HOST:PORT or ipc://PATH (gunicorn's --bind is --http here: "
    ),
    # As it was written.
    "run app:app --workers 0": "--workers 0: at least 1",
    "run app:app --processes 2 -w0": "-w 0: at least 1",
    "run app:app --workers=x": "--workers x: not a whole number",
    "run app:app --processes 0": "--processes 0: at least 1",
    "worker app:app --graceful-timeout soon": "--graceful-timeout soon: not a duration",
    "run app:app --http h11": "--http h11: not an address: write HOST:PORT (uvicorn's --http chooses a parser; ",
}


@each("words", MEANT)
def test_an_option_by_another_name(words: str) -> None:
    command, *arguments = words.split()
    context = commands.make_context("zerogate", [command, *arguments])
    with pytest.raises(click.UsageError) as caught:
        commands.commands[command].make_context(command, arguments, parent=context)
    assert MEANT[words] in caught.value.format_message()


KEYWORDS = {
    "portt": "no option portt: did you mean http=('127.0.0.1:9000',)?",
    "host": "no option host: did you mean http=('127.0.0.1:9000',)?",
    "uds": "no option uds: did you mean http=('127.0.0.1:9000',)?",
    "workers": "no option workers: did you mean processes?",
    "ssl_certfile": "no option ssl_certfile: did you mean tls_cert?",
    "queue_timout": "no option queue_timout: did you mean queue_timeout?",
    "use_colors": "no option use_colors: nothing is coloured",
    "own_routers": "no option own_routers",
    "colour": "no option colour",
}


@each("name", KEYWORDS)
def test_a_keyword_by_another_name(name: str) -> None:
    assert explain_no_such_keyword(name, RunSettings) == KEYWORDS[name]


def test_a_keyword_of_others() -> None:
    assert explain_no_such_keyword("port", WorkerSettings) == "no option port"


IDLE = {
    "run app:app --reload-dir src --reload-include *.html": [
        "--reload-dir does nothing without --reload",
        "--reload-include does nothing without --reload",
    ],
    "worker app:app --reload-exclude x": ["--reload-exclude does nothing without --reload"],
    "run app:app --max-requests-jitter 5": ["--max-requests-jitter does nothing without --max-requests"],
    "run app:app --cache-control no-cache": ["--cache-control does nothing without --static"],
    "run app:app --reload --reload-dir src": [],
    "files . --cache-control no-cache": [],
}


@each("words", IDLE)
def test_an_option_that_needs_another(words: str) -> None:
    command, *arguments = words.split()
    context = commands.make_context("zerogate", [command, *arguments])
    assert idle_options(commands.commands[command].make_context(command, arguments, parent=context)) == IDLE[words]


def test_in_the_environment_it_may_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROGATE_RELOAD_DIR", "src")
    context = commands.make_context("zerogate", ["run", "app:app"])
    assert idle_options(commands.commands["run"].make_context("run", ["app:app"], parent=context)) == []


AT_THE_TOP = {
    "app:app -w 4": "no command app:app: for an application write `zerogate run app:app`",
    "mysite.wsgi": "no command mysite.wsgi: for an application write `zerogate run mysite.wsgi`",
    "main.py": "no command main.py: for an application write `zerogate run main.py`",
    "--port 80 app:app": "no option --port here: `zerogate router` and `zerogate run` have --port",
    "--preload app:app": "no option --preload: each worker imports the application itself",
    "--colour app:app": "No such option",
    "ruun app:app": "No such command 'ruun'",
    "keys x.y": "No such command 'x.y'",
}


@each("words", AT_THE_TOP)
def test_what_is_written_without_a_command(words: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        commands.main(words.split(), prog_name="zerogate", standalone_mode=False)
    assert AT_THE_TOP[words] in caught.value.format_message()


def test_what_is_suggested_is_there() -> None:
    assert set(FOREIGN_NAMES.values()) <= set(setting_options(commands.commands["run"])) | {"connect"}
    assert not set(FOREIGN_NAMES) & set(FOREIGN_WORDS)
    taken = {name for param in commands.commands["run"].params for name in (*param.opts, *param.secondary_opts)}
    assert not taken & ({*FOREIGN_NAMES, *FOREIGN_WORDS} - {"--workers", "-w"})


def test_what_is_meant_is_found_among_what_there_is() -> None:
    options = setting_options(commands.commands["run"])
    assert meant_setting("workers", options) == "processes"
    assert meant_setting("certfile", options) == "tls_cert"
    assert meant_setting("queue_timout", options) == "queue_timeout"
    assert meant_setting("colour", options) is None
    assert meant_setting("workers", setting_options(commands.commands["status"])) is None


def test_who_has_what() -> None:
    assert who_has("redirect_https", commands) == "`zerogate router` and `zerogate run` have --redirect-https"
    assert who_has("once", commands) == "`zerogate demo` has --once"
    assert who_has("colour", commands) == ""


VARIABLES = {
    "ZEROGATE_QUEUE_TIMOUT": "ZEROGATE_QUEUE_TIMOUT is no option: did you mean ZEROGATE_QUEUE_TIMEOUT?",
    "ZEROGATE_WORKERS": "ZEROGATE_WORKERS is no option: did you mean ZEROGATE_PROCESSES?",
    "ZEROGATE_COLOUR": "ZEROGATE_COLOUR is no option",
}


@each("name", VARIABLES)
def test_a_variable_with_a_slip_of_the_pen(name: str) -> None:
    assert unknown_variables(commands, {name: "1", "ZEROGATE_HTTP": ":80", "PATH": "/bin"}) == [VARIABLES[name]]


def test_variables_that_are_ours_or_nobodys() -> None:
    params = [param for command in commands.commands.values() for param in command.params if param.envvar]
    ours = {name: "" for param in params for name in param.envvar or () if name.startswith("ZEROGATE_")}
    assert len(ours) > 50
    assert unknown_variables(commands, ours | {"HOME": "/", "MY_ZEROGATE_X": "1"}) == []


def test_what_kubernetes_tells_each_container_of_a_service_called_zerogate() -> None:
    told = {
        "ZEROGATE_SERVICE_HOST": "10.0.0.1",
        "ZEROGATE_SERVICE_PORT": "80",
        "ZEROGATE_SERVICE_PORT_HTTP": "80",
        "ZEROGATE_PORT": "tcp://10.0.0.1:80",
        "ZEROGATE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "ZEROGATE_PORT_80_TCP_ADDR": "10.0.0.1",
        "ZEROGATE_ADMIN_SERVICE_HOST": "10.0.0.2",
        "ZEROGATE_ADMIN_PORT": "tcp://10.0.0.2:81",
    }
    assert unknown_variables(commands, told) == []
    assert unknown_variables(commands, {"ZEROGATE_PORT": "80"}) == []
