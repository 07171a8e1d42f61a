#include "storage/write_switch.h"

#include <glog/logging.h>

#include <algorithm>

namespace basalt::storage {

void WriteSwitch::Failed(std::string_view doing, const rocksdb::Status& status) {
  if (status.IsNoSpace()) out_of_space_.store(true, std::memory_order_release);
  {
    std::lock_guard lock(mu_);
    if (!failed_.load(std::memory_order_relaxed)) {
      failure_reason_ = std::string(doing) + " failed: " + status.ToString();
      std::replace(failure_reason_.begin(), failure_reason_.end(), '\n', ' ');
      failed_.store(true, std::memory_order_release);
      UpdateLocked();
      LOG(ERROR) << failure_reason_ << "; writes are refused until the disk works again and RocksDB has been reopened";
    }
  }
  if (hook_) hook_();
}

void WriteSwitch::Recovered() {
  std::lock_guard lock(mu_);
  failed_.store(false, std::memory_order_release);
  out_of_space_.store(false, std::memory_order_release);
  failure_reason_.clear();
  UpdateLocked();
}

void WriteSwitch::StaysFailed(std::string reason) {
  std::lock_guard lock(mu_);
  failed_.store(true, std::memory_order_release);
  failure_reason_ = std::move(reason);
  UpdateLocked();
}

void WriteSwitch::SetSpace(Health space, std::string reason) {
  std::lock_guard lock(mu_);
  space_.store(space, std::memory_order_release);
  space_reason_ = std::move(reason);
  UpdateLocked();
}

void WriteSwitch::UpdateLocked() {
  off_.store(failed_.load() || space_.load() == Health::kReadOnly, std::memory_order_release);
}

Health WriteSwitch::health() const { return failed() ? Health::kFailed : space_.load(std::memory_order_acquire); }

std::string WriteSwitch::Reason() const {
  std::lock_guard lock(mu_);
  return failed_.load() ? failure_reason_ : space_reason_;
}

}  // namespace basalt::storage
