#include "resolver/source/index_traits.h"

#include "base/error.h"
#include "base/value.h"

namespace dae::resolver {
namespace {

constexpr int64_t kForgetNoMs = 7ll * 24 * 3600 * 1000;
constexpr std::pair<Trait, const char*> kNames[] = {{Trait::unannounced_metadata, "unannounced_metadata"},
                                                    {Trait::ranges, "ranges"}};

}  // namespace

IndexTraits::IndexTraits(Path file, const Clock& clock) : file_(std::move(file)), clock_(clock) {
  const auto text = file_.empty() ? std::nullopt : read_file_if_exists(file_, 16ull << 20);
  if (!text) return;
  try {
    const Document document = parse_json(*text, file_.string());
    const Value* origins = document.root.find("origins");
    if (document.root.get_integer("format") != 1 || origins == nullptr) return;
    for (const auto& [origin, traits] : origins->as_object()) {
      for (const auto& [trait, name] : kNames) {
        const Value* known = traits.find(name);
        if (known != nullptr) known_[{origin, trait}] = {known->get_bool("able"), known->get_integer("learnt_ms")};
      }
    }
  } catch (const Error&) {
    known_.clear();  // a damaged memory is no memory: everything is found out again
  }
}

Answer IndexTraits::get(const std::string& origin, Trait trait) const {
  std::scoped_lock lock(mutex_);
  const auto found = known_.find({origin, trait});
  if (found == known_.end()) return Answer::unknown;
  if (found->second.able) return Answer::yes;
  const int64_t age_ms = clock_.wall_ms() - found->second.learnt_ms;
  return age_ms >= 0 && age_ms < kForgetNoMs ? Answer::no : Answer::unknown;
}

void IndexTraits::set(const std::string& origin, Trait trait, bool able) {
  if (get(origin, trait) == (able ? Answer::yes : Answer::no)) return;
  std::scoped_lock lock(mutex_);
  known_[{origin, trait}] = {able, clock_.wall_ms()};
  save();
}

IndexTraits::Trial::Trial(IndexTraits& traits, const std::string& origin, Trait trait)
    : traits_(traits), key_(origin, trait) {
  const Answer answer = traits_.get(origin, trait);
  allowed_ = answer == Answer::yes;
  if (answer != Answer::unknown) return;
  const std::scoped_lock lock(traits_.mutex_);
  allowed_ = first_ = traits_.tried_.insert(key_).second;
}

IndexTraits::Trial::~Trial() {
  if (!first_) return;
  const std::scoped_lock lock(traits_.mutex_);
  traits_.tried_.erase(key_);
}

void IndexTraits::save() const {
  if (file_.empty()) return;
  Value origins = Value::object();
  for (const auto& [key, known] : known_) {
    Value traits = origins.find(key.first) != nullptr ? *origins.find(key.first) : Value::object();
    for (const auto& [trait, name] : kNames) {
      if (trait != key.second) continue;
      traits.set(name, Value::object({{"able", known.able}, {"learnt_ms", known.learnt_ms}}));
    }
    origins.set(key.first, std::move(traits));
  }
  make_dirs(file_.parent_path());
  write_file_atomic(file_, pretty_json(Value::object({{"format", 1}, {"origins", std::move(origins)}})), 0644,
                    Durability::none);
}

}  // namespace dae::resolver
