"""The policy of a page names the scripts and styles that it has."""

import base64
import hashlib

from assistants.api import policy


def test_a_page_may_run_just_the_scripts_and_styles_that_it_has():
    page = "<style>\na {}\n</style><script src='a.js'></script><script>\nrun()\n</script>"
    style, script = (base64.b64encode(hashlib.sha256(each).digest()).decode() for each in (b"\na {}\n", b"\nrun()\n"))
    found = policy.headers(page, "script-src 'self'", "img-src data:")["content-security-policy"].split("; ")
    assert found[-3:] == [f"script-src 'self' 'sha256-{script}'", "img-src data:", f"style-src 'sha256-{style}'"]


def test_the_policy_of_an_answer_without_a_page_forbids_scripts_and_frames():
    assert policy.headers() == {
        "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
    }
