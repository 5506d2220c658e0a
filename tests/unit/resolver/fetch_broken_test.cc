// What breaks on the way: connections, servers, files, and the disk.
#include "fetch_from_afar.h"

namespace dae::resolver {
namespace {

using dae::testing::error_of;
using testing::FetchFromAfar;

TEST_F(FetchFromAfar, GoesOnWhereTheConnectionBroke) {
  const std::string bytes = noise(900'000);
  const Selected wanted = offer("a", {bytes, {300'000, 600'000}, {}});
  fetch({wanted});
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  ASSERT_EQ(ranges().size(), 3u);
  EXPECT_EQ(ranges()[0], "");
  // What the client had taken from the broken answers is some beginning of what was sent.
  for (const size_t n : {1, 2}) EXPECT_TRUE(ranges()[n].starts_with("bytes=")) << ranges()[n];
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, BeginsAgainWhereTheServerKnowsNoRanges) {
  const std::string bytes = noise(500'000);
  fetch({offer("a", {bytes, {300'000}, {}, false})});
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  EXPECT_EQ(asked_.begin()->second, 2);
}

TEST_F(FetchFromAfar, AsksAgainWhenTheServerIsBusy) {
  const std::string bytes = noise(1000);
  fetch({offer("a", {bytes, {}, {503, 429}})});
  EXPECT_TRUE(blobs_->has(Digest::of(bytes)));
  EXPECT_EQ(asked_.begin()->second, 3);
}

TEST_F(FetchFromAfar, KeepsWhatHasComeWhenTheServerGoesAwayAndGoesOnWithItLater) {
  const std::string bytes = noise(900'000);
  const Selected wanted = offer("a", {bytes, {300'000, 300'010, 300'020, 300'030, 300'040, 300'050, 300'060}, {}});
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(error.kind(), ErrorKind::network);
  EXPECT_EQ(error.subject(), wanted.file.name);
  EXPECT_NE(error.cause().find(wanted.file.url), std::string::npos) << error.cause();
  EXPECT_NE(error.hint(), "");
  EXPECT_FALSE(blobs_->has(Digest::of(bytes)));
  ASSERT_TRUE(exists(part(wanted)));
  const auto kept = file_info(part(wanted))->size_bytes;
  EXPECT_GE(kept, 300'000u);
  offers_.begin()->second.cuts.clear();
  fetch({wanted});
  EXPECT_EQ(ranges().back(), "bytes=" + std::to_string(kept) + "-");
  EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, GoesOnAfterAKillAtAnyByte) {
  const std::string bytes = noise(400'000);
  for (const size_t had : {1u, 65'536u, 399'999u, 400'000u}) {
    const Selected wanted = offer("a", {bytes, {}, {}});
    write_file_atomic(part(wanted), bytes.substr(0, had));
    ranges_.clear();
    fetch({wanted});
    EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes) << had;
    if (had < bytes.size()) {
      EXPECT_EQ(ranges(), std::vector<std::string>{"bytes=" + std::to_string(had) + "-"});
    } else {
      EXPECT_TRUE(ranges().empty()) << "nothing was missing but the name";
    }
    blobs_->remove(Digest::of(bytes));
  }
}

TEST_F(FetchFromAfar, NeverTrustsWhatAnEarlierRunLeft) {
  const std::string bytes = noise(400'000);
  const Selected wanted = offer("a", {bytes, {}, {}});
  for (const std::string& left : {noise(100'000, 2), noise(400'000, 2), noise(500'000, 2)}) {
    write_file_atomic(part(wanted), left);
    fetch({wanted});
    EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
    blobs_->remove(Digest::of(bytes));
    EXPECT_TRUE(parts().empty());
  }
}

TEST_F(FetchFromAfar, EndsWithTheFirstByteTooMany) {
  Selected wanted = offer("a", {noise(8 << 20), {}, {}});
  wanted.file.size_bytes = 1000;
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(error.kind(), ErrorKind::verification);
  EXPECT_EQ(error.subject(), wanted.file.name);
  EXPECT_TRUE(parts().empty());
}

TEST_F(FetchFromAfar, LeavesNothingOfAFileWithAnotherDigest) {
  Selected wanted = offer("a", {noise(300'000), {100'000}, {}});
  wanted.file.sha256 = std::string(64, '3');
  EXPECT_EQ(error_of([&] { fetch({wanted}); }).kind(), ErrorKind::verification);
  EXPECT_TRUE(parts().empty());
  EXPECT_EQ(blobs(), 0u);
}

TEST_F(FetchFromAfar, NamesAllThatIsMissingOffline) {
  const std::vector<Selected> wanted{offer("a", {"1", {}, {}}), offer("b", {"2", {}, {}}), offer("c", {"3", {}, {}})};
  fetch({wanted[1]});
  FetchOptions options;
  options.offline = true;
  const Error error = error_of([&] { fetch_with(wanted, options); });
  EXPECT_EQ(error.kind(), ErrorKind::refused);
  EXPECT_EQ(error.cause(), "a-1.0-py3-none-any.whl, c-1.0-py3-none-any.whl");
  EXPECT_EQ(fetch_with({wanted[1]}, options).size(), 1u);
  EXPECT_EQ(order_.size(), 1u);
}

TEST_F(FetchFromAfar, ABlobThatAPowerCutToreIsFetchedAgain) {
  const std::string bytes = noise(10'000);
  const Selected wanted = offer("a", {bytes, {}, {}});
  fetch({wanted});
  const Path path = blobs_->path(Digest::of(bytes));
  for (const size_t left : {0u, 5'000u}) {
    remove_file(path);
    write_file_atomic(path, bytes.substr(0, left));
    fetch({wanted});
    EXPECT_EQ(blobs_->read(Digest::of(bytes)), bytes);
  }
  EXPECT_EQ(order_.size(), 3u);
}

TEST_F(FetchFromAfar, NamesFileAndAddressButNoPassword) {
  Selected wanted = offer("a", {"x", {}, {}});
  offers_.clear();
  wanted.file.url.insert(wanted.file.url.find("//") + 2, "alice:s3cret@");
  const Error error = error_of([&] { fetch({wanted}); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_EQ(error.subject(), wanted.file.name);
  EXPECT_NE(error.cause().find("404"), std::string::npos) << error.cause();
  EXPECT_NE(error.cause().find(wanted.file.name), std::string::npos) << error.cause();
  EXPECT_EQ(std::string(error.what()).find("s3cret"), std::string::npos) << error.what();
}

}  // namespace
}  // namespace dae::resolver
