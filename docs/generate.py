"""Writes docs/reference/ from the source: `python docs/generate.py`, or `--check` to compare only."""  # noqa: INP001

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1]))

from coordinator import errors
from coordinator.api.app import create_app
from coordinator.api.endpoint_services import EndpointServices
from coordinator.api.error_bodies import STATUS_CODES, code_of
from coordinator.api.error_table import status_of
from coordinator.api_commands.arguments.connection_arguments import connection
from coordinator.commands.argument_parser import COMMAND_GROUPS, argument_parser
from coordinator.domain import task
from coordinator.environment import ENV_PREFIX
from coordinator.metrics.metric_catalogue import CATALOGUE
from coordinator.protocol import name_encoding, topology
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages import agent_commands, events, registration, task_output
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.settings import Settings

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py: change the source, then run it. -->\n"

CONTROL_QUEUE = registration.control_queue("AGENT", "CONNECTION")
CONTROL_QUEUE = CONTROL_QUEUE.replace("AGENT", "<agent>").replace("CONNECTION", "<connection>")

Lines = Iterator[str]


def settings_page() -> Lines:
    """One row for each field of `Settings`."""
    yield "# Settings"
    yield ""
    yield "Each is an environment variable. Durations are in seconds, or ISO 8601 (`PT10M`). Names are"
    yield "separated by commas. For a secret there is a second variable with `_FILE` at its end, which"
    yield "names a file that holds the value: `COORDINATOR_AMQP_URL_FILE`, `COORDINATOR_DATABASE_URL_FILE`,"
    yield "`COORDINATOR_MANAGEMENT_URL_FILE`, `COORDINATOR_SECRET_FILE`."
    yield ""
    yield "An empty variable counts as not set. What else holds for all of them, and which settings"
    yield "contradict each other: [Running it](../operations/running.md#settings)."
    yield ""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    told = attribute_docstrings(Settings)
    for name, field in Settings.model_fields.items():
        default = field.default
        if field.default_factory is not None:
            default = "$XDG_DATA_HOME/agent-coordinator"
        yield f"| `{ENV_PREFIX}{name.upper()}` | {_default(default)} | {told[name]} |"
    yield ""
    yield "Options take precedence over the environment: `--host`, `--port`, `--data-dir`, `--amqp-url` and"
    yield "`--projector` of `coordinator up` and `coordinator serve`, and `--workers` of the latter."


def _default(value: object) -> str:
    match value:
        case timedelta():
            return f"`{value.total_seconds():.15g}`"
        case None | () | "":
            return "none"
        case tuple():
            return f"`{','.join(map(str, value))}`"
        case _:
            return f"`{value}`"


def attribute_docstrings(owner: type) -> dict[str, str]:
    """The string below each attribute of a class, on one line."""
    tree = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0])
    found: dict[str, str] = {}
    for before, after in pairwise(tree.body):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[before.target.id] = " ".join(text.split())
    return found


def broker_page() -> Lines:
    """Exchanges, queues, bindings, and the messages on them."""
    yield "# Names on the broker"
    yield ""
    yield "Everything that exists on RabbitMQ, from `coordinator/protocol/topology.py`."
    for section in (_exchanges, _queues, _bindings, _lanes, _events, _output, _commands):
        yield ""
        yield from section()


def _exchanges() -> Lines:
    told = _module_docstrings(topology)
    yield "## Exchanges"
    yield ""
    yield "| name | type | what |"
    yield "|---|---|---|"
    for exchange in (*topology.TOPOLOGY.exchanges, *topology.ledger_claim("ID").exchanges):
        yield f"| `{exchange.name}` | {exchange.kind} | {told[exchange.name]} |"


def _queues() -> Lines:
    told = _module_docstrings(topology)
    yield "## Queues"
    yield ""
    yield "| name | arguments | what |"
    yield "|---|---|---|"
    for queue in topology.TOPOLOGY.queues:
        yield f"| `{queue.name}` | {_arguments(queue.arguments)} | {told.get(queue.name, '')} |"
    source = TaskQueue("<lane>", Priority.NORMAL)
    work = topology.task_queue_topology(source).queues[0]
    yield (
        f"| `{work.name.replace('normal', '<priority>')}` | {_arguments(work.arguments)} | "
        "Tasks of one lane and priority, declared when the first of them arrives. |"
    )
    [control] = topology.control_queue_topology(CONTROL_QUEUE, keys=()).queues
    told_of_control = "Commands to one agent, and replies to it."
    yield f"| `{CONTROL_QUEUE}` | {_arguments(control.arguments)} | {told_of_control} |"
    wake = topology.wake_queue_spec("wake.<agent type>.<digest>")
    yield f"| `{wake.name}` | {_arguments(wake.arguments)} | {_first_line(topology.wake_queue_spec)} |"
    yield f"| `{topology.lock_queue('<name>').name}` | exclusive | {_first_line(topology.lock_queue)} |"
    yield f"| `{topology.live_queue('<process>').name}` | exclusive | {_heard()} |"
    output = topology.output_topology("<process>")
    [queue] = output.queues
    told_of_output = _first_line(topology.output_topology)
    yield f"| `{queue.name}` | exclusive<br>{_arguments(queue.arguments)} | {told_of_output} |"


def _bindings() -> Lines:
    yield "## Bindings"
    yield ""
    yield "| from | key | to |"
    yield "|---|---|---|"
    for binding in topology.TOPOLOGY.bindings:
        yield f"| `{binding.exchange}` | `{binding.key}` | `{binding.target}` |"
    for key in topology.LIVE_BINDINGS:
        yield f"| `{topology.EVENTS}` | `{key}` | `{topology.live_queue('<process>').name}` |"
    for one in topology.output_topology("<process>").bindings:
        yield f"| `{one.exchange}` | `{one.key}` | `{one.target}` |"
    yield f"| `{topology.WORK}` | `<lane>.<priority>` | `tasks.<lane>.<priority>` |"
    yield f"| `{topology.CONTROL}` | `agent.<agent>` and `{agent_commands.EVERY_AGENT}` | `{CONTROL_QUEUE}` |"


def _lanes() -> Lines:
    yield "## Lanes"
    yield ""
    yield "| requirements | lane |"
    yield "|---|---|"
    for wanted in (
        Requirements(),
        Requirements(agent_type="worker"),
        Requirements(agent_type="worker", capabilities=("gpu", "analysis")),
        Requirements(services=("documents",)),
        Requirements(agent_id="hermes-agent"),
    ):
        yield f"| `{json.dumps(wanted.as_dict())}` | `{lane_name(wanted)}` |"
    long = lane_name(Requirements(), long=True)
    yield f"| none, with a `timeout_seconds` of over 10 minutes | `{long}` |"
    yield ""
    yield "A character outside `A-Z a-z 0-9 _ -` is written as `__` and two hexadecimal digits for each"
    yield f"of its UTF-8 bytes: `data.v2` becomes `{name_encoding.encode_word('data.v2')}`."


def _events() -> Lines:
    yield "## Events"
    yield ""
    yield f"Published to `{topology.EVENTS}` with the key `<noun>.<author>.<what>`: the event"
    yield "`task.started` of the agent `hermes-agent` has the key `task.hermes-agent.started`. What a"
    yield f"coordinator states has the author `{name_encoding.COORDINATOR_AUTHOR}`."
    yield ""
    yield "| type | fields | what |"
    yield "|---|---|---|"
    for name, model in events.EVENT_TYPES.items():
        yield f"| `{name}` | {_fields(model)} | {_first_line(model)} |"


def _output() -> Lines:
    yield "## Partial output"
    yield ""
    yield f"Published to `{topology.OUTPUT}` with the key `task.<agent>.output`, not persistent; the property"
    yield f"`type` is `{task_output.OUTPUT_TYPE}`. The body is an object with the `agent_id` and `output`, a"
    yield f"list of such objects. At most {task_output.LARGEST_OUTPUT >> 10} KiB of it are read, and"
    yield f"{task_output.MAX_CHUNKS} chunks, of {task_output.MAX_CHUNK >> 10} KiB each."
    yield ""
    yield "| field | default | what |"
    yield "|---|---|---|"
    told = attribute_docstrings(task_output.RunOutput)
    for name, field in task_output.RunOutput.model_fields.items():
        default = (
            "required"
            if field.is_required()
            else _default(field.get_default(call_default_factory=True))
        )
        yield f"| `{name}` | {default} | {told.get(name, 'As in an event.')} |"


def _commands() -> Lines:
    yield "## Commands"
    yield ""
    yield f"Published to `{topology.CONTROL}`; the property `type` names the command."
    yield ""
    yield "| type | fields | what |"
    yield "|---|---|---|"
    for model in (
        agent_commands.CancelTask,
        agent_commands.ServeSource,
        agent_commands.LeaveSource,
        agent_commands.ServeSources,
        agent_commands.RegisterAgain,
        agent_commands.DrainAgent,
        agent_commands.Probe,
    ):
        yield f"| `{model.TYPE}` | {_fields(model)} | {_first_line(model)} |"


def _heard() -> str:
    return "One coordinator's own copy of what agents say, heartbeats included."


def _arguments(arguments: Mapping[str, Any]) -> str:
    return "<br>".join(f"`{name}: {value}`" for name, value in arguments.items())


def _fields(model: Any) -> str:
    return ", ".join(
        f"`{name}`" if field.is_required() else f"`{name}`?"
        for name, field in model.model_fields.items()
    )


def _first_line(owner: type) -> str:
    return " ".join((inspect.getdoc(owner) or "").split("\n\n")[0].split())


def _module_docstrings(module: Any) -> dict[str, str]:
    """Value of each constant to the string below it."""
    body = ast.parse(inspect.getsource(module)).body
    found: dict[str, str] = {}
    for before, after in pairwise(body):
        match before, after:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                kind, _, rest = text.partition(": ")
                sentence = " ".join((rest or kind).split())
                found[str(getattr(module, name))] = sentence[:1].upper() + sentence[1:]
    return found


def errors_page() -> Lines:
    """The tree, and each class with its status over HTTP and its sentence."""
    yield "# Errors"
    yield ""
    yield "The branches are audiences: who can do something about it."
    yield ""
    yield "```text"
    yield from textwrap.dedent((errors.__doc__ or "").split("\n\n")[1]).splitlines()
    yield "```"
    yield ""
    yield "A status is given for what reaches a client of the API."
    yield ""
    yield "| error | HTTP | code | what it says |"
    yield "|---|---|---|---|"
    for name in errors.__all__:
        kind = getattr(errors, name)
        client = issubclass(kind, errors.RequestError | errors.Unavailable | errors.OperatorError)
        status = status_of(_bare(kind)) if client else "-"
        code = f"`{code_of(_bare(kind))}`" if client else "-"
        yield f"| `{name}` | {status} | {code} | {_first_line(kind)} |"
    yield ""
    yield "## Bodies"
    yield ""
    yield "Every error, whoever answers it, has `detail`, one sentence; `status`, which is `error`;"
    yield "`message`, the same as `detail`; `timestamp`; and `code`, a word for programs that keeps its"
    yield "meaning. Beyond that, a 422 lists what is wrong under `errors`, one `field` and `message` each; a"
    yield "503 tells its `reason` and, where the outcome of a submission is unknown, the `task_id` to ask"
    yield "for. A 503 that is worth repeating as it is has the header `Retry-After`."
    yield ""
    yield "The codes of what HTTP itself is asked for wrongly, and has no class:"
    yield ""
    yield "| HTTP | code |"
    yield "|---|---|"
    for number, code in STATUS_CODES.items():
        yield f"| {number} | `{code}` |"
    yield ""
    yield "`GET /health/ready` has the code `not_ready`."


def _bare(kind: type[Exception]) -> Exception:
    exc = kind.__new__(kind)
    Exception.__init__(exc)
    return exc


def http_page() -> Lines:
    """Each endpoint of the OpenAPI document."""
    nothing = {field.name: cast("Any", None) for field in fields(EndpointServices)}
    document = create_app(
        EndpointServices(**nothing | {"version": "x", "problems": tuple})
    ).openapi()
    yield "# HTTP API"
    yield ""
    yield "The service listens on port 9001. Bodies are JSON. The full description, with every schema, is at"
    yield "`/openapi.json` and, to read and to try, at `/docs` of a running coordinator."
    yield ""
    yield "| method and path | what |"
    yield "|---|---|"
    for path, method, operation in _operations(document):
        yield f"| `{method.upper()} {path}` | {operation.get('summary', '')} |"
    for path, method, operation in _operations(document):
        yield ""
        yield f"## {method.upper()} {path}"
        yield ""
        yield from (operation.get("description") or operation.get("summary", "")).splitlines()
        yield from _body(document, operation)
        yield ""
        yield "| status | meaning |"
        yield "|---|---|"
        for status, response in sorted(operation["responses"].items()):
            yield f"| {status} | {response['description']} |"


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        if not path.startswith("/v1/"):
            for method, operation in methods.items():
                yield path, method, operation


def _body(document: dict[str, Any], operation: dict[str, Any]) -> Lines:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    schema = _resolved(document, content["schema"])
    yield ""
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        kind = _kind(document, field)
        need = ", required" if name in required else ""
        told = field.get("description") or _resolved(document, field).get("description", "")
        yield f"| `{name}` | {kind}{need} | {' '.join(told.split())} |"


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    choices = schema.get("anyOf", [schema])
    schema = next((choice for choice in choices if choice.get("type") != "null"), schema)
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].rpartition("/")[2]
    return cast("dict[str, Any]", document["components"]["schemas"][name])


def _kind(document: dict[str, Any], field: dict[str, Any]) -> str:
    schema = _resolved(document, field)
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    if kind == "array":
        return f"list of {_kind(document, schema['items'])}s"
    return str(kind)


def states_page() -> Lines:
    """Each state with its comment, and the states that may follow it."""
    source = textwrap.dedent(inspect.getsource(task.State))
    told = dict(re.findall(r'#: (.*)\n\s*\w+ = "(.*)"', source))
    meaning = {name: comment for comment, name in told.items()}
    yield "# States of a task"
    yield ""
    yield "From the table `TRANSITIONS` in `coordinator/domain/task.py`, within one generation. It is wider"
    yield "than the usual way through, because reports of different authors may arrive out of order. An"
    yield "event that asks for any other step changes no state."
    yield ""
    yield "| state | meaning | may become |"
    yield "|---|---|---|"
    for state in task.State:
        after = task.TRANSITIONS.get(state, frozenset())
        names = ", ".join(f"`{other}`" for other in task.State if other in after)
        yield f"| `{state}` | {meaning[state]} | {names or 'nothing'} |"
    yield ""
    ended = ", ".join(f"`{state}`" for state in task.State if state in task.ENDED)
    yield f"Final states: {ended}."


def metrics_page() -> Lines:
    """One row for each metric of the catalogue."""
    yield "# Metrics"
    yield ""
    yield "All that `GET /metrics` tells, from `coordinator/metrics/metric_catalogue.py`. How they are read,"
    yield "and the metrics of agents: [Metrics](../operations/metrics.md)."
    yield ""
    yield "| metric | kind | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in CATALOGUE:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
    yield ""
    yield "Bounds of the buckets, in seconds:"
    yield ""
    for metric in CATALOGUE:
        if metric.bounds:
            yield f"- `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.bounds)}"


def command_line_page() -> Lines:
    """Each command with its options and examples, from the parser."""
    yield "# Commands"
    yield ""
    yield "Each is `coordinator COMMAND`; `--help` tells the same. How they are used together:"
    yield "[the command line](../guides/command-line.md), [running it](../operations/running.md)."
    yield ""
    yield "| for | commands |"
    yield "|---|---|"
    for heading, names in COMMAND_GROUPS:
        links = (f"[{name}](#coordinator-{name})" for name in names)
        yield f"| {heading} | {', '.join(links)} |"
    yield ""
    yield "Where the service is, for all commands that call its API:"
    yield ""
    shared = _shown(connection())
    yield from _argument_rows(shared)
    for name, page, line in _command_pages(argument_parser(), ""):
        yield ""
        yield f"## coordinator {name}"
        yield ""
        about = page.description or f"{line[0].upper()}{line[1:]}."
        for paragraph in about.split("\n\n"):
            yield from (*textwrap.wrap(paragraph, 110, break_on_hyphens=False), "")
        calls = any(action.dest == "retry" for action in page._actions)  # noqa: SLF001
        told = {action.dest for action in shared} if calls else set()
        own = [one for one in _shown(page) if one.dest not in told]
        if own:
            yield from _argument_rows(own)
        _, found, examples = (page.epilog or "").partition("examples:\n")
        if found:
            yield from ("", "```text")
            yield from (line.strip() for line in examples.partition("\n\n")[0].splitlines())
            yield "```"


def _command_pages(
    parser: argparse.ArgumentParser, before: str
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Name, parser and one line of each command and each action of it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to reach them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            lines = {one.dest: one.help or "" for one in action._choices_actions}  # noqa: SLF001
            for name, page in action.choices.items():
                yield f"{before}{name}", page, lines[name]
                yield from _command_pages(page, f"{before}{name} ")


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        action
        for action in parser._actions  # noqa: SLF001
        if action.help != argparse.SUPPRESS
        and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)  # noqa: SLF001
    ]


def _argument_rows(actions: list[argparse.Action]) -> Lines:
    yield "| argument | meaning |"
    yield "|---|---|"
    for action in actions:
        argument = f"{', '.join(action.option_strings)} {_value(action)}".strip().replace(
            "|", "\\|"
        )
        meaning = (action.help or "").replace("|", "\\|")
        yield f"| `{argument}` | {meaning} |"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.metavar:
        return str(action.metavar)
    return "|".join(map(str, action.choices)) if action.choices else action.dest.upper()


PAGES: dict[str, Callable[[], Lines]] = {
    "command-line.md": command_line_page,
    "metrics.md": metrics_page,
    "task-states.md": states_page,
    "settings.md": settings_page,
    "http.md": http_page,
    "broker.md": broker_page,
    "errors.md": errors_page,
}


def rendered(page: str) -> str:
    """The text of one page, as it should be in the repository."""
    title, *rest = PAGES[page]()
    return "\n".join([title, "", NOTE, *rest[1:]]).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a page is old")
    options = parser.parse_args()
    old = [
        page
        for page in PAGES
        if not (REFERENCE / page).is_file() or (REFERENCE / page).read_text() != rendered(page)
    ]
    for page in old:
        print(f"docs/reference/{page} is out of date" + ("" if options.check else ": written"))
        if not options.check:
            REFERENCE.mkdir(exist_ok=True)
            (REFERENCE / page).write_text(rendered(page))
    return 1 if options.check and old else 0


if __name__ == "__main__":
    sys.exit(main())
