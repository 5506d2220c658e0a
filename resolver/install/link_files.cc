#include "resolver/install/link_files.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace dae::resolver {
namespace {

constexpr std::array<std::pair<LinkMode, std::string_view>, 5> kNames{{{LinkMode::automatic, "automatic"},
                                                                       {LinkMode::hardlink, "hardlink"},
                                                                       {LinkMode::reflink, "reflink"},
                                                                       {LinkMode::copy, "copy"},
                                                                       {LinkMode::symlink, "symlink"}}};

// A file of its own need not be read-only: nobody else sees what is done to it.
constexpr Dir::Modes kPrivate{0644, 0755};

LinkMode next_of(LinkMode mode) {
  if (mode == LinkMode::symlink) return LinkMode::hardlink;
  return mode == LinkMode::hardlink ? LinkMode::reflink : LinkMode::copy;
}

}  // namespace

LinkMode parse_link_mode(std::string_view text) {
  for (const auto& [mode, name] : kNames) {
    if (name == text) return mode;
  }
  throw Error(ErrorKind::usage, fmt::format("`{}` is no link mode", text), "",
              "one of automatic, hardlink, reflink, copy, symlink");
}

std::string_view link_mode_name(LinkMode mode) {
  for (const auto& [known, name] : kNames) {
    if (known == mode) return name;
  }
  return "";
}

Dir::Linked FileLinker::try_once(LinkMode mode, const Dir& from, const char* name, const Dir& to,
                                 const char* new_name) {
  switch (mode) {
    case LinkMode::symlink:
      return to.symlink(from.path() / name, new_name);
    case LinkMode::reflink:
      return from.reflink(name, to, new_name, kPrivate);
    case LinkMode::copy:
      return from.copy(name, to, new_name, kPrivate);
    default:
      return from.hard_link(name, to, new_name);
  }
}

Dir::Linked FileLinker::put(const Dir& from, const char* name, const Dir& to, const char* new_name) {
  while (true) {
    LinkMode mode = mode_;
    const Dir::Linked answer = try_once(mode, from, name, to, new_name);
    switch (answer) {
      case Dir::Linked::done:
        if (!used_) used_ = true;
        return answer;
      case Dir::Linked::taken:
        return answer;
      case Dir::Linked::too_many:
        return from.copy(name, to, new_name, kPrivate);
      case Dir::Linked::no_such_dir:
        throw Error(ErrorKind::io, "cannot be linked: it is not there, or its new place is not", from.path() / name,
                    "did something clean the store while installs run?");
      case Dir::Linked::impossible:
        if (mode == LinkMode::copy) throw Error(ErrorKind::io, "cannot be copied", from.path() / name);
        mode_.compare_exchange_strong(mode, next_of(mode));  // unless another thread has found it out
    }
  }
}

}  // namespace dae::resolver
