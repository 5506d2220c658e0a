#pragma once
// What stands in an environment, whoever installed it.
#include <vector>

#include "base/fs.h"
#include "resolver/audit/audit.h"

namespace dae::resolver {

// By the METADATA below <env>/lib/python*/site-packages/, sorted. Throws Error not_found when there is no such folder;
// bad_input naming the distribution whose METADATA cannot be read.
std::vector<AuditPackage> installed_packages(const Path& env);

}  // namespace dae::resolver
