#pragma once
// What all pages for people have in common: head, style, search, the way home, and the fields of the answer.
#include <string>

#include "base/http_server.h"
#include "mirror/site/html.h"

namespace dae::mirror {

// From the page that was asked for to the mirror's root: links are relative, so that a proxy may serve the mirror below
// another path.
std::string root_of(const ServerRequest& request);
// As the client called this mirror: "http://127.0.0.1:8400"; "" when its `Host` is none.
std::string origin_of(const ServerRequest& request);

struct SitePage {
  std::string title;
  std::string search;  // what stands in the search field
  Html body;           // what <main> holds
  int status = 200;
};
ServerResponse answer(const ServerRequest& request, const SitePage& page);
ServerResponse nothing_here(const ServerRequest& request, const std::string& what, const Html& advice = {});

// ?page=N, from 1; what is none counts as 1.
int64_t page_number(const ServerRequest& request);
// Links to the pages before and after. `query`: what else the address has, "q=abc" (encoded).
Html pager(int64_t page, int64_t pages, const std::string& query = "");

}  // namespace dae::mirror
