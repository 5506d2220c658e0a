#pragma once
// What the parts of the app.yaml reader share. Private to builder/app_file*.cc.
#include <string>
#include <string_view>

#include "base/value.h"
#include "builder/app_file.h"

namespace dae::builder::app_reader {

// "app.yaml:3:5: `value` …" when `test` says no.
void require(const Reader& reader, const Value& node, bool (*test)(std::string_view), const std::string& text,
             const std::string& what, const std::string& hint = "");
// A value standing at its key, for errors about the key itself.
Value at_key(const Value& value);
// Keys of the contract that nothing acts on yet are refused: ignoring them would be a promise not kept.
void refuse_unsupported(Reader& reader, std::initializer_list<std::string_view> keys);
std::string dotted(const Reader& reader, std::string_view key);
// Commands are split into arguments without a shell; an open quote is told where it is.
std::vector<std::string> commands(Reader& reader, std::string_view key);
void require_command(const Reader& reader, const Value& node, const std::string& command);

std::vector<mirror::Instance> read_instances(Reader& root);
std::vector<mirror::StageConfig> read_rollout(Reader& root);

}  // namespace dae::builder::app_reader
