#include "storage/list_store.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "storage/collection.h"
#include "storage/new_object.h"
#include "storage/storage.h"

namespace basalt::storage {
namespace {

// Rows that one verb looks at, or moves, in the fast lane.
constexpr uint64_t kFastRowsMax = 1000;
// A range of rows up to this is deleted one by one. Longer ones cost a range tombstone, which every later read of the
// memtable pays for (Engine::kRangeTombstonesMax); reads never meet the remains of single rows.
constexpr uint64_t kPointDeletesMax = 512;

using Views = std::vector<std::string_view>;

// ---- records ----

Status FindForWrite(WriteTxn& txn, DbIndex db, const HashedKey& key, List* list) {
  RecordPtr record;
  const Status status = txn.GetRecord(db, key, ValueType::kList, &record);
  if (status != Status::kOk) return status;
  return ParseList(std::move(record), list) ? Status::kOk : Status::kCorruption;
}

RecordHeader HeaderOf(const List& list) {
  return {
      .type = ValueType::kList, .encoding = list.encoding, .expire_ms = list.expire_ms, .object_id = list.object_id};
}

// `list.count` elements that lie in these parts, one after the other.
void PutPacked(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list,
               std::initializer_list<std::string_view> parts) {
  size_t bytes = VarintBytes(list.count);
  for (const std::string_view part : parts) bytes += part.size();
  assert(list.packed() && bytes <= kPackedBytesMax);
  std::string payload;
  payload.reserve(bytes);
  AppendPackedCount(list.count, &payload);
  for (const std::string_view part : parts) payload.append(part);
  txn.Put(db, key, Record::Make(HeaderOf(list), payload));
}

bool FitsPacked(uint64_t count, uint64_t bytes) { return VarintBytes(count) + bytes <= kPackedBytesMax; }

void PutRowsRecord(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list) {
  txn.Put(db, key, Record::Make(HeaderOf(list), EncodeListRows(list)));
}

void PutElement(WriteTxn& txn, const List& list, uint64_t position, std::string_view element) {
  KeyBuffer key;
  EncodeListKey(list.object_id, position, &key);
  txn.PutRow(RowFamily::kData, key.view(), element);
}

void DeletePositions(WriteTxn& txn, const List& list, uint64_t first, uint64_t count) {
  KeyBuffer key;
  if (count <= kPointDeletesMax) {
    for (uint64_t i = 0; i < count; ++i) {
      EncodeListKey(list.object_id, first + i, &key);
      txn.DeleteRow(RowFamily::kData, key.view());
    }
    return;
  }
  KeyBuffer upper;
  EncodeListKey(list.object_id, first, &key);
  EncodeListKey(list.object_id, first + count, &upper);
  txn.DeleteRows(RowFamily::kData, key.view(), upper.view());
}

// Elements of a packed list from index `first` on, as they are packed.
bool PackedFrom(std::string_view elements, uint64_t first, std::string_view* rest) {
  PackedReader reader(elements);
  std::string_view element;
  for (; first > 0; --first) {
    if (!reader.Read(&element)) return false;
  }
  *rest = elements.substr(reader.offset());
  return true;
}

bool Unpack(std::string_view elements, Views* views) {
  PackedReader reader(elements);
  std::string_view element;
  while (reader.Read(&element)) views->push_back(element);
  return reader.done();
}

// Writes the rows of a list under a new object id.
class RowsWriter {
 public:
  RowsWriter(WriteTxn& txn, uint64_t rows, uint64_t bytes)
      : object_(txn, RowFamilyBit(RowFamily::kData), rows, bytes) {}

  Status Begin() { return object_.Begin(); }
  Status Add(std::string_view element) {
    KeyBuffer key;
    EncodeListKey(object_.id(), kListMiddle + count_, &key);
    ++count_;
    listpack_bytes_ += ListpackEntryBytes(element);
    return object_.Put(RowFamily::kData, key.view(), element);
  }
  // … and makes `list` the list of them.
  Status End(List* list) {
    list->object_id = object_.id();
    list->elements = {};
    list->head = kListMiddle;
    list->count = count_;
    list->listpack = {listpack_bytes_, true};
    return object_.End();
  }

 private:
  NewObject object_;
  uint64_t count_ = 0;
  uint64_t listpack_bytes_ = kListpackEmptyBytes;
};

// Elements as a list of their own, packed if that is possible. Of `list` the header is taken, but for the object.
Status Store(WriteTxn& txn, DbIndex db, const HashedKey& key, List list, std::span<const std::string_view> elements) {
  uint64_t packed_bytes = 0;
  uint64_t bytes = 0;
  for (const std::string_view element : elements) {
    packed_bytes += PackedBytes(element);
    bytes += element.size() + kListKeyBytes;
  }
  list.count = elements.size();
  list.object_id = 0;
  if (FitsPacked(list.count, packed_bytes)) {
    std::string packed;
    packed.reserve(packed_bytes);
    for (const std::string_view element : elements) AppendPacked(element, &packed);
    PutPacked(txn, db, key, list, {packed});
    return Status::kOk;
  }
  RowsWriter writer(txn, elements.size(), bytes);
  Status status = writer.Begin();
  for (size_t i = 0; status == Status::kOk && i < elements.size(); ++i) status = writer.Add(elements[i]);
  if (status == Status::kOk) status = writer.End(&list);
  if (status == Status::kOk) PutRowsRecord(txn, db, key, list);
  return status;
}

// Writes a list with rows anew, in small batches: `fill(writer)` adds the elements. `list`: what it is afterwards.
template <typename Fill>
Status Rewrite(WriteTxn& txn, uint64_t rows, Fill&& fill, List* list) {
  RowsWriter writer(txn, rows, NewObject::kLargeBytes + 1);
  Status status = writer.Begin();
  if (status == Status::kOk) status = fill(writer);
  return status == Status::kOk ? writer.End(list) : status;
}

// Elements [first, first + count) of `list` to the writer, but for those that `skip(index, element)` says.
template <typename Skip>
Status CopyElements(WriteTxn& txn, const List& list, uint64_t first, uint64_t count, RowsWriter& writer, Skip&& skip) {
  Status written = Status::kOk;
  uint64_t index = first;
  const Status status = ListStore::ForEach(txn, list, first, count, ScanOrder::kForward, [&](std::string_view element) {
    if (!skip(index++, element)) written = writer.Add(element);
    return written == Status::kOk;
  });
  return status != Status::kOk ? status : written;
}

Status CopyElements(WriteTxn& txn, const List& list, uint64_t first, uint64_t count, RowsWriter& writer) {
  return CopyElements(txn, list, first, count, writer, [](uint64_t, std::string_view) { return false; });
}

// ---- OBJECT ENCODING ----

// Makes list->listpack exact, or more than `enough`.
Status CountListpack(ReadView& view, uint64_t enough, List* list) {
  if (list->listpack.exact || list->listpack.bytes > enough) return Status::kOk;
  uint64_t bytes = kListpackEmptyBytes;
  const Status status =
      ListStore::ForEach(view, *list, 0, list->count, ScanOrder::kForward, [&](std::string_view element) {
        bytes += ListpackEntryBytes(element);
        return bytes <= enough;
      });
  list->listpack = {bytes, bytes <= enough};
  return status;
}

// Before elements are added: Redis adds their bytes up as they come, without what a listpack needs for each.
Status TryQuicklist(ReadView& view, const ListLimits& limits, uint64_t added, uint64_t added_bytes, List* list) {
  if (list->encoding != Encoding::kListpack) return Status::kOk;
  const uint64_t packed_max = kListpackEmptyBytes + kListpackPerPackedMax * list->elements.size();
  ListpackSize size{packed_max, true};
  if (!list->packed() || packed_max + added_bytes > limits.bytes) {
    const Status status = CountListpack(view, limits.bytes, list);
    if (status != Status::kOk) return status;
    size = list->listpack;
  }
  if (limits.ExceededBy(size.bytes + added_bytes, list->count + added)) list->encoding = Encoding::kQuicklist;
  return Status::kOk;
}

// After elements were removed, or one was replaced. Redis goes back to a listpack when one node of the quicklist is
// left and no more than half full; we, who have no nodes, when all elements would half fill one.
Status TryListpack(ReadView& view, const ListLimits& limits, List* list) {
  if (list->encoding != Encoding::kQuicklist) return Status::kOk;
  if (limits.by_bytes) {
    constexpr uint64_t kEntryBytesMin = 2;
    if (kListpackEmptyBytes + list->count * kEntryBytesMin > limits.bytes / 2) return Status::kOk;
    // Counted beyond the half, so that it is some time until it has to be counted again.
    if (list->packed() || list->listpack.bytes <= limits.bytes / 2) {
      const Status status = CountListpack(view, limits.bytes, list);
      if (status != Status::kOk) return status;
    }
  }
  if (limits.HalfHolds(list->listpack.bytes, list->count)) list->encoding = Encoding::kListpack;
  return Status::kOk;
}

// Whether the bytes of a list may decide about its encoding before very many of its elements are gone.
bool BytesMatter(const ListLimits& limits, const List& list) {
  return list.encoding == Encoding::kListpack || (limits.by_bytes && list.count <= limits.bytes);
}

// ---- changes in the middle ----

// What may be moved in the group's batch.
struct MoveBudget {
  explicit MoveBudget(const WriteTxn& txn)
      : rows(txn.tier() == ReadTier::kMemory ? kFastRowsMax : NewObject::kLargeRows), bytes(NewObject::kLargeBytes) {}
  uint64_t rows;
  uint64_t bytes;

  bool Take(std::string_view element) {
    if (rows == 0 || bytes < element.size()) return false;
    --rows;
    bytes -= element.size();
    return true;
  }
};

enum class Gathered : uint8_t { kAll, kTooMany };

// Elements [first, first + count) but for those at the indices `without` (ascending), as long as the budget allows.
Status Gather(WriteTxn& txn, const List& list, uint64_t first, uint64_t count, std::span<const uint64_t> without,
              MoveBudget* budget, std::vector<std::string>* elements, Gathered* gathered) {
  *gathered = Gathered::kAll;
  auto skip = std::lower_bound(without.begin(), without.end(), first);
  uint64_t index = first;
  return ListStore::ForEach(txn, list, first, count, ScanOrder::kForward, [&](std::string_view element) {
    if (skip != without.end() && *skip == index++) {
      ++skip;
      return true;
    }
    if (!budget->Take(element)) {
      *gathered = Gathered::kTooMany;
      return false;
    }
    elements->emplace_back(element);
    return true;
  });
}

void PutElements(WriteTxn& txn, const List& list, uint64_t position, const std::vector<std::string>& elements) {
  for (const std::string& element : elements) PutElement(txn, list, position++, element);
}

// Makes room at `index` by shifting the shorter side, and puts the element there. kTooMany: nothing was done.
Status InsertByShifting(WriteTxn& txn, uint64_t index, std::string_view element, List* list, Gathered* gathered) {
  const bool front = index < list->count - index;
  const uint64_t first = front ? 0 : index;
  const uint64_t count = front ? index : list->count - index;
  MoveBudget budget(txn);
  std::vector<std::string> moved;
  const Status status = Gather(txn, *list, first, count, {}, &budget, &moved, gathered);
  if (status != Status::kOk || *gathered == Gathered::kTooMany) return status;
  if (front) --list->head;
  ++list->count;
  PutElements(txn, *list, list->head + (front ? 0 : index + 1), moved);
  PutElement(txn, *list, list->head + index, element);
  return Status::kOk;
}

// Closes the gaps at `indices` (ascending, not all there are): the longest run of elements between two of them stays
// where it is. kTooMany: nothing was done.
Status CloseGaps(WriteTxn& txn, std::span<const uint64_t> indices, List* list, Gathered* gathered) {
  // Gap g is before indices[g]; the last is behind all of them. The run before gap g begins behind indices[g - 1].
  size_t longest = 0;
  uint64_t run_first = 0;
  uint64_t run_end = indices[0];
  for (size_t gap = 1; gap <= indices.size(); ++gap) {
    const uint64_t first = indices[gap - 1] + 1;
    const uint64_t end = gap < indices.size() ? indices[gap] : list->count;
    if (end - first <= run_end - run_first) continue;
    longest = gap;
    run_first = first;
    run_end = end;
  }
  const uint64_t removed_before = longest;
  const uint64_t removed_behind = indices.size() - longest;
  MoveBudget budget(txn);
  std::vector<std::string> before;
  std::vector<std::string> behind;
  Status status = Gather(txn, *list, 0, run_first, indices, &budget, &before, gathered);
  if (status != Status::kOk || *gathered == Gathered::kTooMany) return status;
  status = Gather(txn, *list, run_end, list->count - run_end, indices, &budget, &behind, gathered);
  if (status != Status::kOk || *gathered == Gathered::kTooMany) return status;
  DeletePositions(txn, *list, list->head, removed_before);
  DeletePositions(txn, *list, list->head + list->count - removed_behind, removed_behind);
  PutElements(txn, *list, list->head + removed_before, before);
  PutElements(txn, *list, list->head + run_end, behind);
  list->head += removed_before;
  list->count -= indices.size();
  return Status::kOk;
}

// Which elements a Remove hits.
struct Hits {
  uint64_t count = 0;
  uint64_t last = 0;              // index of the one found last
  std::vector<uint64_t> indices;  // ascending; only when there are few
  bool few() const { return indices.size() == count; }
};

Status FindHits(WriteTxn& txn, const List& list, int64_t count, std::string_view wanted, Hits* hits) {
  const bool forward = count >= 0;
  const uint64_t hits_max = count == 0 ? UINT64_MAX
                            : forward  ? static_cast<uint64_t>(count)
                                       : -static_cast<uint64_t>(count);
  uint64_t looked_at = 0;
  bool too_many = false;
  const Status status = ListStore::ForEach(
      txn, list, 0, list.count, forward ? ScanOrder::kForward : ScanOrder::kBackward, [&](std::string_view element) {
        too_many = !list.packed() && txn.tier() == ReadTier::kMemory && looked_at >= kFastRowsMax;
        if (too_many) return false;
        const uint64_t index = forward ? looked_at : list.count - 1 - looked_at;
        ++looked_at;
        if (element != wanted) return true;
        ++hits->count;
        hits->last = index;
        if (hits->count <= NewObject::kLargeRows) hits->indices.push_back(index);
        return hits->count < hits_max;
      });
  if (!forward) std::reverse(hits->indices.begin(), hits->indices.end());
  return too_many ? Status::kIncomplete : status;
}

Status RemoveFromPacked(WriteTxn& txn, DbIndex db, const HashedKey& key, List list, const Hits& hits,
                        const ListLimits& limits) {
  std::string left;
  left.reserve(list.elements.size());
  size_t next = 0;
  PackedReader reader(list.elements);
  std::string_view element;
  for (uint64_t index = 0; reader.Read(&element); ++index) {
    if (next < hits.indices.size() && hits.indices[next] == index) {
      ++next;
    } else {
      AppendPacked(element, &left);
    }
  }
  if (!reader.done()) return Status::kCorruption;
  list.elements = left;
  list.count -= hits.count;
  const Status status = TryListpack(txn, limits, &list);
  if (status == Status::kOk) PutPacked(txn, db, key, list, {left});
  return status;
}

// An element that goes to the other end of the same list, or comes back where it was.
Status Rotate(WriteTxn& txn, DbIndex db, const HashedKey& key, List list, ListEnd from, ListEnd to,
              std::string_view element, const ListLimits& limits) {
  if (from == to || list.count == 1) {
    const Encoding before = list.encoding;
    const Status status = TryListpack(txn, limits, &list);
    if (status != Status::kOk) return status;
    if (list.encoding == before) {
      txn.Touch(db, key);
    } else {
      txn.Put(db, key, Record::WithHeader(*list.record, HeaderOf(list)));
    }
    return Status::kOk;
  }
  Status status = TryListpack(txn, limits, &list);
  if (status != Status::kOk) return status;
  if (list.packed()) {
    std::string_view rest;
    if (!PackedFrom(list.elements, from == ListEnd::kHead ? 1 : list.count - 1, &rest)) return Status::kCorruption;
    const std::string_view front = list.elements.substr(0, list.elements.size() - rest.size());
    PutPacked(txn, db, key, list, {rest, front});  // either way the two parts change places
    return Status::kOk;
  }
  if (from == ListEnd::kHead) {
    PutElement(txn, list, list.head + list.count, element);
    DeletePositions(txn, list, list.head, 1);
    ++list.head;
  } else {
    PutElement(txn, list, list.head - 1, element);
    DeletePositions(txn, list, list.head + list.count - 1, 1);
    --list.head;
  }
  PutRowsRecord(txn, db, key, list);
  return Status::kOk;
}

}  // namespace

Status ListStore::Find(ReadView& view, DbIndex db, const HashedKey& key, List* list) {
  RecordPtr record;
  const Status status = FindCollection(view, db, key, ValueType::kList, &record);
  if (status != Status::kOk) return status;
  return ParseList(std::move(record), list) ? Status::kOk : Status::kCorruption;
}

Status ListStore::Get(ReadView& view, const List& list, uint64_t index, std::string* buffer,
                      std::string_view* element) {
  if (list.packed()) {
    std::string_view rest;
    if (!PackedFrom(list.elements, index, &rest)) return Status::kCorruption;
    return PackedReader(rest).Read(element) ? Status::kOk : Status::kCorruption;
  }
  KeyBuffer key;
  EncodeListKey(list.object_id, list.head + index, &key);
  const Status status = view.GetRow(RowFamily::kData, key.view(), buffer);
  *element = *buffer;
  return status == Status::kNotFound ? Status::kCorruption : status;
}

Status ListStore::Push(WriteTxn& txn, DbIndex db, const HashedKey& key, ListEnd end, IfAbsent if_absent,
                       std::span<const std::string_view> elements, const ListLimits& limits, uint64_t* length) {
  List list;
  Status status = FindForWrite(txn, db, key, &list);
  if (status != Status::kOk && (status != Status::kNotFound || if_absent == IfAbsent::kLeave)) return status;
  const uint64_t added = elements.size();
  uint64_t bytes = 0;
  uint64_t packed_bytes = 0;
  for (const std::string_view element : elements) {
    bytes += element.size();
    packed_bytes += PackedBytes(element);
  }
  status = TryQuicklist(txn, limits, added, bytes, &list);
  if (status != Status::kOk) return status;
  *length = list.count + added;
  const bool at_head = end == ListEnd::kHead;

  if (list.packed() && FitsPacked(*length, list.elements.size() + packed_bytes)) {
    std::string payload;
    payload.reserve(VarintBytes(*length) + list.elements.size() + packed_bytes);
    AppendPackedCount(*length, &payload);
    if (!at_head) payload.append(list.elements);
    for (size_t i = 0; i < added; ++i) AppendPacked(elements[at_head ? added - 1 - i : i], &payload);
    if (at_head) payload.append(list.elements);
    txn.Put(db, key, Record::Make(HeaderOf(list), payload));
    return Status::kOk;
  }
  if (list.packed()) {
    Views all;
    all.reserve(*length);
    if (at_head) all.assign(elements.rbegin(), elements.rend());
    if (!Unpack(list.elements, &all)) return Status::kCorruption;
    if (!at_head) all.insert(all.end(), elements.begin(), elements.end());
    return Store(txn, db, key, std::move(list), all);
  }
  // Too much for one batch, and what is there already is little beside it.
  if ((added > NewObject::kLargeRows || bytes > NewObject::kLargeBytes) && list.count <= added) {
    const List old = list;
    const auto fill = [&](RowsWriter& writer) {
      Status written = at_head ? Status::kOk : CopyElements(txn, old, 0, old.count, writer);
      for (size_t i = 0; written == Status::kOk && i < added; ++i) {
        written = writer.Add(elements[at_head ? added - 1 - i : i]);
      }
      return written == Status::kOk && at_head ? CopyElements(txn, old, 0, old.count, writer) : written;
    };
    status = Rewrite(txn, *length, fill, &list);
    if (status == Status::kOk) PutRowsRecord(txn, db, key, list);
    return status;
  }
  uint64_t position = at_head ? list.head : list.head + list.count;
  uint64_t listpack_bytes = 0;
  for (const std::string_view element : elements) {
    PutElement(txn, list, at_head ? --position : position++, element);
    listpack_bytes += ListpackEntryBytes(element);
  }
  if (at_head) list.head -= added;
  list.count += added;
  list.listpack = list.listpack.Plus(listpack_bytes);
  PutRowsRecord(txn, db, key, list);
  return Status::kOk;
}

Status ListStore::Drop(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, uint64_t front, uint64_t back,
                       uint64_t listpack_bytes, const ListLimits& limits) {
  if (front + back >= list.count) {
    txn.Erase(db, key);
    return Status::kOk;
  }
  List left = list;
  left.count -= front + back;
  if (list.packed()) {
    std::string_view behind;
    if (!PackedFrom(list.elements, front, &left.elements) || !PackedFrom(left.elements, left.count, &behind)) {
      return Status::kCorruption;
    }
    left.elements.remove_suffix(behind.size());
    const Status status = TryListpack(txn, limits, &left);
    if (status == Status::kOk) PutPacked(txn, db, key, left, {left.elements});
    return status;
  }
  DeletePositions(txn, list, list.head, front);
  DeletePositions(txn, list, list.head + list.count - back, back);
  left.head += front;
  left.listpack = listpack_bytes == kUnknownBytes ? ListpackSize::Unknown() : list.listpack.Minus(listpack_bytes);
  const Status status = TryListpack(txn, limits, &left);
  if (status == Status::kOk) PutRowsRecord(txn, db, key, left);
  return status;
}

Status ListStore::Trim(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, uint64_t first,
                       uint64_t count, const ListLimits& limits) {
  const uint64_t back = list.count - first - count;
  if (first + back == 0 && list.encoding == Encoding::kListpack) {
    txn.Touch(db, key);
    return Status::kOk;
  }
  uint64_t bytes = kUnknownBytes;
  // A list that is kept at one length is trimmed by a few elements at a time: counting them is cheaper than counting
  // all that are left, every time.
  if (!list.packed() && count > 0 && first + back <= kPointDeletesMax && BytesMatter(limits, list)) {
    bytes = 0;
    const auto add = [&bytes](std::string_view element) {
      bytes += ListpackEntryBytes(element);
      return true;
    };
    Status status = ForEach(txn, list, 0, first, ScanOrder::kForward, add);
    if (status == Status::kOk) status = ForEach(txn, list, list.count - back, back, ScanOrder::kForward, add);
    if (status != Status::kOk) return status;
  }
  return Drop(txn, db, key, list, first, back, bytes, limits);
}

Status ListStore::Set(WriteTxn& txn, DbIndex db, const HashedKey& key, const List& list, uint64_t index,
                      std::string_view element, const ListLimits& limits) {
  List changed = list;
  Status status = TryQuicklist(txn, limits, 1, element.size(), &changed);
  if (status != Status::kOk) return status;
  if (list.packed()) {
    std::string_view from;
    std::string_view behind;
    if (!PackedFrom(list.elements, index, &from) || !PackedFrom(from, 1, &behind)) return Status::kCorruption;
    const std::string_view before = list.elements.substr(0, list.elements.size() - from.size());
    if (FitsPacked(list.count, before.size() + PackedBytes(element) + behind.size())) {
      std::string packed(before);
      AppendPacked(element, &packed);
      packed.append(behind);
      changed.elements = packed;
      status = TryListpack(txn, limits, &changed);
      if (status == Status::kOk) PutPacked(txn, db, key, changed, {packed});
      return status;
    }
    Views all;
    all.reserve(list.count);
    if (!Unpack(list.elements, &all) || index >= all.size()) return Status::kCorruption;
    all[index] = element;
    return Store(txn, db, key, std::move(changed), all);
  }
  if (BytesMatter(limits, changed)) {
    std::string buffer;
    std::string_view old;
    status = Get(txn, list, index, &buffer, &old);
    if (status != Status::kOk) return status;
    changed.listpack = changed.listpack.Minus(ListpackEntryBytes(old)).Plus(ListpackEntryBytes(element));
  } else {
    changed.listpack = ListpackSize::Unknown();
  }
  PutElement(txn, list, list.head + index, element);
  status = TryListpack(txn, limits, &changed);
  if (status != Status::kOk) return status;
  if (changed.encoding == list.encoding && changed.listpack == list.listpack) {
    txn.Touch(db, key);
  } else {
    PutRowsRecord(txn, db, key, changed);
  }
  return Status::kOk;
}

Status ListStore::Insert(WriteTxn& txn, DbIndex db, const HashedKey& key, Side side, std::string_view pivot,
                         std::string_view element, const ListLimits& limits, int64_t* length) {
  List list;
  Status status = FindForWrite(txn, db, key, &list);
  if (status != Status::kOk) return status;
  *length = -1;
  Hits hits;
  status = FindHits(txn, list, 1, pivot, &hits);
  if (status != Status::kOk || hits.count == 0) return status;
  const uint64_t index = hits.last + (side == Side::kAfter ? 1 : 0);
  status = TryQuicklist(txn, limits, 1, element.size(), &list);
  if (status != Status::kOk) return status;
  *length = static_cast<int64_t>(list.count + 1);

  if (list.packed()) {
    std::string_view behind;
    if (!PackedFrom(list.elements, index, &behind)) return Status::kCorruption;
    if (FitsPacked(list.count + 1, list.elements.size() + PackedBytes(element))) {
      std::string packed(list.elements.substr(0, list.elements.size() - behind.size()));
      AppendPacked(element, &packed);
      ++list.count;
      PutPacked(txn, db, key, list, {packed, behind});
      return Status::kOk;
    }
    Views all;
    all.reserve(list.count + 1);
    if (!Unpack(list.elements, &all) || index > all.size()) return Status::kCorruption;
    all.insert(all.begin() + static_cast<ptrdiff_t>(index), element);
    return Store(txn, db, key, std::move(list), all);
  }
  const List old = list;
  Gathered gathered = Gathered::kAll;
  status = InsertByShifting(txn, index, element, &list, &gathered);
  if (status != Status::kOk) return status;
  if (gathered == Gathered::kAll) {
    list.listpack = list.listpack.Plus(ListpackEntryBytes(element));
  } else {
    const auto fill = [&](RowsWriter& writer) {
      Status written = CopyElements(txn, old, 0, index, writer);
      if (written == Status::kOk) written = writer.Add(element);
      return written == Status::kOk ? CopyElements(txn, old, index, old.count - index, writer) : written;
    };
    status = Rewrite(txn, old.count + 1, fill, &list);
    if (status != Status::kOk) return status;
  }
  PutRowsRecord(txn, db, key, list);
  return Status::kOk;
}

Status ListStore::Remove(WriteTxn& txn, DbIndex db, const HashedKey& key, int64_t count, std::string_view element,
                         const ListLimits& limits, uint64_t* removed) {
  List list;
  Status status = FindForWrite(txn, db, key, &list);
  if (status != Status::kOk) return status;
  Hits hits;
  status = FindHits(txn, list, count, element, &hits);
  if (status != Status::kOk) return status;
  *removed = hits.count;
  if (hits.count == 0) return Status::kOk;
  if (hits.count == list.count) {
    txn.Erase(db, key);
    return Status::kOk;
  }
  if (list.packed()) return RemoveFromPacked(txn, db, key, std::move(list), hits, limits);
  const List old = list;
  Gathered gathered = Gathered::kTooMany;
  if (hits.few()) status = CloseGaps(txn, hits.indices, &list, &gathered);
  if (status != Status::kOk) return status;
  if (gathered == Gathered::kAll) {
    list.listpack = list.listpack.Minus(hits.count * ListpackEntryBytes(element));
  } else {
    const uint64_t first = count < 0 ? hits.last : 0;
    const uint64_t last = count > 0 ? hits.last : old.count;
    const auto fill = [&](RowsWriter& writer) {
      return CopyElements(txn, old, 0, old.count, writer, [&](uint64_t index, std::string_view each) {
        return index >= first && index <= last && each == element;
      });
    };
    status = Rewrite(txn, old.count - hits.count, fill, &list);
    if (status != Status::kOk) return status;
  }
  status = TryListpack(txn, limits, &list);
  if (status == Status::kOk) PutRowsRecord(txn, db, key, list);
  return status;
}

Status ListStore::Move(WriteTxn& txn, DbIndex db, const HashedKey& from, ListEnd from_end, const HashedKey& to,
                       ListEnd to_end, const ListLimits& limits, std::string* element) {
  List source;
  Status status = FindForWrite(txn, db, from, &source);
  if (status != Status::kOk) return status;
  std::string_view moved;
  if (from.key == to.key) {
    status = Get(txn, source, from_end == ListEnd::kHead ? 0 : source.count - 1, element, &moved);
    if (status != Status::kOk) return status;
    if (source.packed()) moved = element->assign(moved);
    return Rotate(txn, db, from, std::move(source), from_end, to_end, moved, limits);
  }
  RecordPtr target;
  status = txn.GetRecord(db, to, ValueType::kList, &target);
  if (status != Status::kOk && status != Status::kNotFound) return status;
  status = Pop(txn, db, from, source, from_end, 1, limits, [element](std::string_view popped) {
    element->assign(popped);
    return true;
  });
  if (status != Status::kOk) return status;
  moved = *element;
  uint64_t length = 0;
  return Push(txn, db, to, to_end, IfAbsent::kCreate, {&moved, 1}, limits, &length);
}

Status ListStore::Assign(WriteTxn& txn, DbIndex db, const HashedKey& key, std::span<const std::string_view> elements,
                         int64_t expire_ms, const ListLimits& limits) {
  List list;
  list.expire_ms = expire_ms;
  uint64_t bytes = kListpackEmptyBytes;
  for (const std::string_view element : elements) bytes += ListpackEntryBytes(element);
  if (limits.ExceededBy(bytes, elements.size())) list.encoding = Encoding::kQuicklist;
  return Store(txn, db, key, std::move(list), elements);
}

}  // namespace basalt::storage
