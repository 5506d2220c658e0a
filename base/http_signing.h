#pragma once
// What a request needs so that libcurl can sign it, and the options for that. Internal to the HTTP client.
#include <string>

#include "base/http_client.h"

typedef void CURL;

namespace dae {

// Brings the query into its canonical form, adds the fields that are signed, and ends redirects. Throws Error
// bad_input for what could not be signed rightly.
void make_signable(HttpRequest& request, const std::string& subject);
void set_signing(CURL* easy, const RequestSigning& signing);

}  // namespace dae
