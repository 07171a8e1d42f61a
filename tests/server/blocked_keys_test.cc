#include "server/blocked_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace basalt {
namespace {

using storage::Change;
using storage::ChangeKind;
using storage::ValueType;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kHash = 77;

// Commands that wait for keys of database 0, parked with their own number as the ticket.
class BlockedKeysTest : public testing::Test {
 protected:
  struct Options {
    ValueType type = ValueType::kList;
    WakeOn wake_on = WakeOn::kValue;
    bool takes = true;
  };
  BlockedKeys::Registration Block(ParkTicket ticket, std::vector<std::string> keys, Options options) {
    BlockedKeys::Registration registration = Register(std::move(keys), options);
    keys_.OnParked(registration.arrival(), ticket);
    return registration;
  }
  BlockedKeys::Registration Block(ParkTicket ticket, std::vector<std::string> keys) {
    return Block(ticket, std::move(keys), Options());
  }
  BlockedKeys::Registration Register(std::vector<std::string> keys, Options options) {
    BlockedKeys::Request request{.keys = {}, .type = options.type, .wake_on = options.wake_on, .takes = options.takes};
    for (std::string& key : keys) request.keys.push_back({0, std::move(key), kHash});
    return keys_.Register(std::move(request));
  }
  void Push(std::string_view key, ValueType type = ValueType::kList) {
    keys_.OnChange({0, ChangeKind::kModified, true, type, {key, kHash}});
  }
  void Delete(std::string_view key) { keys_.OnChange({0, ChangeKind::kDeleted, false, {}, {key, kHash}}); }
  // Served: the key is gone, then the place is given up.
  void TakeLast(BlockedKeys::Registration& registration, std::string_view key) {
    Delete(key);
    registration = {};
  }
  // Looked, found nothing, parked again.
  void WaitOn(const BlockedKeys::Registration& registration, ParkTicket ticket) {
    keys_.WaitOn(registration.arrival());
    keys_.OnParked(registration.arrival(), ticket);
  }
  std::vector<ParkTicket> Woken() { return std::exchange(woken_, {}); }

  std::vector<ParkTicket> woken_;
  BlockedKeys keys_{[this](ParkTicket ticket) { woken_.push_back(ticket); }};
};

TEST_F(BlockedKeysTest, OnePushWakesOneInTheOrderOfArrival) {
  auto first = Block(1, {"k"});
  auto second = Block(2, {"k"});
  auto third = Block(3, {"k"});
  Push("k");
  EXPECT_THAT(Woken(), ElementsAre(1));
  TakeLast(first, "k");
  EXPECT_THAT(Woken(), IsEmpty());
  Push("k");
  EXPECT_THAT(Woken(), ElementsAre(2));
}

TEST_F(BlockedKeysTest, WhatIsLeftGoesToTheNext) {
  auto first = Block(1, {"k"});
  auto second = Block(2, {"k"});
  Push("k");
  EXPECT_THAT(Woken(), ElementsAre(1));
  Push("k");  // its own commit: one taken, some left
  EXPECT_THAT(Woken(), IsEmpty());
  first = {};
  EXPECT_THAT(Woken(), ElementsAre(2));
}

TEST_F(BlockedKeysTest, WhoCouldNotBeServedKeepsItsPlaceAndTheTurnPasses) {
  auto first = Block(1, {"k"});
  auto second = Block(2, {"k"});
  Push("k");
  EXPECT_THAT(Woken(), ElementsAre(1));
  WaitOn(first, 11);
  EXPECT_THAT(Woken(), ElementsAre(2));
  WaitOn(second, 12);
  EXPECT_THAT(Woken(), IsEmpty());
  Push("k");
  EXPECT_THAT(Woken(), ElementsAre(11));
}

TEST_F(BlockedKeysTest, ACommitBetweenRegisteringAndParkingIsNotLost) {
  auto first = Register({"k"}, {});
  Push("k");
  EXPECT_THAT(Woken(), IsEmpty());
  keys_.OnParked(first.arrival(), 1);
  EXPECT_THAT(Woken(), ElementsAre(1));
}

TEST_F(BlockedKeysTest, WhoLeavesWhileItHasTheTurnPassesItOn) {
  auto first = Block(1, {"a", "k"});
  auto second = Block(2, {"k"});
  Push("k");
  EXPECT_THAT(Woken(), ElementsAre(1));
  first = {};  // timed out meanwhile, or was served by another of its keys
  EXPECT_THAT(Woken(), ElementsAre(2));
}

// A transaction pushed to both. What the first leaves on "a" is for the second, before "b" is looked at: both run under
// the locks of both keys, so were they woken together, either might be first.
TEST_F(BlockedKeysTest, WhoMayBeServedByAnotherKeyWaitsForItsTurnThere) {
  auto first = Block(1, {"a", "b"});
  auto second = Block(2, {"a", "b"});
  auto third = Block(3, {"b"});
  Push("a");
  Push("b");
  EXPECT_THAT(Woken(), ElementsAre(1));
  Push("a");  // one taken, some left
  first = {};
  EXPECT_THAT(Woken(), ElementsAre(2));
  TakeLast(second, "a");
  EXPECT_THAT(Woken(), ElementsAre(3));
}

TEST_F(BlockedKeysTest, WhoLeavesWhileOthersDependOnItsTurnHoldsNobodyUp) {
  auto first = Block(1, {"a"});
  auto second = Block(2, {"a", "b"});
  auto third = Block(3, {"b", "c"});
  Push("a");
  Push("b");
  EXPECT_THAT(Woken(), ElementsAre(1));
  second = {};
  TakeLast(first, "a");
  EXPECT_THAT(Woken(), ElementsAre(3));
}

TEST_F(BlockedKeysTest, AnotherTypeWakesNobodyButThoseWhoWantToKnow) {
  auto list = Block(1, {"k"});
  auto group = Block(2, {"k"}, {.type = ValueType::kStream, .wake_on = WakeOn::kAnyChange, .takes = true});
  Push("k", ValueType::kZset);
  EXPECT_THAT(Woken(), ElementsAre(2));
  WaitOn(group, 12);
  Delete("k");
  EXPECT_THAT(Woken(), ElementsAre(12));
  EXPECT_EQ(keys_.GetCounts().keys, 1u);
  EXPECT_EQ(keys_.GetCounts().keys_any_change, 1u);
}

TEST_F(BlockedKeysTest, ReadersAreWokenAllAtOnce) {
  const Options reader{.type = ValueType::kStream, .wake_on = WakeOn::kValue, .takes = false};
  auto first = Block(1, {"k"}, reader);
  auto second = Block(2, {"k"}, reader);
  Push("k", ValueType::kStream);
  EXPECT_THAT(Woken(), ElementsAre(1, 2));
}

TEST_F(BlockedKeysTest, NobodyWaitsAfterTheLastHasLeft) {
  {
    auto first = Block(1, {"k", "k", "l"});
    EXPECT_TRUE(keys_.MayWait({"k", kHash}));
    EXPECT_EQ(keys_.GetCounts().keys, 2u);
  }
  EXPECT_FALSE(keys_.MayWait({"k", kHash}));
  EXPECT_EQ(keys_.GetCounts().keys, 0u);
}

TEST_F(BlockedKeysTest, AReplacedDatabaseMakesThemLook) {
  auto first = Block(1, {"k"});
  const storage::DbIndex other = 1;
  const storage::DbIndex mine = 0;
  keys_.OnDatabasesReplaced({&other, 1});
  EXPECT_THAT(Woken(), IsEmpty());
  keys_.OnDatabasesReplaced({&mine, 1});
  EXPECT_THAT(Woken(), ElementsAre(1));
}

// Random pushes, waiters, timeouts: an element and somebody who waits for it are never left side by side.
TEST_F(BlockedKeysTest, NoElementIsLeftBesideOneWhoWaitsForIt) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const std::vector<std::string> names{"a", "b", "c"};
    std::map<std::string, int> elements;
    struct Waiter {
      std::vector<std::string> keys;
      BlockedKeys::Registration registration;
    };
    std::map<ParkTicket, Waiter> waiters;
    std::vector<ParkTicket> ready;
    ParkTicket next = 1;
    // A run of a command under the locks of its keys: takes one element, or waits (on).
    const auto run = [&](Waiter waiter) {
      for (const std::string& key : waiter.keys) {
        if (elements[key] == 0) continue;
        if (--elements[key] == 0) {
          Delete(key);
        } else {
          Push(key);
        }
        return;
      }
      const ParkTicket ticket = next++;
      if (waiter.registration.active()) {
        keys_.WaitOn(waiter.registration.arrival());
      } else {
        waiter.registration = Register(waiter.keys, {});
      }
      const uint64_t arrival = waiter.registration.arrival();
      waiters.emplace(ticket, std::move(waiter));
      keys_.OnParked(arrival, ticket);
    };
    for (int step = 0; step < 200 || !ready.empty(); ++step) {
      for (const ParkTicket ticket : Woken()) ready.push_back(ticket);
      const uint64_t what = step < 200 ? random() % 5 : 4;
      if (what == 0) {
        const std::string& key = names[random() % 3];
        elements[key] += 1 + static_cast<int>(random() % 3);
        Push(key);
      } else if (what == 1) {
        run({.keys = {names[random() % 3], names[random() % 3]}, .registration = {}});
      } else if (what == 2 && !waiters.empty() && random() % 4 == 0) {
        waiters.erase(waiters.begin());  // timed out, whether or not it was woken
      } else if (!ready.empty()) {
        const size_t at = random() % ready.size();
        auto node = waiters.extract(ready[at]);
        ready.erase(ready.begin() + static_cast<ptrdiff_t>(at));
        if (!node.empty()) run(std::move(node.mapped()));
      }
      for (const ParkTicket ticket : Woken()) ready.push_back(ticket);
    }
    for (const auto& [ticket, waiter] : waiters) {
      for (const std::string& key : waiter.keys) EXPECT_EQ(elements[key], 0) << key << " and " << ticket;
    }
  }
}

}  // namespace
}  // namespace basalt
