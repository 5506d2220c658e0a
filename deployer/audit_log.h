#pragma once
// The audit log: every change of the control plane, appended in the same transaction as the change itself. Each entry
// carries the SHA-256 of the entry before, so that a removed or edited one is noticed.
#include <optional>
#include <string>
#include <vector>

#include "deployer/control_txn.h"

namespace dae::deployer {

struct AuditEvent {
  int64_t seq = 0;  // from 1; set by append_event()
  int64_t time_ms = 0;
  std::string app, rollout, who, text;  // "" where it does not apply
  std::string previous;                 // hex; "" for the first
};
Value to_value(const AuditEvent& event);

void append_event(ControlTxn& txn, AuditEvent event);
int64_t last_event(StateStore& store);  // 0: none
std::optional<Value> read_event(StateStore& store, int64_t seq);
// The newest `limit` of one app ("" all), oldest first.
std::vector<Value> recent_events(StateStore& store, const std::string& app, size_t limit);
// 0 when the chain holds from the first entry to the head, else the number of the first entry that does not fit.
int64_t first_broken_event(StateStore& store);

}  // namespace dae::deployer
