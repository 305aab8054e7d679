"""The admin pages while Redis is away: they say so, and the login still works."""

from __future__ import annotations

from sandbox.process import free_port
from tests.web.cli.conftest import run_in_shell

SCRIPT = """
from app import create_app
from tests.web.admin.conftest import Visitor
with create_app().test_client() as client:
    visitor = Visitor(client)
    assert visitor.get("/admin/login").status_code == 200
    refused = visitor.log_in(password="wrong")
    assert refused.status_code == 401, refused.status_code
    assert visitor.log_in().status_code == 303
    for path in ("/admin", "/admin/queues/", "/admin/queues/0/view/workers"):
        page = visitor.get(path)
        assert page.status_code == 503, (path, page.status_code)
        assert page.headers["Retry-After"] == "5"
        assert "Redis does not answer" in page.text
        assert "secret" not in page.text
    data = client.get("/admin/queues/0/data/queues.json")
    assert (data.status_code, data.json["success"]) == (503, False)
    visitor.post("/admin/logout")
    for _ in range(20):
        last = visitor.log_in(password="wrong")
    assert last.status_code == 429, last.status_code  # counted by this process alone then
    print("all is well")
"""


def test_the_pages_say_that_redis_is_away_and_the_login_is_still_limited() -> None:
    done = run_in_shell(
        f"python - <<'END'\n{SCRIPT}\nEND", REDIS_URL=f"redis://:secret@127.0.0.1:{free_port()}/0"
    )
    assert done.stdout == "all is well\n", done.stderr
