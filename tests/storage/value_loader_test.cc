// Values of every type and size go into the storage and come out as they were; what is refused halfway leaves nothing
// behind.

#include "storage/value_loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "storage/rdb_reader.h"
#include "storage/rdb_writer.h"
#include "storage/value_teller.h"
#include "tests/storage/storage_fixture.h"
#include "tests/storage/value_text.h"

namespace basalt::storage {
namespace {

// Stands for a value: what was told is told again, as often as wanted.
using Telling = std::function<Status(ValueSink& sink)>;

std::vector<std::string> Sorted(std::vector<std::string> lines) {
  const std::string type = lines.empty() ? "" : lines[0].substr(0, lines[0].find(' '));
  if (type == "set" || type == "hash" || type == "zset") std::sort(lines.begin() + 1, lines.end());
  return lines;
}

class ValueLoaderTest : public StorageTest {
 protected:
  Status Load(std::string_view key, const Telling& tell, int64_t expire_ms = kNoExpire) {
    return Write({key}, [&](WriteTxn& txn) {
      RecordPtr old;
      (void)txn.GetRecord(0, Key(key), &old);
      ValueLoader loader(txn, 0, Key(key), expire_ms, limits_);
      return tell(loader);
    });
  }
  std::vector<std::string> Told(std::string_view key) {
    ReadView view(*storage_, now_ms_, ReadTier::kDisk);
    ValueText text;
    const Status status = TellValue(view, 0, Key(key), &text);
    if (status == Status::kNotFound) return {};
    EXPECT_EQ(status, Status::kOk) << StatusName(status);
    return Sorted(text.lines());
  }
  static std::vector<std::string> Text(const Telling& tell) {
    ValueText text;
    EXPECT_EQ(tell(text), Status::kOk);
    return Sorted(text.lines());
  }

  ValueLimits limits_{.hash = {.listpack_entries = 128, .listpack_value = 64}};
};

// ---- random values ----

class RandomValue {
 public:
  explicit RandomValue(uint32_t seed) : random_(seed) {}

  Telling Make() {
    const size_t counts[] = {1, 2, 10, 60, 129, 600, 4500};
    const size_t count = counts[random_() % std::size(counts)];
    switch (random_() % 6) {
      case 0:
        return [text = String(random_() % 3 == 0 ? 9000 : 40)](ValueSink& sink) { return sink.String(text); };
      case 1:
        return List(count);
      case 2:
        return Set(count);
      case 3:
        return Zset(count);
      case 4:
        return Hash(count);
      default:
        return Stream(count);
    }
  }

 private:
  std::string String(size_t bytes_max) {
    if (random_() % 3 == 0) return std::to_string(static_cast<int64_t>(random_()) - 2'000'000'000);
    std::string text(random_() % (bytes_max + 1), ' ');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  std::set<std::string> Members(size_t count) {
    std::set<std::string> members;
    while (members.size() < count) members.insert(String(20) + (members.size() > 200 ? String(8) : ""));
    return members;
  }

  Telling List(size_t count) {
    std::vector<std::string> elements;
    for (size_t i = 0; i < count; ++i) elements.push_back(String(30));
    return [elements](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kList, Encoding::kQuicklist, elements.size());
      for (const std::string& each : elements) {
        if (status == Status::kOk) status = sink.Element(each);
      }
      return status == Status::kOk ? sink.End() : status;
    };
  }
  Telling Set(size_t count) {
    return [members = Members(count)](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kSet, Encoding::kHashtable, members.size());
      for (const std::string& each : members) {
        if (status == Status::kOk) status = sink.Element(each);
      }
      return status == Status::kOk ? sink.End() : status;
    };
  }
  Telling Zset(size_t count) {
    std::vector<std::pair<std::string, double>> members;
    for (const std::string& each : Members(count)) members.emplace_back(each, static_cast<double>(random_() % 50) / 4);
    return [members](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kZset, Encoding::kSkiplist, members.size());
      for (const auto& [member, score] : members) {
        if (status == Status::kOk) status = sink.Scored(member, score);
      }
      return status == Status::kOk ? sink.End() : status;
    };
  }
  Telling Hash(size_t count) {
    std::vector<std::pair<std::string, std::string>> fields;
    for (const std::string& each : Members(count)) fields.emplace_back(each, String(40));
    return [fields](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kHash, Encoding::kHashtable, fields.size());
      for (const auto& [field, value] : fields) {
        if (status == Status::kOk) status = sink.Field(field, value);
      }
      return status == Status::kOk ? sink.End() : status;
    };
  }
  Telling Stream(size_t count) {
    std::vector<std::vector<std::string>> entries;
    for (size_t i = 0; i < count; ++i) {
      std::vector<std::string> strings;
      const size_t fields = 1 + random_() % 3;
      for (size_t j = 0; j < 2 * fields; ++j) strings.push_back(j % 2 == 0 ? "field" : String(12));
      entries.push_back(strings);
    }
    const size_t groups = random_() % 3;
    return [entries, groups](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kStream, Encoding::kStream, entries.size());
      const auto run = [&](Status next) { status = next; };
      const auto id = [](size_t i) { return StreamId{i / 7 + 1, i % 7 + 1}; };
      for (size_t i = 0; i < entries.size() && status == Status::kOk; ++i) {
        run(sink.Entry(id(i), std::vector<std::string_view>(entries[i].begin(), entries[i].end())));
      }
      const StreamId last = id(entries.size() - 1);
      if (status == Status::kOk) {
        run(sink.Facts({.length = entries.size(),
                        .last_id = {last.ms + 5, 0},
                        .first_id = id(0),
                        .max_deleted_id = {0, 5},
                        .entries_added = entries.size() + 3}));
      }
      for (size_t g = 0; g < groups && status == Status::kOk; ++g) {
        const std::string name = "group" + std::to_string(g);
        run(sink.Group({.name = name, .last_id = last, .entries_read = g == 0 ? -1 : 1}));
        for (size_t c = 0; c < 3 && status == Status::kOk; ++c) {
          const std::string consumer = "consumer" + std::to_string(c);
          run(sink.Consumer({.name = consumer, .seen_ms = 1000, .active_ms = c == 0 ? -1 : 900}));
          for (size_t i = c; i < entries.size() && i < 3000 && c > 0 && status == Status::kOk; i += 3) {
            run(sink.Pending(id(i), static_cast<int64_t>(i), i + 1));
          }
        }
      }
      return status == Status::kOk ? sink.End() : status;
    };
  }

  std::mt19937 random_;
};

// Keys get random values, through a payload or directly; some commands are rolled back. The storage always has what the
// model has, also after it was opened again.
TEST_F(ValueLoaderTest, HoldsWhatItWasTold) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  RandomValue values(seed);
  std::mt19937 random(seed);
  std::map<std::string, std::vector<std::string>> model;
  const auto without_encoding = [](std::vector<std::string> lines) {
    if (!lines.empty()) lines[0] = lines[0].substr(0, lines[0].find(' '));
    return lines;
  };
  for (int i = 0; i < 120; ++i) {
    const std::string key = "key" + std::to_string(random() % 12);
    const Telling value = values.Make();
    const std::vector<std::string> text = Text(value);
    RdbWriter writer({});
    ASSERT_EQ(value(writer), Status::kOk);
    const std::string payload = writer.TakePayload();
    const bool fails = random() % 4 == 0;
    const Status status = Load(key, [&](ValueSink& sink) {
      const Status told = random() % 2 == 0 ? value(sink) : ReadRdbPayload(payload, &sink);
      return fails && told == Status::kOk ? Status::kInvalid : told;
    });
    ASSERT_EQ(status, fails ? Status::kInvalid : Status::kOk);
    if (!fails) model[key] = text;
    if (i % 40 == 39) Reopen();
    ASSERT_EQ(without_encoding(Told(key)), without_encoding(model[key])) << key;
  }
  for (const auto& [key, text] : model) EXPECT_EQ(without_encoding(Told(key)), without_encoding(text)) << key;
}

// ---- encodings: what Redis makes of a payload under its limits ----

TEST_F(ValueLoaderTest, EncodingsFollowTheLimits) {
  const auto hash = [](Encoding told, size_t fields, size_t bytes) -> Telling {
    return [=](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kHash, told, fields);
      for (size_t i = 0; i < fields && status == Status::kOk; ++i) {
        status = sink.Field("f" + std::to_string(i), std::string(bytes, 'v'));
      }
      return status == Status::kOk ? sink.End() : status;
    };
  };
  const auto set = [](Encoding told, size_t members, bool integers) -> Telling {
    return [=](ValueSink& sink) {
      Status status = sink.Begin(ValueType::kSet, told, members);
      for (size_t i = 0; i < members && status == Status::kOk; ++i) {
        status = sink.Element(integers ? std::to_string(members - i) : "m" + std::to_string(i));
      }
      return status == Status::kOk ? sink.End() : status;
    };
  };
  const auto encoding = [&](const Telling& value) {
    EXPECT_EQ(Load("key", value), Status::kOk);
    const std::string line = Told("key").at(0);
    return line.substr(line.find(' ') + 1);
  };
  EXPECT_EQ(encoding(hash(Encoding::kHashtable, 128, 64)), "listpack");
  EXPECT_EQ(encoding(hash(Encoding::kHashtable, 129, 1)), "hashtable");
  EXPECT_EQ(encoding(hash(Encoding::kHashtable, 1, 65)), "hashtable");
  EXPECT_EQ(encoding(hash(Encoding::kListpack, 128, 500)), "listpack");
  EXPECT_EQ(encoding(hash(Encoding::kListpack, 129, 1)), "hashtable");
  EXPECT_EQ(encoding(set(Encoding::kHashtable, 512, true)), "intset");
  EXPECT_EQ(encoding(set(Encoding::kHashtable, 513, true)), "hashtable");
  EXPECT_EQ(encoding(set(Encoding::kHashtable, 128, false)), "listpack");
  EXPECT_EQ(encoding(set(Encoding::kHashtable, 129, false)), "hashtable");
  EXPECT_EQ(encoding(set(Encoding::kListpack, 128, true)), "listpack");
  EXPECT_EQ(encoding(set(Encoding::kIntset, 513, true)), "hashtable");
}

TEST_F(ValueLoaderTest, NothingIsLeftOfAValueThatIsRefused) {
  RdbWriter writer({});
  ASSERT_EQ(writer.Begin(ValueType::kSet, Encoding::kHashtable, 0), Status::kOk);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(writer.Element("member" + std::to_string(i)), Status::kOk);
  ASSERT_EQ(writer.Element("member7"), Status::kOk);  // twice
  ASSERT_EQ(writer.End(), Status::kOk);
  const std::string payload = writer.TakePayload();
  ASSERT_EQ(Set("key", "old"), Status::kOk);
  EXPECT_EQ(Load("key", [&](ValueSink& sink) { return ReadRdbPayload(payload, &sink); }), Status::kInvalid);
  EXPECT_EQ(Get("key"), "old");
  EXPECT_GT(storage_->RunGarbageCycle(1'000'000), 0u) << "its rows are garbage";
}

}  // namespace
}  // namespace basalt::storage
