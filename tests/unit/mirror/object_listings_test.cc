#include "mirror/storage/object_listings.h"

#include <gtest/gtest.h>

#include "memory_objects.h"

namespace dae::mirror {
namespace {

const std::string kShard = "blobs/sha256/00/";

class Listings : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; digests_.size() < 12; ++i) {
      const Digest digest = Digest::of(std::to_string(i));
      if (digest.hex().starts_with("00")) digests_.push_back(digest);
    }
    objects_.put(key(0), "zero");
    objects_.set_before([this](const std::string& operation, const std::string&) { lists_ += operation == "list"; });
  }
  std::string key(size_t i) const { return kShard + digests_[i].hex(); }
  ObjectListings::Answer ask(size_t i) { return listings_.find(digests_[i], kShard); }
  void ask_often() {
    for (int i = 0; i < 8; ++i) EXPECT_FALSE(ask(1).is_known);
  }

  ManualClock clock_;
  testing::MemoryObjects objects_{clock_};
  ObjectListings listings_{objects_, clock_, 60'000};
  std::vector<Digest> digests_;
  int lists_ = 0;
};

TEST_F(Listings, AnswerWhoAsksOften) {
  ask_often();
  EXPECT_EQ(lists_, 1);
  EXPECT_TRUE(ask(0).object);
  EXPECT_EQ(ask(0).object->size_bytes, 4u);
  EXPECT_TRUE(ask(1).is_known);
  EXPECT_FALSE(ask(1).object);
  EXPECT_EQ(lists_, 1);
}

TEST_F(Listings, KnowWhatThisProcessDid) {
  ask_often();
  listings_.put(digests_[1], {key(1), "", 7, clock_.wall_ms()});
  listings_.forget(digests_[0]);
  EXPECT_EQ(ask(1).object->size_bytes, 7u);
  EXPECT_TRUE(ask(0).is_known);
  EXPECT_FALSE(ask(0).object);
}

TEST_F(Listings, EndWhenTheyAreOld) {
  ask_often();
  clock_.advance_ms(59'000);
  EXPECT_TRUE(ask(0).is_known);
  clock_.advance_ms(1'000);
  EXPECT_FALSE(ask(0).is_known);
}

TEST_F(Listings, OfWhatChangedMeanwhileAreNotUsed) {
  objects_.set_after([this](const std::string& operation, const std::string&) {
    if (operation == "list") listings_.forget(digests_[0]);
  });
  ask_often();
  EXPECT_FALSE(ask(0).is_known);
}

TEST_F(Listings, AreNotMadeForWhoAsksNowAndThen) {
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(ask(0).is_known);
    clock_.advance_ms(10'000);
  }
  EXPECT_EQ(lists_, 0);
}

TEST_F(Listings, AreNotMadeWhereNothingMayBeOld) {
  ObjectListings none(objects_, clock_, 0);
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(none.find(digests_[0], kShard).is_known);
  EXPECT_EQ(lists_, 0);
}

}  // namespace
}  // namespace dae::mirror
