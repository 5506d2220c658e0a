#include "base/value.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/value_text.h"

namespace dae {

namespace {

[[noreturn]] void wrong_type(const Value& value, std::string_view wanted) {
  throw value_detail::error_at("", value.position, fmt::format("expected {}, found {}", wanted, value.type_name()));
}

}  // namespace

Value Value::object(std::initializer_list<Member> members) {
  Value out = from_members({});
  for (const Member& member : members) out.set(member.first, member.second);
  return out;
}

Value Value::from_members(Object members) {
  Value out;
  out.data_ = std::move(members);
  return out;
}

std::string_view Value::type_name() const {
  switch (type()) {
    case Type::null:
      return "nothing";
    case Type::boolean:
      return "a boolean";
    case Type::integer:
      return "an integer";
    case Type::real:
      return "a number";
    case Type::string:
      return "a string";
    case Type::array:
      return "a list";
    case Type::object:
      return "a mapping";
  }
  return "nothing";
}

const std::string& Value::as_string() const {
  if (const auto* held = std::get_if<std::string>(&data_)) return *held;
  wrong_type(*this, "a string");
}

int64_t Value::as_integer() const {
  if (const auto* held = std::get_if<int64_t>(&data_)) return *held;
  wrong_type(*this, "an integer");
}

double Value::as_real() const {
  if (const auto* held = std::get_if<double>(&data_)) return *held;
  if (const auto* held = std::get_if<int64_t>(&data_)) return static_cast<double>(*held);
  wrong_type(*this, "a number");
}

bool Value::as_bool() const {
  if (const auto* held = std::get_if<bool>(&data_)) return *held;
  wrong_type(*this, "a boolean");
}

const Value::Array& Value::as_array() const {
  if (const auto* held = std::get_if<Array>(&data_)) return *held;
  wrong_type(*this, "a list");
}

const Value::Object& Value::as_object() const {
  if (const auto* held = std::get_if<Object>(&data_)) return *held;
  wrong_type(*this, "a mapping");
}

const Value* Value::find(std::string_view key) const {
  const auto* members = std::get_if<Object>(&data_);
  if (!members) return nullptr;
  for (const Member& member : *members) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

const Value& Value::at(std::string_view key) const {
  if (const Value* found = find(key)) return *found;
  std::string subject = position.line == 0 ? "" : fmt::format("{}:{}", position.line, position.column);
  throw Error(ErrorKind::not_found, fmt::format("no key `{}`", key), std::move(subject));
}

Value& Value::set(std::string key, Value value) {
  if (is_null()) data_ = Object{};
  auto* members = std::get_if<Object>(&data_);
  if (!members) wrong_type(*this, "a mapping");
  for (Member& member : *members) {
    if (member.first != key) continue;
    member.second = std::move(value);
    return *this;
  }
  members->emplace_back(std::move(key), std::move(value));
  return *this;
}

bool Value::erase(std::string_view key) {
  auto* members = std::get_if<Object>(&data_);
  if (!members) return false;
  return std::erase_if(*members, [&](const Member& member) { return member.first == key; }) > 0;
}

void Value::push_back(Value value) {
  if (is_null()) data_ = Array{};
  auto* items = std::get_if<Array>(&data_);
  if (!items) wrong_type(*this, "a list");
  items->push_back(std::move(value));
}

size_t Value::size() const {
  if (const auto* items = std::get_if<Array>(&data_)) return items->size();
  if (const auto* members = std::get_if<Object>(&data_)) return members->size();
  return 0;
}

std::string Value::get_string(std::string_view key, std::string_view fallback) const {
  const Value* found = find(key);
  return found && !found->is_null() ? found->as_string() : std::string(fallback);
}

int64_t Value::get_integer(std::string_view key, int64_t fallback) const {
  const Value* found = find(key);
  return found && !found->is_null() ? found->as_integer() : fallback;
}

bool Value::get_bool(std::string_view key, bool fallback) const {
  const Value* found = find(key);
  return found && !found->is_null() ? found->as_bool() : fallback;
}

std::vector<std::string> Value::get_strings(std::string_view key) const {
  std::vector<std::string> out;
  const Value* found = find(key);
  if (!found || found->is_null()) return out;
  for (const Value& item : found->as_array()) out.push_back(item.as_string());
  return out;
}

bool Value::operator==(const Value& other) const {
  if (type() != other.type()) {
    const bool numbers = (is_integer() && other.type() == Type::real) || (type() == Type::real && other.is_integer());
    return numbers && as_real() == other.as_real();
  }
  if (!is_object()) {
    // Array's == comes back here for each item.
    return data_ == other.data_;
  }
  const Object& mine = as_object();
  if (mine.size() != other.size()) return false;
  return std::all_of(mine.begin(), mine.end(), [&](const Member& member) {
    const Value* found = other.find(member.first);
    return found && *found == member.second;
  });
}

}  // namespace dae
