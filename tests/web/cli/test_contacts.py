"""flask contacts …"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.contact import Contact
from models.erasure import Erasure
from models.workspace import Member, Workspace
from publishers import events
from schemas.contact import ContactCreated
from tests.web.cli.conftest import Flask_


def test_a_contact_is_shown_with_score_owner_and_timeline(
    flask: Flask_, flask_json: Callable[..., Any], run_jobs: Callable[[], int]
) -> None:
    workspace = Workspace(name="Acme", members=[Member(name="Ada", email="ada@acme.test")]).save()
    contact, _ = Contact.upsert(workspace.id, "grace@navy.test", {"first_name": "Grace"})
    events.publish(
        ContactCreated(workspace_id=str(workspace.id), contact_id=str(contact.id), source="manual")
    )
    run_jobs()
    (shown,) = flask_json("contacts", "show", "Grace@navy.test")
    assert (shown["owner"], shown["lead_grade"], shown["workspace"]) == ("Ada", "D", "Acme")
    assert [entry["kind"] for entry in shown["timeline"]] == ["contact_owner_assigned", "contact_created"]
    assert "Contact created (manual)" in flask("contacts", "show", "grace@navy.test").output


def test_an_unknown_e_mail_is_named(flask: Flask_) -> None:
    result = flask("contacts", "show", "nobody@navy.test")
    assert result.exit_code == 1
    assert "no workspace has a contact with the e-mail nobody@navy.test" in result.output


def test_what_a_stranger_wrote_does_not_steer_the_terminal(
    flask: Flask_, flask_json: Callable[..., Any]
) -> None:
    workspace = Workspace(name="Acme").save()
    name = "\x1b]0;title\x07\x9b2JGrace"
    Contact.upsert(workspace.id, "grace@navy.test", {"first_name": name, "company": "[bold]Navy[/]"})
    shown = flask("contacts", "show", "grace@navy.test").stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    assert "2JGrace" in shown
    assert "[bold]Navy[/]" in shown
    printed = flask("contacts", "show", "grace@navy.test", "--json").stdout
    assert not {"\x1b", "\x07", "\x9b"} & set(printed)
    assert flask_json("contacts", "show", "grace@navy.test")[0]["name"] == name


def test_a_person_is_forgotten_once_the_operator_says_yes(
    flask: Flask_, flask_json: Callable[..., Any]
) -> None:
    contact, _ = Contact.upsert(Workspace(name="Acme").save().id, "grace@navy.test", {})
    assert flask("contacts", "erase", "grace@navy.test", input="n\n").exit_code == 1
    assert Contact.objects.count() == 1

    erased = flask_json("contacts", "erase", "Grace@navy.test", "--yes", "--by", "ada")
    assert erased == {"contact": str(contact.id), "erased": {"contacts": 1}}
    assert Contact.objects.count() == 0
    assert Erasure.objects.get().requested_by == "ada"
    again = flask("contacts", "erase", "grace@navy.test", "--yes")
    assert (again.exit_code, "no workspace has a contact" in again.output) == (1, True)


def test_a_person_whom_several_workspaces_know_is_forgotten_by_the_one_named(flask: Flask_) -> None:
    ours, theirs = (Workspace(name=name).save().id for name in ("Acme", "Other"))
    for workspace_id in (ours, theirs):
        Contact.upsert(workspace_id, "grace@navy.test", {})
    refused = flask("contacts", "erase", "grace@navy.test", "--yes")
    assert (refused.exit_code, "--workspace" in refused.output) == (1, True)
    nobody = flask("contacts", "erase", "grace@navy.test", "--workspace", "0" * 24, "--yes")
    assert (nobody.exit_code, Contact.objects.count()) == (1, 2)
    done = flask("contacts", "erase", "grace@navy.test", "--workspace", str(ours), "--yes")
    assert done.exit_code == 0
    assert "is erased" in done.output
    assert Contact.objects.get().workspace_id == theirs


def test_who_decides_on_a_stage_is_set_and_the_rules_look_again(
    flask: Flask_, flask_json: Callable[..., Any]
) -> None:
    contact, _ = Contact.upsert(Workspace(name="Acme").save().id, "grace@navy.test", {})
    assert flask_json("contacts", "stage", "grace@navy.test", "--by-hand")["manual_override"]
    (shown,) = flask_json("contacts", "show", "grace@navy.test")
    assert (shown["stage"], shown["manual_override"]) == ("lead", True)
    Contact.objects.update(unset__lifecycle=True)
    said = flask("contacts", "stage", "grace@navy.test", "--by-rule").output
    assert "The rules decide on the stage of grace@navy.test: it is lead." in said
    contact.reload()
    assert not contact.manual_override
    assert contact.lifecycle.mark.contact_id == contact.id
    assert flask("contacts", "stage", "grace@navy.test").exit_code == 2
