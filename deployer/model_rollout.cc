#include "deployer/model.h"
#include "deployer/model_json.h"

namespace dae::deployer {
namespace {

constexpr std::string_view kStates[] = {"planned",      "running",     "paused", "baking",    "done",
                                        "rolling_back", "rolled_back", "failed", "superseded"};
constexpr std::string_view kPhases[] = {"waiting", "deploying", "ready", "failed", "reverting", "reverted"};

Value stage_value(const Stage& stage) {
  Value batches = Value::array();
  for (const auto& batch : stage.batches) batches.push_back(Value::strings(batch));
  return Value::object({{"name", stage.name},
                        {"group", stage.group},
                        {"batches", batches},
                        {"bake_ms", stage.bake_ms},
                        {"confirm_manually", stage.confirm_manually},
                        {"max_fail", stage.max_fail}});
}

Stage read_stage(Reader& reader) {
  Stage stage;
  stage.name = reader.required_string("name");
  stage.group = reader.string("group");
  const Value& batches = reader.required("batches");
  if (!batches.is_array()) throw reader.error_at(batches, "expected a list of batches");
  for (const Value& batch : batches.as_array()) {
    std::vector<std::string> nodes;
    for (const Value& node : batch.as_array()) nodes.push_back(node.as_string());
    stage.batches.push_back(std::move(nodes));
  }
  stage.bake_ms = reader.integer("bake_ms", stage.bake_ms, 0);
  stage.confirm_manually = reader.boolean("confirm_manually", false);
  stage.max_fail = reader.integer("max_fail", 0, 0);
  return stage;
}

Value node_value(const RolloutNode& node) {
  return Value::object({{"node", node.node},
                        {"group", node.group},
                        {"stage", node.stage},
                        {"batch", node.batch},
                        {"phase", name_of(node.phase)},
                        {"previous", node.previous},
                        {"error", node.error},
                        {"log_tail", node.log_tail},
                        {"started_ms", node.started_ms},
                        {"ready_ms", node.ready_ms},
                        {"restarts", node.restarts}});
}

int read_index(Reader& reader, std::string_view key) {
  return static_cast<int>(reader.integer(key, 0, 0, 1'000'000));
}

RolloutNode read_node(Reader& reader) {
  RolloutNode node;
  node.node = reader.required_string("node");
  node.group = reader.string("group");
  node.stage = read_index(reader, "stage");
  node.batch = read_index(reader, "batch");
  node.phase = read_enum<NodePhase>(reader, "phase", kPhases);
  node.previous = reader.string("previous");
  node.error = reader.string("error");
  node.log_tail = reader.string("log_tail");
  node.started_ms = reader.integer("started_ms", 0);
  node.ready_ms = reader.integer("ready_ms", 0);
  node.restarts = reader.integer("restarts", -1, -1);
  return node;
}

// The engine indexes stages and batches without looking; a document that points outside is refused here.
void check_indexes(const Rollout& rollout, const Reader& reader) {
  auto inside = [&](int stage, int batch) {
    return static_cast<size_t>(stage) < rollout.stages.size() &&
           static_cast<size_t>(batch) < rollout.stages[static_cast<size_t>(stage)].batches.size();
  };
  bool good = rollout.nodes.empty() || inside(rollout.stage, rollout.batch);
  for (const RolloutNode& node : rollout.nodes) good = good && inside(node.stage, node.batch);
  if (!good) throw reader.error_at(reader.value(), "a stage or batch number points outside the rollout");
}

}  // namespace

std::string_view name_of(RolloutState state) {
  return kStates[static_cast<size_t>(state)];
}
std::string_view name_of(NodePhase phase) {
  return kPhases[static_cast<size_t>(phase)];
}

bool is_final(RolloutState state) {
  return state == RolloutState::done || state == RolloutState::rolled_back || state == RolloutState::failed ||
         state == RolloutState::superseded;
}

Value to_value(const Rollout& rollout) {
  Value stages = Value::array();
  for (const Stage& stage : rollout.stages) stages.push_back(stage_value(stage));
  Value nodes = Value::array();
  for (const RolloutNode& node : rollout.nodes) nodes.push_back(node_value(node));
  return Value::object({{"id", rollout.id},
                        {"app", rollout.app},
                        {"release", rollout.release},
                        {"version", rollout.version},
                        {"kind", rollout.kind},
                        {"state", name_of(rollout.state)},
                        {"reason", rollout.reason},
                        {"who", rollout.who},
                        {"stages", stages},
                        {"nodes", nodes},
                        {"stage", rollout.stage},
                        {"batch", rollout.batch},
                        {"created_ms", rollout.created_ms},
                        {"updated_ms", rollout.updated_ms},
                        {"finished_ms", rollout.finished_ms},
                        {"bake_until_ms", rollout.bake_until_ms},
                        {"batch_deadline_ms", rollout.batch_deadline_ms}});
}

Rollout rollout_from_value(const Document& document) {
  Reader reader(document);
  Rollout rollout;
  rollout.id = reader.required_string("id");
  rollout.app = reader.required_string("app");
  rollout.release = reader.required_string("release");
  rollout.version = reader.string("version");
  rollout.kind = reader.string("kind", "deploy");
  rollout.state = read_enum<RolloutState>(reader, "state", kStates);
  rollout.reason = reader.string("reason");
  rollout.who = reader.string("who");
  each_object(reader, "stages", [&](Reader& stage) { rollout.stages.push_back(read_stage(stage)); });
  each_object(reader, "nodes", [&](Reader& node) { rollout.nodes.push_back(read_node(node)); });
  rollout.stage = read_index(reader, "stage");
  rollout.batch = read_index(reader, "batch");
  rollout.created_ms = reader.integer("created_ms", 0);
  rollout.updated_ms = reader.integer("updated_ms", 0);
  rollout.finished_ms = reader.integer("finished_ms", 0);
  rollout.bake_until_ms = reader.integer("bake_until_ms", 0);
  rollout.batch_deadline_ms = reader.integer("batch_deadline_ms", 0);
  check_indexes(rollout, reader);
  return rollout;
}

}  // namespace dae::deployer
