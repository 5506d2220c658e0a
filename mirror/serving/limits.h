#pragma once
// What serving needs of the process, and what read-only leaves of it.
#include <vector>

#include "base/http_server.h"
#include "mirror/mirror.h"

namespace dae::mirror {

// Raises the soft limit of open files to what so many connections need, and says so when the hard limit is lower.
// The limit that holds then.
uint64_t raise_open_files(int connections);

// Nothing that a client asks makes an upstream be asked, or stores what anybody sent.
MirrorConfig as_read_only(MirrorConfig config);
// Leaves GET and HEAD: all else is answered 405, and no body of it reaches the disk.
void refuse_writing(std::vector<Route>& routes);

}  // namespace dae::mirror
