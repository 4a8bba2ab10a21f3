"""What has the form of a key is found, and ordinary text is not."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from undaunted.key_shapes import SHAPE_MAX_CHARS, key_shaped

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MIXED = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2Yz3Ab4Cd5Ef6Gh7Ij8Kl9Mn0Op1Qr2St3Uv4Wx5Yz6Ab7Cd8Ef9Gh0"
UPPER = "ABCDEFGHIJKLMNOP"
# Cut in two, so that no scanner takes this file for a leak.
PEM_BEGIN, PEM_END = "-----BEGIN ", "-----END "
PEM_BODY = "\n".join([MIXED[:64]] * 5)

KEYS = {
    "Anthropic": "sk-" + "ant-api03-" + MIXED + "_-AA",
    "Anthropic, OAuth": "sk-" + "ant-oat01-" + MIXED,
    "OpenAI, project": "sk-" + "proj-" + MIXED,
    "OpenAI, service account": "sk-" + "svcacct-" + MIXED,
    "OpenAI, admin": "sk-" + "admin-" + MIXED,
    "OpenAI, before projects": "sk-" + MIXED[:48],
    "OpenRouter": "sk-" + "or-v1-" + "0123456789abcdef" * 4,
    "Google API": "AIza" + "SyA" + MIXED[:32],
    "Google, since 2026": "AQ." + "Ab8R" + MIXED[:46],
    "Google OAuth": "ya29." + MIXED,
    "Google refresh": "1//" + "0" + MIXED,
    "Google client secret": "GOCSPX-" + MIXED[:28],
    "GitHub, classic": "ghp_" + MIXED[:36],
    "GitHub, OAuth": "gho_" + MIXED[:36],
    "GitHub, app": "ghs_" + MIXED[:40] + "." + MIXED[:40] + "." + MIXED[:40],
    "GitHub, fine-grained": "github_pat_" + MIXED[:22] + "_" + MIXED[:59],
    "GitLab": "glpat-" + MIXED[:20],
    "Groq": "gsk_" + MIXED[:52],
    "xAI": "xai-" + MIXED[:80],
    "Stripe": "sk_" + "live_" + MIXED[:24],
    "AWS access key": "AKIA" + UPPER,
    "AWS session's access key": "ASIA" + UPPER,
    "Bedrock": "ABSK" + MIXED + "==",
    "Slack, bot": "xoxb-" + "123456789012-123456789012-" + MIXED[:24],
    "Slack, app": "xapp-" + "1-A0123456789-1234567890123-" + MIXED[:64],
    "Slack, rotated": "xoxe." + "xoxp-1-" + MIXED,
    "JSON web token": f"eyJ{MIXED[:30]}.eyJ{MIXED[:60]}.{MIXED[:43]}",
    "PEM": f"{PEM_BEGIN}PRIVATE KEY-----\n{PEM_BODY}\n{PEM_END}PRIVATE KEY-----",
    "PEM, RSA": f"{PEM_BEGIN}RSA PRIVATE KEY-----\n{PEM_BODY}=\n{PEM_END}RSA PRIVATE KEY-----",
    "PEM, encrypted": (
        f"{PEM_BEGIN}EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F\n\n"
        f"{PEM_BODY}\n{PEM_END}EC PRIVATE KEY-----"
    ),
    "PEM, OpenSSH": (
        f"{PEM_BEGIN}OPENSSH PRIVATE KEY-----\n{PEM_BODY}\n{PEM_END}OPENSSH PRIVATE KEY-----"
    ),
}
# (before, key, behind): what stands before the value stays.
VALUES = {
    "bearer": ("Authorization: Bearer ", MIXED[:40], "\r\n"),
    "bearer, letters only": ("Authorization: Bearer ", LETTERS[:16], ""),
    "bearer without header": ("curl -H 'bearer ", MIXED[:20], "'"),
    "basic": ("Authorization: Basic ", "dXNlcjpwYXNzd29yZA==", " HTTP/1.1"),
    "in JSON": ('{"authorization": "Bearer ', MIXED[:40], '"}'),
    "api-key header": ("x-api-key: ", MIXED[:32], "\n"),
    "Azure OpenAI": ("'api-key': '", "0123456789abcdef0123456789abcdef", "'"),
    "in an environment": ("EXAMPLE_API_KEY=", MIXED[:24], "\n"),
    "AWS secret": ("AWS_SECRET_ACCESS_KEY=", MIXED[:20] + "/+" + MIXED[:18], "\n"),
    "AWS secret, JSON": ('"SecretAccessKey": "', MIXED[:40], '",'),
    "Azure Storage": ("AccountKey=", MIXED[:86] + "==", ";Endpoint"),
    "Azure Service Bus": ("SharedAccessKey=", MIXED[:43] + "=", ""),
    "Azure, shared URL": ("&sig=", MIXED[:40] + "%2Bab%3D", "&se=1"),
    "Slack webhook": ("https://hooks.slack.com/services/", "T01AB/B02CD/" + MIXED[:24], " x"),
}


def found_in(text: str) -> list[str]:
    return [text[start:end] for start, end in key_shaped(text)]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key_is_found_in_whole(key: str) -> None:
    """Between quotes, spaces and JSON's escapes, alone and twice."""
    for text in (key, f'the key "{key}" is bad', json.dumps({"key": key}), f"{key}\n{key}"):
        spelled = key if key in text else json.dumps(key)[1:-1]
        assert found_in(text) == [spelled] * text.count(spelled)


@pytest.mark.parametrize(("before", "value", "behind"), VALUES.values(), ids=VALUES)
def test_a_value_is_found_by_the_words_before_it(before: str, value: str, behind: str) -> None:
    """Of a header or an assignment the value is taken, its name stays."""
    assert found_in(before + value + behind) == [value]


def test_a_private_key_is_found_without_its_end() -> None:
    """What was cut off is still most of a key."""
    begin = f"{PEM_BEGIN}RSA PRIVATE KEY-----\n{PEM_BODY}"
    assert found_in(f"see {begin}") == [begin]
    assert found_in(json.dumps(begin)) == [json.dumps(begin)[1:-1]]


@pytest.mark.parametrize(
    "text",
    [
        "a task-management-system-for-everybody with a risk-assessment-framework-2026",
        "sk-learn-compatible-estimators and sk-top-container, disk-usage-of-all-machines-1",
        "bearer authentication is described in RFC 6750, Basic authentication in RFC 7617",
        "Bearer tokens; the bearer internationalization",
        "3514ba6d9c0c6f1be3cbd0a2a2d1c6a2a2b7f4de",
        "d41d8cd98f00b204e9800998ecf8427e",
        "sha256:9970712cfb81ea26c8658d378aaa5b8f6ff9146e5bb111d70497c164016cf598",
        "sha512-1UwV3OTlNIuG5PQYWJ1a4nH2dYFc8f8K3rH0bq1u3m0l9yPq2n8b0o7kD6ZVxJZB3l5lZ9uQy7c==",
        str(UUID(int=0x2F0C1C7E3B0D4E0F9A5C1F2E3D4C5B6A)),
        "api_key = os.environ['ANTHROPIC_API_KEY']",
        "API_KEY: the_name_of_a_variable_that_is_rather_long",
        'headers = {"x-api-key": settings.key_of_the_vendor_in_force}',
        'eyJ is how the Base64 of {" begins; eyJhbGciOiJIUzI1NiJ9 is a header alone',
        f"the line '{PEM_BEGIN}PRIVATE KEY-----' begins a private key and nothing else follows it",
        f"{PEM_BEGIN}CERTIFICATE-----\n{PEM_BODY}\n{PEM_END}CERTIFICATE-----",
        "git@github.com:somebody/github_pattern_matching_for_everybody_and_all.git",
        "gsk_theme_manager, xai-explainability, ghp_short, AKIAsomething, glpat-template",
        "https://slack.com/services/are/down",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """Words, names, hashes, ids and what is written about keys are no keys."""
    assert found_in(text) == []


def test_no_shape_is_longer_than_is_said() -> None:
    """What goes on for ever is taken in parts, so that a stream can rely on it."""
    for key in (KEYS["Anthropic"], KEYS["JSON web token"], KEYS["PEM"][:200]):
        spans = list(key_shaped(key + "A" * 10 * SHAPE_MAX_CHARS))
        assert max(end - start for start, end in spans) <= SHAPE_MAX_CHARS


@pytest.mark.parametrize(
    "mark", ["eyJ", "sk-", "Bearer ", "AccountKey=", f"{PEM_BEGIN}PRIVATE KEY-----"]
)
def test_marks_without_keys_cost_little(mark: str) -> None:
    """Text made of nothing but marks, as somebody could make on purpose, does not take for ever."""
    assert len(found_in(mark * 30_000)) < 30_000
