#pragma once

#include "storage/key.h"
#include "storage/read_view.h"
#include "storage/status.h"
#include "storage/value_sink.h"

namespace basalt::storage {

// Tells the value of a key to a sink, whatever its type, element by element as it is read. Times at which fields of a
// hash expire are not told. kNotFound, kIncomplete, …; or what the sink says.
Status TellValue(ReadView& view, DbIndex db, const HashedKey& key, ValueSink* sink);

}  // namespace basalt::storage
