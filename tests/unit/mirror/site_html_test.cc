// Markup that cannot be broken out of, links that hold below another path, and lists of names.
#include <gtest/gtest.h>

#include "mirror/site/costly.h"
#include "mirror/site/frame.h"
#include "mirror/site/survey.h"

namespace dae::mirror {
namespace {

TEST(Html, EscapesWhateverIsNoLiteral) {
  const std::string hostile = "</title><script>alert('1')</script>";
  const Html html("<b title=\"", hostile, "\">", std::string_view("a&b"), "</b>", 7, Html("<i>"));
  EXPECT_EQ(html.str(), "<b title=\"&lt;/title&gt;&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt;\">a&amp;b</b>7<i>");
}

TEST(Html, WritesNumbersAndTimesForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(grouped(-1'234), "-1,234");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(counted(1, "file", "files"), "1 file");
  EXPECT_EQ(counted(1'200, "file", "files"), "1,200 files");
  EXPECT_EQ(time_of(int64_t{1'700'000'000'000}).str(),
            "<time datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13</time>");
  EXPECT_EQ(time_of(int64_t{0}).str(), "–");
  EXPECT_EQ(time_of(std::string("2024-05-01T10:20:30.123456Z")).str(),
            "<time datetime=\"2024-05-01T10:20:30Z\">2024-05-01 10:20</time>");
  EXPECT_EQ(time_of(std::string("<soon>")).str(), "&lt;soon&gt;");
}

ServerRequest asked_for(const std::string& target) {
  ServerRequest request;
  request.target = target;
  return request;
}

TEST(SiteFrame, LinksAreRelativeToTheRoot) {
  EXPECT_EQ(root_of(asked_for("/")), "./");
  EXPECT_EQ(root_of(asked_for("/?page=2")), "./");
  EXPECT_EQ(root_of(asked_for("/ui/search?q=a/b")), "../");
  EXPECT_EQ(root_of(asked_for("/ui/pypi/demo")), "../../");
  EXPECT_EQ(root_of(asked_for("/ui/artifacts/apps/web")), "../../../");
}

TEST(SiteFrame, TellsTheOriginFromAHostThatIsOne) {
  ServerRequest request;
  EXPECT_EQ(origin_of(request), "");
  request.headers.set("Host", "mirror.example:8400");
  EXPECT_EQ(origin_of(request), "http://mirror.example:8400");
  request.headers.set("X-Forwarded-Proto", "https");
  EXPECT_EQ(origin_of(request), "https://mirror.example:8400");
  request.headers.set("Host", "[::1]:8400");
  EXPECT_EQ(origin_of(request), "https://[::1]:8400");
  for (const char* hostile : {"a b", "x;rm -rf ~", "a/b", "<b>", "$(id)", "a\"b", "a:b:c", "a:99999"}) {
    request.headers.set("Host", hostile);
    EXPECT_EQ(origin_of(request), "") << hostile;
  }
}

TEST(SiteFrame, NumbersPagesFromOne) {
  const auto number = [](const std::string& text) {
    ServerRequest request;
    request.query = {{"page", text}};
    return page_number(request);
  };
  EXPECT_EQ(number("3"), 3);
  for (const char* odd : {"", "0", "-5", "x", "1.5"}) EXPECT_EQ(number(odd), 1) << odd;
  EXPECT_EQ(number("99999999999999"), 1'000'000);
  EXPECT_TRUE(pager(1, 1).empty());
  EXPECT_EQ(pager(1, 3, "q=a").str().find("rel=\"prev\""), std::string::npos);
  EXPECT_NE(pager(2, 3, "q=a").str().find("href=\"?q=a&amp;page=3\""), std::string::npos);
  EXPECT_EQ(pager(3, 3).str().find("rel=\"next\""), std::string::npos);
}

NameList names(const std::vector<std::string>& list) {
  NameList out;
  for (const std::string& name : list) out.add(name);
  return out;
}

TEST(NameList, FindsPrefixesAndWhatIsInside) {
  const NameList list = names({"a", "app", "apple", "banana", "grapple", "pineapple", "zapp"});
  EXPECT_EQ(list.size(), 7);
  EXPECT_TRUE(list.has("app"));
  EXPECT_FALSE(list.has("ap"));
  EXPECT_FALSE(list.has("zz"));
  EXPECT_EQ(list.with_prefix("app"), (std::pair<size_t, size_t>{1, 3}));
  EXPECT_EQ(list.with_prefix(""), (std::pair<size_t, size_t>{0, 7}));
  EXPECT_EQ(list.with_prefix("x").first, list.with_prefix("x").second);
  EXPECT_EQ(list.with_inside("app"), (std::vector<uint32_t>{4, 5, 6}));
  EXPECT_EQ(list.with_inside("an"), (std::vector<uint32_t>{3})) << "once, although it is there twice";
  EXPECT_TRUE(list.with_inside("").empty());
  EXPECT_TRUE(list.with_inside("p\nb").empty()) << "not across two names";
  EXPECT_EQ(list.at(6), "zapp");
  EXPECT_TRUE(names({}).with_inside("a").empty());
  EXPECT_FALSE(names({}).has("a"));
}

TEST(Costly, IsMadeAgainOnlyWhenItMayHaveChangedAndNotMoreOftenThanItIsWorth) {
  ManualClock clock;
  Costly<int> costly(clock);
  int made = 0;
  const auto quick = [&] { return ++made; };
  EXPECT_EQ(*costly.get(1, quick), 1);
  EXPECT_EQ(*costly.get(1, quick), 1);
  EXPECT_EQ(*costly.get(2, quick), 2);
  const auto slow = [&] {
    clock.advance_ms(100);
    return ++made;
  };
  EXPECT_EQ(*costly.get(3, slow), 3);
  EXPECT_EQ(*costly.get(4, slow), 3) << "what took 100 ms is used for five seconds";
  clock.advance_ms(5'000);
  EXPECT_EQ(*costly.get(4, slow), 4);
}

}  // namespace
}  // namespace dae::mirror
