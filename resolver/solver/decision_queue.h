#pragma once
// Which package is decided next. Packages are bits by urgency, so that a decision costs as much as there is to look at
// since the last one, however many packages are open: a walk over 700 open ones per decision was a third of a solve.
#include <optional>
#include <vector>

#include "resolver/solver/universe.h"

namespace dae::resolver {

// uv's order: forced first, then what was hindered often, then what hindered others often, then as first named.
// What hinders goes before the rest, so that the clash comes before unrelated packages are decided.
enum class Urgency : uint8_t { forced, hindered, hindering, normal };

class DecisionQueue {
 public:
  DecisionQueue(Engine& engine, const Universe& universe) : engine_(engine), universe_(universe) {}

  // Takes in what the engine changed. A package's extras are decided right after it.
  std::optional<PackageId> next();
  Urgency urgency(PackageId base) const { return base < urgency_.size() ? urgency_[base] : Urgency::normal; }
  void set_urgency(PackageId base, Urgency urgency);

 private:
  static constexpr size_t kUrgencies = 4;
  void refresh(PackageId base);
  bool is_open(PackageId p) const { return !engine_.decision(p) && engine_.required(p); }
  std::optional<PackageId> open_package(PackageId base) const;

  Engine& engine_;
  const Universe& universe_;
  std::vector<Urgency> urgency_;               // by base
  std::vector<uint64_t> waiting_[kUrgencies];  // bits by base
};

}  // namespace dae::resolver
