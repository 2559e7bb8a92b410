"""The project of a token's claims, and the settings that determine it."""

from typing import Any

import pytest
from pydantic import ValidationError

from assistants.api.tokens import issuers, project_of
from assistants.settings import Settings

TENANT = "11111111-2222-4333-8444-555555555555"
ID, OTHER = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "99999999-8888-4777-8666-555555555555"


def configured(projects: str, **others: str) -> Settings:
    return Settings.model_validate({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": projects, **others})


@pytest.mark.parametrize(
    ("projects", "claims", "expected"),
    [
        (f"oid={ID}=a", {"oid": ID}, "a"),
        (f"oid={ID.upper()}=a", {"oid": ID}, "a"),
        (f"oid={ID}=a", {"oid": OTHER, "sub": ID}, None),
        (f"appid={ID}=a", {"appid": ID}, "a"),
        (f"appid={ID}=a", {"azp": ID}, "a"),
        (f"groups={ID}=a", {"groups": [OTHER, ID]}, "a"),
        (f"groups={ID}=a", {"groups": ID}, None),
        ("roles=Agents.User=a", {"roles": ["Agents.User"]}, "a"),
        ("roles=Agents.User=a", {"roles": ["agents.user"]}, None),
        ("roles=Agents.User=a", {"roles": ["Agents.User.All"]}, None),
        ("roles=Agents.User=a", {"roles": "Agents.User"}, None),
        ("roles=Agents.User=a", {"roles": [["Agents.User"], 1, None]}, None),
        (f"roles=Admin=a,oid={ID}=b,*=c", {"oid": ID, "roles": ["Admin"]}, "a"),
        (f"oid={ID}=b,roles=Admin=a,*=c", {"oid": ID, "roles": ["Admin"]}, "b"),
        (f"oid={ID}=b,*=c", {"oid": OTHER}, "c"),
        (f"oid={ID}=b", {"oid": 1, "groups": {}}, None),
        (f"oid={ID}=b", {}, None),
    ],
)
def test_the_first_entry_whose_claim_a_token_has_names_its_project(
    projects: str, claims: dict[str, Any], expected: str | None
):
    assert project_of(claims, configured(projects).entra_projects) == expected


def test_the_issuers_are_those_of_both_versions():
    assert issuers(TENANT, "https://login.microsoftonline.com") == (
        f"https://sts.windows.net/{TENANT}/",
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
    )
    assert issuers(TENANT, "https://login.partner.microsoftonline.cn")[0] == f"https://sts.chinacloudapi.cn/{TENANT}/"


@pytest.mark.parametrize(
    "settings",
    [
        {"API_KEYS": "key=b,other=c"},
        {"AzureWebJobsStorage": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aaaa"},
        {"OPENAI_API_KEY": "sk-0123456789abcdef"},
        {"SIGNALR_CONNECTION": "https://name.service.signalr.net"},
    ],
)
def test_the_hub_beside_tokens_needs_a_secret_that_no_caller_has(settings: dict[str, str]):
    assert configured("*=a", NOTIFICATIONS="true", **settings).notifications


def test_audiences_are_a_list():
    assert configured("*=a").audiences == ("https://ai.azure.com",)
    assert configured("*=a", ENTRA_AUDIENCE="api://b, https://c").audiences == ("api://b", "https://c")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ENTRA_TENANT": "contoso.com"}, "ENTRA_TENANT"),
        ({"ENTRA_TENANT": TENANT}, "ENTRA_TENANT needs ENTRA_PROJECTS"),
        ({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "*=a", "ENTRA_AUDIENCE": ","}, "an audience"),
        ({"ENTRA_PROJECTS": "*=a"}, "ENTRA_PROJECTS needs ENTRA_TENANT"),
        ({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "oid=me=a"}, "a claim is oid=ID"),
        ({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "name=a b=a"}, "a claim is oid=ID"),
        ({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "*=a b"}, "a project is 1 to 63 letters"),
        ({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "*=a,*=b"}, "ENTRA_PROJECTS names something twice"),
        ({"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "*"}, "comma-separated list"),
        (
            {"ENTRA_TENANT": TENANT, "ENTRA_PROJECTS": "*=a", "NOTIFICATIONS": "true", "API_KEYS": "key=b"},
            "NOTIFICATIONS=true needs a secret that no caller has",
        ),
        ({"ENTRA_AUTHORITY": "http://login.example.com"}, "ENTRA_AUTHORITY"),
        ({"ENTRA_AUTHORITY": "https://login.example.com/"}, "ENTRA_AUTHORITY"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], message: str):
    with pytest.raises(ValidationError, match=message.replace("*", r"\*")):
        Settings.model_validate(settings)
