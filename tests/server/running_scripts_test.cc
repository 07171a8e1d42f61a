#include "server/scripting/running_scripts.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/scripting/script_cache.h"
#include "server/scripting/script_pace.h"

namespace basalt {
namespace {

using Part = RunningScripts::Part;
using Turn = RunningScripts::Turn;

class RunningScriptsTest : public testing::Test {
 protected:
  void Wait(Part part, const std::string& name, bool first = false) {
    running.Wait(
        part, first,
        [this, name](Turn turn) {
          events.push_back(name + " granted");
          turns.push_back(std::move(turn));
        },
        [this, name] { events.push_back(name + " refused"); });
  }
  Turn Begin(const std::string& name, ScriptKind kind = ScriptKind::kEval) {
    Turn turn = running.TryEnter(Part::kScript, false);
    if (turn.active()) turn.ScriptBegins(kind, name, {"EVAL"}, 1);
    return turn;
  }
  std::string Kill(ScriptKind kind) {
    const Status status = running.Kill(kind);
    return status.ok() ? "OK" : ErrorText(status, "");
  }

  // What a release grants comes to `turns` meanwhile.
  void ReleaseAll() { const std::vector<Turn> released = std::exchange(turns, {}); }

  RunningScripts running{2, 1};  // two places, one overdue script beside
  std::vector<Turn> turns;
  std::vector<std::string> events;
};

TEST_F(RunningScriptsTest, WaitersComeInOrderAndAnExclusiveCommandIsAlone) {
  Turn a = Begin("a");
  Turn b = Begin("b");
  EXPECT_FALSE(running.TryEnter(Part::kScript, false).active()) << "no place left";
  Wait(Part::kExclusive, "x");
  Wait(Part::kScript, "c");
  a.Release();
  EXPECT_TRUE(events.empty()) << "c must not pass x";
  EXPECT_FALSE(running.TryEnter(Part::kScript, false).active()) << "nor who comes now";
  b.Release();
  EXPECT_EQ(events, std::vector<std::string>{"x granted"});
  ReleaseAll();
  EXPECT_EQ(events, (std::vector<std::string>{"x granted", "c granted"}));
}

TEST_F(RunningScriptsTest, WhoHasItsKeysComesFirst) {
  Turn a = Begin("a");
  Turn b = Begin("b");
  Wait(Part::kScript, "c");
  Wait(Part::kScript, "d", true);
  a.Release();
  EXPECT_EQ(events, std::vector<std::string>{"d granted"});
  ReleaseAll();
  b.Release();
  EXPECT_EQ(events.back(), "c granted");
}

TEST_F(RunningScriptsTest, AnOverdueScriptGivesItsPlaceAndRefusesExclusiveCommands) {
  Turn a = Begin("a");
  Turn b = Begin("b");
  Wait(Part::kScript, "c");
  Wait(Part::kExclusive, "x");
  Wait(Part::kScript, "d");
  a.Overdue();
  EXPECT_EQ(events, (std::vector<std::string>{"x refused", "c granted"}));
  ReleaseAll();  // c ends
  EXPECT_EQ(events.back(), "d granted");
}

TEST_F(RunningScriptsTest, WhenAllPlacesAreOverdueThoseWhoWaitAreRefused) {
  Turn a = Begin("a");
  Turn b = Begin("b");
  a.Overdue();  // runs beside
  Turn c = Begin("c");
  ASSERT_TRUE(c.active());
  b.Overdue();
  Wait(Part::kScript, "d");
  b.Overdue();
  EXPECT_TRUE(events.empty()) << "c may end any time";
  c.Overdue();
  EXPECT_EQ(events, std::vector<std::string>{"d refused"});
  a.Release();
  b.Release();
  EXPECT_TRUE(running.TryEnter(Part::kScript, false).active());
}

TEST_F(RunningScriptsTest, KillFindsOverdueScriptsOfItsKindThatHaveNotWritten) {
  EXPECT_EQ(Kill(ScriptKind::kEval), "NOTBUSY No scripts in execution right now.");
  Turn a = Begin("a");
  EXPECT_EQ(Kill(ScriptKind::kEval), "NOTBUSY No scripts in execution right now.") << "its time is not up";
  a.Overdue();
  EXPECT_EQ(Kill(ScriptKind::kFunction),
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
  EXPECT_FALSE(a.killed());
  EXPECT_EQ(Kill(ScriptKind::kEval), "OK");
  EXPECT_TRUE(a.killed());
  a.ScriptEnds();
  EXPECT_EQ(Kill(ScriptKind::kEval), "NOTBUSY No scripts in execution right now.") << "EXEC goes on without it";
  a.ScriptBegins(ScriptKind::kFunction, "f", {"FCALL"}, 2);
  EXPECT_FALSE(a.killed());
  EXPECT_EQ(Kill(ScriptKind::kEval),
            "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.");
  a.SetWrote();
  EXPECT_TRUE(Kill(ScriptKind::kFunction).starts_with("UNKILLABLE Sorry the script already executed write commands"));
  EXPECT_EQ(running.Longest(ScriptKind::kFunction, 5'000'002)->name, "f");
  EXPECT_EQ(running.Longest(ScriptKind::kFunction, 5'000'002)->duration_ms, 5u);
  EXPECT_FALSE(running.Longest(ScriptKind::kEval, 5'000'002).has_value());
}

TEST_F(RunningScriptsTest, WhenTheServerStopsOverdueScriptsEndAtOnceAndOthersAtTheDeadline) {
  EXPECT_FALSE(running.MustEnd(true, 1'000));
  running.EndAll(500);
  EXPECT_TRUE(running.MustEnd(true, 1));
  EXPECT_FALSE(running.MustEnd(false, 499));
  EXPECT_TRUE(running.MustEnd(false, 500));
}

// ---- ScriptCache ----

TEST(ScriptCacheTest, EvalScriptsAreForgottenInTheOrderOfTheirUseAndLoadedOnesStay) {
  ScriptCache cache;
  const std::string loaded = cache.Add("return 'loaded'", kScriptCompat, ScriptCache::Origin::kLoad)->script.digest;
  const std::string both = cache.Add("return 'both'", kScriptCompat, ScriptCache::Origin::kEval)->script.digest;
  cache.Add("return 'both'", kScriptCompat, ScriptCache::Origin::kLoad);
  const std::string used = cache.Add("return 'used'", kScriptCompat, ScriptCache::Origin::kEval)->script.digest;
  const std::string unused = cache.Add("return 'unused'", kScriptCompat, ScriptCache::Origin::kEval)->script.digest;
  for (size_t i = 0; i < ScriptCache::kEvalScriptsMax - 1; ++i) {
    EXPECT_NE(cache.Find(used), nullptr);
    cache.Add("return " + std::to_string(i), kScriptCompat, ScriptCache::Origin::kEval);
  }
  EXPECT_EQ(cache.Find(unused), nullptr);
  EXPECT_NE(cache.Find(used), nullptr);
  EXPECT_NE(cache.Find(loaded), nullptr);
  EXPECT_NE(cache.Find(both), nullptr);
  EXPECT_EQ(cache.size(), ScriptCache::kEvalScriptsMax + 2);
  EXPECT_EQ(cache.FindBody("return 'used'"), cache.Find(used));
  EXPECT_EQ(cache.FindBody("return 'unused'"), nullptr);
}

TEST(ScriptCacheTest, LargeScriptsCountByTheirBytes) {
  ScriptCache cache;
  for (char c = 'a'; c < 'k'; ++c) {
    cache.Add(std::string(ScriptCache::kEvalBytesMax / 4, c), kScriptCompat, ScriptCache::Origin::kEval);
    EXPECT_LE(cache.bytes(), ScriptCache::kEvalBytesMax);
  }
  EXPECT_EQ(cache.size(), 3u);
  cache.Clear();
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ScriptCacheTest, ADigestIsFoundInAnyCase) {
  ScriptCache cache;
  cache.Add("return 1", kScriptCompat, ScriptCache::Origin::kEval);
  EXPECT_NE(cache.Find("E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), nullptr);
  EXPECT_EQ(cache.Find("e0e1"), nullptr);
}

TEST(ScriptPaceTest, SlowUntilItHasBeenQuickOften) {
  ScriptPace pace;
  EXPECT_FALSE(pace.IsSlow());
  pace.NoteQuick();
  pace.NoteSlow();
  int quick = 0;
  for (; pace.IsSlow(); ++quick) pace.NoteQuick();
  EXPECT_GT(quick, 1);
}

}  // namespace
}  // namespace basalt
