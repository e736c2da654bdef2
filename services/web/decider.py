"""From a request to what membership is asked, and from its answer to a response. Pure."""

from __future__ import annotations

from postroad.httpmessage import Request, Response, path_of
from postroad.mail.leavelink import read_path
from schemas.leaving import FollowLink, Leaving, LookAtLink
from services.web import pages
from services.web.form import one_click

METHODS = ("GET", "HEAD", "POST")
RETRY_SECONDS = 30  # after which whoever was told 503 may come back


def decide(request: Request, base_path: str = "") -> Response | LookAtLink:
    """What to ask of membership (a FollowLink is one that acts), or what to say without asking.
    `base_path` is the path of base_url, which a proxy may take off or leave."""
    path = path_of(request.target)
    link = read_path(path.removeprefix(base_path)) or read_path(path)
    if link is None:
        return Response(404, pages.nothing_here())
    if request.method not in METHODS:
        return Response(405, pages.not_so(), {"Allow": ", ".join(METHODS)})
    slug, token = link
    if request.method != "POST":
        return LookAtLink(list=slug, token=token)
    if not one_click(request.content_type, request.body):
        return Response(400, pages.says_nothing())
    return FollowLink(list=slug, token=token)


def respond(asked: LookAtLink, found: Leaving) -> Response:
    """What to say now that membership has answered."""
    match found.standing:
        case "member":
            return Response(200, pages.question(found))
        case "left" if isinstance(asked, FollowLink):
            return Response(200, pages.done(found))
        case "left":
            return Response(200, pages.not_on_list(found))
        case "erased":
            return Response(410, pages.forgotten())
        case "unknown":
            return Response(404, pages.no_link(found))
        case _:  # membership could not say, or is away
            page = pages.later(acts=isinstance(asked, FollowLink))
            return Response(503, page, {"Retry-After": str(RETRY_SECONDS)})


def unheard(status: int) -> Response:
    """The answer to what is no request, or one that is too large or too slow."""
    return Response(status, pages.unheard(status))
