"""`python -m tests.support.service.httpside`: the service's HTTP side alone, without queue functions."""

import asyncio

from assistants.local.server import serving
from function_app import api


async def main() -> None:
    api.state.loopback = True
    async with serving(api) as url:
        print(f"Listening on {url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
