"""A program that keeps its files with azure-storage-file, 0.37.0 to 2.1.0, at Azure's address."""

import os
from datetime import datetime, timedelta

from azure.storage.file import ContentSettings, FilePermissions, FileService

account, key = os.environ["SCENARIO_STORAGE_ACCOUNT"], os.environ["SCENARIO_STORAGE_KEY"]
files = FileService(account, key)

print("share", files.create_share("lessons", quota=7, metadata={"course": "digits"}))
known = files.get_share_properties("lessons")
print("known", known.properties.quota, known.metadata, [s.name for s in files.list_shares(prefix="les")])
files.create_directory("lessons", "träning")
files.create_directory("lessons", "träning/inner", metadata={"depth": "2"})
print("depth", files.get_directory_metadata("lessons", "träning/inner"))

kind = ContentSettings(content_type="text/plain")
files.create_file_from_text("lessons", "träning", "notes.txt", "hello world", content_settings=kind)
files.update_range("lessons", "träning", "notes.txt", b"HELLO", 0, 4)
print("text", files.get_file_to_text("lessons", "träning", "notes.txt").content)
part = files.get_file_to_bytes(
    "lessons", "träning", "notes.txt", start_range=6, end_range=10, validate_content=True
)
print("part", part.content)
large = b"0123456789abcdef" * (9 * 65536)
files.create_file_from_bytes(
    "lessons", "träning", "large.bin", large, max_connections=2, validate_content=True
)
print("same", files.get_file_to_bytes("lessons", "träning", "large.bin", max_connections=2).content == large)
files.create_file("lessons", "träning", "empty.bin", 0)
print("empty", files.get_file_to_bytes("lessons", "träning", "empty.bin").content)
print("ranges", [(r.start, r.end) for r in files.list_ranges("lessons", "träning", "notes.txt")])
print("entries", sorted(entry.name for entry in files.list_directories_and_files("lessons", "träning")))

files.set_file_metadata("lessons", "träning", "notes.txt", {"author": "grace"})
files.resize_file("lessons", "träning", "notes.txt", 5)
found = files.get_file_properties("lessons", "träning", "notes.txt")
print("file", found.properties.content_length, found.properties.content_settings.content_type, found.metadata)
copy = files.copy_file("lessons", None, "copy.txt", files.make_file_url("lessons", "träning", "notes.txt"))
print("copy", copy.status, files.get_file_to_text("lessons", None, "copy.txt").content)

until = datetime.utcnow() + timedelta(hours=1)
token = files.generate_file_shared_access_signature(
    "lessons", "träning", "notes.txt", permission=FilePermissions.READ, expiry=until
)
linked = FileService(account, sas_token=token)
print("linked", linked.get_file_to_text("lessons", "träning", "notes.txt").content)
try:
    linked.delete_file("lessons", "träning", "notes.txt")
except Exception as error:
    print("refused", error.status_code)
print("stats", files.get_share_stats("lessons") >= 0, files.exists("lessons", "träning", "nothing"))
files.delete_file("lessons", "träning", "large.bin")
print("deleted", files.delete_share("lessons"), list(files.list_shares()))
