// From a file, a browser does not let the search fetch pages for their summaries; the results themselves need no fetch.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
