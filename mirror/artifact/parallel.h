#pragma once
// A few things at a time, on threads of their own.
#include <cstddef>
#include <functional>

namespace dae::mirror {

// Calls work(0) … work(count - 1), at most `width` at once. After the first exception nothing new begins; it is
// rethrown when all have ended.
void run_parallel(size_t count, size_t width, const std::function<void(size_t)>& work);

}  // namespace dae::mirror
