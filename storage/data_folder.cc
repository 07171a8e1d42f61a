#include "storage/data_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <charconv>
#include <random>

#include "storage/posix_file.h"

namespace basalt::storage {
namespace {

constexpr std::string_view kTitle = "basalt data folder";
constexpr std::string_view kFormatWord = "format ";
constexpr std::string_view kIdentityWord = "identity ";
constexpr size_t kIdentityDigits = 40;
constexpr std::string_view kHalfMade = "BASALT.new";

std::string NewIdentity() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::random_device random;
  std::string identity;
  while (identity.size() < kIdentityDigits) identity += kDigits[random() & 15];
  return identity;
}

std::string DescriptionOf(std::string_view identity) {
  std::string text(kTitle);
  text += '\n';
  text += kFormatWord;
  text += std::to_string(DataFolder::kFormat);
  text += '\n';
  text += kIdentityWord;
  text += identity;
  return text += '\n';
}

// Cuts the next line off *text.
std::string_view NextLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

// Lines after the first three are for later versions of the same format.
bool ParseDescription(const std::string& path, std::string_view text, std::string* identity, std::string* error) {
  if (NextLine(&text) != kTitle) {
    *error = path + " is not a file of Basalt";
    return false;
  }
  std::string_view line = NextLine(&text);
  int format = 0;
  if (line.substr(0, kFormatWord.size()) == kFormatWord) {
    line.remove_prefix(kFormatWord.size());
    std::from_chars(line.data(), line.data() + line.size(), format);
  }
  if (format < 1) {
    *error = path + " does not say which format the folder has";
    return false;
  }
  if (format > DataFolder::kFormat) {
    *error = path + ": the folder has format " + std::to_string(format) + ", made by a newer Basalt; this one reads up to " +
             std::to_string(DataFolder::kFormat);
    return false;
  }
  line = NextLine(&text);
  if (line.substr(0, kIdentityWord.size()) == kIdentityWord) *identity = line.substr(kIdentityWord.size());
  if (identity->size() != kIdentityDigits || identity->find_first_not_of("0123456789abcdef") != std::string::npos) {
    *error = path + " does not say the folder's identity";
    return false;
  }
  return true;
}

// Names of what is in the folder, but for what file systems put at the root of a volume and what a start that was
// interrupted left behind. An errno, or 0.
int FirstForeignEntry(const std::string& dir, std::string* name) {
  DIR* const listing = ::opendir(dir.c_str());
  if (listing == nullptr) return errno;
  name->clear();
  while (const dirent* const entry = ::readdir(listing)) {
    const std::string_view each = entry->d_name;
    if (each == "." || each == ".." || each == "lost+found" || each.substr(0, kHalfMade.size()) == kHalfMade) continue;
    *name = each;
    break;
  }
  ::closedir(listing);
  return 0;
}

}  // namespace

bool DataFolder::Describe(const std::string& dir, std::string_view identity, std::string* error) {
  const int failed = CreateWholeFile(dir + "/BASALT", DescriptionOf(identity));
  if (failed != 0) *error = FileError("write", dir + "/BASALT", failed);
  return failed == 0;
}

std::unique_ptr<DataFolder> DataFolder::Open(const std::string& dir, std::string* error) {
  if (const int failed = MakeFolder(dir)) {
    *error = FileError("create", dir, failed);
    return nullptr;
  }
  const std::string path = dir + "/BASALT";
  if (!FileExists(path)) {
    std::string name;
    if (const int failed = FirstForeignEntry(dir, &name)) {
      *error = FileError("read", dir, failed);
      return nullptr;
    }
    if (!name.empty()) {
      *error = dir + " is not a data folder of Basalt, and not empty either: it holds " + name;
      return nullptr;
    }
    const int failed = CreateWholeFile(path, DescriptionOf(NewIdentity()));
    if (failed != 0 && failed != EEXIST) {  // another process may have been first: the lock will tell
      *error = FileError("write", path, failed);
      return nullptr;
    }
  }
  OwnedFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.ok()) {
    *error = FileError("open", path, errno);
    return nullptr;
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    *error = errno == EWOULDBLOCK ? dir + " is in use by another process" : FileError("lock", path, errno);
    return nullptr;
  }
  std::string text;
  std::string identity;
  if (const int failed = ReadSmallFile(path, &text)) {
    *error = FileError("read", path, failed);
    return nullptr;
  }
  if (!ParseDescription(path, text, &identity, error)) return nullptr;
  return std::unique_ptr<DataFolder>(new DataFolder(dir, std::move(identity), fd.Release()));
}

DataFolder::~DataFolder() { ::close(fd_); }

}  // namespace basalt::storage
