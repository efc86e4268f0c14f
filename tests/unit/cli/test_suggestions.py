"""What somebody meant."""

import click
import pytest

from zerogate.cli.commands import commands
from zerogate.cli.suggestions import FOREIGN_NAMES, unknown_variables
from zerogate.settings import RunSettings
from zerogate.settings.option import options_of

MEANT = {
    "run app:app --workers 4": "no option --workers: it is --processes COUNT",
    "run app:app -w 4": "no option -w: it is --processes COUNT",
    "router --workers 4": "no option --workers: it is --processes COUNT",
    "router --port 80": "no option --port: it is --http HOST:PORT",
    "router --host 0.0.0.0": "no option --host: it is --http HOST:PORT",
    "run app:app --host=0.0.0.0": "no option --host: it is --http HOST:PORT",
    "run app:app --bind-http :80": "no option --bind-http: it is --http HOST:PORT",
    "router --timeout-keep-alive 5": "no option --timeout-keep-alive: it is --keepalive-timeout DURATION",
    "worker app:app --graceful-timeout 5": "no option --graceful-timeout: it is --grace DURATION",
    # Of another command.
    "worker app:app --port 80": "here: `zerogate router`, `zerogate run` and `zerogate demo` have --http",
    "worker app:app --queue-timeout 1": "here: `zerogate router` and `zerogate run` have --queue-timeout",
    "run app:app --connect tcp://x:1": "`zerogate hello`, `zerogate attach` and `zerogate files` have --connect",
    "status --once": "no option --once here: `zerogate demo` has --once",
    # Of nobody's.
    "router --reload": "no option --reload here: `zerogate worker` and `zerogate run` have --reload",
    "router --htttp x": "--http",
    "router --colour red": "No such option",
}


@pytest.mark.parametrize("words", MEANT)
def test_an_option_by_another_name(words: str) -> None:
    command, *arguments = words.split()
    context = commands.make_context("zerogate", [command, *arguments])
    with pytest.raises(click.UsageError) as caught:
        commands.commands[command].make_context(command, arguments, parent=context)
    assert MEANT[words] in caught.value.format_message()


def test_what_is_suggested_is_there() -> None:
    assert set(FOREIGN_NAMES.values()) <= {field.name for field, _ in options_of(RunSettings)}


VARIABLES = {
    "ZEROGATE_QUEUE_TIMOUT": "ZEROGATE_QUEUE_TIMOUT is no option: did you mean ZEROGATE_QUEUE_TIMEOUT?",
    "ZEROGATE_WORKERS": "ZEROGATE_WORKERS is no option: did you mean ZEROGATE_PROCESSES?",
    "ZEROGATE_COLOUR": "ZEROGATE_COLOUR is no option",
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_with_a_slip_of_the_pen(name: str) -> None:
    assert unknown_variables(commands, {name: "1", "ZEROGATE_HTTP": ":80", "PATH": "/bin"}) == [VARIABLES[name]]


def test_variables_that_are_ours_or_nobodys() -> None:
    params = [param for command in commands.commands.values() for param in command.params if param.envvar]
    ours = {str(param.envvar): "" for param in params if isinstance(param.envvar, str)}
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
    assert unknown_variables(commands, {"ZEROGATE_PORT": "80"}) == [
        "ZEROGATE_PORT is no option: did you mean ZEROGATE_HTTP?"
    ]
