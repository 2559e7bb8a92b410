"""The templates of a deployment agree with the code: settings, queues, functions, roles, versions of the resources."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_bicep
import yaml
from tree_sitter import Language, Node, Parser

from assistants.notify.items import WEBHOOKS
from assistants.service import QUEUES
from assistants.settings import Settings
from assistants.telemetry import names as telemetry
from tests.support.imports import ROOT
from tests.unit.settings_table import names

INFRA = ROOT / "infra"
FILES = sorted(INFRA.glob("**/*.bicep"))
PARSER = Parser(Language(tree_sitter_bicep.language()))

HOST = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "AzureWebJobsDisableHomepage",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "PYTHON_ENABLE_INIT_INDEXING",
}  # fmt: skip
"""Settings that the Functions host reads, and not the service."""

ROLES = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Azure ContainerApps Session Executor": "0fb8eba5-a2bb-4abe-b1c1-49dfad359bb0",
}
"""learn.microsoft.com/azure/role-based-access-control/built-in-roles"""


def tree(path: Path) -> Node:
    return PARSER.parse(path.read_bytes()).root_node


def text(node: Node | None) -> str:
    assert node is not None
    assert node.text is not None
    return node.text.decode().strip("'")


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def declared(path: Path, kind: str) -> dict[str, Node]:
    """The declarations of a kind (parameter, variable, resource, module, output) by their symbolic names."""
    found = (node for node in tree(path).children if node.type == f"{kind}_declaration")
    return {text(node.named_children[0]): node for node in found}


def types_of(path: Path) -> dict[str, str]:
    """The types of a template's parameters, `secure` included."""
    content = path.read_text(encoding="utf-8")
    found = re.findall(r"((?:^@.*\n|^ .*\n|^\}\)\n)*)^param (\w+) (\w+)", content, flags=re.MULTILINE)
    return {name: f"secure {kind}" if "@secure()" in decorators else kind for decorators, name, kind in found}


def properties(node: Node, key: str) -> dict[str, Node]:
    """The properties of the first object in the value of this key."""
    for each in walk(node):
        if each.type == "object_property" and text(each.named_children[0]) == key:
            value = next(one for one in walk(each.named_children[1]) if one.type == "object")
            pairs = (one for one in value.named_children if one.type == "object_property")
            return {text(one.named_children[0]): one.named_children[1] for one in pairs}
    raise AssertionError(key)


def app_settings() -> set[str]:
    """The names of the settings that the template gives to the app."""
    app = declared(INFRA / "modules" / "app.bicep", "resource")["settings"]
    return set(properties(app, "properties"))


def environment() -> set[str]:
    """The names that the template's parameters have in the environment of azd."""
    content = (INFRA / "main.parameters.json").read_text(encoding="utf-8")
    return set(re.findall(r"\$\{(\w+)", content))


def resources() -> Iterator[tuple[str, str, str]]:
    """The file, type and version of each resource."""
    for path in FILES:
        for node in declared(path, "resource").values():
            kind, _, version = text(node.named_children[1]).partition("@")
            yield path.name, kind, version


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_template_can_be_parsed_and_needs_no_registry(path: Path):
    assert not tree(path).has_error
    for node in declared(path, "module").values():
        assert (path.parent / text(node.named_children[1])).is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_parameter_and_a_variable_is_used(path: Path):
    used = re.findall(r"\w+", re.sub(r"^(param|var) \w+", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {*declared(path, "parameter"), *declared(path, "variable")}
    assert {name for name in named if name not in used} == set()


def test_a_module_gets_the_parameters_that_it_declares_and_gives_the_outputs_that_are_read():
    main = INFRA / "main.bicep"
    content = main.read_text(encoding="utf-8")
    for name, node in declared(main, "module").items():
        path = INFRA / text(node.named_children[1])
        assert set(properties(node, "params")) == set(declared(path, "parameter")), name
        assert set(re.findall(rf"\b{name}!?\.outputs\.(\w+)", content)) <= set(declared(path, "output")), name


def test_a_parameter_that_is_passed_on_has_the_type_that_the_module_declares():
    main = INFRA / "main.bicep"
    types, passed = types_of(main), 0
    for node in declared(main, "module").values():
        wanted = types_of(INFRA / text(node.named_children[1]))
        for name, value in properties(node, "params").items():
            if text(value) in types:
                assert (name, types[text(value)]) == (name, wanted[name])
                passed += 1
    assert passed > 20


def test_every_parameter_of_the_environment_is_one_of_the_template():
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    declarations = declared(INFRA / "main.bicep", "parameter")
    needed = {name for name, node in declarations.items() if " = " not in text(node).splitlines()[-1]}
    # For each of them that has no value `azd up` asks before it calls the hook that makes a key.
    assert needed == {"environmentName", "location"}
    assert needed <= set(given) <= set(declarations)


def test_every_setting_is_one_of_the_service_or_the_host():
    known = {name for field in Settings.model_fields.values() for name in names(field)}
    made = app_settings()
    assert made <= known | HOST
    assert {*HOST, "API_KEYS", "CORS_ORIGINS", "AzureWebJobsStorage__accountName"} <= made


def test_a_setting_in_the_environment_of_azd_is_one_of_the_app():
    known = {name for field in Settings.model_fields.values() for name in names(field)}
    given = environment()
    assert {"ENTRA_TENANT", "ENTRA_AUDIENCE", "ENTRA_PROJECTS", "APP_SETTINGS"} <= given
    assert given & known <= app_settings()


def test_the_page_of_the_deployment_lists_the_variables_of_azd_with_their_defaults():
    parameters = (INFRA / "main.parameters.json").read_text(encoding="utf-8")
    found: dict[str, str] = dict(re.findall(r'"\$\{(\w+)=?([^}]*)\}"', parameters))
    _, _, section = (ROOT / "docs" / "deploy.md").read_text("utf-8").partition("| variable | default |")
    listed = dict[str, str]()
    for row in section.partition("\n\n")[0].splitlines()[2:]:
        variables, defaults = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:3])
        listed |= dict(zip(variables, defaults or [""] * len(variables), strict=True))
    assert listed == {name: default for name, default in found.items() if not name.startswith("AZURE_")}


def test_settings_that_have_no_parameter_come_as_an_object():
    app = (INFRA / "modules" / "app.bicep").read_text(encoding="utf-8")
    assert re.search(r"  properties: union\(\{.*\n  \}, appSettings\)\n", app, flags=re.DOTALL)
    for path in (INFRA / "main.bicep", INFRA / "modules" / "app.bicep"):
        assert re.search(r"@secure\(\)\n(@.*\n)*param appSettings object", path.read_text(encoding="utf-8"))


def test_a_pipeline_deploys_with_everything_that_the_environment_of_azd_may_hold():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "azure-dev.yml").read_text(encoding="utf-8"))
    passed = workflow["jobs"]["deploy"]["env"]
    assert environment() - {"AZURE_PRINCIPAL_ID"} <= set(passed)
    # Azd makes an object of it, of which an empty text is none.
    assert passed["APP_SETTINGS"].endswith("|| '{}' }}")


def test_outputs_of_a_module_with_a_condition_are_read_under_the_same_condition():
    content = (INFRA / "main.bicep").read_text(encoding="utf-8")
    for name, condition in re.findall(r"^module (\w+) '.*' = if \((\w+)\)", content, flags=re.MULTILINE):
        for line in re.findall(rf"^.*\b{name}\.outputs.*$", content, flags=re.MULTILINE):
            assert re.search(rf": {condition} \? {name}\.outputs\.\w+ : ''$", line), line
    assert "!." not in content


def test_every_queue_of_the_service_is_made_with_its_poison_queue():
    made = declared(INFRA / "modules" / "storage.bicep", "variable")["queueNames"]
    listed = [text(each) for each in made.named_children[-1].named_children]
    assert listed == [name for queue in (*QUEUES, WEBHOOKS) for name in (queue, f"{queue}-poison")]


def test_the_functions_that_are_named_exist():
    app = (INFRA / "modules" / "app.bicep").read_text(encoding="utf-8")
    assert set(re.findall(r"'function:(\w+)'", app)) == {"work"} <= set(QUEUES)


def test_the_alert_of_poison_sees_the_functions_and_the_spans_of_every_queue():
    alerts = (INFRA / "modules" / "alerts.bicep").read_text(encoding="utf-8")
    ends = tuple(re.findall(r'name endswith "(\W?\w+)"', alerts))
    for queue in (*QUEUES, WEBHOOKS):
        assert [name.endswith(ends) for name in (f"{queue}_poison", f"process {queue}-poison", queue)] == [
            True,
            True,
            False,
        ]


def test_an_assignment_of_a_role_is_named_after_its_principal():
    for path in FILES:
        for name, node in declared(path, "resource").items():
            content = text(node)
            if "roleAssignments@" in content:
                assert re.search(r"name: guid\(\w+\.id, (\w+), role\.value\)[^}]+principalId: \1\n", content), name


def test_every_role_has_its_id():
    found: dict[str, str] = {}
    for path in FILES:
        if roles := declared(path, "variable").get("roles"):
            pairs = roles.named_children[-1].named_children
            found |= {text(each.named_children[0]): text(each.named_children[1]) for each in pairs}
    assert found == ROLES
    ids = {
        each for path in FILES for each in re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", path.read_text(encoding="utf-8"))
    }
    assert ids == set(ROLES.values())


def test_the_resources_of_a_kind_have_one_version_that_is_no_preview():
    versions: dict[str, set[str]] = {}
    for _, kind, version in resources():
        # Parts of a storage account, a site and a network have the version of the whole.
        versions.setdefault("/".join(kind.split("/")[:2]), set()).add(version)
    assert len(versions) > 12
    assert {kind: each for kind, each in versions.items() if len(each) != 1} == {}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", version) for each in versions.values() for version in each)


def test_no_resource_is_accessed_by_a_shared_key():
    storage = declared(INFRA / "modules" / "storage.bicep", "resource")["account"]
    assert text(properties(storage, "properties")["allowSharedKeyAccess"]) == "false"
    everything = "".join(path.read_text(encoding="utf-8") for path in FILES)
    assert "listKeys" not in everything
    assert "AccountKey" not in everything


def test_the_queries_of_the_workbook_read_the_fields_of_a_runs_line():
    fields = {"run", "thread", "project", "from", "to", "why", "seconds"}
    workbook = (INFRA / "modules" / "workbook.json").read_text(encoding="utf-8")
    queries = [each["content"]["query"] for each in json.loads(workbook)["items"] if "query" in each["content"]]
    alerts = (INFRA / "modules" / "alerts.bicep").read_text(encoding="utf-8")
    read = {name for query in [*queries, alerts] for name in re.findall(r"\bline\.(\w+)", query)}
    assert {"to", "seconds"} <= read <= fields


def test_the_workbook_has_every_metric_of_the_service_that_a_runs_line_does_not_tell():
    workbook = (INFRA / "modules" / "workbook.json").read_text(encoding="utf-8")
    metrics = {each.name for each in vars(telemetry).values() if isinstance(each, telemetry.Metric)}
    ours = {name for name in metrics if name.startswith("assistants.")}
    assert {name for name in ours if f'name == \\"{name}\\"' not in workbook} == {
        telemetry.RUNS.name, telemetry.QUEUE_TIME.name,
    }  # fmt: skip


def test_the_paths_in_azds_file_exist():
    config = yaml.safe_load((ROOT / "azure.yaml").read_text(encoding="utf-8"))
    assert (ROOT / config["infra"]["path"] / f"{config['infra']['module']}.bicep").is_file()
    hooks = config["hooks"]["preprovision"]
    assert [(ROOT / hooks[system]["run"]).is_file() for system in ("posix", "windows")] == [True, True]
    assert os.access(ROOT / hooks["posix"]["run"], os.X_OK)  # azd calls it by its path
    app = (INFRA / "modules" / "app.bicep").read_text(encoding="utf-8")
    assert all(f"'azd-service-name': '{service}'" in app for service in config["services"])


def test_a_key_is_made_once_shown_once_and_kept_as_its_hash(tmp_path: Path):
    (tmp_path / "azd").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n')
    (tmp_path / "azd").chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"}
    run = ["sh", str(INFRA / "hooks" / "key.sh")]
    shown = subprocess.run(run, env=path, capture_output=True, text=True, check=True).stdout
    said = (tmp_path / "said").read_text().split()
    assert said[:3] == ["env", "set", "API_KEYS"]
    settings = Settings.model_validate({"API_KEYS": said[3]})
    key = shown.split()[-1]
    assert re.fullmatch(r"sk-[0-9a-f]{48}", key)
    from starlette.datastructures import Headers

    from assistants.api.keys import project

    assert project(Headers({"api-key": key}), settings.api_keys, False) == "default"
    subprocess.run(run, env={**path, "API_KEYS": said[3]}, check=True)
    assert len((tmp_path / "said").read_text().splitlines()) == 1
