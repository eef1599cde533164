"""Errors of the Files data plane: the service's codes, statuses and texts in one table."""

from __future__ import annotations

from dataclasses import dataclass, field

from emulator.errors import ServiceError

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
    "CannotDeleteFileOrDirectory": (409, "The file or directory could not be deleted."),
    "ConditionNotMet": (412, "The condition specified using HTTP conditional header(s) is not met."),
    "DirectoryNotEmpty": (409, "The specified directory is not empty."),
    "EmptyMetadataKey": (400, "The key for one of the metadata key-value pairs is empty."),
    "InternalError": (500, "The server encountered an internal error. Please retry the request."),
    "InvalidAuthenticationInfo": (
        400,
        (
            "Authentication information is not given in the correct format. "
            "Check the value of Authorization header."
        ),
    ),
    "InvalidFileOrDirectoryPathName": (400, "The specified file or directory path is too long or too deep."),
    "InvalidHeaderValue": (400, "The value for one of the HTTP headers is not in the correct format."),
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
    "LeaseNotPresentWithFileOperation": (412, "There is currently no lease on the file."),
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
    "NoAuthenticationInformation": (
        401,
        (
            "Server failed to authenticate the request. "
            "Please refer to the information in the www-authenticate header."
        ),
    ),
    "NotImplemented": (501, "The requested operation is not implemented on the specified resource."),
    "OutOfRangeInput": (400, "One of the request inputs is out of range."),
    "OutOfRangeQueryParameterValue": (
        400,
        "One of the query parameters specified in the request URI is outside the permissible range.",
    ),
    "ParentNotFound": (404, "The specified parent path does not exist."),
    "RequestBodyTooLarge": (413, "The request body is too large and exceeds the maximum permissible limit."),
    "ResourceAlreadyExists": (409, "The specified resource already exists."),
    "ResourceNotFound": (404, "The specified resource does not exist."),
    "ResourceTypeMismatch": (
        409,
        "The specified resource type does not match the type of the existing resource.",
    ),
    "ShareAlreadyExists": (409, "The specified share already exists."),
    "ShareNotFound": (404, "The specified share does not exist."),
    "ShareSizeLimitReached": (409, "The share has no room left: the disk that holds it is full."),
    "SharingViolation": (409, "The specified resource may be in use: the emulator may not open it."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support specified Http Verb."),
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
