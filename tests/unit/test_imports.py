import os
import re
import subprocess
import sys

from tests.support.imports import ROOT, imported, normalised, owners, reachable

APP = ROOT / "function_app.py"
DEPLOYED = {"function_app": APP, **reachable(APP)}
CONFINED = ROOT / "assistants" / "tools" / "code_interpreter" / "local"
"""Some of its modules run in the environment of the code interpreter, which has packages of its own."""

FOREIGN = {
    module
    for source in DEPLOYED.values()
    if source.parent != CONFINED
    for module in imported(source)
    if module.partition(".")[0] not in {*sys.stdlib_module_names, "assistants"}
}
FASTAPIS = {"python-multipart"}
"""Packages that FastAPI imports if they are installed."""


def requirements() -> list[str]:
    """The names of the distributions that requirements.txt names."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [normalised(re.split(r"[\[<>=~! ]", line)[0]) for line in lines if line and not line.startswith("#")]


def test_imports_run_one_way():
    # In a process of its own, as it turns off the loggers that it finds.
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    done = subprocess.run([*lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_deployed_app_imports_every_package_except_those_for_developers_and_operators():
    sources = {path for path in (ROOT / "assistants").rglob("*.py") if path.name != "__init__.py"}
    rooms = (ROOT / "assistants" / "admin", ROOT / "assistants" / "local")
    local = {path for path in sources if any(path.is_relative_to(room) for room in rooms)}
    assert local
    assert not local & set(DEPLOYED.values())
    by_name = {CONFINED / "figures.py"}  # matplotlib imports it, in the confined process
    command = ROOT / "assistants" / "migrate" / "__main__.py"
    needed = {command, *DEPLOYED.values(), *reachable(command).values()}
    assert sources - local - by_name <= needed, "no module imports these"


def test_the_deployed_app_imports_no_development_dependency():
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    needed_here = {normalised(re.split(r"[\[<>=~! ]", line)[0]) for line in lines if line[:1] not in ("", "#", "-")}
    assert "uvicorn" in needed_here
    assert not needed_here & set(owners(FOREIGN))


def test_every_requirement_is_imported():
    assert len(requirements()) == len(set(requirements()))
    assert set(requirements()) - FASTAPIS <= set(owners(FOREIGN))


def test_every_import_is_a_requirement_or_a_dependency_of_one():
    found = owners(FOREIGN)
    comes_along = {
        normalised(re.split(r"[\[<>=~!; (]", needed)[0])
        for name in {*requirements()} - FASTAPIS
        for needed in found[name].requires or ()
    }
    assert set(found) - set(requirements()) <= comes_along


def printed(program: str) -> str:
    """The output of a program, in a process without any settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=kept, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_plain_request_waits_for_no_library_of_files_and_searches_and_for_no_engine_of_code():
    engines = (f"assistants.tools.code_interpreter.{kind}" for kind in ("local", "sessions"))
    heavy = ("numpy", "pypdfium2", "selectolax", "striprtf", "ctypes", *engines)
    assert printed(f"import sys, function_app; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_a_service_without_tokens_and_clients_of_azure_ai_agents_does_not_import_their_modules():
    theirs = ("jwt", "assistants.api.tokens", "assistants.api.agents", "assistants.schema.agents")
    assert printed(f"import sys, function_app; print([name for name in {theirs} if name in sys.modules])") == "[]"


def test_modules_for_the_first_run_are_imported_beside_the_first_request():
    later = ("openai", "azure.identity")
    held = "import sys, threading; threading.Timer.run = lambda timer: None"
    asked = f"print([name for name in {later} if name in sys.modules], RunRecord.__pydantic_complete__)"
    held += "; from assistants.state.runs import RunRecord"
    program = f"{held}; import function_app; {asked}; function_app._prepare(); {asked}"
    assert printed(program).splitlines() == ["[] False", f"{[*later]} True"]


def test_garbage_collection_starts_after_the_imports_and_skips_their_objects():
    ready = "[each.join() for each in threading.enumerate() if each.daemon]"
    counted = "print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects()))"
    assert printed(f"import gc, threading, function_app; {ready}; {counted}") == "True True"
