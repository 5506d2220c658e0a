// What a download is authorised with, and when that is asked for.
#include "fetch_fixture.h"
#include "resolver/source/index.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::Fetch;
using testing::WheelBuilder;

TEST_F(Fetch, SendsTheCredentialsOfAnIndexToItsFilesAndAsksForThemOnlyToDownload) {
  const Selected wheel = selected("a-1.0-py3-none-any.whl", WheelBuilder("a", "1.0").bytes());
  std::string url = index_.simple();
  url.insert(url.find("//") + 2, "alice:s3cret@");
  CredentialStore store;
  store.add({url});
  int asked = 0;
  FetchOptions options;
  options.credentials = [&]() -> CredentialStore& { return ++asked, store; };
  for (int i = 0; i < 2; ++i) {
    fetch_selected({wheel}, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_, options);
  }
  EXPECT_EQ(index_.last_header("/" + wheel.file.name, "Authorization"), "Basic " + base64("alice:s3cret"));
  EXPECT_EQ(asked, 1);
}

TEST_F(Fetch, AsksForFurtherCredentialsOnceWhenItIsRefused) {
  std::vector<Selected> wheels;
  int status = 401;
  for (const char* name : {"a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"}) {
    const std::string bytes = WheelBuilder({name[0]}, "1.0").bytes();
    wheels.push_back(selected(name, bytes));
    wheels.back().name = std::string(1, name[0]);
    index_.set("/" + wheels.back().file.name, {ServerResponse::text(200, bytes), false, "", status});
    status = status == 401 ? 403 : 404;
  }
  CredentialStore store;
  int asked = 0;
  store.add_when_refused([&] {
    ++asked;
    std::string url = index_.simple();
    url.insert(url.find("//") + 2, "alice:s3cret@");
    store.add({url});
  });
  FetchOptions options;
  options.credentials = [&]() -> CredentialStore& { return store; };
  fetch_selected(wheels, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_, options);
  EXPECT_EQ(blobs(), 3u);
  EXPECT_EQ(asked, 1);
}

TEST_F(Fetch, ARefusalStandsWhenNobodyKnowsBetter) {
  const std::string bytes = WheelBuilder("a", "1.0").bytes();
  const Selected wheel = selected("a-1.0-py3-none-any.whl", bytes);
  index_.set_status("/" + wheel.file.name, 403);
  CredentialStore store;
  std::string url = index_.simple();
  store.add_when_refused([&] { store.add({url.insert(url.find("//") + 2, "alice:wrong@")}); });
  FetchOptions options;
  options.credentials = [&]() -> CredentialStore& { return store; };
  const Error error = error_of([&] {
    fetch_selected({wheel}, python_, *transport_, *blobs_, dir_.path() / "fetch-cache", *runner_, events_, options);
  });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(index_.asked("/" + wheel.file.name), 2) << "once as a stranger, once with the credentials";
}

}  // namespace
}  // namespace dae::resolver
