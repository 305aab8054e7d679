"""What happened with a contact, told by the workspaces' own pages and servers: calls, meetings, notes."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import UnprocessableEntity

from models import store
from models.activity import Activity
from models.contact import Contact
from publishers import activities, events
from web.public import access, body, people, repeats
from web.public.crm_bodies import ActivityBody

blueprint = Blueprint("activities", __name__, url_prefix="/api/public/crm/activities")

DEMO_REQUEST = "demo_request"  # the type that is an event of its own


@blueprint.post("")
def record() -> Response:
    """Enter it in the contact's timeline once, and move its last-activity stamp; safe to repeat."""
    given = ActivityBody.model_validate(body.read_object(), context={"now": store.now()})
    access.check(given.workspace_id)
    people.check(given.workspace_id, given.contact_id)
    activity = _store(given)
    Contact.touch(given.workspace_id, {given.contact_id: activity.happened_at})
    with events.batch():
        activities.logged(activity)
        if activity.kind == DEMO_REQUEST:
            activities.demo_requested(activity)
    return jsonify(success=True, data={"activityId": str(activity.id)})


def _store(given: ActivityBody) -> Activity:
    sources = [f"api:{given.contact_id}:{key}" for key in repeats.keys(given.sent())]
    stored = Activity.known(sources) or Activity.enter(
        workspace_id=given.workspace_id,
        contact_id=given.contact_id,
        kind=given.type,
        title=given.title,
        source=sources[0],
        happened_at=given.happened_at or store.now(),
        details=given.details(),
    )
    if (stored.kind, stored.title) != (given.type, given.title):
        raise UnprocessableEntity(repeats.OTHER)
    return stored
