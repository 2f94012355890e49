"""What others make of the OpenAPI document: Redocly's recommended rules hold, and the clients that generators
write for TypeScript and Python compile and take what the README submits.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.contract.fakes import Fakes
from tests.docs.blocks import ROOT, blocks
from tests.support.sources import must_have_a_broker

HERE = Path(__file__).parent
NODE = HERE / "node_modules/.bin"
PYTHON = ROOT / ".venv-generators/bin"

STRICT = (
    *("--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom"),
    *("--module", "esnext", "--moduleResolution", "bundler"),
)


@pytest.fixture
def document() -> dict[str, Any]:
    return Fakes().app().openapi()


@pytest.fixture
def folder(tmp_path: Path, document: dict[str, Any]) -> Path:
    """Has the document, and finds the packages that are installed here."""
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    return tmp_path


def readme_body() -> dict[str, Any]:
    """What the README submits first."""
    code = next(one.code for one in blocks(ROOT / "README.md") if "/tasks/submit" in one.code)
    found = re.search(r"-d '(.*?)'", code, re.DOTALL)
    assert found is not None
    body: dict[str, Any] = json.loads(found[1])
    return body


def run(folder: Path, program: Path, *arguments: str) -> str:
    """What it prints. A program that is not installed skips the test, or fails it in CI."""
    if not program.exists():
        missing = f"no {program.name}: run tests/generators/install.sh"
        pytest.fail(missing) if must_have_a_broker() else pytest.skip(missing)
    environment = os.environ | {
        "PATH": os.pathsep.join([str(program.parent), os.environ["PATH"]]),
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
        "REDOCLY_TELEMETRY": "off",
    }
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_redoclys_recommended_rules_hold(folder: Path, document: dict[str, Any]) -> None:
    """All but one: an operation that reads nothing of its request has no answer of the kind 4xx."""
    arguments = ("lint", "--extends=recommended", "--format=json", "openapi.json")
    told = json.loads(run(folder, NODE / "redocly", *arguments))
    found = {
        (one["ruleId"], place["pointer"]) for one in told["problems"] for place in one["location"]
    }
    nothing_to_read = {
        ("operation-4xx-response", f"#/paths/{path.replace('/', '~1')}/{method}/responses")
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") == [] and not operation.get("parameters")
    }
    assert found == nothing_to_read


@pytest.mark.slow
def test_a_client_of_openapi_typescript_compiles_with_the_readmes_body(folder: Path) -> None:
    run(folder, NODE / "openapi-typescript", "openapi.json", "--output", "api.ts")
    program = (HERE / "submit.ts").read_text()
    (folder / "submit.ts").write_text(program.replace("README_BODY", json.dumps(readme_body())))
    run(folder, NODE / "tsc", *STRICT, "--exactOptionalPropertyTypes", "submit.ts")


@pytest.mark.slow
def test_the_two_lines_and_the_program_of_the_guide_make_a_client(folder: Path) -> None:
    every = list(blocks(ROOT / "docs/guides/python-client.md"))
    made = next(one.code for one in every if "npx openapi-typescript" in one.code).splitlines()[0]
    with served(folder) as url:
        line = made.replace("http://localhost:9001", url).removeprefix("npx ")
        # Of the npm packages that are installed for these tests.
        run(folder, NODE / line.split()[0], *line.split()[1:])
    (program,) = [one.code for one in every if one.language == "ts"]
    (folder / "program.ts").write_text(program)
    run(folder, NODE / "tsc", *STRICT, "program.ts")
    (folder / "wrong.ts").write_text(program.replace('"high"', '"soon"'))
    with pytest.raises(AssertionError, match="soon"):
        run(folder, NODE / "tsc", *STRICT, "wrong.ts")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of the folder, on this machine alone."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_client_of_swagger_typescript_api_compiles_with_the_readmes_body(folder: Path) -> None:
    arguments = ("generate", "--path=openapi.json", "--output=.", "--name=api.ts", "--silent")
    run(folder, NODE / "swagger-typescript-api", *arguments)
    (folder / "submit.ts").write_text(
        'import { Api } from "./api";\n'
        f"export const asked = new Api().tasks.submitTask({json.dumps(readme_body())});\n"
        'export const whose: Promise<string> = asked.then((answer) => answer.data.task_id ?? "");\n'
        "export const less = new Api().tasks.submitTask({ task_data: {} });\n"
    )
    run(folder, NODE / "tsc", *STRICT, "submit.ts")


def test_a_client_of_openapi_python_client_sends_the_readmes_body_as_it_is(folder: Path) -> None:
    target = ("--meta=none", "--output-path=made", "--fail-on-warning")
    run(folder, PYTHON / "openapi-python-client", "generate", "--path=openapi.json", *target)
    program = f"""
import pkgutil, importlib, json
import made
for one in pkgutil.walk_packages(made.__path__, "made."):
    importlib.import_module(one.name)
from made.models import SubmitTaskBody, Submitted
body = json.loads({json.dumps(readme_body())!r})
assert SubmitTaskBody.from_dict(body).to_dict() == body
assert SubmitTaskBody.from_dict({{"task_data": {{}}}}).to_dict() == {{"task_data": {{}}}}
"""
    run(folder, PYTHON / "python", "-W", "error", "-c", program)


def test_models_of_datamodel_code_generator_read_the_readmes_body(folder: Path) -> None:
    kind = ("--input-file-type=openapi", "--output-model-type=pydantic_v2.BaseModel")
    files = ("--input=openapi.json", "--output=made.py", "--formatters=builtin")
    run(folder, PYTHON / "datamodel-codegen", *kind, *files)
    program = f"""
from pydantic import ValidationError
from made import RegisterAgent, SubmitTaskBody
body = {readme_body()!r}
read = SubmitTaskBody.model_validate(body)
assert read.model_dump(mode="json", exclude_unset=True) == body
RegisterAgent(agent_id="\\N{{ROBOT FACE}} 7", agent_type="worker")
for wrong in ("", "..", "register", "a\\nb"):
    try:
        RegisterAgent(agent_id=wrong, agent_type="worker")
    except ValidationError:
        continue
    raise AssertionError(wrong)
"""
    run(folder, PYTHON / "python", "-W", "error", "-c", program)
