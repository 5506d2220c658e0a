"""The form that twine sends, for tests that are not about twine."""
import base64
import hashlib
import re
import urllib.error
import urllib.request

BOUNDARY = "frontier"


def form(name, version, file, data):
    """(body, Content-Type)"""
    fields = {":action": "file_upload", "protocol_version": "1", "name": name, "version": version, "filetype": "sdist" if file.endswith(".gz") else "bdist_wheel",
              "sha256_digest": hashlib.sha256(data).hexdigest()}
    body = b"".join(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items())
    body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{file}"\r\n\r\n'.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def upload(url, token, file, data):
    """The status; 0 when the connection broke."""
    name, version = re.match(r"(.+?)-([0-9][^-]*?)(?:-py3-none-any\.whl|\.tar\.gz)$", file).groups()
    body, kind = form(name, version, file, data)
    request = urllib.request.Request(url, data=body, method="POST", headers={
        "Content-Type": kind, "Authorization": "Basic " + base64.b64encode(f"__token__:{token}".encode()).decode()})
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
