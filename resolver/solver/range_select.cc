#include "resolver/solver/range_select.h"

#include <algorithm>

namespace dae::resolver {

namespace {

struct Run {
  uint32_t begin = 0, end = 0;  // ordinals
};

// The candidates are in order, so that a specifier cuts out one run of them, give or take those that share a release
// with its version (PEP 440: `<2` leaves out 2.0rc1, `>2` leaves out 2.0.post1). Two bisections and a look around
// instead of a comparison per candidate: botocore has 2,000 versions, and boto3 states 2,000 different ranges of it.
class Cutter {
 public:
  Cutter(const std::vector<Candidate>& candidates, size_t sorted) : candidates_(candidates), sorted_(sorted) {}

  void keep(const Specifier& part, VersionSet& out) const {
    VersionSet fitting(out.bits());
    if (part.op == SpecifierOp::not_equal) {
      Specifier equal = part;
      equal.op = SpecifierOp::equal;
      mark(equal, fitting);
      out.remove(fitting);
    } else {
      mark(part, fitting);
      out &= fitting;
    }
  }

 private:
  const Version& version(uint32_t i) const { return candidates_[i].version; }

  // How many are above (or at) the limit.
  template <typename Above>
  uint32_t bisect(Above above) const {
    const auto end = candidates_.begin() + static_cast<ptrdiff_t>(sorted_);
    const auto found =
        std::partition_point(candidates_.begin(), end, [&](const Candidate& c) { return above(c.version); });
    return static_cast<uint32_t>(found - candidates_.begin());
  }
  uint32_t at_least(const Version& limit) const {
    return bisect([&](const Version& v) { return v >= limit; });
  }
  uint32_t above(const Version& limit) const {
    return bisect([&](const Version& v) { return v > limit; });
  }

  // Where the specifier can let something through at all; inside, `exact` ordinals are to be looked at one by one.
  void mark(const Specifier& part, VersionSet& out) const {
    const auto count = static_cast<uint32_t>(sorted_);
    const auto each = [&](Run run) {
      for (uint32_t i = run.begin; i < run.end; ++i) {
        if (part.contains(version(i))) out.insert(i);
      }
    };
    switch (part.op) {
      case SpecifierOp::greater_equal:
        out.insert_run(0, at_least(part.version));
        break;
      case SpecifierOp::less_equal:
        out.insert_run(bisect([&](const Version& v) { return v.compare_public(part.version) > 0; }), count);
        break;
      case SpecifierOp::less: {
        const uint32_t from = at_least(part.version);
        uint32_t near = from;
        while (near < count && version(near).same_release(part.version)) ++near;
        each({from, near});
        out.insert_run(near, count);
        break;
      }
      case SpecifierOp::greater: {
        const uint32_t to = above(part.version);
        uint32_t near = to;
        while (near > 0 && version(near - 1).same_release(part.version)) --near;
        out.insert_run(0, near);
        each({near, to});
        break;
      }
      case SpecifierOp::equal:
      case SpecifierOp::compatible:
        each(around(part));
        break;
      default:
        each({0, count});
    }
    for (uint32_t i = count; i < candidates_.size(); ++i) {
      if (part.contains(version(i))) out.insert(i);
    }
  }

  // == and ~= let through neighbours of the version only.
  Run around(const Specifier& part) const {
    const auto count = static_cast<uint32_t>(sorted_);
    Run run{at_least(part.version), at_least(part.version)};
    while (run.begin > 0 && part.contains(version(run.begin - 1))) --run.begin;
    while (run.end < count && part.contains(version(run.end))) ++run.end;
    return run;
  }

  const std::vector<Candidate>& candidates_;
  size_t sorted_;
};

}  // namespace

VersionSet select_range(const std::vector<Candidate>& candidates, size_t sorted, uint32_t bits,
                        const SpecifierSet& specifiers) {
  VersionSet out(bits);
  out.insert_run(0, static_cast<uint32_t>(candidates.size()));
  const Cutter cutter(candidates, sorted);
  for (const Specifier& part : specifiers.parts()) cutter.keep(part, out);
  return out;
}

}  // namespace dae::resolver
