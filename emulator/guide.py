"""What an administrator does with hands, done over HTTP: fill in the application's card, run its installer.

Only addresses a browser would use, and the operator's commands: so the first start of the demo is a trial of both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

ROOT = Path(__file__).resolve().parent.parent
ADMINISTRATOR = "1"
GOOD = ("done", "unavailable", "skipped")
TIMEOUT_S = 60


class GuideError(Exception):
    """The application did not let an administrator through; the text is what it showed him."""


class Person:
    """An employee at a browser: a session with the portal's cookie."""

    def __init__(self, portal_url: str, user_id: str = ADMINISTRATOR) -> None:
        self.portal_url = portal_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.cookies.set("portal_user", user_id)

    def post(self, path: str, **sent: Any) -> requests.Response:
        """Post to a page of the portal; raises requests' errors for any refusal."""
        answer = self.session.post(urljoin(self.portal_url, path), timeout=TIMEOUT_S, **sent)
        answer.raise_for_status()
        return answer

    def application(self, app_url: str) -> dict[str, Any]:
        """The application's card: the one the portal was started with, otherwise a new one."""
        cards = self.session.get(urljoin(self.portal_url, "/_state/apps"), timeout=TIMEOUT_S).json()
        return next((one for one in cards if one["handler_url"].startswith(app_url)), None) or self.add_card(app_url)

    def add_card(self, app_url: str) -> dict[str, Any]:
        """Save the card with what the application's manifest says; returns its id, client_id and client_secret."""
        said = json.loads((ROOT / "app.manifest.json").read_text(encoding="utf-8"))
        form = {
            "title": said["title"]["ru"],
            # No menu item of the card's own: the page in the left menu is one of the placements.
            "menu_ru": "",
            "menu_en": "",
            "handler_url": app_url + said["handlers"]["main"],
            "installer_url": app_url + said["handlers"]["installer"],
            "scopes": ",".join([*said["scopes"], *said.get("optional_scopes", ())]),
        }
        answer = self.post("/devops/edit/application/0/", data=form, headers={"Accept": "application/json"})
        card: dict[str, Any] = answer.json()
        return card

    def open_application(self, app_id: int) -> dict[str, Any]:
        """What the portal's page gets to open a frame: the form to post, and the frame's init data."""
        page = urljoin(self.portal_url, f"/marketplace/app/{app_id}/")
        opened: dict[str, Any] = self.post("/_layout/open", json={"app_id": app_id}, headers={"Referer": page}).json()
        return opened

    def finish_install(self, opened: dict[str, Any]) -> None:
        """What the portal does when the frame calls installFinish."""
        form = opened["form"]
        self.post("/_layout/install-finish", json={"client_id": opened["client_id"], "app_sid": form["app_sid"]})


def install_like_a_person(
    portal_url: str, app_url: str, flask_command: Callable[..., str], *, run_installer: bool = True
) -> None:
    """See to the application's card, tell the application its credentials, and go through its installer.

    ``flask_command("application", "add", …)`` runs a command of the operator. Without ``run_installer`` the card is
    left as a person finds it right after saving.
    """
    person = Person(portal_url)
    card = person.application(app_url)
    flask_command("application", "add", card["client_id"], "--secret", card["client_secret"], "--kind", "local")
    if run_installer:
        go_through_installer(person, person.open_application(card["id"]))


def go_through_installer(person: Person, opened: dict[str, Any]) -> None:
    """Post the frame's form as the browser does, ask for each step of the page in turn, and finish.

    Raises GuideError with the words of the page when a step fails or there is nothing to go through.
    """
    form = opened["form"]
    with requests.Session() as app:
        app.trust_env = False
        page = Page.read(app.post(form["url"], data=form["fields"], timeout=TIMEOUT_S))
        app.headers.update({"Authorization": f"Bearer {page.bearer}", "X-B24-Token": opened["init"]["AUTH_ID"]})
        for step in page.steps:
            url = urljoin(form["url"], f"/install/steps/{step}")
            done = Page.read(app.post(url, data={"open": "Y"}, timeout=TIMEOUT_S))
            if done.steps.get(step) not in GOOD:
                raise GuideError(f"The installer could not do the step {step}:\n{done.text}")
    person.finish_install(opened)


class Page(HTMLParser):
    """What a person reads off a page of the application: its words, the steps and how each ended, its bearer."""

    def __init__(self) -> None:
        super().__init__()
        self.bearer = ""
        self.steps: dict[str, str] = {}
        self.words: list[str] = []

    @classmethod
    def read(cls, answer: requests.Response) -> Page:
        """Read an answer; raises GuideError when it is a refusal."""
        page = cls()
        page.feed(answer.text)
        if not answer.ok:
            raise GuideError(f"{answer.url.partition('?')[0]} answered {answer.status_code}:\n{page.text}")
        return page

    @property
    def text(self) -> str:
        return "\n".join(filter(None, (word.strip() for word in self.words)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if said.get("name") == "b24-bearer":
            self.bearer = said.get("content") or ""
        if step := said.get("data-step"):
            self.steps[step] = said.get("data-state") or ""

    def handle_data(self, data: str) -> None:
        self.words.append(data)
