"""Photos of resources, as administrators put them in and take them out; `photo` shows them."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from b24app.errors import InvalidInput
from b24app.ledger import photos, queries, writes
from b24app.ledger.session import transaction
from b24app.web import errors, panel
from b24app.web.settings import section
from b24app.web.visit import current_visit, seen_tenant, services

blueprint = section("photos", __name__)

LARGEST_BYTES = 400 * 1024
# A page of another kind could pass itself off as a picture: what it is, its first bytes say, not its name.
SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/photo")
def save(resource_id: int) -> ResponseReturnValue:
    """The photo of a resource from now on."""
    sent = request.files.get("photo")
    body = sent.read(LARGEST_BYTES + 1) if sent else b""
    try:
        mimetype = type_of(body)
    except InvalidInput as refused:
        return _shown(resource_id, refused), 422
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        panel.check_writable(tenant)
        photos.save(tx, tenant.portal.id, resource_id, mimetype, body)
        writes.board_changed(tx, tenant.portal.id)
    return _shown(resource_id)


@blueprint.post("/app/resources/<int(max=9223372036854775807):resource_id>/photo/remove")
def remove(resource_id: int) -> ResponseReturnValue:
    """The resource has no photo any more."""
    with transaction(services().engine) as tx:
        tenant = seen_tenant()
        panel.check_writable(tenant)
        photos.remove(tx, tenant.portal.id, resource_id)
        writes.board_changed(tx, tenant.portal.id)
    return _shown(resource_id)


def type_of(body: bytes) -> str:
    """JPEG, PNG or WebP; raises InvalidInput at `photo` for anything else, and for what is too large."""
    if len(body) > LARGEST_BYTES:
        raise InvalidInput({"photo": "photo_too_large"})
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    for signature, mimetype in SIGNATURES:
        if body.startswith(signature):
            return mimetype
    raise InvalidInput({"photo": "no_photo"})


def _shown(resource_id: int, refused: InvalidInput | None = None) -> str:
    """The part of the card that is about the photo; raises NotFound."""
    language = current_visit().language
    with transaction(services().engine) as tx:
        resource = queries.resource(tx, seen_tenant().portal.id, current_visit().viewer, resource_id)
        secret = photos.secrets_of(tx, seen_tenant().portal.id, [resource_id]).get(resource_id, "")
    problem = errors.problems(refused, language)[0].text if refused else ""
    return render_template("resources/_photo.html", resource=resource, photo=secret, problem=problem)
