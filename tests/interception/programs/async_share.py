"""Azure Files with the newest client over aiohttp: a file of 5 MiB goes up, is listed, and comes down."""

import asyncio
import os

from azure.storage.fileshare.aio import ShareServiceClient


async def main() -> None:
    data = bytes(range(256)) * (20 * 1024)
    text = os.environ["SCENARIO_STORAGE_CONNECTION_STRING"]
    async with ShareServiceClient.from_connection_string(text) as service:
        share = service.get_share_client("async")
        await share.create_share()
        file = share.get_file_client("big.bin")
        await file.upload_file(data)
        stream = await file.download_file()
        print("same", await stream.readall() == data)
        print("listed", [item["name"] async for item in share.list_directories_and_files()])
        await share.delete_share()


asyncio.run(main())
