#pragma once
// One project of an index changed by somebody who has read what it listed before.
#include "mirror/index/page_store.h"

namespace dae::mirror {

// Another process changed the project between the look and the write: nothing was written, look again.
struct Overtaken {};

// PageStore::apply() of one change that was made from the document named `before` ("": there was none).
void apply_unless_overtaken(PageStore& pages, const std::string& index, const std::string& before,
                            const ProjectChange& change, int64_t now_ms, const std::string& reason,
                            const std::function<void(Database&)>& also);

}  // namespace dae::mirror
