"""`python -m benchmarks.proxy`: the time that a proxy adds to each call, compared with direct calls in the same run.

Azurite, the demo model, which answers at once, the service and a proxy in front of it run on this machine, each in a
separate process.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from assistants.local.azurite import Azurite
from tests.support.service.processes import Model, Proxy, Service

HEADERS = {"OpenAI-Beta": "assistants=v2", "Authorization": "Bearer unused"}

Calls = Mapping[str, Callable[[str], float]]
"""Each call by its name: it takes a base URL, and returns its seconds."""


def calls(http: httpx2.Client, url: str) -> Calls:
    """Calls that read, that write, and that stream, on objects made for them."""

    def post(base: str, path: str, body: dict[str, Any]) -> Any:
        return http.post(f"{base}{path}", json=body, headers=HEADERS).raise_for_status().json()

    assistant = post(url, "/assistants", {"model": "demo"})["id"]
    full = post(url, "/threads", {"messages": [{"role": "user", "content": "word " * 200}] * 100})["id"]
    growing = post(url, "/threads", {})["id"]

    def get(path: str) -> Callable[[str], float]:
        return lambda base: timed(lambda: http.get(f"{base}{path}", headers=HEADERS).raise_for_status())

    def add(base: str) -> float:
        message = {"role": "user", "content": "Hello"}
        return timed(lambda: post(base, f"/threads/{growing}/messages", message))

    def first_word(base: str) -> float:
        body = {"assistant_id": assistant, "stream": True, "thread": {"messages": [{"role": "user", "content": "Hi"}]}}
        found, started = 0.0, time.perf_counter()
        with http.stream("POST", f"{base}/threads/runs", json=body, headers=HEADERS) as answer:
            for line in answer.iter_lines():
                if line == "event: thread.message.delta" and not found:
                    found = time.perf_counter() - started
        return found

    return {
        "retrieve an assistant": get(f"/assistants/{assistant}"),
        "list 100 messages, 100 kB": get(f"/threads/{full}/messages?limit=100"),
        "add a message": add,
        "stream a run, first word": first_word,
    }


def timed(call: Callable[[], object]) -> float:
    """The seconds of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def run(rounds: int) -> None:
    """Measure both in alternation, and print the table."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with (
        tempfile.TemporaryDirectory() as data,
        Azurite(Path(data)) as storage,
        Model() as model,
        Service(storage.connection_string, model.url) as service,
        Proxy(service.url) as proxy,
        httpx2.Client(timeout=120) as http,
    ):
        print("p50 of a call              direct     proxied       added")
        for name, call in calls(http, service.url).items():
            direct: list[float] = []
            proxied: list[float] = []
            for number in range(rounds + 5):
                for base, times in ((service.url, direct), (proxy.url, proxied)):
                    seconds = call(base)
                    if number >= 5:
                        times.append(seconds * 1000)
            one, other = statistics.median(direct), statistics.median(proxied)
            print(f"  {name:<25}{one:>6.1f} ms{other:>9.1f} ms{other - one:>9.1f} ms", flush=True)
        if found := proxy.report()["deviations"]:
            raise RuntimeError(f"the proxy reports {found}")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    run(parser.parse_args().rounds)


if __name__ == "__main__":
    main()
