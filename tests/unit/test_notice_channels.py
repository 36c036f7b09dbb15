"""The channels of the notices: what reaches a mail server, Graph and Teams, and what their refusals mean."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx
import pytest
import trustme
from aiosmtpd.smtp import AuthResult

from shared.billing.subscribers import Channel
from shared.errors import Misconfigured, NotPermitted, Refused, Retryable
from shared.http.wire import Answer, NoAnswer
from shared.notices.channels.graph import GraphPost
from shared.notices.channels.smtp import SmtpPost
from shared.notices.channels.teams import TeamsPost, shortened
from shared.notices.ports import CheckedPost, Message
from shared.notices.settings import Security, SmtpSettings
from shared.sources.microsoft365.mail import Microsoft365Mailbox
from shared.sync.checkup import check_up
from tests.fakes.house import House
from tests.fakes.smtp import Inbox, Server
from tests.unit.fake_graph import PARTNER, FakeCredential, refusal, settings

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
MESSAGE = Message("clerk/2026-11-21", "clerk@birchline.example", "TrueUp: café", "Plain – text", "<p>HTML – text</p>")
WEBHOOK = "https://prod-1.westus.logic.azure.com/workflows/1?sig=secret"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def server(inbox: Inbox) -> Iterator[Server]:
    server = Server(inbox)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def secure_server(inbox: Inbox, authority: trustme.CA) -> Iterator[Server]:
    """Takes mail only over TLS and from `trueup` with the right password."""

    def known(server, session, envelope, mechanism, login):
        return AuthResult(success=(login.login, login.password) == (b"trueup", b"right"), handled=False)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = Server(inbox, tls_context=context, require_starttls=True, authenticator=known, auth_required=True)
    server.start()
    yield server
    server.stop()


def post(server: Server, **values: Any) -> SmtpPost:
    given = {"host": "127.0.0.1", "port": server.port, "sender": "trueup@birchline.example", "security": Security.NONE}
    return SmtpPost(SmtpSettings(**given | values), lambda: NOW)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def signed_in(server: Server, context: ssl.SSLContext | None, password: str = "right") -> SmtpPost:
    given = SmtpSettings("127.0.0.1", server.port, "trueup@birchline.example", Security.STARTTLS, "trueup", password)
    return SmtpPost(given, lambda: NOW, context=context)


def test_a_mail_arrives_as_text_and_html(server, inbox):
    post(server).send(MESSAGE)

    (mail,) = inbox.mails
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "trueup@birchline.example",
        "clerk@birchline.example",
        "TrueUp: café",
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_body(("plain",)).get_content().strip() == "Plain – text"
    assert mail.get_body(("html",)).get_content().strip() == "<p>HTML – text</p>"


def test_the_same_notice_has_the_same_message_id_however_often_it_is_sent(server, inbox):
    post(server).send(MESSAGE)
    post(server).send(MESSAGE)

    assert len({mail["Message-ID"] for mail in inbox.mails}) == 1
    assert len(inbox.mails) == 2


def test_mail_is_handed_over_with_tls_and_a_password(secure_server, inbox, authority):
    signed_in(secure_server, trusting(authority)).send(MESSAGE)

    assert inbox.secure == [True]


def test_a_wrong_password_is_not_permitted_and_not_shown(secure_server, inbox, authority):
    with pytest.raises(NotPermitted, match="refused user name or password") as refused:
        signed_in(secure_server, trusting(authority), "wrong-secret").send(MESSAGE)

    assert "wrong-secret" not in str(refused.value) + refused.value.remedy
    assert inbox.mails == []


def test_a_password_that_no_sign_in_carries_is_a_setting_to_correct_and_not_shown(secure_server, inbox, authority):
    with pytest.raises(Misconfigured, match="NOTICE_SMTP_PASSWORD") as refused:
        signed_in(secure_server, trusting(authority), "wrong-sécret").send(MESSAGE)

    assert "cret" not in str(refused.value)
    assert inbox.mails == []


def test_a_server_whose_certificate_nobody_trusts_gets_no_mail(secure_server, inbox):
    with pytest.raises(Misconfigured, match="certificate is not trusted"):
        signed_in(secure_server, None).send(MESSAGE)

    assert inbox.mails == []


def test_a_server_without_tls_gets_no_mail_where_tls_is_asked_for(server, inbox):
    with pytest.raises(Misconfigured, match="STARTTLS"):
        post(server, security=Security.STARTTLS).send(MESSAGE)

    assert inbox.mails == []


@pytest.mark.parametrize(("answer", "error"), [("450 later", Retryable), ("550 nobody", Refused)])
def test_what_the_mail_server_answers_says_whether_trying_again_helps(server, inbox, answer, error):
    inbox.answer = answer

    with pytest.raises(error, match=answer[:3]):
        post(server).send(MESSAGE)


def test_a_mail_server_that_is_not_there_is_tried_again_later():
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]

    with pytest.raises(Retryable):
        SmtpPost(SmtpSettings("127.0.0.1", port, "trueup@birchline.example"), lambda: NOW).send(MESSAGE)


# The doctor's question


def told_by_doctor(*posts: object) -> list[tuple[str, str]]:
    channels = dict(zip(Channel, posts, strict=False))
    asked = {channel.value: post for channel, post in channels.items() if isinstance(post, CheckedPost)}
    ports = replace(House().ports, channels=asked)
    return [(check.name, " ".join(check.problems)) for check in check_up(ports) if check.name in set(Channel)]


def test_the_doctor_asks_the_mail_server_whether_it_would_take_mail_and_sends_none(secure_server, inbox, authority):
    in_order = signed_in(secure_server, trusting(authority))

    assert told_by_doctor(in_order, TeamsPost({"desk": WEBHOOK}, transport=FakeWebhook())) == [("mail", "")]
    assert inbox.mails == []


def test_the_doctor_says_what_a_mail_server_holds_against_us(secure_server, server, inbox, authority):
    def problem(post: SmtpPost) -> str:
        ((_, problem),) = told_by_doctor(post)
        return problem

    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    away = SmtpPost(SmtpSettings("127.0.0.1", port, "trueup@birchline.example"), lambda: NOW)

    assert "Correct NOTICE_SMTP_USERNAME" in problem(signed_in(secure_server, trusting(authority), "wrong-secret"))
    assert "change NOTICE_SMTP_USERNAME" in problem(signed_in(secure_server, trusting(authority), "wrong-sécret"))
    assert "correct the name in NOTICE_SMTP" in problem(signed_in(secure_server, None))
    assert "set NOTICE_SMTP_SECURITY as it does" in problem(post(server, security=Security.STARTTLS))
    assert "look at the mail server in NOTICE_SMTP" in problem(away)
    assert problem(post(server, sender="büro@birchline.example")) == ""
    inbox.answer_to_sender = "550 not yours"
    assert "NOTICE_SMTP_FROM" in problem(post(server))


def test_the_doctor_asks_for_a_token_of_the_mailbox_and_sends_nothing():
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise AssertionError("Graph was asked")

    def post_with(failures: dict[str, Exception]) -> GraphPost:
        credential, transport = FakeCredential(failures), httpx.MockTransport(unreachable)
        mailbox = Microsoft365Mailbox(settings(), "trueup@msp.example", credential=credential, http=transport)
        return GraphPost(mailbox, lambda: NOW)

    ((_, problem),) = told_by_doctor(post_with({PARTNER: ValueError("AADSTS7000222: expired")}))

    assert "Make a new secret" in problem
    assert told_by_doctor(post_with({})) == [("mail", "")]


# Teams


@dataclass
class FakeWebhook:
    """Answers each post as it is told."""

    answer: Answer | NoAnswer = field(default_factory=lambda: Answer(202))
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def send(self, method, url, *, headers, body, timeout):
        self.posts.append((url, json.loads(body)))
        if isinstance(self.answer, NoAnswer):
            raise self.answer
        return self.answer


def test_a_card_is_posted_to_the_webhook_of_that_name():
    webhook = FakeWebhook()

    TeamsPost({"desk": WEBHOOK}, transport=webhook).send(Message("id", "desk", "A subject", "One\n\nTwo\nThree", ""))

    ((url, body),) = webhook.posts
    card = body["attachments"][0]["content"]
    assert url == WEBHOOK
    assert [block["text"] for block in card["body"]] == ["A subject", "One", "Two\n\nThree"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[Renew](https://evil.example/a_b)", r"\[Renew\](https://evil.example/a_b)"),
        ("https://evil.example[x](https://evil.example)", r"https://evil.example\[x\](https://evil.example)"),
        (r"\[x](y) *2* seats of M365_BP", r"\\\[x\](y) \*2\* seats of M365\_BP"),
        ("Alder & Finch  https://trueup.test/console/a_b", "Alder & Finch  https://trueup.test/console/a_b"),
    ],
)
def test_what_a_customer_calls_itself_makes_no_links_and_no_marks_in_a_card(text, shown):
    webhook = FakeWebhook()

    TeamsPost({"desk": WEBHOOK}, transport=webhook).send(Message("id", "desk", text, text, ""))

    card = webhook.posts[0][1]["attachments"][0]["content"]
    assert [block["text"] for block in card["body"]] == [shown, shown]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(429, {"Retry-After": "7"}), Retryable),
        (Answer(502), Retryable),
        (Answer(404), Refused),
        (Answer(401), NotPermitted),
        (
            Answer(200, {}, "Webhook message delivery failed: Microsoft Teams endpoint returned HTTP error 429"),
            Retryable,
        ),
        (NoAnswer("no answer within the time-out", sent=True), Retryable),
    ],
)
def test_what_teams_answers_says_whether_trying_again_helps_and_never_shows_the_address(answer, error):
    with pytest.raises(error) as raised:
        TeamsPost({"desk": WEBHOOK}, transport=FakeWebhook(answer)).send(Message("id", "desk", "", "", ""))

    assert "secret" not in str(raised.value) + raised.value.remedy


def test_a_name_without_a_webhook_is_a_problem_of_the_settings():
    with pytest.raises(Misconfigured, match="has no desk"):
        TeamsPost({}, transport=FakeWebhook()).send(Message("id", "desk", "", "", ""))


def test_a_long_digest_is_cut_at_a_line_and_says_so():
    text = "\n".join(f"line {number} é" for number in range(5000))

    cut = shortened(text)

    kept, _, told = cut.rpartition("\n\n… ")
    assert text.startswith(kept + "\n")
    assert told == f"{5000 - len(kept.splitlines())} more lines do not fit here; the console shows everything."
    webhook = FakeWebhook()
    TeamsPost({"desk": WEBHOOK}, transport=webhook).send(Message("id", "desk", "Subject", text, ""))
    assert len(json.dumps(webhook.posts[0][1])) < 28_000


# Graph


def mailbox(answer: httpx.Response, requests: list[httpx.Request]) -> GraphPost:
    def graph(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer

    made = Microsoft365Mailbox(
        settings(), "trueup@birchline.example", credential=FakeCredential(), http=httpx.MockTransport(graph)
    )
    return GraphPost(made, lambda: NOW)


def test_graph_sends_from_the_mailbox_of_the_own_tenant():
    requests: list[httpx.Request] = []

    mailbox(httpx.Response(202), requests).send(MESSAGE)

    (request,) = requests
    assert request.url.path == "/v1.0/users/trueup@birchline.example/sendMail"
    assert request.headers["authorization"] == f"Bearer token-of-{settings().home_tenant}"
    assert request.headers["content-type"] == "text/plain"
    mail = message_from_bytes(base64.b64decode(request.content, validate=True), policy=default)
    assert (mail["From"], mail["To"]) == ("trueup@birchline.example", "clerk@birchline.example")
    assert (mail["Subject"], mail["X-TrueUp-Notice"]) == ("TrueUp: café", "clerk/2026-11-21")
    assert mail.get_body(("plain",)).get_content().strip() == "Plain – text"
    assert mail.get_body(("html",)).get_content().strip() == "<p>HTML – text</p>"


def test_a_missing_role_names_it():
    with pytest.raises(NotPermitted) as refused:
        mailbox(refusal(403, "ErrorAccessDenied"), []).send(MESSAGE)

    assert "Mail.Send" in refused.value.remedy


def test_graph_that_is_busy_is_tried_again_later():
    with pytest.raises(Retryable):
        mailbox(refusal(503, "serviceNotAvailable"), []).send(MESSAGE)
