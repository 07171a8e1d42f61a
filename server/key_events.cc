#include "server/key_events.h"

#include <utility>

namespace basalt {

namespace {

// In the order in which they are shown; A stands for its classes, in front.
constexpr std::pair<KeyEventClass, char> kLetters[] = {
    {kEventGeneric, 'g'}, {kEventString, '$'},   {kEventList, 'l'},     {kEventSet, 's'},     {kEventHash, 'h'},
    {kEventZset, 'z'},    {kEventExpired, 'x'},  {kEventEvicted, 'e'},  {kEventStream, 't'},  {kEventModule, 'd'},
    {kEventNew, 'n'},     {kEventKeyspace, 'K'}, {kEventKeyevent, 'E'}, {kEventKeyMiss, 'm'},
};

std::string Channel(std::string_view prefix, storage::DbIndex db, std::string_view name) {
  std::string channel(prefix);
  channel += std::to_string(db);
  channel += "__:";
  channel += name;
  return channel;
}

}  // namespace

bool ParseKeyEventClasses(std::string_view text, uint32_t* classes) {
  *classes = 0;
  for (const char letter : text) {
    uint32_t added = letter == 'A' ? kEventAll : 0;
    for (const auto& [event_class, own_letter] : kLetters) {
      if (own_letter == letter) added = event_class;
    }
    if (added == 0) return false;
    *classes |= added;
  }
  return true;
}

// Redis forgets to show "n" beside "A" (and so loses it in CONFIG REWRITE); what was set is shown here.
std::string KeyEventClassesText(uint32_t classes) {
  const bool all = (classes & kEventAll) == kEventAll;
  std::string text(all ? "A" : "");
  for (const auto& [event_class, letter] : kLetters) {
    if ((classes & event_class) != 0 && !(all && (kEventAll & event_class) != 0)) text += letter;
  }
  return text;
}

std::string KeyspaceChannel(storage::DbIndex db, std::string_view key) { return Channel("__keyspace@", db, key); }
std::string KeyeventChannel(storage::DbIndex db, std::string_view event) { return Channel("__keyevent@", db, event); }

}  // namespace basalt
