#pragma once
#include <gtest/gtest.h>

#include "base/error.h"

namespace dae::testing {

// The Error that `action` throws; a test failure when it throws none.
template <typename Action>
Error error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::failed, "nothing was thrown"};
}

}  // namespace dae::testing
