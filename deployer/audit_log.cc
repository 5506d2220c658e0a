#include "deployer/audit_log.h"

#include <algorithm>

#include "base/hash.h"

namespace dae::deployer {
namespace {

constexpr const char* kHead = "events-head";
constexpr int64_t kScanLimit = 20'000;

}  // namespace

Value to_value(const AuditEvent& event) {
  return Value::object({{"seq", event.seq},
                        {"time_ms", event.time_ms},
                        {"app", event.app},
                        {"rollout", event.rollout},
                        {"who", event.who},
                        {"text", event.text},
                        {"previous", event.previous}});
}

void append_event(ControlTxn& txn, AuditEvent event) {
  const Value head = txn.get(kHead);
  event.seq = head.get_integer("seq") + 1;
  event.previous = head.get_string("sha256");
  const Value value = to_value(event);
  txn.put(event_key(event.seq), value);
  txn.put(kHead, Value::object({{"seq", event.seq}, {"sha256", Digest::of(canonical_json(value)).hex()}}));
}

int64_t last_event(StateStore& store) {
  auto head = store.get(kHead);
  return head ? parse_json(head->value, kHead).root.get_integer("seq") : 0;
}

std::optional<Value> read_event(StateStore& store, int64_t seq) {
  auto stored = store.get(event_key(seq));
  if (!stored) return std::nullopt;
  return parse_json(stored->value, stored->key).root;
}

std::vector<Value> recent_events(StateStore& store, const std::string& app, size_t limit) {
  std::vector<Value> out;
  const int64_t last = last_event(store);
  for (int64_t seq = last; seq > std::max<int64_t>(0, last - kScanLimit) && out.size() < limit; --seq) {
    auto event = read_event(store, seq);
    if (event && (app.empty() || event->get_string("app") == app)) out.push_back(std::move(*event));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

int64_t first_broken_event(StateStore& store) {
  const auto head = store.get(kHead);
  const Value end = head ? parse_json(head->value, kHead).root : Value();
  const int64_t last = end.get_integer("seq");
  std::string previous;
  for (int64_t seq = 1; seq <= last; ++seq) {
    const auto stored = store.get(event_key(seq));
    if (!stored) return seq;
    const Value event = parse_json(stored->value, stored->key).root;
    if (event.get_integer("seq") != seq || event.get_string("previous") != previous) return seq;
    previous = Digest::of(stored->value).hex();
  }
  return previous == end.get_string("sha256") ? 0 : last;
}

}  // namespace dae::deployer
