# A program as people write them in R, with httr: the requests that AzureAuth and AzureRMR 2.4 make, as their sources say.
#
# Usage: Rscript batchai.R SCRIPT. Groups and workspaces as az_resource does it: the provider tells the api-versions, the
# first stable one is taken, a resource is put with the creator's tag. What is below a workspace is asked for as
# do_operation does. The quickstart's steps, with a container.
library(httr)

script <- commandArgs(trailingOnly = TRUE)[[1]]
subscription <- Sys.getenv("AZURE_SUBSCRIPTION_ID")
tag <- list(createdBy = "AzureR/AzureRMR")

signed <- POST(
  paste0("https://login.microsoftonline.com/", Sys.getenv("AZURE_TENANT_ID"), "/oauth2/token"),
  body = list(
    grant_type = "client_credentials", client_id = Sys.getenv("AZURE_CLIENT_ID"),
    client_secret = Sys.getenv("AZURE_CLIENT_SECRET"), resource = "https://management.azure.com/"
  ),
  encode = "form"
)
stop_for_status(signed)
token <- content(signed)

ask <- function(verb, operation, version = "2021-04-01", body = NULL, query = list()) {
  url <- parse_url("https://management.azure.com/")
  url$path <- paste0("subscriptions/", subscription, "/", operation)
  url$query <- c(list(`api-version` = version), query)
  VERB(
    verb, build_url(url), body = body, encode = "json", user_agent("AzureR/AzureRMR httr"),
    add_headers(Authorization = paste(token$token_type, token$access_token), Host = "management.azure.com")
  )
}

told <- function(...) {
  answer <- ask(...)
  if (status_code(answer) >= 300) stop(content(answer)$error$message, call. = FALSE)
  content(answer)
}

# Put a resource and look at it until it says that it is there; a cluster or job is not there before it was made.
put <- function(path, version, body) {
  answer <- ask("PUT", path, version, body)
  if (status_code(answer) >= 300) stop(content(answer)$error$message, call. = FALSE)
  for (look in 1:100) {
    found <- ask("GET", path, version)
    if (status_code(found) < 300) {
      state <- content(found)$properties$provisioningState
      if (is.null(state) || tolower(state) == "succeeded") break
    }
    Sys.sleep(0.1)
  }
  content(found)
}

newest <- function(provider, type) {
  types <- told("GET", paste0("providers/", provider))$resourceTypes
  versions <- Filter(function(one) tolower(one$resourceType) == tolower(type), types)[[1]]$apiVersions
  grep("preview", unlist(versions), value = TRUE, invert = TRUE)[[1]]
}

group <- "resourcegroups/learning"
cat("group", put(group, "2021-04-01", list(location = "eastus"))$name, "\n")
version <- newest("Microsoft.BatchAI", "workspaces")
cat("version", version, "\n")
group <- "resourceGroups/learning"
store <- paste0(group, "/providers/Microsoft.Storage/storageAccounts/rapids")
of_storage <- newest("Microsoft.Storage", "storageAccounts")
account <- put(store, of_storage, list(
  location = "eastus", kind = "StorageV2", sku = list(name = "Standard_LRS"),
  properties = list(supportsHttpsTrafficOnly = TRUE), tags = tag
))
cat("account", account$tags$createdBy, "\n")
key <- told("POST", paste0(store, "/listKeys"), of_storage)$keys[[1]]$value
sas <- told("POST", paste0(store, "/ListAccountSas"), of_storage, list(
  signedServices = "b", signedResourceTypes = "sco", signedPermission = "rwlc", signedExpiry = "2099-01-01T00:00:00Z"
))$accountSasToken
blobs <- account$properties$primaryEndpoints$blob
stop_for_status(PUT(paste0(blobs, "lessons?restype=container&", sas)))
stop_for_status(PUT(
  paste0(blobs, "lessons/digits/", basename(script), "?", sas), body = upload_file(script),
  add_headers(`x-ms-blob-type` = "BlockBlob")
))

space <- paste0(group, "/providers/Microsoft.BatchAI/workspaces/space")
cat("workspace", put(space, version, list(location = "eastus", tags = tag))$tags$createdBy, "\n")
tries <- paste0(space, "/experiments/tries")
invisible(put(tries, version, list(properties = NULL)))
cluster <- put(paste0(space, "/clusters/nodes"), version, list(properties = list(
  vmSize = "STANDARD_NC6", scaleSettings = list(manual = list(targetNodeCount = 1)),
  userAccountSettings = list(adminUserName = "ada", adminUserPassword = "Lovelace-1")
)))
cat("cluster", cluster$properties$provisioningState, "\n")
root <- "$AZ_BATCHAI_JOB_MOUNT_ROOT/bfs"
job <- paste0(tries, "/jobs/lesson")
invisible(put(job, version, list(properties = list(
  cluster = list(id = cluster$id), nodeCount = 1, stdOutErrPathPrefix = root,
  mountVolumes = list(azureBlobFileSystems = list(list(
    accountName = "rapids", containerName = "lessons", credentials = list(accountKey = key), relativeMountPath = "bfs"
  ))),
  inputDirectories = list(list(id = "LESSON", path = paste0(root, "/digits"))),
  outputDirectories = list(list(id = "MODEL", pathPrefix = root, pathSuffix = "Models")),
  customToolkitSettings = list(
    commandLine = paste0("sh $AZ_BATCHAI_INPUT_LESSON/", basename(script), " $AZ_BATCHAI_OUTPUT_MODEL")
  )
))))
state <- ""
while (!state %in% c("succeeded", "failed")) {
  Sys.sleep(0.1)
  state <- told("GET", job, version)$properties$executionState
}
cat("job", state, "\n")
files <- told("POST", paste0(job, "/listOutputFiles"), version, query = list(outputdirectoryid = "MODEL"))$value
for (file in files) cat("model", trimws(content(GET(file$downloadUrl), "text", encoding = "UTF-8")), "\n")
refused <- ask("PUT", paste0(space, "/clusters/other"), version, list(properties = list(vmSize = "tiny")))
cat("refused", status_code(refused), grepl("vmSize", content(refused)$error$message), "\n")
invisible(ask("DELETE", "resourcegroups/learning"))
for (look in 1:100) {
  if (status_code(ask("GET", "resourcegroups/learning")) == 404) break
  Sys.sleep(0.1)
}
cat("left", length(told("GET", "resourcegroups")$value), "\n")
