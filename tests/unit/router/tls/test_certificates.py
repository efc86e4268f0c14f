"""Which certificate a client gets, what is refused at the start, and what happens when files change."""

import asyncio
import datetime
import logging
import os
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.certificates import Authority, Files
from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError, UsageError
from zerogate.router.tls import certificates as certificates_module
from zerogate.router.tls.certificates import CIPHERS, POLL_S, Certificates
from zerogate.settings import RouterSettings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def loaded(*files: Files, **options: Any) -> Certificates:
    """In a running loop."""
    cert, key = (tuple(each[at] for each in files) for at in (0, 1))
    certificates = Certificates(RouterSettings(tls_cert=cert, tls_key=key, **options), ["http/1.1"])
    certificates.load()
    return certificates


def shown(certificates: Certificates, name: str | None, **wishes: Any) -> ssl.SSLObject:
    """A client after its handshake, in memory, which believes everything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for wish, value in wishes.items():
        getattr(context, wish)(value)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    server = certificates.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client


def certificate_of(certificates: Certificates, name: str | None) -> bytes:
    found = shown(certificates, name).getpeercert(binary_form=True)
    assert found is not None
    return found


def der(files: Files) -> bytes:
    return ssl.PEM_cert_to_DER_cert(Path(files.certificate).read_text().partition("-----END")[0] + PEM_END)


PEM_END = "-----END CERTIFICATE-----\n"


def openssl_makes(folder: Path, name: str, options: str = "") -> Files:
    """One without the names that count today."""
    files = Files(str(folder / "made.crt"), str(folder / "made.key"))
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} {options}"
    assert os.system(f"{command} -keyout {files.key} -out {files.certificate} 2>/dev/null") == 0
    return files


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run_virtually(main())


def test_the_one_that_has_the_name(authority: Authority) -> None:
    async def main() -> None:
        first = authority.issue("first.example", "www.first.example")
        other = authority.issue("*.other.example", "other.example", "first.example")
        certificates = loaded(first, other)
        for name, files in {
            "first.example": first,
            "FIRST.example": first,  # Of two that have it, too.
            "other.example.": other,
            "A.other.example.": other,
            "www.first.example": first,
            "other.example": other,
            "a.other.example": other,
            "a.b.other.example": first,
            "nobody.example": first,
            None: first,
        }.items():
            assert certificate_of(certificates, name) == der(files), name
        certificates.close()

    run(main)


def test_the_name_of_the_subject_where_there_is_no_other(authority: Authority, tmp_path: Path) -> None:
    old = openssl_makes(tmp_path, "old.example")

    async def main() -> None:
        certificates = loaded(authority.issue("first.example"), old)
        assert certificate_of(certificates, "old.example") == der(old)
        certificates.close()

    run(main)


def test_what_is_spoken(authority: Authority) -> None:
    async def main() -> None:
        certificates = loaded(authority.issue("a"))
        client = shown(certificates, "a", set_alpn_protocols=["h2", "http/1.1"])
        assert (client.version(), client.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
        assert shown(certificates, "a").selected_alpn_protocol() is None
        context = certificates.context
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        names = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
        assert names
        assert all(name.startswith("ECDHE") and ("GCM" in name or "CHACHA20" in name) for name in names), CIPHERS
        certificates.close()

    run(main)


def test_a_session_goes_on_with_its_ticket(authority: Authority) -> None:
    async def main() -> None:
        certificates = loaded(authority.issue("a"), authority.issue("b"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session = None
        for is_reused in (False, True):
            to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(to_client, to_server, server_hostname="b", session=session)
            server = certificates.context.wrap_bio(to_server, to_client, server_side=True)
            for _ in range(4):
                for end in (client, server):
                    try:
                        end.do_handshake()
                    except ssl.SSLWantReadError:
                        continue
            assert client.session_reused is is_reused
            session = client.session
        certificates.close()

    run(main)


# At the start


def test_one_file_for_both(authority: Authority, tmp_path: Path) -> None:
    files = authority.issue("a")
    both = tmp_path / "both.pem"
    both.write_bytes(Path(files.key).read_bytes() + Path(files.certificate).read_bytes())

    async def main() -> None:
        certificates = Certificates(RouterSettings(tls_cert=(str(both),)), ["http/1.1"])
        certificates.load()
        assert certificate_of(certificates, "a") == der(files)
        certificates.close()

    run(main)


def test_none_at_all() -> None:
    with pytest.raises(UsageError, match="--https needs a certificate"):
        Certificates(RouterSettings(), ["http/1.1"]).load()
    with pytest.raises(UsageError, match="--tls-key: 2 for 1 of --tls-cert"):
        Certificates(RouterSettings(tls_cert=("a",), tls_key=("b", "c")), ["http/1.1"]).load()


def test_what_cannot_be_used(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.issue("a"), authority.issue("b")
    empty = tmp_path / "empty"
    empty.write_text("nothing\n")
    encrypted = tmp_path / "encrypted.key"
    assert os.system(f"openssl ec -in {good.key} -out {encrypted} -aes128 -passout pass:word 2>/dev/null") == 0
    missing = str(tmp_path / "missing")
    trusted = tmp_path / "trusted"
    assert os.system(f"openssl x509 -in {good.certificate} -trustout -out {trusted}") == 0
    for files, words, options in (
        (Files(str(trusted), good.key), "there is no certificate in it", {}),
        (Files(missing, good.key), f"cannot read {missing}: No such file", {}),
        (Files(good.certificate, missing), f"cannot read {missing}: No such file", {}),
        (Files(good.certificate, other.key), f"the key in {other.key} is not this certificate's", {}),
        (Files(str(empty), good.key), "OpenSSL cannot use it with", {}),
        (Files(good.certificate, str(empty)), "OpenSSL cannot use it with", {}),
        (Files(good.certificate, str(encrypted)), "the key is encrypted", {}),
        (good, f"cannot read {missing}", {"tls_client_ca": missing}),
        (good, f"--tls-client-ca {empty}: there is no certificate in it", {"tls_client_ca": str(empty)}),
    ):
        with pytest.raises(StartError) as caught:
            loaded(files, **options)
        assert caught.value.reason.startswith(f"--tls-cert {files.certificate}: ")
        assert words in caught.value.reason


def test_one_that_is_for_clients_only(tmp_path: Path) -> None:
    """It would be refused by everybody."""
    files = openssl_makes(tmp_path, "a", "-addext extendedKeyUsage=clientAuth")
    with pytest.raises(StartError, match=r"unsuitable|verify failed"):
        loaded(files)


def test_one_that_has_expired_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        issued = trustme.CA().issue_cert("a", not_after=yesterday)
        files = Files(str(tmp_path / "a.crt"), str(tmp_path / "a.key"))
        issued.cert_chain_pems[0].write_to_path(files.certificate)
        issued.private_key_pem.write_to_path(files.key)
        certificates = loaded(files)
        assert certificate_of(certificates, "a") == der(files)
        certificates.close()

    run(main)
    assert "it has expired" in caplog.text


# Renewal


def replace(files: Files, by: Files) -> None:
    """As tools do it: a new file in the place of the old."""
    for old, new in zip(files, by, strict=True):
        os.replace(new, old)


def test_a_renewal_is_noticed(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        first, second = authority.issue("a"), authority.issue("b")
        certificates = loaded(first, second)
        before = certificates.context
        replace(second, authority.issue("b", "c", file="renewed"))
        await asyncio.sleep(POLL_S + 0.1)
        assert certificate_of(certificates, "c") == der(second)
        assert certificates.context is before  # Its tickets stay good.
        replace(first, authority.issue("a", file="renewed"))
        certificates.look()
        assert certificate_of(certificates, "a") == der(first)
        certificates.close()

    with caplog.at_level(logging.INFO):
        run(main)
    assert "read anew, for b, c" in caplog.text


def test_one_that_cannot_be_used_leaves_the_old_one(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        files, other = authority.issue("a"), authority.issue("other")
        certificates = loaded(files, other)
        before = der(files)
        renewed = authority.issue("a", file="renewed")
        os.replace(renewed.certificate, files.certificate)  # The key comes later.
        await asyncio.sleep(10 * POLL_S)
        assert certificate_of(certificates, "a") == before
        os.replace(renewed.key, files.key)
        await asyncio.sleep(POLL_S + 0.1)
        assert certificate_of(certificates, "a") == der(files)
        os.unlink(files.certificate)
        await asyncio.sleep(POLL_S + 0.1)
        certificate_of(certificates, "a")
        certificates.close()

    run(main)
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 2
    assert "a.crt" in told[0]
    assert "is not this certificate's. The certificate before it stays in use" in told[0]
    assert "No such file" in told[1]


def test_many_that_change_together_hold_nobody_up_for_long(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever else is there has a turn in between."""
    monkeypatch.setattr(certificates_module, "MAX_HOLD_UP_S", 0.0)
    (tmp_path / "other").mkdir()
    other = Path(Authority(tmp_path / "other").path).read_bytes()

    def change(data: bytes) -> None:
        Path(authority.path).write_bytes(Path(authority.path).read_bytes() + data)

    async def main() -> None:
        certificates = loaded(*(authority.issue(f"{at}.example") for at in range(5)), tls_client_ca=authority.path)
        before = [each.context for each in certificates._loaded]

        def n_new() -> int:
            return sum(each.context is not old for each, old in zip(certificates._loaded, before, strict=True))

        change(other)
        seen = []
        certificates.look()
        while n_new() < 5:
            seen.append(n_new())
            certificates.look()  # Is at it already.
            await asyncio.sleep(0)
        assert seen == [1, 2, 3, 4]
        for at, each in enumerate(certificates._loaded):
            assert certificates._by_name[f"{at}.example"] is each.context
        await asyncio.sleep(0)
        before = [each.context for each in certificates._loaded]
        change(b"\n")
        certificates.look()
        certificates.close()
        await asyncio.sleep(0)
        assert n_new() == 1

    run(main)
