#pragma once
// Why versions of a page are no candidates for a target: what explanations name.
#include "resolver/solver/solver.h"
#include "resolver/source/file_choice.h"

namespace dae::resolver {

std::vector<Provider::LeftOut> left_out_of(const PackedPage& page, TargetFit& fit, const FileRules& rules);

}  // namespace dae::resolver
