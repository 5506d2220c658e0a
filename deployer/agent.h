#pragma once
// `dae agent`: makes a node what the control plane desires. Pulls, verifies, links, starts, probes, switches, drains,
// stops the old, reports. Each step may be cut by kill -9; the next start reads the disk and goes on.
// Layout on disk: share/doc/formats/node.md.
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/http_client.h"
#include "base/process.h"
#include "deployer/gateway.h"
#include "deployer/supervisor.h"

namespace dae::deployer {

struct AgentOptions {
  std::string node, group;
  std::string control, mirror;  // URLs
  Path root;                    // blobs/ unpacked/ apps/ run/ gateway/ of this node
  std::string python;           // interpreter, or "" = search
  std::string gateway_url;
  int64_t drain_ms = 30'000;
  int64_t settle_ms = 1'000;            // a ready release must stay up so long before the switch
  int64_t ready_deadline_ms = 120'000;  // from the start of the instances to readiness
  int keep = 3;                         // good releases besides current and previous
};

// Runs until `StopSignal`. `stop_apps`: on a stop, instances are ended too (dae local down); else they stay up.
void run_agent(const AgentOptions& options, bool stop_apps, Transport& transport, Clock& clock, ProcessRunner& runner,
               Supervisor& supervisor, Gateway& gateway);

}  // namespace dae::deployer
