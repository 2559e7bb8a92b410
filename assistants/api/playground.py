"""/playground: a page for people; its scripts call the API with a key that the person enters.

The page and its modules are the files of the folder `playpage`, sent unchanged. The page needs no key, as it shows no
caller's data. Its policy allows its own scripts and styles only, and forbids scripts to turn text into markup.
"""

from functools import cache
from importlib import resources

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assistants.api import policy

PATH = "/playground"

_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_DIRECTIVES = (
    "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
)  # fmt: skip

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def page() -> Response:
    """The page; its addresses are relative to it."""
    headers = policy.headers("", *_DIRECTIVES) | {"cache-control": "no-cache"}
    return Response(_files()["index.html"], media_type="text/html", headers=headers)


@router.get(f"{PATH}/{{asset}}")
async def asset(asset: str) -> Response:
    """A module, the style or the icon."""
    kind = _TYPES.get(asset.rpartition(".")[2])
    if kind is None or asset not in _files():
        raise HTTPException(404)
    return Response(_files()[asset], media_type=kind, headers=policy.headers() | {"cache-control": "no-cache"})


@cache
def _files() -> dict[str, bytes]:
    folder = resources.files("assistants.api") / "playpage"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
