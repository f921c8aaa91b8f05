#!/usr/bin/env python3
"""Reads a vault of format 1 that has a host name slot, as docs/format.md describes it.

    read_vault.py VAULT HOSTNAME get ID      the password of ID, as it is
    read_vault.py VAULT HOSTNAME earlier ID  its earlier versions, a line each, the newest first
    read_vault.py VAULT HOSTNAME ids         the ids, a line each
    read_vault.py VAULT HOSTNAME state       the state token

Shares no code with credb: it is here to show that the document is enough. Needs `pip install
cryptography`. Finds rows by their pages, not through redb's tree, so that it also sees rows that
were replaced or deleted: only for files that nobody writes to, such as a fresh backup. Exits with
4 if there is no such credential.
"""

import base64
import hashlib
import hmac
import sys

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PAGE = 4096
HOSTNAME_SLOT = 2
BINDINGS = {"slots": 2, "epochs": 3, "records": 4, "index": 5, "history": 6, "settings": 7}
BINDINGS["manifest"] = 8
TOTALS = {"records": 3, "index": 4, "history": 7}
KEEP = 10


def derive(secret, salt, info):
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info.encode()).derive(secret)


def unseal(key, token):
    """The plaintext of a stored token, which is kept without its base64."""
    return Fernet(base64.urlsafe_b64encode(key)).decrypt(base64.urlsafe_b64encode(token))


class Reader:
    """Values in the legacy layout of bincode."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert 0 <= count <= len(self.data) - self.at, "a length that promises too much"
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def bytes(self):
        return self.take(self.number(8))

    def text(self):
        return self.bytes().decode()

    def option(self, read):
        return {0: lambda: None, 1: read}[self.number(1)]()

    def list(self, read):
        return [read() for _ in range(self.number(8))]

    def end(self):
        assert self.at == len(self.data), "bytes follow the value"


def padded(length):
    if length <= 256:
        return 256
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (length + mask) & ~mask


def body(plaintext, vault, table):
    """A reader of the value in a plaintext, after all that stands around it is checked."""
    length = int.from_bytes(plaintext[:4], "big")
    assert len(plaintext) == padded(length + 4), "its length is wrong"
    assert not any(plaintext[4 + length :]), "its padding is not zero"
    reader = Reader(plaintext[4 : 4 + length])
    assert reader.number(1) == 1, "another format"
    assert reader.take(16) == vault, "another vault"
    assert reader.number(1) == BINDINGS[table], "another table"
    return reader


def leaves(data):
    """The rows of everything in the file that looks like a leaf page."""
    for start in range(PAGE, len(data), PAGE):
        page = data[start:]
        count = int.from_bytes(page[2:4], "little")
        head = 4 + 8 * count
        if page[0] != 1 or count == 0 or head > len(page):
            continue
        words = [int.from_bytes(page[at : at + 4], "little") for at in range(4, head, 4)]
        ends = [head, *words]
        if ends != sorted(ends) or ends[-1] > len(page):
            continue
        parts = [page[begin:end] for begin, end in zip(ends, ends[1:])]
        yield from zip(parts[:count], parts[count:])


def slot(key, row, vault, hostname):
    """The vault key, if the row is a host name slot that this name opens."""
    digest = hashlib.sha256(key + row[:-16]).digest()[:16]
    if len(key) != 4 or len(row) < 16 or digest != row[-16:]:
        return None
    reader = Reader(row[:-16])
    assert reader.number(1) == 1, "another format"
    kind = reader.number(1)
    reader.bytes()
    salt, check = reader.take(16), reader.take(8)
    recipient = reader.option(lambda: reader.take(32))
    ephemeral = {0: lambda: None, 1: lambda: reader.take(32)}[reader.number(4)]()
    wrapped, _details = reader.bytes(), reader.bytes()
    reader.end()
    if kind != HOSTNAME_SLOT:
        return None
    key_encryption_key = hashlib.sha256(hostname.encode()).digest()
    if derive(key_encryption_key, salt, "credb/1 slot check")[:8] != check:
        return None
    if ephemeral:  # Wrapped by somebody who did not have the slot's key.
        private = derive(key_encryption_key, salt, "credb/1 slot recipient")
        private = X25519PrivateKey.from_private_bytes(private)
        shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        identity = vault + key + bytes([kind])
        key_encryption_key = derive(shared, ephemeral + recipient + identity, "credb/1 slot rewrap")
    value = body(unseal(key_encryption_key, wrapped), vault, "slots")
    assert value.number(4) == int.from_bytes(key, "big"), "another slot"
    assert value.number(1) == kind, "another kind"
    vault_key = value.take(32)
    value.end()
    return vault_key


def metadata(reader):
    return {
        "username": reader.option(reader.text),
        "url": reader.option(reader.text),
        "description": reader.option(reader.text),
        "tags": reader.list(reader.text),
        "created_at": reader.number(8, signed=True),
        "updated_at": reader.number(8, signed=True),
        "password_changed_at": reader.number(8, signed=True),
        "expires_at": reader.option(lambda: reader.number(8, signed=True)),
    }


def record(reader):
    row = {"id": reader.text(), "uid": reader.take(16), "version": reader.number(8)}
    if reader.number(4) == 0:
        row["metadata"] = metadata(reader)
        row["password"] = reader.bytes()
        row["fields"] = reader.list(lambda: (reader.text(), reader.bytes()))
        row["pending"] = reader.option(lambda: (reader.bytes(), reader.number(8, signed=True)))
    else:
        row["removed_at"] = reader.number(8, signed=True)
    reader.end()
    return row


def earlier(reader):
    row = {"id": reader.text(), "uid": reader.take(16), "version": reader.number(8)}
    row["metadata"] = metadata(reader)
    row["password"] = reader.bytes()
    row["fields"] = reader.list(lambda: (reader.text(), reader.bytes()))
    row["pending"] = reader.option(lambda: (reader.bytes(), reader.number(8, signed=True)))
    row["replaced"] = ("updated", "removed", "renamed")[reader.number(4)]
    if row["replaced"] == "renamed":
        row["from"] = reader.text()
    row["replaced_at"] = reader.number(8, signed=True)
    reader.end()
    return row


def age(row):
    """A tombstone has the version of what it took the place of."""
    return row["version"], "removed_at" in row


class Epoch:
    def __init__(self, vault, key, root):
        self.vault = vault
        self.key = key
        self.sub = {
            name: derive(root, vault.id, f"credb/1 {name}")
            for name in ("records", "index", "history", "blind", "sums")
        }

    def row_key(self, name):
        blind = hmac.digest(self.sub["blind"], name.encode(), "sha256")
        return self.key + blind[:16]

    def records(self):
        """By row key: the row, and its stored bytes. Of several the newest counts."""
        newest = {}
        for key, stored in self.vault.rows:
            if len(key) != 20 or not key.startswith(self.key):
                continue
            try:
                plaintext = unseal(self.sub["records"], stored)
            except Exception:  # A row of the index: the other table with keys of this form.
                continue
            row = record(body(plaintext, self.vault.id, "records"))
            assert self.row_key(row["id"]) == key, "it stands in the place of another id"
            known = newest.get(key)
            if not known or age(row) > age(known[0]):
                newest[key] = row, stored
        return newest

    def history(self):
        """By row key: the earlier version, and its stored bytes."""
        found = {}
        for key, stored in self.vault.rows:
            if len(key) == 28 and key.startswith(self.key):
                plaintext = unseal(self.sub["history"], stored)
                row = earlier(body(plaintext, self.vault.id, "history"))
                place = self.row_key(row["id"]) + row["version"].to_bytes(8, "big")
                assert place == key, "it stands in the place of another id or version"
                found[key] = row, stored
        return found

    def row_mac(self, table, key, stored):
        parts = (table.encode(), key, stored)
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return int.from_bytes(hmac.digest(self.sub["sums"], message, "sha256"), "little")


class Vault:
    def __init__(self, data, hostname):
        assert data[:9] == b"redb\x1a\x0a\xa9\x0d\x0a", "no redb file"
        self.rows = list(leaves(data))
        clear = dict(self.rows)
        assert clear[b"format"] == bytes([0, 0, 0, 1]), "another format"
        assert not any(clear[b"features"][16:]), "features that this reader does not know"
        self.id = clear[b"vault"]
        keys = (slot(key, row, self.id, hostname) for key, row in self.rows)
        self.key = next((key for key in keys if key), None)
        assert self.key, "the host name opens no slot"
        # All rows are in the newest epoch, unless a rotation is under way: then some are in the one
        # before.
        self.epochs = [Epoch(self, number, root) for number, root in sorted(set(self.roots()))]

    def credentials(self):
        """By id: the row, of the newest version that any epoch has."""
        newest = {}
        for epoch in self.epochs:
            for row, _ in epoch.records().values():
                known = newest.get(row["id"])
                if not known or age(row) >= age(known):
                    newest[row["id"]] = row
        return newest

    def earlier(self, name):
        """The earlier versions of a credential that any epoch has, the newest first."""
        found = {}
        for epoch in self.epochs:
            rows = (row for row, _ in epoch.history().values() if row["id"] == name)
            found |= {row["version"]: row for row in rows}
        return [found[version] for version in sorted(found, reverse=True)]

    def subkey(self, name):
        return derive(self.key, self.id, f"credb/1 {name}")

    def roots(self):
        for key, row in self.rows:
            if len(key) == 4 and row[:1] == b"\x80":
                reader = body(unseal(self.subkey("epochs"), row), self.id, "epochs")
                number, root = reader.number(4), reader.take(32)
                reader.end()
                assert number == int.from_bytes(key, "big"), "another epoch"
                yield key, root

    def keep(self):
        """How many earlier versions of each credential count."""
        entries = dict(self.settings()[1])
        return int(entries.get("history.keep", KEEP))

    def settings(self):
        # redb's own table of tables has a row of this name too, which is no token.
        rows = {key: row for key, row in self.rows if row[:1] == b"\x80"}
        reader = body(unseal(self.subkey("settings"), rows[b"settings"]), self.id, "settings")
        incarnation, _created_at = reader.take(16), reader.number(8, signed=True)
        entries = reader.list(lambda: (reader.text(), reader.text()))
        reader.end()
        return incarnation, entries

    def state(self):
        """The state token, after records and history agreed with the manifest."""
        incarnation, _entries = self.settings()
        rows = {key: row for key, row in self.rows if row[:1] == b"\x80"}
        reader = body(unseal(self.subkey("manifest"), rows[b"manifest"]), self.id, "manifest")
        begin = reader.at
        generation, _changed_at = reader.number(8), reader.number(8, signed=True)
        total = lambda: (reader.number(4), reader.number(1), reader.number(8), reader.number(32))
        totals = {(epoch, table): (count, sum) for epoch, table, count, sum in reader.list(total)}
        reader.take(32)
        reader.end()

        newest = self.epochs[-1]
        epoch = int.from_bytes(newest.key, "big")
        for table, rows_of in ("records", newest.records()), ("history", newest.history()):
            sums = [newest.row_mac(table, key, stored) for key, (_, stored) in rows_of.items()]
            found = len(rows_of), sum(sums) % 2**256
            total = totals.get((epoch, TOTALS[table]), (0, 0))
            assert total == found, f"not the rows of {table} that were last written"

        manifest = b"\x01" + reader.data[begin:]
        mac = hmac.digest(self.subkey("state"), incarnation + manifest, "sha256")
        return f"credb1-{incarnation[:8].hex()}-{generation}-{mac[:16].hex()}"


def main(path, hostname, command, *arguments):
    with open(path, "rb") as file:
        vault = Vault(file.read(), hostname)
    if command == "state":
        print(vault.state())
        return 0
    live = {name: row for name, row in vault.credentials().items() if "password" in row}
    if command == "ids":
        print("\n".join(sorted(live)))
        return 0
    if command == "earlier":
        kept = vault.earlier(arguments[0])
        for row in kept[: vault.keep()]:
            print(row["version"], row["replaced"], row["password"].decode("utf-8", "replace"))
        return 0 if kept else 4
    if arguments[0] not in live:
        return 4
    sys.stdout.buffer.write(live[arguments[0]]["password"])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
