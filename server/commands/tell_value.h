#pragma once

#include "storage/read_view.h"
#include "storage/value_teller.h"

namespace basalt {

// storage::TellValue, which is not a use of the key: its idle time and frequency stay as they are.
inline storage::Status TellWithoutUse(storage::ReadView& view, storage::DbIndex db, const storage::HashedKey& key,
                                      storage::ValueSink* sink) {
  view.CountAsUse(false);
  const storage::Status told = storage::TellValue(view, db, key, sink);
  view.CountAsUse(true);
  return told;
}

}  // namespace basalt
