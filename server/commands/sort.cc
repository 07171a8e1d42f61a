// SORT and SORT_RO: lists, sets and sorted sets in another order, or with values from other keys.
//
// BY and GET read keys that only the elements name, so that no lock can be taken for them before. Without STORE nothing
// is written: the command runs on a snapshot, which has all keys as of one moment (and after the pending writes of its
// own connection, see PrepareSort). With STORE, or inside EXEC, it runs behind the exclusive gate: everybody else's
// writes are done, and wait.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/acl/categories.h"
#include "server/acl/user.h"
#include "server/client_registry.h"
#include "server/command_table.h"
#include "server/commands/families.h"
#include "server/commands/key_access.h"
#include "server/config_table.h"
#include "server/session.h"
#include "storage/hash_store.h"
#include "storage/list_store.h"
#include "storage/set_store.h"
#include "storage/zset_store.h"

namespace basalt {
namespace {

using storage::HashedKey;
using storage::RecordPtr;
using storage::ScanOrder;
using storage::ValueType;

// ---- arguments ----

// What BY or GET names for an element: the first star stands for the element, "->" comes before the field of a hash.
class Pattern {
 public:
  explicit Pattern(std::string_view text) : text_(text) {
    const std::string_view searched = text.substr(0, text.find('\0'));  // Redis searches it as a C string
    star_ = searched.find('*');
    if (star_ == std::string_view::npos) return;
    const size_t arrow = searched.find("->", star_ + 1);
    if (arrow == std::string_view::npos || arrow + 2 == searched.size()) return;
    field_ = text.substr(arrow + 2);
    text_ = text.substr(0, arrow);
  }

  bool is_element() const { return text_ == "#"; }
  bool names_keys() const { return star_ != std::string_view::npos; }
  bool names_field() const { return !field_.empty(); }
  std::string_view field() const { return field_; }
  void KeyFor(std::string_view element, std::string* key) const {
    key->assign(text_.substr(0, star_));
    key->append(element);
    key->append(text_.substr(star_ + 1));
  }

 private:
  std::string_view text_;  // the key
  size_t star_ = std::string_view::npos;
  std::string_view field_;
};

struct SortOptions {
  bool descending = false;
  bool alpha = false;
  bool keeps_order = false;  // BY something that is the same for all elements
  std::vector<Pattern> by;   // none or one
  std::vector<Pattern> gets;
  int64_t limit_start = 0, limit_count = -1;
  size_t store_at = 0;  // the argument that names the destination; 0: there is none

  bool stores() const { return store_at != 0; }
  bool reads_other_keys() const {
    const auto names_keys = [](const Pattern& pattern) { return pattern.names_keys(); };
    return std::any_of(by.begin(), by.end(), names_keys) || std::any_of(gets.begin(), gets.end(), names_keys);
  }
};

// BY and GET may name any key: whether the user may.
enum class AnyKey : uint8_t { kAllowed, kDenied };

Status ParseSortOptions(std::span<const std::string_view> argv, bool may_store, AnyKey any_key, SortOptions* options) {
  const auto denied = [](std::string_view option) {
    return Status::Message("ERR " + std::string(option) +
                           " option of SORT denied due to insufficient ACL permissions.");
  };
  for (size_t i = 2; i < argv.size(); ++i) {
    const size_t left = argv.size() - i - 1;
    if (EqualsIgnoreCase(argv[i], "ASC")) {
      options->descending = false;
    } else if (EqualsIgnoreCase(argv[i], "DESC")) {
      options->descending = true;
    } else if (EqualsIgnoreCase(argv[i], "ALPHA")) {
      options->alpha = true;
    } else if (EqualsIgnoreCase(argv[i], "LIMIT") && left >= 2) {
      if (!ParseInteger(argv[i + 1], &options->limit_start) || !ParseInteger(argv[i + 2], &options->limit_count)) {
        return ErrorCode::kNotInteger;
      }
      i += 2;
    } else if (may_store && EqualsIgnoreCase(argv[i], "STORE") && left >= 1) {
      options->store_at = ++i;
    } else if (EqualsIgnoreCase(argv[i], "BY") && left >= 1) {
      options->by.assign(1, Pattern(argv[++i]));
      if (options->by[0].names_keys() && any_key == AnyKey::kDenied) return denied("BY");
      options->keeps_order = options->keeps_order || !options->by[0].names_keys();  // a later BY does not undo it
    } else if (EqualsIgnoreCase(argv[i], "GET") && left >= 1) {
      if (any_key == AnyKey::kDenied) return denied("GET");
      options->gets.emplace_back(argv[++i]);
    } else {
      return ErrorCode::kSyntax;
    }
  }
  return Ok();
}

bool MayStore(const CommandSpec& spec) { return spec.Has(kCmdWrite); }

// ---- elements ----

constexpr size_t kNone = SIZE_MAX;

// Elements and their weights: one after the other in one string.
class SortVector {
 public:
  struct Element {
    size_t offset = 0, size = 0;
    double score = 0;
    size_t weight_offset = kNone, weight_size = 0;  // kNone: no weight
  };

  void Add(std::string_view text) {
    elements_.push_back({.offset = bytes_.size(), .size = text.size()});
    bytes_.append(text);
  }
  void SetWeight(Element* element, std::string_view weight) {
    element->weight_offset = bytes_.size();
    element->weight_size = weight.size();
    bytes_.append(weight);
  }
  std::string_view TextOf(const Element& element) const {
    return std::string_view(bytes_).substr(element.offset, element.size);
  }
  std::string_view WeightOf(const Element& element) const {
    return std::string_view(bytes_).substr(element.weight_offset, element.weight_size);
  }
  std::vector<Element>& elements() { return elements_; }
  size_t size() const { return elements_.size(); }

 private:
  std::string bytes_;
  std::vector<Element> elements_;
};

// Indices of the elements that are shown; empty: first > last.
struct Window {
  int64_t first = 0, last = -1;
  uint64_t size() const { return static_cast<uint64_t>(last - first + 1); }
};

Window WindowOf(const SortOptions& options, int64_t length) {
  const int64_t count = std::min(std::max<int64_t>(options.limit_count, -1), length);
  Window window;
  window.first = std::min(std::max<int64_t>(options.limit_start, 0), length);
  window.last = count < 0 ? length - 1 : window.first + count - 1;
  window.last = std::min(window.last, length - 1);
  if (window.first >= length) window = {0, -1};
  return window;
}

// Order: by score or weight, then by the element where Redis looks at it; what is equal even so stays as it came.
class Before {
 public:
  Before(const SortVector& vector, const SortOptions& options)
      : vector_(vector), alpha_(options.alpha), by_(!options.by.empty()), descending_(options.descending) {}

  bool operator()(const SortVector::Element& a, const SortVector::Element& b) const {
    const int compared = Compare(a, b);
    if (compared != 0) return descending_ ? compared > 0 : compared < 0;
    return a.offset < b.offset;
  }

 private:
  int Compare(const SortVector::Element& a, const SortVector::Element& b) const {
    if (!alpha_) {
      if (a.score != b.score) return a.score < b.score ? -1 : 1;
      return vector_.TextOf(a).compare(vector_.TextOf(b));
    }
    if (!by_) return vector_.TextOf(a).compare(vector_.TextOf(b));
    if (a.weight_offset == kNone || b.weight_offset == kNone) {
      return static_cast<int>(a.weight_offset != kNone) - static_cast<int>(b.weight_offset != kNone);
    }
    return vector_.WeightOf(a).compare(vector_.WeightOf(b));
  }

  const SortVector& vector_;
  const bool alpha_, by_, descending_;
};

// As Redis reads a weight: whatever strtod makes of all of it.
bool ParseScore(std::string_view text, std::string* scratch, double* score) {
  scratch->assign(text);
  char* end = nullptr;
  errno = 0;
  *score = std::strtod(scratch->c_str(), &end);
  return *end == '\0' && errno != ERANGE && !std::isnan(*score);
}

// ---- one run of the command ----

class Sort {
 public:
  Sort(CommandContext& ctx, const SortOptions& options) : ctx_(ctx), view_(ctx.view()), options_(options) {}

  Status Run() {
    // Not in a WriteTxn that others write beside: the group must not know keys that it has not locked.
    if (options_.reads_other_keys() && ctx_.can_write() && !ctx_.txn().exclusive()) return ErrorCode::kNeedGate;
    view_.RequireSnapshot();
    BASALT_RETURN_IF_ERROR(Find());
    if (options_.keeps_order && record_ != nullptr && record_->type() == ValueType::kSet &&
        (options_.stores() || ctx_.in_script())) {
      // What is stored must not depend on how a set is kept, nor what a script does.
      options_.keeps_order = false;
      options_.alpha = true;
      options_.by.clear();
    }
    BASALT_RETURN_IF_ERROR(CheckLane());
    BASALT_RETURN_IF_ERROR(Load());
    if (!options_.keeps_order) {
      BASALT_RETURN_IF_ERROR(Weigh());
      Order();
    }
    return options_.stores() ? Store() : Reply();
  }

 private:
  Status Find() {
    const storage::Status found = LookupKey(ctx_, view_, ctx_.key(1), &record_);
    if (found == storage::Status::kNotFound) {
      record_ = nullptr;
    } else if (found != storage::Status::kOk) {
      return found;
    }
    if (record_ == nullptr) return Ok();
    switch (record_->type()) {
      case ValueType::kList:
        if (!storage::ParseList(record_, &list_)) return ErrorCode::kCorruption;
        length_ = static_cast<int64_t>(list_.count);
        break;
      case ValueType::kSet:
        length_ = static_cast<int64_t>(storage::ElementCount(*record_));
        break;
      case ValueType::kZset:
        length_ = static_cast<int64_t>(storage::ZsetStore::Count(*record_));
        break;
      default:
        return ErrorCode::kWrongType;
    }
    window_ = WindowOf(options_, length_);
    return Ok();
  }

  Status CheckLane() const {
    constexpr uint64_t kElementsPerKey = 4;  // what it takes to sort them, against a lookup
    const auto length = static_cast<uint64_t>(length_);
    const uint64_t shown = window_.size();
    const uint64_t loaded = options_.keeps_order ? static_cast<uint64_t>(window_.last + 1) : length;
    const uint64_t lookups = (options_.keeps_order ? 0 : options_.by.size() * length) + options_.gets.size() * shown;
    return CheckLaneKeys(ctx_, loaded / kElementsPerKey + lookups);
  }

  // All elements; where they keep their order, those that are shown, or for a set those up to the last of them.
  Status Load() {
    if (record_ == nullptr || (options_.keeps_order && window_.size() == 0)) return Ok();
    const bool some = options_.keeps_order;
    const auto shown = static_cast<int64_t>(window_.size());
    const int64_t first = !some ? 0 : options_.descending ? length_ - 1 - window_.last : window_.first;
    const uint64_t count = static_cast<uint64_t>(some ? shown : length_);
    const ScanOrder order = some && options_.descending ? ScanOrder::kBackward : ScanOrder::kForward;
    storage::Status status = storage::Status::kOk;
    switch (record_->type()) {
      case ValueType::kList:
        status = storage::ListStore::ForEach(view_, list_, static_cast<uint64_t>(first), count, order,
                                             [this](std::string_view element) {
                                               vector_.Add(element);
                                               return true;
                                             });
        break;
      case ValueType::kZset: {
        const auto add = [this](double, std::string_view member) {
          vector_.Add(member);
          return true;
        };
        const auto ranks =
            storage::ZsetRange::Ranks(static_cast<uint64_t>(first), static_cast<uint64_t>(first) + count - 1);
        status = some ? storage::ZsetStore::Visit(view_, *record_, ranks, order, 0, count, add)
                      : storage::ZsetStore::ForEach(view_, *record_, add);
        break;
      }
      default:
        status = storage::SetStore::ForEach(view_, *record_, [&](std::string_view member) {
          vector_.Add(member);
          return !some || static_cast<int64_t>(vector_.size()) <= window_.last;
        });
        break;
    }
    BASALT_RETURN_IF_ERROR(status);
    if (some && record_->type() != ValueType::kSet) window_ = {0, shown - 1};
    return static_cast<int64_t>(vector_.size()) > window_.last ? Ok() : Status(ErrorCode::kCorruption);
  }

  // What `pattern` names for an element, in *value; lives until the next call.
  Status Lookup(const Pattern& pattern, std::string_view element, bool* found, std::string_view* value) {
    *found = false;
    if (!pattern.names_keys()) return Ok();
    pattern.KeyFor(element, &key_);
    const HashedKey key = ctx_.services.storage.Hash(key_);
    storage::Status status;
    if (pattern.names_field()) {
      status = LookupCollection(ctx_, view_, key, ValueType::kHash, &value_record_);
      storage::HashValue hash;
      storage::HashField field;
      if (status == storage::Status::kOk) status = storage::HashStore::Open(view_, value_record_, &hash);
      if (status == storage::Status::kOk) {
        status = storage::HashStore::Get(view_, hash, pattern.field(), &value_buffer_, &field);
        *value = field.value;
      }
    } else {
      storage::StringValue string;
      status = LookupString(ctx_, view_, key, storage::StringStore::Rows::kNeeded, &string);
      if (status == storage::Status::kOk) {
        BASALT_RETURN_IF_ERROR(CheckLaneBytes(ctx_, string.length));
        BASALT_RETURN_IF_ERROR(WholeString(view_, string, &value_buffer_, value));
        value_record_ = std::move(string.record);
      }
    }
    if (status == storage::Status::kNotFound || status == storage::Status::kWrongType) return Ok();
    *found = status == storage::Status::kOk;
    return status;
  }

  // The scores or weights that the elements are ordered by.
  Status Weigh() {
    const bool by = !options_.by.empty();
    if (options_.alpha && !by) return Ok();
    std::string scratch;
    bool all_numbers = true;
    for (SortVector::Element& element : vector_.elements()) {
      std::string_view weight = vector_.TextOf(element);
      if (by) {
        bool found = false;
        BASALT_RETURN_IF_ERROR(Lookup(options_.by[0], vector_.TextOf(element), &found, &weight));
        if (!found) continue;
      }
      if (options_.alpha) {
        vector_.SetWeight(&element, weight);
      } else {
        all_numbers = ParseScore(weight, &scratch, &element.score) && all_numbers;
      }
    }
    return all_numbers ? Ok() : Status::Message("ERR One or more scores can't be converted into double");
  }

  void Order() {
    auto& elements = vector_.elements();
    const auto end = static_cast<ptrdiff_t>(window_.last + 1);
    const Before before(vector_, options_);
    // Only what is shown, and what comes before it, has to be in order.
    if (end <= static_cast<ptrdiff_t>(elements.size() / 2)) {
      std::partial_sort(elements.begin(), elements.begin() + end, elements.end(), before);
    } else {
      std::sort(elements.begin(), elements.end(), before);
    }
  }

  // Calls `show(found, value)` for every value of the result, in order, until it returns false.
  template <typename Show>
  Status ForEachValue(Show&& show) {
    for (int64_t i = window_.first; i <= window_.last; ++i) {
      const std::string_view text = vector_.TextOf(vector_.elements()[static_cast<size_t>(i)]);
      if (options_.gets.empty() && !show(true, text)) return Ok();
      for (const Pattern& get : options_.gets) {
        bool found = get.is_element();
        std::string_view value = text;
        if (!found) BASALT_RETURN_IF_ERROR(Lookup(get, text, &found, &value));
        if (!show(found, value)) return Ok();
      }
    }
    return Ok();
  }

  uint64_t ResultSize() const { return window_.size() * std::max<size_t>(options_.gets.size(), 1); }

  Status Reply() {
    net::ReplyBuilder& reply = ctx_.reply;
    const std::atomic<bool>& killed = ctx_.session.info->killed;
    reply.Array(ResultSize());
    return ForEachValue([&](bool found, std::string_view value) {
      found ? reply.Bulk(value) : reply.Null();
      return !killed.load(std::memory_order_relaxed);
    });
  }

  // As a list; a value that is not there is an empty one.
  Status Store() {
    storage::WriteTxn& txn = ctx_.txn();
    const HashedKey destination = ctx_.key(options_.store_at);
    RecordPtr old;
    const storage::Status status = txn.GetRecord(ctx_.db(), destination, &old);
    if (status != storage::Status::kOk && status != storage::Status::kNotFound) return status;
    SortVector values;
    BASALT_RETURN_IF_ERROR(ForEachValue([&values](bool found, std::string_view value) {
      values.Add(found ? value : std::string_view());
      return true;
    }));
    if (values.size() > 0) {
      std::vector<std::string_view> views;
      views.reserve(values.size());
      for (const SortVector::Element& value : values.elements()) views.push_back(values.TextOf(value));
      const storage::ListLimits limits(ctx_.services.config.current().list_max_listpack_size);
      BASALT_RETURN_IF_ERROR(
          storage::ListStore::Assign(txn, ctx_.db(), destination, views, storage::kNoExpire, limits));
    } else if (old != nullptr) {
      txn.Erase(ctx_.db(), destination);
    }
    NotifyStored(ctx_, kEventList, "sortstore", destination.key, values.size());
    ctx_.reply.Integer(static_cast<int64_t>(values.size()));
    return Ok();
  }

  CommandContext& ctx_;
  storage::ReadView& view_;
  SortOptions options_;
  RecordPtr record_;    // null: no such key
  storage::List list_;  // when it is one
  int64_t length_ = 0;
  Window window_;
  SortVector vector_;
  // The last lookup's.
  std::string key_, value_buffer_;
  RecordPtr value_record_;
};

AnyKey MayReadAnyKey(const CommandContext& ctx) {
  const UserPtr& user = ctx.session.user;
  const bool allowed = user == nullptr || user->unrestricted() ||
                       user->MayUseAnyKey(ctx.services.commands.Of(ctx.spec), ctx.argv, kKeyAccess);
  return allowed ? AnyKey::kAllowed : AnyKey::kDenied;
}

Status SortCommand(CommandContext& ctx) {
  SortOptions options;
  BASALT_RETURN_IF_ERROR(ParseSortOptions(ctx.argv, MayStore(ctx.spec), MayReadAnyKey(ctx), &options));
  return Sort(ctx, options).Run();
}

// ---- what it needs ----

// Without STORE it only reads: on a snapshot, unless this connection has writes pending: then the key under its lock,
// and with other keys to read not before these are committed (that is what a reader without keys waits for).
void PrepareSort(const PrepareInput& input, Preparation* preparation) {
  SortOptions options;
  if (!ParseSortOptions(input.argv, MayStore(input.spec), AnyKey::kAllowed, &options).ok())
    return;  // it will answer the error
  if (options.stores()) {
    PrepareFromRow(input, preparation);
    if (options.reads_other_keys()) preparation->exclusive = preparation->slow = true;
  } else if (!options.reads_other_keys()) {
    preparation->keys.push_back(input.services.storage.Hash(input.argv[1]));
  }
}

// The key, and the last STORE's, by Redis' rule of what may stand between.
bool SortKeys(std::span<const std::string_view> argv, void* out) {
  auto& keys = *static_cast<KeyPositions*>(out);
  keys.Add(1, kKeyRO | kKeyAccess);
  size_t store_at = 0;
  for (size_t i = 2; i < argv.size(); ++i) {
    if (EqualsIgnoreCase(argv[i], "LIMIT")) {
      i += 2;
    } else if (EqualsIgnoreCase(argv[i], "GET") || EqualsIgnoreCase(argv[i], "BY")) {
      i += 1;
    } else if (EqualsIgnoreCase(argv[i], "STORE") && i + 1 < argv.size()) {
      store_at = i + 1;
    }
  }
  if (store_at != 0) keys.Add(static_cast<uint32_t>(store_at), kKeyOW | kKeyUpdate);
  return true;
}

bool SortRoKeys(std::span<const std::string_view>, void* out) {
  static_cast<KeyPositions*>(out)->Add(1, kKeyRO | kKeyAccess);
  return true;
}

// ---- rows ----

constexpr std::string_view kComplexity =
    "O(N+M*log(M)), N being the elements and M those that are returned; O(N) when they keep their order";
constexpr uint32_t kCategories = kAclNotOfGroup | kAclSet | kAclSortedSet | kAclList | kAclDangerous;

constexpr KeySpec kPatternKeys =
    KeySpec::Unknown(kKeyRO | kKeyAccess).Noted("Of `BY` and `GET`: their names follow from the sorted value.");

constexpr CommandSpec kSortCommands[] = {
    {.name = "sort",
     .arity = -2,
     .flags = kCmdWrite | kCmdDenyOom,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess), kPatternKeys,
              KeySpec::Unknown(kKeyOW | kKeyUpdate).Noted("Of `STORE`, which may stand anywhere.")},
     .syntax = "key [BY by-pattern=pattern:pattern#1] [LIMIT offset:integer count:integer] [GET "
               "get-pattern=pattern:pattern#1]… "
               "[ASC | DESC] [ALPHA] [STORE destination:key#2]",
     .since = "1.0.0",
     .complexity = kComplexity,
     .summary = "Returns the elements of a list, set or sorted set in order, or stores them.",
     .handler = SortCommand,
     .acl_categories = kCategories,
     .get_keys = SortKeys,
     .prepare = PrepareSort},
    {.name = "sort_ro",
     .arity = -2,
     .flags = kCmdReadonly,
     .group = CommandGroup::kGeneric,
     .keys = {KeySpec::One(kKeyRO | kKeyAccess), kPatternKeys},
     .syntax = "key [BY by-pattern=pattern:pattern#1] [LIMIT offset:integer count:integer] [GET "
               "get-pattern=pattern:pattern#1]… "
               "[ASC | DESC] [ALPHA]",
     .since = "7.0.0",
     .complexity = kComplexity,
     .summary = "Returns the elements of a list, set or sorted set in order.",
     .handler = SortCommand,
     .acl_categories = kCategories,
     .get_keys = SortRoKeys,
     .prepare = PrepareSort},
};

}  // namespace

std::span<const CommandSpec> SortCommands() { return kSortCommands; }

}  // namespace basalt
