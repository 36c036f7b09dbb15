"""Which messages are taken for Manage's callbacks: only genuine ones of our company, and no address is called else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from typing import Any
from urllib.parse import urlsplit

import pytest

from shared.callbacks import Callback
from shared.errors import Refused, Retryable, TrueUpError
from shared.manage.callback_keys import SigningKeys
from shared.manage.callbacks import CallbackReader
from tests.unit.fakes_manage import RESET, FakeTransport, Time, answer, settings

API = "https://api-na.manage.test/v4_6_release/apis/3.0"
KEY_URL = "https://na.manage.test/v2026_1//system/callbackkey/index.rails?companyName=birchline&id=9b1c"
KEY = "a-signing-key"


def reader(*faults: Any, time: Time | None = None, **changes: Any) -> tuple[CallbackReader, FakeTransport]:
    transport = FakeTransport(lambda request: answer({"signing_key": KEY}), list(faults))
    known = settings(**{"base_url": API, **changes})
    keys = SigningKeys(known, transport=transport, clock=time or Time())
    return CallbackReader(keys, known.company), transport


def body(**changes: Any) -> bytes:
    message = {
        "Action": "updated",
        "Type": "agreement",
        "ID": 501,
        "CompanyId": "birchline",
        "MemberId": "jdoe",
        "FromUrl": "na.manage.test",
        "Entity": json.dumps({"id": 501, "company": {"id": 250, "identifier": "ALDERBY"}, "_info": {}}),
        "Metadata": {"key_url": KEY_URL},
        "MessageId": "6b3b9f0e",
        "PartnerId": "something new",
    }
    return json.dumps({**message, **changes}).encode()


def signed(content: bytes, key: str = KEY) -> str:
    digest = hmac.new(hashlib.sha256(key.encode()).digest(), content, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def read(content: bytes, **changes: Any) -> Callback:
    return reader(**changes)[0].read(content, signed(content))


def test_a_genuine_callback_says_whose_record_changed():
    assert read(body()) == Callback("6b3b9f0e", "agreement", 501, 250, "jdoe")
    assert read(body(Type="Company", ID=250, Entity=None)) == Callback("6b3b9f0e", "company", 250, 250, "jdoe")


@pytest.mark.parametrize("entity", [None, "", "not JSON", "[]", "{}", '{"company": 7}', '{"company": {"id": "x"}}', 7])
def test_an_agreement_without_a_readable_summary_is_of_a_company_yet_unknown(entity):
    assert read(body(Entity=entity)).company is None


def test_fields_that_are_not_told_may_be_missing():
    message = json.loads(body())
    for name in ("Action", "CompanyId", "MemberId", "FromUrl", "Entity"):
        message.pop(name)
    content = json.dumps(message).encode()
    assert read(content) == Callback("6b3b9f0e", "agreement", 501, None, "")


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_message_without_an_id_is_known_again_by_its_body(nothing):
    once, again, other = body(MessageId=nothing), body(MessageId=nothing), body(MessageId=nothing, ID=502)
    assert read(once).message == read(again).message != read(other).message
    assert read(once).message


def test_the_signature_is_over_the_raw_bytes_not_over_what_they_mean():
    content = body()
    same_meaning = json.dumps(json.loads(content), indent=1).encode()
    with pytest.raises(Refused, match="signature"):
        reader()[0].read(same_meaning, signed(content))


@pytest.mark.parametrize(
    ("place", "key_url"),
    [
        ({"base_url": API}, KEY_URL),
        ({"base_url": API}, KEY_URL.replace("//na.", "//api-na.")),
        ({"base_url": API}, KEY_URL.replace("//na.manage.test", "//NA.Manage.test:443")),
        ({"base_url": API}, KEY_URL.replace("birchline", "BirchLine")),
        ({"base_url": None, "site": "na.manage.test"}, KEY_URL),
        (
            {"base_url": "https://own.test:8443/v4_6_release/apis/3.0"},
            KEY_URL.replace("na.manage.test", "own.test:8443"),
        ),
    ],
)
def test_the_key_may_be_at_our_manage_or_beside_its_api(place, key_url):
    subject, transport = reader(**place)
    content = body(Metadata={"key_url": key_url})
    subject.read(content, signed(content))
    assert [request.url for request in transport.requests] == [key_url]


ELSEWHERE = [
    KEY_URL.replace("https", "http"),
    KEY_URL.replace("na.manage.test", "manage.test"),
    KEY_URL.replace("na.manage.test", "na.manage.test.evil.test"),
    KEY_URL.replace("na.manage.test", "evil.test"),
    KEY_URL.replace("na.manage.test", "na.manage.test@evil.test"),
    KEY_URL.replace("na.manage.test", "evil.test#na.manage.test"),
    KEY_URL.replace("na.manage.test", "evil.test\\na.manage.test"),
    KEY_URL.replace("na.manage.test", "na.manage.test:8443"),
    KEY_URL.replace("na.manage.test", "na.manage.test."),
    KEY_URL.replace("na.manage.test", "127.0.0.1"),
    KEY_URL.replace("na.manage.test", "[::1]"),
    KEY_URL.replace("na.manage.test", "na\u3002manage.test"),
    KEY_URL.replace("birchline", "another"),
    KEY_URL + "&companyName=another",
    KEY_URL.replace("?companyName=birchline", "?%63ompanyName=another&companyName=birchline"),
    KEY_URL.replace("companyName=birchline&", ""),
    KEY_URL.replace("/v2026_1//", "/v2026_1/../"),
    KEY_URL.replace("/system/callbackkey/", "/system/members/"),
    KEY_URL + "\r\nHost: evil.test",
    KEY_URL + "#fragment",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("key_url", ELSEWHERE)
def test_a_key_elsewhere_is_refused_and_never_called(key_url):
    subject, transport = reader()
    content = body(Metadata={"key_url": key_url})
    with pytest.raises(Refused):
        subject.read(content, signed(content))
    assert transport.requests == []


def test_a_callback_of_another_company_is_refused_although_its_signature_is_right():
    with pytest.raises(Refused, match="another company"):
        read(body(CompanyId="another"))


BAD_BODIES = [
    b"",
    b"null",
    b"[]",
    b"not JSON",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"ID": NaN}',
    body(ID="x"),
    body(ID=0),
    body(ID=-1),
    body(ID=10**12),
    body(ID=True),
    body(Type=None),
    body(Type=""),
    body(MessageId="x" * 101),
    body(Metadata=None),
    body(Metadata={}),
    body(Metadata={"key_url": ["x"]}),
    body(Metadata={"key_url": "x" * 2000}),
]


@pytest.mark.parametrize("content", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_what_is_no_callback_is_refused_before_anything_is_called(content):
    subject, transport = reader()
    with pytest.raises(Refused) as refused:
        subject.read(content, signed(content))
    assert transport.requests == []
    assert "x" * 50 not in str(refused.value)


@pytest.mark.parametrize("signature", ["", "x", "###", "c2hvcnQ=", signed(body(), "another key"), signed(body())[:-4]])
def test_without_the_right_signature_nothing_is_believed(signature):
    with pytest.raises(Refused, match="signature"):
        reader()[0].read(body(), signature)


def test_thousands_of_forged_callbacks_are_refused_and_nobody_but_our_manage_is_asked():
    chance = random.Random(4)
    subject, transport = reader()
    for _ in range(2_000):
        content, signature = forged(chance)
        with pytest.raises(TrueUpError):
            subject.read(content, signature)
    assert {urlsplit(request.url).netloc.lower() for request in transport.requests} == {"na.manage.test"}


def forged(chance: random.Random) -> tuple[bytes, str]:
    """A callback with one thing wrong, whatever is right beside it."""
    genuine = body(MessageId=str(chance.random()), ID=chance.randrange(1, 10**9))
    match chance.randrange(5):
        case 0:  # one bit of the body flipped
            place = chance.randrange(len(genuine))
            return _flipped(genuine, place, chance), signed(genuine)
        case 1:  # one bit of the signature flipped
            digest = base64.b64decode(signed(genuine))
            flipped = _flipped(digest, chance.randrange(len(digest)), chance)
            return genuine, base64.b64encode(flipped).decode()
        case 2:  # another key, or the same one in clear
            digest = hmac.new(KEY.encode(), genuine, hashlib.sha256).digest()
            return genuine, chance.choice([signed(genuine, str(chance.random())), base64.b64encode(digest).decode()])
        case 3:  # signed rightly, with a key that anybody could have
            content = body(Metadata={"key_url": chance.choice(ELSEWHERE)})
            return content, signed(content)
        case _:  # cut short or garbled, and signed as it stands
            content = bytes(chance.choices(genuine, k=chance.randrange(len(genuine))))
            return content, signed(content)


def _flipped(content: bytes, place: int, chance: random.Random) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]


# The keys


def test_a_key_is_asked_for_once_an_hour():
    time = Time()
    subject, transport = reader(time=time)
    for seconds in (0, 1, 3598, 2):
        time.now += seconds
        subject.read(body(), signed(body()))
    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    "miss", [answer("", 404), answer("", 302, Location="https://evil.test"), answer("<html>"), answer({}), answer([])]
)
def test_an_address_without_a_key_is_remembered_for_a_minute(miss):
    time = Time()
    subject, transport = reader(miss, time=time)
    for _ in range(3):
        with pytest.raises(Refused, match="no signing key"):
            subject.read(body(), signed(body()))
    assert len(transport.requests) == 1
    time.now += 61
    assert subject.read(body(), signed(body())).id == 501


def test_a_manage_that_does_not_answer_is_asked_again_a_minute_later():
    time = Time()
    subject, transport = reader(RESET, time=time)
    with pytest.raises(Retryable, match="no signing key"):
        subject.read(body(), signed(body()))
    time.now += 61
    assert subject.read(body(), signed(body())).id == 501
    assert len(transport.requests) == 2


def test_a_flood_of_made_up_addresses_asks_manage_at_most_120_times_a_minute_and_known_keys_still_count():
    time = Time()
    subject, transport = reader(time=time)
    subject.read(body(), signed(body()))
    transport.handler = lambda request: answer("", 404)
    for number in range(1_000):
        content = body(Metadata={"key_url": f"{KEY_URL}{number}"})
        with pytest.raises(TrueUpError):
            subject.read(content, signed(content))
    assert len(transport.requests) == 120
    assert subject.read(body(), signed(body())).id == 501


def test_so_many_keys_are_kept_and_the_oldest_is_asked_for_again():
    time = Time()
    subject, transport = reader(time=time)

    def believed(number: int) -> int:
        """How often Manage has been asked after a callback whose key has an address of its own."""
        content = body(Metadata={"key_url": f"{KEY_URL}{number}"})
        assert subject.read(content, signed(content)).id == 501
        return len(transport.requests)

    for number in range(300):
        assert believed(number) == number + 1
        time.now += 1
    assert believed(299) == 300
    assert believed(0) == 301


def test_no_callback_waits_long_for_its_key():
    """Manage takes a callback that is not answered at once for failed."""
    subject, transport = reader()
    subject.read(body(), signed(body()))
    assert [0 < request.timeout <= 5 for request in transport.requests] == [True]


def test_the_key_is_asked_for_without_credentials():
    subject, transport = reader()
    subject.read(body(), signed(body()))
    assert [request.headers.keys() for request in transport.requests] == [{"Accept", "User-Agent", "clientId"}]
