#!/usr/bin/env python3
"""Makes vault.json.enc: a vault of the predecessor's form, sealed on the host `old-host`.

Needs `pip install cryptography`. All passwords are made up. The tokens' random parts are fixed, so
that the file comes out the same each time.
"""

import base64
import hashlib
import json
import pathlib

from cryptography.fernet import Fernet

HOSTNAME = "old-host"
TIME = 1_735_689_600  # 2025-01-01T00:00:00Z

fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(HOSTNAME.encode()).digest()))
count = 0


def seal(text):
    """One token; its initialisation vector only has to be different each time."""
    global count
    count += 1
    vector = hashlib.sha256(b"iv %d" % count).digest()[:16]
    return fernet._encrypt_from_parts(text.encode(), TIME, vector).decode()


def entry(username, password, metadata, **clear):
    return {
        "username": seal(username) if username else "",
        "password": seal(password) if password else "",
        "metadata": metadata,
        **clear,
    }


credentials = {
    "smtp-smtp.example.com": entry(
        "backup@example.com",
        "not-a-real-smtp-password",
        {
            "created_at": "2024-03-01T08:30:00.123456+00:00",
            "updated_at": "2024-11-05T17:45:10.000001+00:00",
            "description": "SMTP smtp.example.com (port 587)",
        },
    ),
    "mysql-1": entry(
        "backup",
        "not-a-real-password-1",
        {
            "created_at": "2024-03-01T08:30:00+00:00",
            "updated_at": "2024-03-01T08:30:00Z",
            "description": "MYSQL db1.example.com:3306",
        },
        type="mysql",
        host="db1.example.com",
        port=3306,
        database=["shop", "crm"],
        db_ignore=["information_schema", "performance_schema"],
        ssl_enabled=False,
    ),
    "app_token.v2": entry(
        "",
        "ção-🔑",
        {"created_at": "2025-01-02T03:04:05.600000+00:00", "description": "Serviço"},
    ),
    "placeholder": entry("nobody", "", {"description": "never filled in"}),
}

text = json.dumps({"version": "1.0.0", "credentials": credentials})
target = pathlib.Path(__file__).with_name("vault.json.enc")
target.write_text(seal(text))
