// Streams and consumer groups: random verbs against std::map, in commit groups some of whose commands are taken back,
// with reopening and compaction; and what must stay true of the rows. Set BASALT_SEED to run one again.

#include "storage/stream_store.h"

#include <map>
#include <random>
#include <set>

#include "storage/stream_groups.h"
#include "tests/storage/storage_fixture.h"

namespace basalt::storage {
namespace {

using Claimed = StreamGroupWriter::Claimed;
using IfMissing = StreamStore::IfMissing;
using Rows = StreamStore::Rows;

struct ModelPending {
  std::string consumer;
  int64_t delivered_ms = 0;
  uint64_t deliveries = 0;
  bool operator==(const ModelPending&) const = default;
};
struct ModelGroup {
  StreamId last_id;
  std::set<std::string> consumers;
  std::map<StreamId, ModelPending> pending;
};
struct ModelStream {
  std::map<StreamId, std::vector<std::string>> entries;
  StreamId last_id, max_deleted_id;
  uint64_t added = 0;
  std::map<std::string, ModelGroup> groups;
};
using Model = std::map<std::string, ModelStream>;

std::vector<std::string> StringsOf(const StreamEntry& entry) {
  std::vector<std::string> strings;
  EXPECT_TRUE(entry.ForEach([&](std::string_view each) { strings.emplace_back(each); }));
  return strings;
}

class StreamStoreTest : public StorageTest {
 protected:
  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  std::string SomeKey() { return "s" + std::to_string(Below(3)); }
  std::string SomeGroup() { return "g" + std::to_string(Below(3)); }
  std::string SomeConsumer() { return std::string("c", Below(2)) + std::to_string(Below(4)); }
  StreamId SomeId() { return {1 + Below(300), Below(2)}; }

  Status Add(WriteTxn& txn, const std::string& key, const StreamIdRequest& request,
             const std::vector<std::string>& strings, const StreamTrim& trim, StreamId* id) {
    const std::vector<std::string_view> fields(strings.begin(), strings.end());
    uint64_t trimmed = 0;
    return StreamStore::Add(txn, 0, Key(key), request, fields, IfMissing::kCreate, trim, limits_, id, &trimmed);
  }

  // ---- one random command, on the store and on the model ----

  void RandomAdd(WriteTxn& txn, Model& model) {
    const std::string key = SomeKey();
    ModelStream* old = model.contains(key) ? &model[key] : nullptr;
    StreamIdRequest request{.form = StreamIdRequest::Form::kMilliseconds, .id = {1 + Below(300), 0}};
    if (old != nullptr && Below(5) != 0) request.id.ms = old->last_id.ms + Below(3);
    if (Below(4) == 0) request = {.form = StreamIdRequest::Form::kWhole, .id = {request.id.ms, 1 + Below(4)}};
    std::vector<std::string> strings;
    for (uint64_t i = 0, n = 1 + Below(3); i < n; ++i) {
      strings.push_back("field" + std::to_string(Below(3)));
      strings.push_back(std::string(Below(20) == 0 ? Below(3000) : Below(20), 'v'));
    }
    StreamTrim trim;
    if (Below(6) == 0) trim = {.by = StreamTrim::By::kLength, .limit = 0, .length_max = Below(60), .id_min = {}};
    StreamId id;
    const Status status = Add(txn, key, request, strings, trim, &id);
    StreamId expected = request.id;
    const StreamId last = old != nullptr ? old->last_id : StreamId();
    if (request.form == StreamIdRequest::Form::kMilliseconds && expected.ms == last.ms) expected.seq = last.seq + 1;
    if (expected <= last) {
      ASSERT_EQ(status, Status::kInvalid);
      return;
    }
    ASSERT_EQ(status, Status::kOk);
    ASSERT_EQ(id, expected);
    ModelStream& stream = model[key];
    stream.entries[id] = strings;
    stream.last_id = id;
    ++stream.added;
    if (trim.by == StreamTrim::By::kLength) {
      while (stream.entries.size() > trim.length_max) stream.entries.erase(stream.entries.begin());
    }
  }

  void RandomTrim(WriteTxn& txn, Model& model) {
    const std::string key = SomeKey();
    StreamTrim trim{.by = Below(2) == 0 ? StreamTrim::By::kLength : StreamTrim::By::kId,
                    .approximate = Below(2) == 0,
                    .limit = 0,
                    .length_max = Below(80),
                    .id_min = SomeId()};
    if (trim.approximate && Below(2) == 0) trim.limit = Below(50);
    uint64_t removed = 0;
    const Status status = StreamStore::Trim(txn, 0, Key(key), trim, &removed);
    if (!model.contains(key)) {
      ASSERT_EQ(status, Status::kNotFound);
      return;
    }
    ASSERT_EQ(status, Status::kOk);
    auto& entries = model[key].entries;
    uint64_t wanted = 0;
    if (trim.by == StreamTrim::By::kLength) {
      wanted = entries.size() - std::min<uint64_t>(entries.size(), trim.length_max);
    } else {
      wanted = static_cast<uint64_t>(std::distance(entries.begin(), entries.lower_bound(trim.id_min)));
    }
    if (trim.approximate) {
      ASSERT_LE(removed, wanted);
      if (trim.limit != 0) {
        ASSERT_LE(removed, trim.limit);
      }
      if (trim.limit == 0) {
        ASSERT_LE(wanted - removed, limits_.entries_max);
      }
    } else {
      ASSERT_EQ(removed, wanted);
    }
    for (uint64_t i = 0; i < removed; ++i) entries.erase(entries.begin());
  }

  void RandomDelete(WriteTxn& txn, Model& model) {
    const std::string key = SomeKey();
    std::vector<StreamId> ids;
    for (uint64_t i = 0, n = 1 + Below(8); i < n; ++i) ids.push_back(SomeId());
    if (model.contains(key) && !model[key].entries.empty()) {
      ids.push_back(Below(2) == 0 ? model[key].entries.begin()->first : model[key].entries.rbegin()->first);
    }
    uint64_t removed = 0;
    const Status status = StreamStore::Delete(txn, 0, Key(key), ids, &removed);
    if (!model.contains(key)) {
      ASSERT_EQ(status, Status::kNotFound);
      return;
    }
    ASSERT_EQ(status, Status::kOk);
    ModelStream& stream = model[key];
    uint64_t expected = 0;
    for (const StreamId id : ids) {
      if (stream.entries.erase(id) == 0) continue;
      ++expected;
      stream.max_deleted_id = std::max(stream.max_deleted_id, id);
    }
    ASSERT_EQ(removed, expected);
  }

  // Whatever is done with one group.
  void RandomGroupVerb(WriteTxn& txn, Model& model) {
    const std::string key = SomeKey();
    const std::string name = SomeGroup();
    Stream stream;
    const Status found = StreamStore::Find(txn, 0, Key(key), Rows::kNeeded, &stream);
    ASSERT_EQ(found == Status::kOk, model.contains(key));
    if (found != Status::kOk) return;
    ModelStream& streams = model[key];
    StreamGroupWriter writer(txn, stream);
    const Status opened = writer.Open(name);
    ASSERT_EQ(opened == Status::kOk, streams.groups.contains(name));
    if (opened != Status::kOk) {
      const StreamId last = Below(2) == 0 ? StreamId() : SomeId();
      writer.Create(name, last, kEntriesReadUnknown, &stream.header);
      ASSERT_EQ(writer.Finish(), Status::kOk);
      StreamStore::PutHeader(txn, 0, Key(key), stream);
      streams.groups[name].last_id = last;
      return;
    }
    ModelGroup& group = streams.groups[name];
    switch (Below(20)) {
      case 0:
        ASSERT_EQ(writer.Destroy(&stream.header), Status::kOk);
        StreamStore::PutHeader(txn, 0, Key(key), stream);
        streams.groups.erase(name);
        break;
      case 1:
        group.last_id = writer.MutableGroup()->last_id = SomeId();
        break;
      case 2:
        RemoveConsumer(writer, group);
        break;
      case 3:
      case 4:
      case 5:
        Claim(writer, streams, group);
        break;
      case 6:
      case 7:
        ClaimFrom(writer, streams, group);
        break;
      case 8:
      case 9:
      case 10:
      case 11:
        Acknowledge(writer, group);
        break;
      default:
        Deliver(txn, stream, writer, streams, group);
    }
    ASSERT_EQ(writer.Finish(), Status::kOk);
  }

  void Deliver(WriteTxn& txn, const Stream& stream, StreamGroupWriter& writer, ModelStream& streams,
               ModelGroup& group) {
    const std::string name = SomeConsumer();
    StreamGroupWriter::Consumer consumer;
    ASSERT_EQ(writer.FindConsumer(name, IfMissing::kCreate, &consumer), Status::kOk);
    group.consumers.insert(name);
    writer.SetSeen(consumer);
    std::vector<StreamId> ids;
    StreamId first = group.last_id;
    first.Increment();
    const size_t count = 1 + Below(30);
    ASSERT_EQ(StreamStore::ForEach(txn, stream, first, kStreamIdMax, ScanOrder::kForward,
                                   [&](StreamId id, const StreamEntry&) {
                                     ids.push_back(id);
                                     return ids.size() < count;
                                   }),
              Status::kOk);
    for (const StreamId id : ids) StreamGroups::Advance(stream.header, id, writer.MutableGroup());
    ASSERT_EQ(writer.Deliver(consumer, ids), Status::kOk);
    auto expected = streams.entries.lower_bound(first);
    for (const StreamId id : ids) {
      ASSERT_NE(expected, streams.entries.end());
      ASSERT_EQ(id, expected->first);
      ++expected;
      group.last_id = id;
      group.pending[id] = {name, now_ms_, 1};
    }
    ASSERT_TRUE(ids.size() == count || expected == streams.entries.end());
  }

  void Acknowledge(StreamGroupWriter& writer, ModelGroup& group) {
    for (uint64_t i = 0, n = 1 + Below(10); i < n; ++i) {
      StreamId id = SomeId();
      if (!group.pending.empty() && Below(2) == 0) {
        id = std::next(group.pending.begin(), static_cast<long>(Below(group.pending.size())))->first;
      }
      ASSERT_EQ(writer.Acknowledge(id) == Status::kOk, group.pending.erase(id) != 0);
    }
  }

  void RemoveConsumer(StreamGroupWriter& writer, ModelGroup& group) {
    const std::string name = SomeConsumer();
    StreamGroupWriter::Consumer consumer;
    const Status found = writer.FindConsumer(name, IfMissing::kRefuse, &consumer);
    ASSERT_EQ(found == Status::kOk, group.consumers.contains(name));
    if (found != Status::kOk) return;
    uint64_t pending = 0;
    ASSERT_EQ(writer.RemoveConsumer(consumer, &pending), Status::kOk);
    group.consumers.erase(name);
    ASSERT_EQ(pending, std::erase_if(group.pending, [&](const auto& each) { return each.second.consumer == name; }));
  }

  void Claim(StreamGroupWriter& writer, ModelStream& streams, ModelGroup& group) {
    const std::string name = SomeConsumer();
    StreamGroupWriter::Consumer consumer;
    ASSERT_EQ(writer.FindConsumer(name, IfMissing::kCreate, &consumer), Status::kOk);
    group.consumers.insert(name);
    const ClaimOptions options{.idle_min_ms = Below(2) == 0 ? 0 : 5000,
                               .delivered_ms = now_ms_ - 7,
                               .deliveries = Below(2) == 0 ? std::nullopt : std::optional<uint64_t>(Below(9)),
                               .counts_as_delivery = Below(2) == 0,
                               .force = Below(3) == 0};
    for (uint64_t i = 0, n = 1 + Below(6); i < n; ++i) {
      const StreamId id = SomeId();
      Claimed claimed;
      std::string row;
      ASSERT_EQ(writer.Claim(consumer, id, options, &claimed, &row), Status::kOk);
      const auto pending = group.pending.find(id);
      if (!streams.entries.contains(id)) {
        ASSERT_EQ(claimed, Claimed::kGone);
        group.pending.erase(id);
        continue;
      }
      const bool is_pending = pending != group.pending.end();
      const bool too_soon = is_pending && now_ms_ - pending->second.delivered_ms < options.idle_min_ms;
      if (too_soon || (!is_pending && !options.force)) {
        ASSERT_EQ(claimed, Claimed::kNo);
        continue;
      }
      ASSERT_EQ(claimed, Claimed::kYes);
      ModelPending& owned = group.pending[id];
      const uint64_t deliveries = is_pending ? owned.deliveries : 1;
      owned = {name, options.delivered_ms, options.deliveries.value_or(deliveries + options.counts_as_delivery)};
    }
  }

  void ClaimFrom(StreamGroupWriter& writer, ModelStream& streams, ModelGroup& group) {
    const std::string name = SomeConsumer();
    StreamGroupWriter::Consumer consumer;
    ASSERT_EQ(writer.FindConsumer(name, IfMissing::kCreate, &consumer), Status::kOk);
    group.consumers.insert(name);
    const ClaimOptions options{.idle_min_ms = Below(2) == 0 ? 0 : 5000, .delivered_ms = now_ms_, .deliveries = {}};
    uint64_t count = 1 + Below(5);
    uint64_t looks = count * 10;
    const StreamId start = Below(2) == 0 ? StreamId() : SomeId();
    std::vector<std::pair<StreamId, Claimed>> seen;
    StreamId next;
    ASSERT_EQ(writer.ClaimFrom(consumer, start, count, options, &next,
                               [&](StreamId id, Claimed claimed, std::string_view) { seen.emplace_back(id, claimed); }),
              Status::kOk);
    std::vector<std::pair<StreamId, Claimed>> expected;
    auto at = group.pending.lower_bound(start);
    for (; at != group.pending.end() && looks > 0 && count > 0; --looks) {
      const bool exists = streams.entries.contains(at->first);
      if (exists && now_ms_ - at->second.delivered_ms < options.idle_min_ms) {
        ++at;
        continue;
      }
      --count;
      expected.emplace_back(at->first, exists ? Claimed::kYes : Claimed::kGone);
      if (exists) {
        at->second = {name, now_ms_, at->second.deliveries + 1};
        ++at;
      } else {
        at = group.pending.erase(at);
      }
    }
    ASSERT_EQ(seen, expected);
    ASSERT_EQ(next, at == group.pending.end() ? StreamId() : at->first);
  }

  void Step(WriteTxn& txn, Model& model) {
    const std::string key = SomeKey();
    RecordPtr record;
    switch (Below(40)) {
      case 0:
        if (txn.GetRecord(0, Key(key), &record) == Status::kOk) txn.Erase(0, Key(key));
        model.erase(key);
        return;
      case 1:
        ASSERT_EQ(Keyspace::Copy(txn, 0, Key(key), 0, Key("s2")), !model.contains(key) ? Status::kNotFound
                                                                  : key == "s2"        ? Status::kInvalid
                                                                                       : Status::kOk);
        if (model.contains(key)) model["s2"] = ModelStream(model[key]);
        return;
      case 2:
      case 3:
        return RandomTrim(txn, model);
      case 4:
      case 5:
      case 6:
        return RandomDelete(txn, model);
      default:
        return Below(2) == 0 ? RandomAdd(txn, model) : RandomGroupVerb(txn, model);
    }
  }

  // One commit group: commands of which some are taken back, then all of it or nothing.
  void RunGroup(Model* model) {
    Model after = *model;
    WriteTxn txn(*storage_);
    const HashedKey keys[] = {Key("s0"), Key("s1"), Key("s2")};
    ASSERT_EQ(txn.LockKeys(keys), Status::kOk);
    for (uint64_t i = 0, n = 1 + Below(12); i < n; ++i) {
      Model next = after;
      txn.BeginCommand(now_ms_, ReadTier::kDisk);
      ASSERT_NO_FATAL_FAILURE(Step(txn, next));
      if (Below(6) == 0) {
        txn.RollbackCommand();
      } else {
        txn.EndCommand();
        after = std::move(next);
      }
      if (Below(10) == 0) {
        ASSERT_NO_FATAL_FAILURE(Check(txn, after));
      }
      now_ms_ += static_cast<int64_t>(Below(3000));
    }
    if (Below(8) == 0) {
      txn.Abort();
    } else {
      uint64_t sequence = 0;
      ASSERT_EQ(txn.Commit(nullptr, false, &sequence), Status::kOk);
      *model = std::move(after);
    }
  }

  // ---- what is there ----

  void Check(ReadView& view, const Model& model) {
    for (const std::string key : {"s0", "s1", "s2"}) {
      SCOPED_TRACE("stream " + key);
      Stream stream;
      const Status found = StreamStore::Find(view, 0, Key(key), Rows::kNeeded, &stream);
      const auto expected = model.find(key);
      ASSERT_EQ(found, expected == model.end() ? Status::kNotFound : Status::kOk);
      if (found != Status::kOk) continue;
      CheckEntries(view, stream, expected->second);
      CheckNodes(view, stream);
      ASSERT_EQ(stream.header.groups, expected->second.groups.size());
      auto next = expected->second.groups.begin();
      ASSERT_EQ(StreamGroups::ForEach(view, stream,
                                      [&](std::string_view name, const StreamGroup& group) {
                                        EXPECT_EQ(name, next->first);
                                        CheckGroup(view, stream, group, next->second);
                                        return !HasFatalFailure() && ++next != expected->second.groups.end();
                                      }),
                Status::kOk);
      ASSERT_EQ(next, expected->second.groups.end());
    }
  }

  void CheckEntries(ReadView& view, const Stream& stream, const ModelStream& expected) {
    const StreamHeader& header = stream.header;
    ASSERT_EQ(header.length, expected.entries.size());
    ASSERT_EQ(header.last_id, expected.last_id);
    ASSERT_EQ(header.max_deleted_id, expected.max_deleted_id);
    ASSERT_EQ(header.entries_added, expected.added);
    ASSERT_EQ(header.first_entry, expected.entries.empty() ? StreamId() : expected.entries.begin()->first);
    ASSERT_EQ(header.last_entry, expected.entries.empty() ? StreamId() : expected.entries.rbegin()->first);
    for (const ScanOrder order : {ScanOrder::kForward, ScanOrder::kBackward}) {
      const StreamId first = Below(2) == 0 ? kStreamIdMin : SomeId();
      const StreamId last = Below(2) == 0 ? kStreamIdMax : SomeId();
      std::vector<std::pair<StreamId, std::vector<std::string>>> seen, wanted;
      ASSERT_EQ(StreamStore::ForEach(view, stream, first, last, order,
                                     [&](StreamId id, const StreamEntry& entry) {
                                       seen.emplace_back(id, StringsOf(entry));
                                       return true;
                                     }),
                Status::kOk);
      for (const auto& [id, strings] : expected.entries) {
        if (id >= first && id <= last) wanted.emplace_back(id, strings);
      }
      if (order == ScanOrder::kBackward) std::reverse(wanted.begin(), wanted.end());
      ASSERT_EQ(seen, wanted);
    }
  }

  // Every entry is counted in exactly one node.
  void CheckNodes(ReadView& view, const Stream& stream) {
    const StreamHeader& header = stream.header;
    std::vector<StreamNode> nodes;
    if (header.nodes > 1) nodes.push_back(header.head);
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeStreamTagBound(stream.object_id(), StreamTag::kNode, &lower);
    EncodeStreamTagEnd(stream.object_id(), StreamTag::kNode, &upper);
    ASSERT_EQ(ScanRows(view, RowFamily::kScore, lower.view(), upper.view(),
                       [&](std::string_view key, std::string_view value) {
                         nodes.push_back(*ParseStreamNode(*ParseStreamNodeKey(key), value));
                         return true;
                       }),
              Status::kOk);
    if (header.nodes > 0) nodes.push_back(header.tail);
    ASSERT_EQ(nodes.size(), header.nodes);
    uint64_t entries = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      uint64_t found = 0;
      ASSERT_EQ(StreamStore::ForEach(view, stream, nodes[i].first, nodes[i].last, ScanOrder::kForward,
                                     [&](StreamId, const StreamEntry&) { return ++found != 0; }),
                Status::kOk);
      ASSERT_EQ(found, nodes[i].entries);
      ASSERT_NE(found, 0u);
      if (i > 0) {
        ASSERT_LT(nodes[i - 1].last, nodes[i].first);
      }
      entries += found;
    }
    ASSERT_EQ(entries, header.length);
  }

  void CheckGroup(ReadView& view, const Stream& stream, const StreamGroup& group, const ModelGroup& expected) {
    ASSERT_EQ(group.last_id, expected.last_id);
    ASSERT_EQ(group.pending, expected.pending.size());
    ASSERT_EQ(group.consumers, expected.consumers.size());
    std::map<StreamId, ModelPending> seen;
    ASSERT_EQ(StreamGroups::ForEachPending(
                  view, stream, group, kStreamIdMin, kStreamIdMax,
                  [&](StreamId id, const PendingEntry& pending) {
                    std::string name;
                    EXPECT_EQ(StreamGroups::ConsumerName(view, stream, group, pending.consumer, &name), Status::kOk);
                    seen[id] = {name, pending.delivered_ms, pending.deliveries};
                    return true;
                  }),
              Status::kOk);
    ASSERT_EQ(seen.size(), expected.pending.size());
    ASSERT_TRUE(seen == expected.pending);
    std::set<std::string> names;
    const auto check = [&](std::string_view name, const StreamConsumer& consumer) {
      names.emplace(name);
      std::vector<StreamId> ids, wanted;
      EXPECT_EQ(StreamGroups::ForEachPendingOf(view, stream, group, consumer, kStreamIdMin, kStreamIdMax,
                                               [&](StreamId id) {
                                                 ids.push_back(id);
                                                 return true;
                                               }),
                Status::kOk);
      for (const auto& [id, pending] : expected.pending) {
        if (pending.consumer == name) wanted.push_back(id);
      }
      EXPECT_EQ(ids, wanted);
      EXPECT_EQ(consumer.pending, wanted.size());
      return true;
    };
    ASSERT_EQ(StreamGroups::ForEachConsumer(view, stream, group, check), Status::kOk);
    ASSERT_EQ(names, expected.consumers);
    StreamId first, last;
    ASSERT_EQ(StreamGroups::FirstPending(view, stream, group, &first) == Status::kOk, !expected.pending.empty());
    const Status status = StreamGroups::LastPending(view, stream, group, &last);
    ASSERT_EQ(status, expected.pending.empty() ? Status::kNotFound : Status::kOk);
    if (status == Status::kOk) {
      ASSERT_EQ(first, expected.pending.begin()->first);
      ASSERT_EQ(last, expected.pending.rbegin()->first);
    }
  }

  uint64_t RowsOf(RowFamily family) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    KeyBuffer lower;
    KeyBuffer upper;
    EncodeObjectBound(0, &lower);
    EncodeObjectBound(UINT64_MAX, &upper);
    uint64_t rows = 0;
    EXPECT_EQ(ScanRows(view, family, lower.view(), upper.view(),
                       [&](std::string_view, std::string_view) { return ++rows != 0; }),
              Status::kOk);
    return rows;
  }

  std::mt19937_64 random_;
  StreamNodeLimits limits_{.entries_max = 7, .bytes_max = 4096};
};

TEST_F(StreamStoreTest, RandomVerbsAgreeWithAModel) {
  const char* wanted = std::getenv("BASALT_SEED");
  const uint64_t seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device()();
  SCOPED_TRACE("BASALT_SEED=" + std::to_string(seed));
  random_.seed(seed);
  Model model;
  for (int round = 0; round < 400 && !HasFatalFailure(); ++round) {
    ASSERT_NO_FATAL_FAILURE(RunGroup(&model));
    if (Below(60) == 0) Reopen();
    if (Below(60) == 0) {
      ASSERT_EQ(storage_->Flush(), Status::kOk);
    }
    if (Below(120) == 0) storage_->Compact();
    if (Below(30) == 0) storage_->RunGarbageCycle(1000);
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    ASSERT_NO_FATAL_FAILURE(Check(view, model));
  }
  for (const std::string_view key : {"s0", "s1", "s2"}) (void)Del(key);
  while (storage_->RunGarbageCycle(1'000'000) != 0) {
  }
  EXPECT_EQ(RowsOf(RowFamily::kData), 0u);
  EXPECT_EQ(RowsOf(RowFamily::kScore), 0u);
}

TEST_F(StreamStoreTest, LargeTrimsAndGroupsGoAsRanges) {
  limits_.entries_max = 100;
  constexpr uint64_t kEntries = 20'000;
  ASSERT_EQ(Write({"s"},
                  [&](WriteTxn& txn) {
                    StreamId id;
                    for (uint64_t i = 1; i <= kEntries; ++i) {
                      const Status status =
                          Add(txn, "s", {StreamIdRequest::Form::kWhole, {i, 0}}, {"f", std::to_string(i)}, {}, &id);
                      if (status != Status::kOk) return status;
                    }
                    Stream stream;
                    EXPECT_EQ(StreamStore::Find(txn, 0, Key("s"), Rows::kNeeded, &stream), Status::kOk);
                    StreamGroupWriter writer(txn, stream);
                    writer.Create("g", {}, 0, &stream.header);
                    StreamGroupWriter::Consumer consumer;
                    EXPECT_EQ(writer.FindConsumer("c", IfMissing::kCreate, &consumer), Status::kOk);
                    std::vector<StreamId> ids;
                    for (uint64_t i = 1; i <= 5000; ++i) ids.push_back({i, 0});
                    EXPECT_EQ(writer.Deliver(consumer, ids), Status::kOk);
                    EXPECT_EQ(writer.Finish(), Status::kOk);
                    StreamStore::PutHeader(txn, 0, Key("s"), stream);
                    return Status::kOk;
                  }),
            Status::kOk);
  uint64_t removed = 0;
  const StreamTrim trim{.by = StreamTrim::By::kLength, .limit = 0, .length_max = 150, .id_min = {}};
  ASSERT_EQ(Write({"s"},
                  [&](WriteTxn& txn) {
                    size_t before = txn.PendingBytes();
                    const Status status = StreamStore::Trim(txn, 0, Key("s"), trim, &removed);
                    EXPECT_LT(txn.PendingBytes() - before, 2000u);
                    return status;
                  }),
            Status::kOk);
  EXPECT_EQ(removed, kEntries - 150);
  EXPECT_EQ(RowsOf(RowFamily::kData), 150u);
  ASSERT_EQ(Write({"s"},
                  [&](WriteTxn& txn) {
                    Stream stream;
                    EXPECT_EQ(StreamStore::Find(txn, 0, Key("s"), Rows::kNeeded, &stream), Status::kOk);
                    StreamGroupWriter writer(txn, stream);
                    EXPECT_EQ(writer.Open("g"), Status::kOk);
                    EXPECT_EQ(writer.group().pending, 5000u);
                    size_t before = txn.PendingBytes();
                    EXPECT_EQ(writer.Destroy(&stream.header), Status::kOk);
                    EXPECT_LT(txn.PendingBytes() - before, 2000u);
                    StreamStore::PutHeader(txn, 0, Key("s"), stream);
                    return writer.Finish();
                  }),
            Status::kOk);
  EXPECT_EQ(RowsOf(RowFamily::kScore), 0u);  // two nodes are left, head and tail
}

// Not in the record, so the seek must not be from the beginning: in-order acknowledgement leaves removed rows behind.
TEST_F(StreamStoreTest, TheFirstPendingEntryIsFollowedAsTheyAreAcknowledged) {
  StreamId id;
  ASSERT_EQ(
      Write({"s"},
            [&](WriteTxn& txn) {
              for (uint64_t i = 1; i <= 1000; ++i) {
                EXPECT_EQ(Add(txn, "s", {StreamIdRequest::Form::kWhole, {i * 2, 0}}, {"f", "v"}, {}, &id), Status::kOk);
              }
              Stream stream;
              EXPECT_EQ(StreamStore::Find(txn, 0, Key("s"), Rows::kNeeded, &stream), Status::kOk);
              StreamGroupWriter writer(txn, stream);
              writer.Create("g", {}, 0, &stream.header);
              StreamGroupWriter::Consumer consumer;
              EXPECT_EQ(writer.FindConsumer("c", IfMissing::kCreate, &consumer), Status::kOk);
              std::vector<StreamId> ids;
              for (uint64_t i = 1; i <= 1000; ++i) ids.push_back({i * 2, 0});
              EXPECT_EQ(writer.Deliver(consumer, ids), Status::kOk);
              StreamStore::PutHeader(txn, 0, Key("s"), stream);
              return writer.Finish();
            }),
      Status::kOk);
  for (uint64_t i = 1; i <= 1000; ++i) {
    ASSERT_EQ(Write({"s"},
                    [&](WriteTxn& txn) {
                      Stream stream;
                      EXPECT_EQ(StreamStore::Find(txn, 0, Key("s"), Rows::kNeeded, &stream), Status::kOk);
                      StreamGroupWriter writer(txn, stream);
                      EXPECT_EQ(writer.Open("g"), Status::kOk);
                      EXPECT_LE(writer.group().pending_first, (StreamId{i * 2, 0}));
                      EXPECT_GE(writer.group().pending_first.ms + 2 * 130, i * 2);
                      EXPECT_EQ(writer.Acknowledge({i * 2, 0}), Status::kOk);
                      return writer.Finish();
                    }),
              Status::kOk);
  }
}

// A view keeps what it began with, entries and pending entries alike.
TEST_F(StreamStoreTest, AViewSeesOneMoment) {
  StreamId id;
  const auto add = [&](uint64_t ms) {
    return Write({"s"}, [&](WriteTxn& txn) {
      return Add(txn, "s", {StreamIdRequest::Form::kWhole, {ms, 0}}, {"f", "v"}, {}, &id);
    });
  };
  ASSERT_EQ(add(1), Status::kOk);
  ASSERT_EQ(add(2), Status::kOk);
  ReadView view(*storage_, now_ms_, ReadTier::kDisk);
  Stream before;
  ASSERT_EQ(StreamStore::Find(view, 0, Key("s"), Rows::kNeeded, &before), Status::kOk);
  ASSERT_EQ(add(3), Status::kOk);
  uint64_t removed = 0;
  ASSERT_EQ(Write({"s"},
                  [&](WriteTxn& txn) {
                    return StreamStore::Delete(txn, 0, Key("s"), std::vector<StreamId>{{1, 0}}, &removed);
                  }),
            Status::kOk);
  ASSERT_EQ(removed, 1u);
  Stream again;
  ASSERT_EQ(StreamStore::Find(view, 0, Key("s"), Rows::kNeeded, &again), Status::kOk);
  EXPECT_EQ(again.header.length, 2u);
  std::vector<uint64_t> seen;
  ASSERT_EQ(StreamStore::ForEach(view, again, kStreamIdMin, kStreamIdMax, ScanOrder::kForward,
                                 [&](StreamId at, const StreamEntry&) {
                                   seen.push_back(at.ms);
                                   return true;
                                 }),
            Status::kOk);
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2}));
}

TEST_F(StreamStoreTest, IdsGoOnWhereTheyStoppedWhateverTheClockSays) {
  StreamId id;
  const auto add = [&](const StreamIdRequest& request) {
    return Write({"s"}, [&](WriteTxn& txn) { return Add(txn, "s", request, {"f", "v"}, {}, &id); });
  };
  const uint64_t now = static_cast<uint64_t>(now_ms_);
  ASSERT_EQ(add({}), Status::kOk);
  EXPECT_EQ(id, (StreamId{now, 0}));
  ASSERT_EQ(add({}), Status::kOk);
  EXPECT_EQ(id, (StreamId{now, 1}));
  now_ms_ -= 5000;
  ASSERT_EQ(add({}), Status::kOk);
  EXPECT_EQ(id, (StreamId{now, 2}));
  ASSERT_EQ(add({StreamIdRequest::Form::kWhole, {now, UINT64_MAX}}), Status::kOk);
  EXPECT_EQ(add({StreamIdRequest::Form::kMilliseconds, {now, 0}}), Status::kInvalid);
  ASSERT_EQ(add({}), Status::kOk);
  EXPECT_EQ(id, (StreamId{now + 1, 0}));
  ASSERT_EQ(add({StreamIdRequest::Form::kWhole, kStreamIdMax}), Status::kOk);
  EXPECT_EQ(add({}), Status::kOverflow);
}

}  // namespace
}  // namespace basalt::storage
