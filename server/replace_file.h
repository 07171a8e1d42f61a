#pragma once

#include <string>

namespace basalt {

// Gives the file at `path` new content as a whole: writes it beside, syncs it, and renames it into place. The file
// keeps its mode; a new one gets 0644. False: *error is the reason (strerror), and the file is as it was. Waits for the
// disk.
bool ReplaceFile(const std::string& path, const std::string& bytes, std::string* error);

}  // namespace basalt
