"""A program that keeps its files with azure-storage-file-share 12, at Azure's address: plainly, then with aiohttp."""

import asyncio
import os
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError
from azure.storage.fileshare import (
    ContentSettings,
    ShareFileClient,
    ShareServiceClient,
    aio,
    generate_file_sas,
)

account, key = os.environ["SCENARIO_STORAGE_ACCOUNT"], os.environ["SCENARIO_STORAGE_KEY"]
url = f"https://{account}.file.core.windows.net"
large = b"0123456789abcdef" * (9 * 65536)


def plainly():
    service = ShareServiceClient(url, credential=key)
    share = service.create_share("lessons", quota=7, metadata={"course": "digits"})
    known = share.get_share_properties()
    print(
        "share",
        known.quota,
        known.metadata,
        [item.name for item in service.list_shares(name_starts_with="les")],
    )
    folder = share.create_directory("träning")
    folder.create_subdirectory("inner")
    text = folder.upload_file("notes.txt", b"hello world", content_settings=ContentSettings("text/plain"))
    text.upload_range(b"HELLO", 0, 5)
    print("text", text.download_file().readall(), text.download_file(6, 5, validate_content=True).readall())
    folder.upload_file("large.bin", large, max_concurrency=2, validate_content=True)
    print("same", folder.get_file_client("large.bin").download_file(max_concurrency=2).readall() == large)
    print("entries", sorted(entry["name"] for entry in folder.list_directories_and_files()))
    text.set_file_metadata({"author": "grace"})
    text.resize_file(5)
    lease = text.acquire_lease()
    try:
        text.delete_file()
    except HttpResponseError as error:
        print("leased", error.status_code, str.__str__(error.error_code))
    lease.release()
    renamed = text.rename_file("träning/renamed.txt")
    found = renamed.get_file_properties()
    print("file", found.size, found.content_settings.content_type, found.metadata)
    snapshot = share.create_snapshot()["snapshot"]
    renamed.delete_file()
    old = ShareServiceClient(url, credential=key).get_share_client("lessons", snapshot=snapshot)
    print("snapshot", old.get_file_client("träning/renamed.txt").download_file().readall())
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    token = generate_file_sas(account, "lessons", ["träning", "large.bin"], key, permission="r", expiry=until)
    linked = ShareFileClient(url, "lessons", "träning/large.bin", credential=token)
    print("linked", linked.download_file(0, 4).readall())
    try:
        linked.delete_file()
    except HttpResponseError as error:
        print("refused", error.status_code, str.__str__(error.error_code))
    share.delete_share(delete_snapshots=True)


async def with_aiohttp():
    async with aio.ShareServiceClient(url, credential=key) as service:
        share = await service.create_share("again")
        folder = await share.create_directory("inner")
        file = await folder.upload_file("large.bin", large, max_concurrency=2)
        stream = await file.download_file(max_concurrency=2)
        print("same", await stream.readall() == large)
        print("entries", [entry["name"] async for entry in folder.list_directories_and_files()])
        await share.delete_share()
        print("left", [item.name async for item in service.list_shares()])


plainly()
asyncio.run(with_aiohttp())
