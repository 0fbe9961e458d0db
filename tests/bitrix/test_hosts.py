"""Where tokens may go, and that the address which was checked is the one which is called."""

import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from b24app.bitrix.hosts import HostPolicy, HostRefused, is_public, resolve
from b24app.bitrix.transport import http_session
from tests.bitrix.far_side import POLICY, local_server, reply

CLOSED = HostPolicy(("http://localhost:8024",), allow_http=True, allow_private=True)


@pytest.mark.parametrize(
    ("url", "normalised"),
    [
        ("https://Portal.Example/rest/", "https://portal.example/rest/"),
        ("https://portal.example:443/rest/", "https://portal.example/rest/"),
        ("https://portal.example:8443/bitrix/rest/", "https://portal.example:8443/bitrix/rest/"),
        ("https://8.8.8.8/rest/", "https://8.8.8.8/rest/"),
    ],
)
def test_an_endpoint_on_any_public_host_is_taken(url: str, normalised: str) -> None:
    assert POLICY.check_endpoint(url) == normalised


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://portal.example/rest/", "scheme"),
        ("ftp://portal.example/rest/", "scheme"),
        ("portal.example/rest/", "malformed"),
        ("https:///rest/", "malformed"),
        ("https://user:pw@portal.example/rest/", "malformed"),
        ("https://portal.example@evil.example/rest/", "malformed"),
        ("https://portal.example\\@evil.example/rest/", "malformed"),
        ("https://portal.example /rest/", "malformed"),
        ("https://portal.example\r\nX: y/rest/", "malformed"),
        ("https://portal.example:99999/rest/", "malformed"),
        ("https://портал.рф/rest/", "malformed"),
        ("https://[::1/rest/", "malformed"),
        ("https://" + "a" * 500 + ".example/rest/", "malformed"),
        ("https://portal.example/", "path"),
        ("https://portal.example/rest", "path"),
        ("https://portal.example/rest/?a=/rest/", "path"),
        ("https://portal.example/rest/#/rest/", "path"),
        ("https://127.0.0.1/rest/", "address"),
        ("https://[::1]/rest/", "address"),
        ("https://169.254.169.254/rest/", "address"),
    ],
)
def test_an_endpoint_is_refused(url: str, why: str) -> None:
    with pytest.raises(HostRefused) as refused:
        POLICY.check_endpoint(url)
    assert refused.value.why == why
    assert "pw" not in refused.value.host


def test_a_closed_network_takes_http_and_private_addresses() -> None:
    assert CLOSED.check_endpoint("http://localhost:8024/rest/") == "http://localhost:8024/rest/"
    assert CLOSED.check_endpoint("http://[::1]:8024/rest/") == "http://[::1]:8024/rest/"
    assert CLOSED.check_auth_server("http://LOCALHOST:8024/rest/") == "http://localhost:8024"


@pytest.mark.parametrize("url", ["https://oauth.bitrix.info", "https://OAuth.bitrix.info:443/rest/"])
def test_a_listed_authorization_server_is_known_by_base_and_endpoint(url: str) -> None:
    assert POLICY.check_auth_server(url) == "https://oauth.bitrix.info"


@pytest.mark.parametrize(
    "url",
    [
        "https://oauth.bitrix.info.evil.example/rest/",
        "https://evil.example/https://oauth.bitrix.info/rest/",
        "https://oauth.bitrix.info:8443/rest/",
        "https://oauth.bitrix.info/elsewhere/rest/",
        "http://oauth.bitrix.info/rest/",
        "https://oauth.bitrix.info@evil.example/rest/",
        "",
    ],
)
def test_no_other_authorization_server_is_taken(url: str) -> None:
    with pytest.raises(HostRefused):
        POLICY.check_auth_server(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_the_system_resolves_a_name() -> None:
    assert "127.0.0.1" in resolve("127.0.0.1", 80)


class FickleName:
    """A name server whose answer is another one each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        return self.answers.pop(0)


def show_host(request: BaseHTTPRequestHandler) -> None:
    reply(request, 200, request.headers["Host"])


def test_a_name_with_a_private_address_is_never_connected_to() -> None:
    policy = HostPolicy((), allow_http=True, resolver=FickleName(["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]))
    reached: list[str] = []
    with local_server(lambda request: reached.append("it")) as port, http_session(policy) as http:
        for _ in range(2):
            with pytest.raises(HostRefused) as refused:
                http.post(f"http://portal.example:{port}/rest/profile")
            assert refused.value.why == "address"
    assert reached == []


def test_the_connection_goes_to_the_address_that_was_checked_under_the_portals_name() -> None:
    # One look-up serves the check and the connection: a second one, where rebinding would strike, is never made.
    name = FickleName(["127.0.0.1"])
    policy = HostPolicy((), allow_http=True, allow_private=True, resolver=name)
    with local_server(show_host) as port, http_session(policy) as http:
        answers = [http.post(f"http://portal.example:{port}/rest/profile").text for _ in range(3)]
    assert answers == [f"portal.example:{port}"] * 3
    assert name.answers == []


def test_the_next_address_is_tried_when_the_first_does_not_answer() -> None:
    policy = HostPolicy((), allow_http=True, allow_private=True, resolver=FickleName(["127.0.0.9", "127.0.0.1"]))
    with local_server(show_host) as port, http_session(policy) as http:
        assert http.post(f"http://portal.example:{port}/rest/profile").status_code == 200


def unknown_name(host: str, port: int) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "unknown")


def test_an_unknown_name_is_a_connection_error() -> None:
    policy = HostPolicy((), allow_http=True, resolver=unknown_name)
    with http_session(policy) as http, pytest.raises(requests.ConnectionError):
        http.post("http://portal.example/rest/profile")


def test_plain_http_is_refused_by_the_transport_itself() -> None:
    with http_session(POLICY) as http, pytest.raises(HostRefused):
        http.post("http://portal.example/rest/profile")


def test_the_certificate_must_be_that_of_the_name(tmp_path: Path) -> None:
    server, authority = certificate(tmp_path, "portal.example")
    policy = HostPolicy((), allow_private=True, resolver=lambda host, port: ["127.0.0.1"])
    with local_server(show_host, server) as port, http_session(policy, ca_bundle=str(authority)) as http:
        assert http.post(f"https://portal.example:{port}/rest/profile").text == f"portal.example:{port}"
        with pytest.raises(requests.exceptions.SSLError):
            http.post(f"https://other.example:{port}/rest/profile")


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context with a certificate for `name`, and the file a client trusts it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    return context, pem
