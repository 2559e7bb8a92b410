"""The address, the signature and the settings of webhooks."""

import base64
import json
import socket
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from pydantic import SecretStr, ValidationError

from assistants.notify.addresses import Refused, address_of, is_public
from assistants.notify.items import Tell
from assistants.notify.webhooks import body, signed
from assistants.settings import Webhook
from tests.unit.conftest import ReadSettings

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
HOOK = Webhook(url="https://example.com/hook", secret=SecretStr(SECRET))


def hooks(url: str = "https://example.com/hook?a=b,c", secret: str = SECRET, project: str = "default") -> str:
    return json.dumps({project: {"url": url, "secret": secret}})


def test_the_sdk_verifies_an_event_and_refuses_it_under_another_secret():
    event = Tell(project="default", id="evt_1", type="thread.run.completed", created_at=1, data={"id": "run_1"})
    content = body(event.model_copy(update={"sequence_number": 0}))
    headers = signed(HOOK, event.id, datetime.now(UTC), content)
    webhooks = OpenAI(api_key="none", webhook_secret=SECRET).webhooks
    told: Any = webhooks.unwrap(content, headers)
    assert (told.id, told.type, told.data.id, told.sequence_number) == ("evt_1", "thread.run.completed", "run_1", 0)
    with pytest.raises(InvalidWebhookSignatureError):
        webhooks.unwrap(content, headers, secret=OTHER)
    with pytest.raises(InvalidWebhookSignatureError):
        webhooks.unwrap(content.replace("run_1", "run_2"), headers)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "168.63.129.16", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1",
        "::127.0.0.1", "::a9fe:a9fe", "::ffff:0:10.0.0.1", "64:ff9b:1::808:808", "fec0::1", "192.0.0.192",
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_internet_is_private(address: str):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str):
    assert is_public(ip_address(address))


async def test_one_private_address_among_those_of_a_host_is_enough_unless_the_host_is_listed(
    monkeypatch: pytest.MonkeyPatch,
):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Refused, match=r"example\.com has a private address"):
        await address_of("example.com", 443, listed=False)
    assert await address_of("example.com", 443, listed=True) == "8.8.8.8"
    found.pop()
    assert await address_of("example.com", 443, listed=False) == "8.8.8.8"


async def test_an_unknown_host_is_refused(monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Refused, match="Name or service not known"):
        await address_of("nowhere.invalid", 443, listed=True)


def test_while_a_secret_is_replaced_an_event_is_signed_with_both():
    hook = Webhook(url="https://example.com/hook", secret=SecretStr(f"{OTHER} {SECRET}"))
    content = body(Tell(project="default", id="evt_1", type="thread.run.queued", created_at=1, data={"id": "run_1"}))
    headers = signed(hook, "evt_1", datetime.now(UTC), content)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, OTHER):
        OpenAI(api_key="none", webhook_secret=secret).webhooks.unwrap(content, headers)


def test_webhooks_are_read_by_project_and_their_secrets_are_not_shown(read_settings: ReadSettings):
    settings = read_settings({"WEBHOOKS": hooks(), "WEBHOOK_HOSTS": " Localhost, hooks.internal ,"})
    assert settings.webhooks["default"].url == "https://example.com/hook?a=b,c"
    assert settings.webhook_hosts == ("localhost", "hooks.internal")
    assert SECRET in settings.secrets
    assert {SECRET, OTHER} <= {*read_settings({"WEBHOOKS": hooks(secret=f"{SECRET} {OTHER}")}).secrets}
    assert SECRET not in repr(settings) + str(settings) + repr(settings.webhooks)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (f"default={SECRET}", "WEBHOOKS is JSON"),
        (json.dumps([SECRET]), "WEBHOOKS is JSON"),
        (hooks(project="a project"), "a project is 1 to 63"),
        (hooks(url="ftp://example.com"), "WEBHOOKS"),
        (hooks(url="http://example.com"), "needs https://, or http:// to a host in WEBHOOK_HOSTS"),
        (hooks(url="https:///hook"), "needs https://"),
        (hooks(secret=SECRET.removeprefix("whsec_")), "a secret is whsec_"),
        (hooks(secret="whsec_c2hvcnQ="), "a secret is whsec_"),
        (hooks(secret=f"{SECRET} whsec_c2hvcnQ="), "a secret is whsec_"),
        (hooks(secret=""), "a secret is whsec_"),
        (hooks(secret="whsec_not base64 not base64 not base64 not"), "a secret is whsec_"),
        (json.dumps({"default": {"url": "https://example.com"}}), "WEBHOOKS"),
        (json.dumps({"default": {"url": "https://example.com", "secret": SECRET, "more": 1}}), "WEBHOOKS"),
    ],
)
def test_a_wrong_webhook_is_refused_without_its_secret(read_settings: ReadSettings, value: str, complaint: str):
    with pytest.raises(ValidationError, match=complaint) as refused:
        read_settings({"WEBHOOKS": value})
    assert SECRET.removeprefix("whsec_") not in str(refused.value)


def test_plain_http_goes_to_listed_hosts(read_settings: ReadSettings):
    url = "http://localhost:8000/hook"
    assert read_settings({"WEBHOOKS": hooks(url), "WEBHOOK_HOSTS": "localhost"}).webhooks["default"].url == url
