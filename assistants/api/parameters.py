"""Parameters that many routes share. They are coroutines, as FastAPI runs other functions in threads."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from assistants import service as services
from assistants.state import store as stores
from assistants.state.paging import Cursors, Order


async def project(request: Request) -> str:
    """The caller's project, found by the gate."""
    return request.state.project


Project = Annotated[str, Depends(project)]


async def service() -> services.Service:
    """The service of this process."""
    return services.service()


Service = Annotated[services.Service, Depends(service)]


async def store(service: Service) -> stores.Store:
    """The store of the service."""
    return service.store


Store = Annotated[stores.Store, Depends(store)]


async def cursors(
    limit: Annotated[int, Query(ge=1, le=100, description="Objects on the page.")] = 20,
    order: Annotated[Order, Query(description="By time of creation.")] = "desc",
    after: Annotated[str | None, Query(description="Id of the object before the page.")] = None,
    before: Annotated[str | None, Query(description="Id of the object after the page.")] = None,
) -> Cursors:
    """The requested page of a list (contract, 0)."""
    return Cursors(limit, order, after or None, before or None)


Page = Annotated[Cursors, Depends(cursors)]

Includable = Literal["step_details.tool_calls[*].file_search.results[*].content"]


async def include_content(
    listed: Annotated[list[Includable] | None, Query(alias="include[]", description="More fields to return.")] = None,
    plain: Annotated[list[Includable] | None, Query(alias="include", include_in_schema=False)] = None,
) -> bool:
    """Whether steps are to show the texts that searches found (contract, 0 and 4)."""
    return bool(listed or plain)


IncludeContent = Annotated[bool, Depends(include_content)]
