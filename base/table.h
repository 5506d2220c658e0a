#pragma once
// The one table printer: columns padded to their widest cell, no lines, two spaces between, numbers right-aligned on
// request.
#include <string>
#include <vector>

namespace dae {

enum class Align { left, right };

class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<Align> align = {});
  void add(std::vector<std::string> row);
  bool empty() const { return rows_.empty(); }
  std::string render() const;  // ends with a newline; widths count UTF-8 code points

 private:
  std::vector<std::string> header_;
  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace dae
