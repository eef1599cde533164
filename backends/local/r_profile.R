# Read by R at its start, in place of the user's own profile, which is read first (see interception.py).
#
# R's package curl, and with it httr and httr2, looks at no variable for the authorities that it trusts: libcurl is built
# with a file of its own in most distributions. So every handle that it makes or resets trusts CURL_CA_BUNDLE's, unless
# the program says otherwise afterwards.
local({
  own <- Sys.getenv("SCENARIO_R_PROFILE")
  own <- if (nzchar(own)) own else c(".Rprofile", "~/.Rprofile")
  found <- own[file.exists(own)]
  if (length(found)) sys.source(found[[1]], envir = globalenv())

  trusting <- function(...) {
    space <- asNamespace("curl")
    trust <- function(handle) {
      bundle <- Sys.getenv("CURL_CA_BUNDLE")
      if (nzchar(bundle)) space$handle_setopt(handle, cainfo = bundle)
      handle
    }
    made <- space$new_handle
    reset <- space$handle_reset
    replace <- function(name, value) {
      unlockBinding(name, space)
      assign(name, value, envir = space)
      lockBinding(name, space)
    }
    replace("new_handle", function(...) {
      handle <- trust(made())
      space$handle_setopt(handle, ...)
      handle
    })
    replace("handle_reset", function(handle) {
      reset(handle)
      trust(handle)
      invisible(handle)
    })
  }
  if (isNamespaceLoaded("curl")) trusting() else setHook(packageEvent("curl", "onLoad"), trusting)
})
