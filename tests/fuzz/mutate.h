#pragma once
// Small damage to a text, the same for the same seed: what the fuzz programs feed to parsers.
#include <random>
#include <string>
#include <vector>

namespace dae::fuzz {

using Random = std::mt19937_64;

inline size_t below(Random& random, size_t limit) {
  return static_cast<size_t>(random() % limit);
}

// Up to `most` edits: a token in, bytes out, one byte changed, a piece repeated, the rest of another text, cut off or
// out.
inline std::string mutate(Random& random, std::string text, const std::vector<std::string>& corpus,
                          const std::vector<std::string>& tokens, size_t most) {
  for (size_t edits = 1 + below(random, most); edits > 0; --edits) {
    const size_t at = below(random, text.size() + 1);
    switch (below(random, 6)) {
      case 0:
        text.insert(at, tokens[below(random, tokens.size())]);
        break;
      case 1:
        text.erase(at, 1 + below(random, 4));
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(below(random, 256));
        break;
      case 3:
        text.insert(at, text.substr(below(random, text.size() + 1), below(random, 40)));
        break;
      case 4: {
        const std::string& other = corpus[below(random, corpus.size())];
        text = text.substr(0, at) + other.substr(below(random, other.size()));
        break;
      }
      default:
        text.erase(at, below(random, 2) == 0 ? std::string::npos : below(random, 30));
    }
  }
  return text;
}

}  // namespace dae::fuzz
