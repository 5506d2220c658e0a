#pragma once
// Owners of libgit2's objects, without its headers. For resolver/source/git_*.cc only.
#include <memory>

struct git_repository;
struct git_remote;
struct git_transport;

namespace dae::resolver::git {

template <typename T, void (*Free)(T*)>
struct Freeing {
  void operator()(T* object) const { Free(object); }
};
template <typename T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Freeing<T, Free>>;

}  // namespace dae::resolver::git
