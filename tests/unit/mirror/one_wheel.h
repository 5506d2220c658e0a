#pragma once
// A mirror in front of an index with one project, `demo`, of one wheel.
#include <gtest/gtest.h>

#include "base/hash.h"
#include "fixture.h"

namespace dae::mirror::testing {

inline constexpr const char* kJson = "application/vnd.pypi.simple.v1+json";
inline const std::string kWheelName = "demo-1.0-py3-none-any.whl";

struct OneWheel : ::testing::Test {
  OneWheel() {
    upstream.set_file(kWheelName, wheel);
    upstream.set_page("demo", json_page("demo", {json_file(kWheelName, sha256)}), kJson, "e1");
  }
  std::string wheel = make_wheel("demo", "1.0");
  std::string sha256 = Digest::of(wheel).hex();
  std::string path = "/packages/" + sha256.substr(0, 2) + "/" + sha256 + "/" + kWheelName;
  FakeIndex upstream;
  TestMirror mirror{upstream.simple_url()};
};

}  // namespace dae::mirror::testing
