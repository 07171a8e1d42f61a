#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <utility>

namespace basalt::storage {

enum class ValueType : uint8_t { kString = 1, kHash = 2, kList = 3, kSet = 4, kZset = 5, kStream = 6 };

// What OBJECT ENCODING answers: a logical flag that follows Redis' limits, not our layout.
enum class Encoding : uint8_t {
  kRaw = 0,
  kInt = 1,
  kEmbstr = 2,
  kListpack = 3,
  kHashtable = 4,
  kQuicklist = 5,
  kIntset = 6,
  kSkiplist = 7,
  kStream = 8,
};

std::string_view TypeName(ValueType type);         // "string", "hash", …
std::string_view EncodingName(Encoding encoding);  // "raw", "int", …

inline constexpr int64_t kNoExpire = 0;

struct RecordHeader {
  ValueType type = ValueType::kString;
  Encoding encoding = Encoding::kRaw;
  int64_t expire_ms = kNoExpire;        // Unix time in milliseconds
  uint64_t object_id = 0;               // owner of rows in `big`, `data`, `score`; 0: everything is in the payload
  int64_t field_expire_ms = kNoExpire;  // a hash with fields that expire: when the first of them does
};

class Record;

// Shares a Record. As a shared_ptr, at the price of one pointer and one relaxed increment.
class RecordPtr {
 public:
  RecordPtr() = default;
  RecordPtr(std::nullptr_t) {}
  inline RecordPtr(const RecordPtr& other);
  RecordPtr(RecordPtr&& other) noexcept : record_(other.record_) { other.record_ = nullptr; }
  RecordPtr& operator=(RecordPtr other) noexcept {
    std::swap(record_, other.record_);
    return *this;
  }
  inline ~RecordPtr();

  const Record* operator->() const { return record_; }
  const Record& operator*() const { return *record_; }
  const Record* get() const { return record_; }
  explicit operator bool() const { return record_ != nullptr; }
  friend bool operator==(const RecordPtr& a, std::nullptr_t) { return a.record_ == nullptr; }

 private:
  friend class Record;
  explicit RecordPtr(const Record* record) : record_(record) {}  // adopts one reference
  const Record* record_ = nullptr;
};

// The value of one key in `meta`, immutable, in the bytes that are on disk (FORMAT.md): header, then payload. The
// payload of a string of up to kInlineStringBytesMax is the string itself; of a packed collection its elements; of
// anything larger what its store needs to find its rows. One allocation. Any thread.
class Record {
 public:
  static RecordPtr Make(const RecordHeader& header, std::string_view payload);
  // Null when `stored` is not a record of a format this build knows.
  static RecordPtr FromStored(std::string_view stored);
  // The same payload under another header. REQUIRES: nothing of `header` contradicts the payload.
  static RecordPtr WithHeader(const Record& record, const RecordHeader& header);

  const RecordHeader& header() const { return header_; }
  ValueType type() const { return header_.type; }
  int64_t expire_ms() const { return header_.expire_ms; }
  int64_t field_expire_ms() const { return header_.field_expire_ms; }
  // When something is to be done about the key: its place in the TTL index. kNoExpire: it is not there.
  int64_t due_ms() const {
    if (header_.expire_ms == kNoExpire) return header_.field_expire_ms;
    if (header_.field_expire_ms == kNoExpire) return header_.expire_ms;
    return std::min(header_.expire_ms, header_.field_expire_ms);
  }
  // Whether a field's time has come, or did and nobody has removed the field yet.
  bool FieldsDueAt(int64_t now_ms) const {
    return header_.field_expire_ms != kNoExpire && header_.field_expire_ms <= now_ms;
  }
  bool ExpiredAt(int64_t now_ms) const { return header_.expire_ms != kNoExpire && header_.expire_ms <= now_ms; }
  std::string_view payload() const { return {bytes() + payload_offset_, size_ - payload_offset_}; }
  std::string_view stored() const { return {bytes(), size_}; }
  size_t memory_bytes() const { return sizeof(Record) + size_; }

 private:
  friend class RecordPtr;
  Record() = default;
  static Record* Allocate(size_t stored_bytes);
  char* mutable_bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  mutable std::atomic<uint32_t> references_{1};
  uint32_t size_ = 0;
  uint32_t payload_offset_ = 0;
  RecordHeader header_;
};

inline RecordPtr::RecordPtr(const RecordPtr& other) : record_(other.record_) {
  if (record_ != nullptr) record_->references_.fetch_add(1, std::memory_order_relaxed);
}

inline RecordPtr::~RecordPtr() {
  if (record_ == nullptr) return;
  // The last one frees: it must see what all others did before they let go.
  if (record_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    Record* record = const_cast<Record*>(record_);
    record->~Record();
    ::operator delete(record);
  }
}

}  // namespace basalt::storage
