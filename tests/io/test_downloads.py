"""Where packages are looked for, by the user's settings of pip, and what comes in their place."""

import http.server
import os
import subprocess
import sys
import threading

import pytest

from dynode.io import downloads, pip_settings

PACKAGE = downloads.Package("fake", "1", "fake-1.whl", "0" * 64, 10)


@pytest.fixture
def site(monkeypatch):
    """No settings of pip, no proxies; packages may be fetched."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("DYNODE_OFFLINE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pip_settings, "files", lambda: [])
    return monkeypatch


def test_indexes_are_those_of_pip(site):
    (public,) = downloads.indexes()
    assert public.startswith("https://")
    site.setenv("PIP_EXTRA_INDEX_URL", "https://a/simple file:///opt/pypi")
    assert downloads.indexes() == [public, "https://a/simple"]
    site.setenv("PIP_INDEX_URL", "https://b/simple")
    assert downloads.indexes() == ["https://b/simple", "https://a/simple"]


def test_proxy_and_certificates_are_those_of_pip_unless_there_are_others(site):
    assert downloads.connection() == {}
    site.setenv("PIP_PROXY", "http://proxy")
    site.setenv("PIP_CERT", "/site.pem")
    assert downloads.connection() == {
        "proxies": dict.fromkeys(("http", "https"), "http://proxy"),
        "verify": "/site.pem",
    }
    site.setenv("https_proxy", "http://other")
    site.setenv("REQUESTS_CA_BUNDLE", "/other.pem")
    assert downloads.connection() == {}


class Pages(http.server.BaseHTTPRequestHandler):
    """Sends the same page for every address."""

    page = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(site):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_of_a_proxy_is_not_taken_for_a_file(server, site, tmp_path):
    site.setattr(Pages, "page", b"\n <!DOCTYPE html><html>Please log in</html>")
    with pytest.raises(downloads.Unreachable, match="a web page came in its place") as refused:
        downloads.download(f"{server}/weights.bin", "0" * 64, tmp_path / "weights.bin")
    assert "login" in refused.value.remedy and list(tmp_path.iterdir()) == []


def test_the_first_index_that_has_the_file_is_taken(server, site):
    site.setattr(Pages, "page", b'<html><a href="/files/fake-1.whl">fake-1.whl</a></html>')
    site.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    site.setenv("PIP_EXTRA_INDEX_URL", f"{server}/simple")
    assert downloads.registry_url(PACKAGE) == f"{server}/files/fake-1.whl"
    site.setattr(Pages, "page", b"<html>Please log in</html>")
    with pytest.raises(downloads.Unreachable, match="ConnectionError, the package index does not list it"):
        downloads.registry_url(PACKAGE)


IN_A_KERNEL = "import sys; import ipykernel.zmqshell; sys.modules['ipywidgets'] = None; "


@pytest.mark.parametrize(
    "load, warned",
    [("import pooch", True), ("from dynode.io.downloads import pooch_module; pooch_module()", False)],
)
def test_pooch_does_not_warn_of_widgets_that_a_jupyter_lacks(load, warned):
    ran = subprocess.run([sys.executable, "-c", IN_A_KERNEL + load], capture_output=True, text=True, check=True)
    assert ("IProgress not found" in ran.stderr) is warned
