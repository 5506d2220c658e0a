#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace dae {
namespace {

// A message that quotes its subject already is not prefixed with it again.
bool names_subject(const std::string& message, const std::string& subject) {
  return message.find("`" + subject + "`") != std::string::npos;
}

std::string subject_and_message(const Error& error) {
  if (error.subject().empty() || names_subject(error.message(), error.subject())) return error.message();
  return error.subject() + ": " + error.message();
}

void append_indented(std::string& out, std::string_view label, std::string_view text) {
  out += label;
  for (char c : text) {
    out += c;
    if (c == '\n') out.append(label.size(), ' ');
  }
  out += '\n';
}

}  // namespace

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::bad_input:
      return 2;
    case ErrorKind::rolled_back:
      return 3;
    case ErrorKind::inconclusive:
      return 4;
    case ErrorKind::partial:
      return 5;
    case ErrorKind::no_solution:
      return 6;
    case ErrorKind::verification:
      return 7;
    case ErrorKind::interrupted:
      return 130;
    case ErrorKind::failed:
    case ErrorKind::not_found:
    case ErrorKind::io:
    case ErrorKind::network:
    case ErrorKind::refused:
      return 1;
  }
  return 1;
}

std::string_view error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::failed:
      return "failed";
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::bad_input:
      return "bad_input";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::io:
      return "io";
    case ErrorKind::network:
      return "network";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::verification:
      return "verification";
    case ErrorKind::no_solution:
      return "no_solution";
    case ErrorKind::rolled_back:
      return "rolled_back";
    case ErrorKind::inconclusive:
      return "inconclusive";
    case ErrorKind::partial:
      return "partial";
    case ErrorKind::interrupted:
      return "interrupted";
  }
  return "failed";
}

Error::Error(ErrorKind kind, std::string message, std::string subject, std::string hint)
    : kind_(kind), message_(std::move(message)), subject_(std::move(subject)), hint_(std::move(hint)) {
  compose();
}

Error& Error::because(std::string cause) {
  cause_ = std::move(cause);
  compose();
  return *this;
}

Error& Error::with_hint(std::string hint) {
  hint_ = std::move(hint);
  return *this;
}

void Error::compose() {
  what_ = subject_and_message(*this);
  if (!cause_.empty()) what_ += ": " + cause_;
  for (char& c : what_) {
    if (c == '\n' || c == '\r') c = ' ';
  }
}

Error os_error(std::string message, std::string subject, int errno_value) {
  Error error(errno_value == ENOENT ? ErrorKind::not_found : ErrorKind::io, std::move(message), std::move(subject));
  error.because(std::generic_category().message(errno_value));
  return error;
}

std::string render_error(const Error& error) {
  std::string out;
  append_indented(out, "error: ", subject_and_message(error));
  if (!error.cause().empty()) append_indented(out, "  because: ", error.cause());
  if (!error.hint().empty()) append_indented(out, "hint: ", error.hint());
  return out;
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "bug: %s:%d: broken invariant: %s\n", file, line, condition);
  std::abort();
}

}  // namespace dae
