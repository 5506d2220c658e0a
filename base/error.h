#pragma once
// A failure with its data: what failed, of which thing, because of what, and what to do next.
// Thrown where it is found, caught only at an edge (a command, a request, a job). An ordinary answer (a cache miss,
// a 404, no solution, an unhealthy probe) is a value in a return type, never an Error.
#include <stdexcept>
#include <string>
#include <string_view>

namespace dae {

enum class ErrorKind {
  failed,        // something else went wrong while doing the work
  usage,         // the command line asked for something impossible
  bad_input,     // a file, page or message is not what it must be; the subject says where (file:line:column)
  not_found,     // a named thing does not exist
  io,            // the operating system refused
  network,       // unreachable, timed out, broken answer
  refused,       // the other side, or a rule, said no (401, 403, 409, port in use, conflict)
  verification,  // a digest, size or signature does not match
  no_solution,   // requirements contradict each other
  rolled_back,   // a rollout was taken back
  inconclusive,  // needs time or a person
  partial,       // some of it was done
  interrupted,   // the user asked to stop
};

// Exit codes: 0 done, 1 failed, 2 usage or bad file, 3 rolled back,
// 4 inconclusive, 5 partly done, 6 no solution, 7 verification failed, 130 interrupted.
int exit_code(ErrorKind kind);
std::string_view error_kind_name(ErrorKind kind);

class Error : public std::exception {
 public:
  // `message`: lower case, no final stop, back-ticks round names. `subject`: path, url, package, node, or empty.
  Error(ErrorKind kind, std::string message, std::string subject = "", std::string hint = "");

  // Builder style: `throw Error(...).because("connection refused").hint("is the mirror up?")`.
  Error& because(std::string cause);
  Error& with_hint(std::string hint);

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const std::string& subject() const { return subject_; }
  const std::string& cause() const { return cause_; }
  const std::string& hint() const { return hint_; }
  // "subject: message: cause", one line, no hint.
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  void compose();
  ErrorKind kind_;
  std::string message_, subject_, cause_, hint_, what_;
};

// "cannot open `x`" with strerror(errno_value) as the cause; kind io, or not_found for ENOENT.
Error os_error(std::string message, std::string subject, int errno_value);

// The one printer: "error: …", "  because: …", "hint: …" (each on its own line, ends with a newline).
std::string render_error(const Error& error);

}  // namespace dae

// For broken invariants only (a bug, not an input): prints and aborts.
#define DAE_CHECK(condition) ((condition) ? static_cast<void>(0) : ::dae::check_failed(#condition, __FILE__, __LINE__))

namespace dae {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}
