#include <gtest/gtest.h>

#include "resolver/standards/text_encoding.h"

namespace dae::resolver {
namespace {

const std::string kText = "a\u00e9\u20ac\U0001F600\n";

TEST(TextEncoding, UnicodeFormsComeBackAsTheyWere) {
  for (const Encoding encoding :
       {Encoding::utf8, Encoding::utf16_le, Encoding::utf16_be, Encoding::utf32_le, Encoding::utf32_be}) {
    size_t bad_at = 0;
    const auto bytes = encode_text(kText, encoding);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(decode_text(*bytes, encoding, bad_at), kText);
  }
}

TEST(TextEncoding, ReadsOneByteEncodings) {
  size_t bad_at = 0;
  EXPECT_EQ(decode_text("\xe9\x80", Encoding::latin1, bad_at), "\u00e9\u0080");
  EXPECT_EQ(decode_text("\xe9\x80", Encoding::cp1252, bad_at), "\u00e9\u20ac");
  EXPECT_FALSE(decode_text("ab\x81", Encoding::cp1252, bad_at));
  EXPECT_EQ(bad_at, 2u);
  EXPECT_FALSE(decode_text("a\xe9", Encoding::ascii, bad_at));
  EXPECT_EQ(encode_text("\u00e9\u20ac", Encoding::cp1252), "\xe9\x80");
  EXPECT_FALSE(encode_text("\u20ac", Encoding::latin1));
}

TEST(TextEncoding, RefusesMalformedUnicode) {
  size_t bad_at = 0;
  for (const std::string& bytes :
       {std::string("\xc0\x80"), std::string("\xed\xa0\x80"), std::string("\xf4\x90\x80\x80"), std::string("\x80"),
        std::string("\xe2\x82"), std::string("\xff")}) {
    EXPECT_EQ(invalid_utf8_at("ok" + bytes), 2u);
  }
  EXPECT_FALSE(decode_text(std::string_view("\x00\xd8\x41\x00", 4), Encoding::utf16_le, bad_at));
  EXPECT_FALSE(decode_text(std::string_view("\x00\xdc", 2), Encoding::utf16_le, bad_at));
  EXPECT_FALSE(decode_text("abc", Encoding::utf16_le, bad_at));
  EXPECT_EQ(bad_at, 2u);
}

TEST(TextEncoding, KnowsMarksAndNames) {
  size_t size = 0;
  EXPECT_EQ(byte_order_mark("\xef\xbb\xbfx", size), Encoding::utf8);
  EXPECT_EQ(size, 3u);
  EXPECT_EQ(byte_order_mark(std::string_view("\xff\xfe\0\0", 4), size), Encoding::utf32_le);
  EXPECT_EQ(byte_order_mark(std::string_view("\xff\xfe"
                                             "a\0",
                                             4),
                            size),
            Encoding::utf16_le);
  EXPECT_FALSE(byte_order_mark("x", size));
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(encoding_named("ISO_8859-1"), Encoding::latin1);
  EXPECT_FALSE(encoding_named("koi8-r"));
}

}  // namespace
}  // namespace dae::resolver
