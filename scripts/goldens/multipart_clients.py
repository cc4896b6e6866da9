"""Forms as clients write them, for test/fixtures/multipart/clients.json: a file field `image` and a text field `top_k`.

`recorded` ones are captured from the client itself (curl, requests, httpx, Node's fetch: those that are installed; run it with each
Python that has one). The others follow the client's source: .NET `MultipartFormDataContent` (unquoted names, `filename*`), Go
`mime/multipart`, OkHttp `MultipartBody`, Bun (no filename), browsers (WHATWG HTML), form-data of npm (axios, got), Dart `http`.

usage: multipart_clients.py OUT.json     (an existing OUT is completed, not replaced)
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

PHOTO = b"PHOTO"


def capture(send):
    """The content type and body of the one request that `send(url)` makes."""
    server = socket.create_server(("127.0.0.1", 0))
    got = {}

    def serve():
        connection, _ = server.accept()
        connection.settimeout(2)
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            head, body = data.split(b"\r\n\r\n", 1)
            headers = {k.strip().lower(): v.strip() for k, v in (l.split(":", 1) for l in head.decode().split("\r\n")[1:])}
            if "content-length" in headers:
                while len(body) < int(headers["content-length"]):
                    body += connection.recv(65536)
            else:
                while not body.endswith(b"0\r\n\r\n"):
                    body += connection.recv(65536)
                body = unchunk(body)
            got.update(content_type=headers["content-type"], body=body.decode("latin-1"))
        finally:
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    send(f"http://127.0.0.1:{server.getsockname()[1]}/")
    thread.join()
    server.close()
    return got


def unchunk(body):
    out = b""
    while body:
        size, body = body.split(b"\r\n", 1)
        length = int(size, 16)
        if length == 0:
            return out
        out, body = out + body[:length], body[length + 2 :]
    return out


def recorded(photo):
    if shutil.which("curl"):
        yield "curl", lambda url: subprocess.run(
            ["curl", "-sf", "-F", f"image=@{photo}", "-F", "top_k=3", url], check=True
        )
    if shutil.which("node"):
        script = (
            "const f = new FormData(); f.set('image', new File(['PHOTO'], 'f\\u00f6 \"1\".jpg', {type: 'image/jpeg'}));"
            "f.set('top_k', '3'); await fetch(process.argv[1], {method: 'POST', body: f});"
        )
        yield "node-fetch", lambda url: subprocess.run(["node", "--input-type=module", "-e", script, url], check=True)
    try:
        import requests

        yield "requests", lambda url: requests.post(url, files={"image": open(photo, "rb")}, data={"top_k": "3"})
    except ImportError:
        pass
    try:
        import httpx

        yield "httpx", lambda url: httpx.post(url, files={"image": open(photo, "rb")}, data={"top_k": "3"})
    except ImportError:
        pass


def form(boundary, image_headers, text_headers, quoted_boundary=False):
    """A form of two parts, their header lines as given."""
    body = ""
    for headers, content in ((image_headers, "PHOTO"), (text_headers, "3")):
        body += f"--{boundary}\r\n" + "".join(f"{line}\r\n" for line in headers) + f"\r\n{content}\r\n"
    written = f'"{boundary}"' if quoted_boundary else boundary
    return {"content_type": f"multipart/form-data; boundary={written}", "body": body + f"--{boundary}--\r\n"}


def by_hand():
    text = ['Content-Disposition: form-data; name="top_k"']
    jpeg = "Content-Type: image/jpeg"
    yield "dotnet", form(
        "a0dd1c0e-5b7e-4b4c-9d52-3f2a7d8f0f11",
        [jpeg, "Content-Disposition: form-data; name=image; filename=photo.jpg; filename*=utf-8''photo.jpg"],
        ["Content-Type: text/plain; charset=utf-8", "Content-Disposition: form-data; name=top_k"],
        quoted_boundary=True,
    )
    yield "filename-star-only", form(
        "XbX", ["Content-Disposition: form-data; name=\"image\"; filename*=UTF-8''f%C3%B6.jpg", jpeg], text
    )
    yield "bun-no-filename", form("XbX", ['Content-Disposition: form-data; name="image"', jpeg], text)
    yield "go", form(
        "8f6f0b6b3a5c0e0e7e4d3b8c6b6d7c0c5d2c3f1a0b9e8d7c6b5a4f3e2d1c",
        ['Content-Disposition: form-data; name="image"; filename="photo.jpg"', "Content-Type: application/octet-stream"],
        text,
    )
    yield "okhttp", form(
        "f2b8f2f2-6f27-4f0b-8d54-2b6e7f0f5a3d",
        ['Content-Disposition: form-data; name="image"; filename="photo.jpg"', jpeg, "Content-Length: 5"],
        text + ["Content-Length: 1"],
    )
    yield "chrome", form(
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        ['Content-Disposition: form-data; name="image"; filename="a%22b%0D%0A.jpg"', jpeg],
        text,
    )
    yield "firefox", form(
        "---------------------------9051914041544843365972754266",
        ['Content-Disposition: form-data; name="image"; filename="photo.jpg"', jpeg],
        text,
    )
    yield "axios-form-data", form(
        "--------------------------515890814546601021194782",
        ['Content-Disposition: form-data; name="image"; filename="photo.jpg"', jpeg],
        text,
    )
    yield "dart", form(
        "dart-http-boundary-Ab.Cd_Ef-1234567890",
        [jpeg, 'content-disposition: form-data; name="image"; filename="photo.jpg"'],
        ['content-disposition: form-data; name="top_k"'],
    )
    yield "python-email", form(
        "===============7330845974216740156==",
        [jpeg, "MIME-Version: 1.0", 'Content-Disposition: form-data; name="image"; filename="photo.jpg"'],
        text + ["Content-Transfer-Encoding: 8bit"],
        quoted_boundary=True,
    )


def main(out):
    clients = json.load(open(out)) if os.path.exists(out) else {}
    with tempfile.TemporaryDirectory() as folder:
        photo = os.path.join(folder, "photo.jpg")
        with open(photo, "wb") as file:
            file.write(PHOTO)
        for name, send in recorded(photo):
            clients[name] = {"recorded": True, **capture(send)}
    for name, value in by_hand():
        clients[name] = {"recorded": False, **value}
    with open(out, "w") as file:
        json.dump(clients, file, indent=1, sort_keys=True, ensure_ascii=True)
        file.write("\n")


main(sys.argv[1])
