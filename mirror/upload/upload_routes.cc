#include "mirror/upload/upload_routes.h"

#include <functional>
#include <optional>
#include <variant>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"

namespace dae::mirror {
namespace {

// What the form may have beside the file: its fields, and the lines between them.
constexpr uint64_t kAroundTheFileBytes = 10u << 20;

class ScratchFile {
 public:
  explicit ScratchFile(const Path& dir) : path_(dir / ("upload-" + random_hex())) {}
  ~ScratchFile() {
    try {
      remove_file(path_);
    } catch (const Error& error) {
      log_warn("an upload's file is left behind", {{"error", error.what()}});
    }
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

// twine prints the reason of the status line and nothing else, uv the body.
ServerResponse answer(int status, const std::string& message) {
  ServerResponse response = ServerResponse::text(status, message + "\n");
  if (status != 200) response.reason = message;
  response.headers.set("Cache-Control", "no-store");
  return response;
}

ServerResponse unauthorized(const std::string& message) {
  ServerResponse response = answer(401, message);
  response.headers.set("WWW-Authenticate", "Basic realm=\"dae mirror\", charset=\"UTF-8\"");
  return response;
}

// What is wrong with the file or its form is the client's to mend; whatever else fails is ours.
CheckedUpload checked(const UploadForm& form, const std::function<CheckedUpload()>& check) {
  try {
    return check();
  } catch (const Error& error) {
    const bool theirs = error.kind() == ErrorKind::bad_input || error.kind() == ErrorKind::verification ||
                        error.kind() == ErrorKind::refused;
    if (!theirs) throw;
    std::string why = error.what();
    if (!error.hint().empty()) why += " (" + error.hint() + ")";
    throw UploadRefusal(400, form.file_name.empty() ? "not an upload: " + why : why);
  }
}

ServerResponse take(UploadService& service, const IndexConfig& index, const Token& token,
                    const ServerRequest& request) {
  const std::string action = request.query_value(":action");
  if (!action.empty() && action != "file_upload") {
    throw UploadRefusal(400, "`:action` " + action + " is not supported here");
  }
  const ScratchFile content(service.scratch_dir);
  UploadForm form;
  const CheckedUpload claimed = checked(form, [&] {
    form = read_upload_form(request.body_file, request.headers.get("Content-Type"), content.path());
    return check_upload_form(form);
  });
  if (form.size_bytes > service.limit_bytes) {
    throw UploadRefusal(413, "the file has " + format_bytes(form.size_bytes) + ", taken are " +
                                 format_bytes(service.limit_bytes) + " (`limits.upload`)");
  }
  Published published{false, {}};
  if (!service.publisher.is_published(index, token, form, claimed)) {
    const CheckedUpload file = checked(form, [&] { return check_upload(form, content.path()); });
    published = service.publisher.publish(index, token, form, file, content.path());
  }
  std::string body = published.is_new ? "OK" : "OK: this file is here already";
  for (const std::string& warning : published.warnings) {
    body += "\nwarning: " + warning;
    log_warn("the name of a new project", {{"index", index.name}, {"file", form.file_name}, {"why", warning}});
  }
  log_info(published.is_new ? "uploaded" : "uploaded again", {{"index", index.name},
                                                              {"file", form.file_name},
                                                              {"sha256", form.sha256.hex()},
                                                              {"by", token.id},
                                                              {"from", request.remote}});
  return answer(200, body);
}

ServerResponse refused(const IndexConfig& index, const ServerRequest& request, const std::string& token_id, int status,
                       const std::string& message) {
  log_warn("upload refused", {{"index", index.name},
                              {"by", token_id},
                              {"from", request.remote},
                              {"status", std::to_string(status)},
                              {"why", message}});
  return status == 401 ? unauthorized(message) : answer(status, message);
}

// Of the token that comes with the request, or why nothing is taken from this client.
std::variant<Token, ServerResponse> identify(UploadService& service, const IndexConfig& index,
                                             const ServerRequest& request) {
  const auto secret = secret_in(request.headers.get("Authorization"));
  if (!secret) return unauthorized("uploads need a token: user `__token__`, the token as password");
  auto token = find_token(service.catalog, *secret, service.clock.wall_ms());
  if (!token) {
    return refused(index, request, "", 401, "the token is not known here, is revoked, or its time is over");
  }
  if (token->grant.index != index.name) {
    return refused(index, request, token->id, 403, "token " + token->id + " is for index `" + token->grant.index + "`");
  }
  return std::move(*token);
}

std::optional<ServerResponse> admit(UploadService& service, const IndexConfig& index, const ServerRequest& request) {
  auto client = identify(service, index, request);
  if (auto* refusal = std::get_if<ServerResponse>(&client)) return std::move(*refusal);
  const uint64_t most_bytes = service.limit_bytes + kAroundTheFileBytes;
  if (request.announced_bytes.value_or(0) <= most_bytes) return std::nullopt;
  return refused(index, request, std::get<Token>(client).id, 413,
                 "the upload has " + format_bytes(*request.announced_bytes) + ", taken are " +
                     format_bytes(service.limit_bytes) + " (`limits.upload`)");
}

ServerResponse handle(UploadService& service, const IndexConfig& index, const ServerRequest& request) {
  auto client = identify(service, index, request);  // again: sending the body may have taken minutes
  if (auto* refusal = std::get_if<ServerResponse>(&client)) return std::move(*refusal);
  const Token& token = std::get<Token>(client);
  try {
    return take(service, index, token, request);
  } catch (const UploadRefusal& refusal) {
    return refused(index, request, token.id, refusal.status(), refusal.what());
  } catch (const Error& error) {
    // Never an answer that says "exists already" (409): clients would go on as if it had been stored.
    log_error("an upload was not stored", {{"index", index.name}, {"by", token.id}, {"error", error.what()}});
    return answer(500, "the upload could not be stored, nothing of it is visible: try again");
  }
}

}  // namespace

void add_upload_routes(std::vector<Route>& routes, UploadService& service, const std::vector<IndexConfig>& indexes) {
  for (const IndexConfig& index : indexes) {
    if (!index.uploads) continue;
    for (const char* path : {"/legacy/", "/legacy", "/"}) {
      Route route{
          .method = "POST",
          .pattern = "/" + index.name + path,
          .handle = [&service, &index](const ServerRequest& request) { return handle(service, index, request); }};
      route.body_limit_bytes = service.limit_bytes + kAroundTheFileBytes;
      route.spool_body = true;
      route.admit = [&service, &index](const ServerRequest& request) { return admit(service, index, request); };
      routes.push_back(std::move(route));
    }
  }
}

}  // namespace dae::mirror
