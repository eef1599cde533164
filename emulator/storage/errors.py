"""Errors of the data planes of Files and Blob: the service's codes, statuses and texts in one table."""

from __future__ import annotations

from dataclasses import dataclass, field

from batchai_scenario.emulator.errors import ServiceError

_UNAUTHORISED = "This request is not authorized to perform this operation using this {}."

CATALOGUE: dict[str, tuple[int, str]] = {
    "AuthenticationFailed": (
        403,
        (
            "Server failed to authenticate the request. Make sure the value of Authorization header is "
            "formed correctly including the signature."
        ),
    ),
    "AuthorizationPermissionMismatch": (403, _UNAUTHORISED.format("permission")),
    "AuthorizationProtocolMismatch": (403, _UNAUTHORISED.format("protocol")),
    "AuthorizationResourceTypeMismatch": (403, _UNAUTHORISED.format("resource type")),
    "AuthorizationServiceMismatch": (403, _UNAUTHORISED.format("service")),
    "AuthorizationSourceIPMismatch": (403, _UNAUTHORISED.format("source IP")),
    "BlobAlreadyExists": (409, "The specified blob already exists."),
    "BlobNotFound": (404, "The specified blob does not exist."),
    "BlockListTooLong": (400, "The block list may not contain more than 50,000 blocks."),
    "CannotDeleteFileOrDirectory": (409, "The file or directory could not be deleted."),
    "CannotVerifyCopySource": (
        404,
        "Could not verify the copy source.",
    ),
    "ConditionHeadersNotSupported": (400, "Condition headers are not supported."),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "ContainerAlreadyExists": (409, "The specified container already exists."),
    "ContainerNotFound": (404, "The specified container does not exist."),
    "CopyIdMismatch": (
        409,
        "The specified copy ID did not match the copy ID for the pending copy operation.",
    ),
    "CorsPreflightFailure": (
        403,
        "CORS not enabled or no matching rule found for this request.",
    ),
    "Crc64Mismatch": (
        400,
        (
            "The CRC64 value specified in the request did not match with the CRC64 value calculated by the "
            "server."
        ),
    ),
    "DirectoryNotEmpty": (409, "The specified directory is not empty."),
    "EmptyMetadataKey": (400, "The key for one of the metadata key-value pairs is empty."),
    "FileInvalidPermission": (
        400,
        "The file permission specified is not valid.",
    ),
    "FilePermissionNotFound": (
        404,
        "The file permission of that key does not exist in the share.",
    ),
    "InsufficientAccountPermissions": (
        403,
        "The account being accessed does not have sufficient permissions to execute this operation.",
    ),
    "InternalError": (500, "The server encountered an internal error. Please retry the request."),
    "InvalidAuthenticationInfo": (
        400,
        (
            "Authentication information is not given in the correct format. "
            "Check the value of Authorization header."
        ),
    ),
    "InvalidBlobOrBlock": (400, "The specified blob or block content is invalid."),
    "InvalidBlockList": (400, "The specified block list is invalid."),
    "InvalidFileOrDirectoryPathName": (400, "The specified file or directory path is too long or too deep."),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
    "InvalidInput": (
        400,
        "One of the request inputs is not valid.",
    ),
    "InvalidMd5": (
        400,
        (
            "The MD5 value specified in the request is invalid. "
            "The MD5 value must be 128 bits and base64 encoded."
        ),
    ),
    "InvalidMetadata": (400, "The metadata specified is invalid. It has characters that are not permitted."),
    "InvalidQueryParameterValue": (
        400,
        "Value for one of the query parameters specified in the request URI is invalid.",
    ),
    "InvalidRange": (416, "The range specified is invalid for the current size of the resource."),
    "InvalidResourceName": (400, "The specifed resource name contains invalid characters."),
    "InvalidUri": (400, "The requested URI does not represent any resource on the server."),
    "InvalidXmlDocument": (
        400,
        "XML specified is not syntactically valid.",
    ),
    "InvalidXmlNodeValue": (
        400,
        "The value for one of the XML nodes is not in the correct format.",
    ),
    "LeaseAlreadyPresent": (
        409,
        "There is already a lease present.",
    ),
    "LeaseIdMismatchWithContainerOperation": (
        412,
        "The lease ID specified did not match the lease ID for the share.",
    ),
    "LeaseIdMismatchWithFileOperation": (
        412,
        "The lease ID specified did not match the lease ID for the file.",
    ),
    "LeaseIdMismatchWithLeaseOperation": (
        409,
        "The lease ID specified did not match the lease ID for the resource.",
    ),
    "LeaseIdMissing": (
        412,
        "There is currently a lease on the resource and no lease ID was specified in the request.",
    ),
    "LeaseIsBreakingAndCannotBeAcquired": (
        409,
        "The lease is being broken and cannot be acquired until it is broken.",
    ),
    "LeaseIsBreakingAndCannotBeChanged": (
        409,
        "The lease is being broken and cannot be changed.",
    ),
    "LeaseIsBrokenAndCannotBeRenewed": (
        409,
        "The lease has been broken explicitly and cannot be renewed.",
    ),
    "LeaseLost": (
        412,
        "A lease ID was specified, but the lease for the resource has expired.",
    ),
    "LeaseNotPresentWithContainerOperation": (
        412,
        "There is currently no lease on the share.",
    ),
    "LeaseNotPresentWithFileOperation": (412, "There is currently no lease on the file."),
    "LeaseNotPresentWithLeaseOperation": (
        409,
        "There is currently no lease on the resource.",
    ),
    "Md5Mismatch": (
        400,
        "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
    ),
    "MetadataTooLarge": (400, "The metadata specified exceeds the maximum permissible limit."),
    "MissingContentLengthHeader": (411, "The Content-Length header was not specified."),
    "MissingRequiredHeader": (
        400,
        "An HTTP header that's mandatory for this request is not specified.",
    ),
    "MissingRequiredQueryParameter": (
        400,
        "A query parameter that's mandatory for this request is not specified.",
    ),
    "NoAuthenticationInformation": (
        401,
        (
            "Server failed to authenticate the request. "
            "Please refer to the information in the www-authenticate header."
        ),
    ),
    "NoPendingCopyOperation": (
        409,
        "There is currently no pending copy operation.",
    ),
    "NotImplemented": (501, "The requested operation is not implemented on the specified resource."),
    "OutOfRangeInput": (400, "One of the request inputs is out of range."),
    "OutOfRangeQueryParameterValue": (
        400,
        "One of the query parameters specified in the request URI is outside the permissible range.",
    ),
    "ParentNotFound": (404, "The specified parent path does not exist."),
    "PendingCopyOperation": (409, "There is currently a pending copy operation."),
    "PreviousSnapshotNotFound": (409, "The previous snapshot is not found."),
    "PublicAccessNotPermitted": (409, "Public access is not permitted on this storage account."),
    "ReadOnlyAttribute": (
        409,
        "The specified resource is read-only and cannot be modified at this time.",
    ),
    "RequestBodyTooLarge": (413, "The request body is too large and exceeds the maximum permissible limit."),
    "ResourceAlreadyExists": (409, "The specified resource already exists."),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "ResourceTypeMismatch": (
        409,
        "The specified resource type does not match the type of the existing resource.",
    ),
    "ShareAlreadyExists": (409, "The specified share already exists."),
    "ShareHasSnapshots": (
        409,
        "The share has snapshots and the operation requires no snapshots.",
    ),
    "ShareNotFound": (404, "The specified share does not exist."),
    "ShareSizeLimitReached": (409, "The share has no room left: the disk that holds it is full."),
    "ShareSnapshotNotFound": (
        404,
        "The specified share snapshot does not exist.",
    ),
    "ShareSnapshotOperationNotSupported": (
        400,
        "The operation is not supported on a share snapshot.",
    ),
    "SharingViolation": (409, "The specified resource may be in use: the emulator may not open it."),
    "SourceConditionNotMet": (
        412,
        "The source condition specified using HTTP conditional header(s) is not met.",
    ),
    "UnsupportedHttpVerb": (405, "The resource doesn't support specified Http Verb."),
    "UnsupportedXmlNode": (
        400,
        "One of the XML nodes specified in the request body is not supported.",
    ),
}
"""Code -> (status, text). Known from the published error tables and recorded traffic, except
``ShareSizeLimitReached`` for a full disk and the wording of ``SharingViolation`` (our decisions: neither is
retried by clients, and neither passes in time)."""


@dataclass(eq=False)
class StorageError(ServiceError):
    """An error answer of Files; ``details`` become further elements of the XML body."""

    details: dict[str, str] = field(default_factory=dict)


def failure(
    code: str, message: str = "", *, headers: dict[str, str] | None = None, **details: str
) -> StorageError:
    """Make the error for a code of the catalogue.

    Args:
        code: A key of ``CATALOGUE``.
        message: Replaces the service's text.
        headers: Further response headers.
        details: Further XML elements, such as ``HeaderName``.
    """
    status, text = CATALOGUE[code]
    return StorageError(status, code, message or text, headers=headers or {}, details=details)


def bad_header(name: str, value: str) -> StorageError:
    """Make the error for a header whose value is not understood."""
    return failure("InvalidHeaderValue", HeaderName=name, HeaderValue=value)


def bad_query(name: str, value: str, reason: str = "") -> StorageError:
    """Make the error for a query parameter whose value is not understood."""
    return failure(
        "InvalidQueryParameterValue", QueryParameterName=name, QueryParameterValue=value, Reason=reason
    )


def not_built(what: str) -> StorageError:
    """Make the error for something that the service has and this emulator has not (our decision: 501)."""
    return failure("NotImplemented", f"The emulator does not implement {what}.")
