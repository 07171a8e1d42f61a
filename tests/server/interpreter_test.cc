#include "server/scripting/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "server/digest.h"
#include "server/scripting/function_library.h"

namespace basalt {
namespace {

using net::RespVersion;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Answers commands as the test says, and ends scripts when it says so.
class FakeHost : public ScriptHost {
 public:
  CallResult Call(std::span<const std::string_view> argv, RespVersion resp, net::OutputBuffer* reply) override {
    ++calls;
    last.assign(argv.begin(), argv.end());
    last_resp = resp;
    if (unwind_at_call == calls) return CallResult::kUnwind;
    reply->Append(answer);
    return CallResult::kReplied;
  }
  bool MustUnwind() override { return ++ticks >= unwind_at_tick; }
  void OnErrorReply(std::string_view line, bool counted) override { errors.emplace_back(line, counted); }
  bool MayRun(std::span<const std::string_view> argv, bool* known) override {
    *known = argv[0] != "nosuch";
    return argv[0] != "denied";
  }

  std::string answer = "+OK\r\n";
  std::vector<std::pair<std::string, bool>> errors;  // in the result; counted already
  std::vector<std::string> last;
  RespVersion last_resp = RespVersion::kResp2;
  int calls = 0, unwind_at_call = -1;
  int64_t ticks = 0, unwind_at_tick = 20'000;  // a test that loops ends within seconds
};

class InterpreterTest : public testing::Test {
 protected:
  // The reply to a script, as its client gets it.
  std::string Eval(std::string_view body, std::vector<std::string_view> keys = {},
                   std::vector<std::string_view> args = {}) {
    const Script script{.digest = Sha1Hex(body), .body = std::string(body)};
    net::OutputBuffer out;
    net::ReplyBuilder reply(&out, client_resp);
    outcome = interpreter.Run(script, keys, args, host, reply);
    return out.ToString();
  }
  std::string Load(std::string_view code, FunctionLibrary* library) {
    library->name = "lib";
    library->code = code;
    library->version = ++version;
    const Status status = interpreter.LoadLibrary(library);
    return status.ok() ? "" : ErrorText(status, {});
  }
  std::string Call(const FunctionLibrary& library, std::string_view function, std::vector<std::string_view> keys = {},
                   std::vector<std::string_view> args = {}) {
    net::OutputBuffer out;
    net::ReplyBuilder reply(&out, client_resp);
    outcome = interpreter.RunFunction(library, function, keys, args, host, reply);
    return out.ToString();
  }

  Interpreter interpreter{32 * 1024 * 1024};
  FakeHost host;
  RespVersion client_resp = RespVersion::kResp2;
  Interpreter::Outcome outcome = Interpreter::Outcome::kReplied;
  uint64_t version = 0;
};

// ---- Lua to RESP ----

TEST_F(InterpreterTest, ValuesBecomeReplies) {
  EXPECT_EQ(Eval("return 'a\\0b'"), std::string("$3\r\na\0b\r\n", 9));
  EXPECT_EQ(Eval("return 3.99"), ":3\r\n");
  EXPECT_EQ(Eval("return -3.99"), ":-3\r\n");
  EXPECT_EQ(Eval("return 1e300"), ":-9223372036854775808\r\n");
  EXPECT_EQ(Eval("return 0/0"), ":-9223372036854775808\r\n");
  EXPECT_EQ(Eval("return nil"), "$-1\r\n");
  EXPECT_EQ(Eval("return true"), ":1\r\n");
  EXPECT_EQ(Eval("return false"), "$-1\r\n");
  EXPECT_EQ(Eval("return {1,'x',{2,nil,3}}"), "*3\r\n:1\r\n$1\r\nx\r\n*1\r\n:2\r\n");
  EXPECT_EQ(Eval("return {ok='fine\\r\\nx'}"), "+fine  x\r\n");
  EXPECT_EQ(Eval("return {err='MY err\\r\\n'}"), "-MY err\r\n");
  EXPECT_EQ(Eval("return function() end"), "$-1\r\n");
}

TEST_F(InterpreterTest, Resp3ValuesFollowTheVersionOfTheClient) {
  const std::string_view all =
      "redis.setresp(3) return {{double=1.5},{big_number='12\\r\\n3'},{verbatim_string={format='txt',string='ab'}},"
      "{map={a=1}},{set={x=true}},true,false}";
  EXPECT_EQ(Eval(all),
            "*7\r\n$3\r\n1.5\r\n$5\r\n12  3\r\n$2\r\nab\r\n*2\r\n$1\r\na\r\n:1\r\n*1\r\n$1\r\nx\r\n:1\r\n:0\r\n");
  client_resp = RespVersion::kResp3;
  EXPECT_EQ(Eval(all), "*7\r\n,1.5\r\n(12  3\r\n=6\r\ntxt:ab\r\n%1\r\n$1\r\na\r\n:1\r\n~1\r\n$1\r\nx\r\n#t\r\n#f\r\n");
  EXPECT_EQ(Eval("return {true,false,nil}"), "*2\r\n:1\r\n_\r\n");
}

TEST_F(InterpreterTest, ATableInItselfEndsInAnError) {
  const std::string reply = Eval("local t={} t[1]=t return t");
  EXPECT_THAT(reply, HasSubstr("-ERR reached lua stack limit\r\n"));
}

TEST_F(InterpreterTest, AReplyThatWouldBeTooLargeIsAnError) {
  EXPECT_THAT(Eval("local t={string.rep('x',1e4)} for i=1,40 do t={t,t} end return t"),
              HasSubstr("its reply is too large"));
}

// ---- RESP to Lua ----

TEST_F(InterpreterTest, RepliesBecomeValues) {
  const auto type_of = [&](std::string_view answer) {
    host.answer = answer;
    return Eval(
        "local r = redis.call('x') if type(r) == 'table' then for k,v in pairs(r) do return type(r)..k..type(v) end "
        "return 'empty' end return type(r)..tostring(r)");
  };
  EXPECT_EQ(type_of(":12\r\n"), "$8\r\nnumber12\r\n");
  EXPECT_EQ(type_of("$2\r\nab\r\n"), "$8\r\nstringab\r\n");
  EXPECT_EQ(type_of("$-1\r\n"), "$12\r\nbooleanfalse\r\n");
  EXPECT_EQ(type_of("*-1\r\n"), "$12\r\nbooleanfalse\r\n");
  EXPECT_EQ(type_of("_\r\n"), "$6\r\nnilnil\r\n");
  EXPECT_EQ(type_of("#t\r\n"), "$11\r\nbooleantrue\r\n");
  EXPECT_EQ(type_of("+OK\r\n"), "$13\r\ntableokstring\r\n");
  EXPECT_EQ(type_of(",1.5\r\n"), "$17\r\ntabledoublenumber\r\n");
  EXPECT_EQ(type_of("(123\r\n"), "$21\r\ntablebig_numberstring\r\n");
  EXPECT_EQ(type_of("=6\r\ntxt:ab\r\n"), "$25\r\ntableverbatim_stringtable\r\n");
  EXPECT_EQ(type_of("%1\r\n+a\r\n:1\r\n"), "$13\r\ntablemaptable\r\n");
  EXPECT_EQ(type_of("~1\r\n:1\r\n"), "$13\r\ntablesettable\r\n");
  EXPECT_EQ(type_of("*0\r\n"), "$5\r\nempty\r\n");
  EXPECT_EQ(type_of("|1\r\n+a\r\n+b\r\n:12\r\n"), "$8\r\nnumber12\r\n");
}

TEST_F(InterpreterTest, NestedRepliesGoThroughUnchanged) {
  for (const std::string reply : {"*3\r\n:1\r\n*2\r\n$1\r\na\r\n+OK\r\n$0\r\n\r\n", "*2\r\n$-1\r\n:5\r\n"}) {
    host.answer = reply;
    EXPECT_EQ(Eval("return redis.call('x')"), reply);
  }
}

TEST_F(InterpreterTest, ArgumentsAreStringsAndNumbers) {
  Eval("redis.call('set', KEYS[1], ARGV[1], 1, 1.5, 0.1, 1e20, -0, 3e-5, 123456789012)", {"k"},
       {std::string_view("a\0b", 3)});
  EXPECT_THAT(host.last, testing::ElementsAre("set", "k", std::string("a\0b", 3), "1", "1.5", "0.1", "1e+20", "-0",
                                              "0.00003", "123456789012"));
  EXPECT_THAT(Eval("return redis.call()"),
              HasSubstr("-ERR Please specify at least one argument for this redis lib call"));
  EXPECT_THAT(Eval("return redis.call('x', {})"),
              HasSubstr("-ERR Lua redis lib command arguments must be strings or integers"));
  EXPECT_THAT(Eval("return redis.pcall('x', true)"),
              "-ERR Lua redis lib command arguments must be strings or integers\r\n");
}

TEST_F(InterpreterTest, AsManyArgumentsAsUnpackGives) {
  host.answer = "*1\r\n*1\r\n:7\r\n";
  EXPECT_EQ(Eval("local a={} for i=1,7999 do a[i]=1 end return redis.call('rpush', unpack(a))"), host.answer);
  EXPECT_EQ(host.last.size(), 8000u);
}

TEST_F(InterpreterTest, BytesThatAreNoReplyAreAnError) {
  for (const std::string_view bytes : {"", "x", "$5\r\nab\r\n", "*2\r\n:1\r\n", "%1\r\n:1\r\n", ":\r\n", "$-2\r\n",
                                       "*99999999999\r\n", ":1\r\n:2\r\n", "#x\r\n", ",zz\r\n", "=2\r\nab\r\n"}) {
    host.answer = bytes;
    EXPECT_THAT(Eval("return redis.call('x')"), StartsWith("-ERR the reply of a command cannot be converted")) << bytes;
  }
  host.answer.clear();
  for (int i = 0; i < 100'000; ++i) host.answer += "*1\r\n";
  EXPECT_THAT(Eval("return redis.call('x')"), StartsWith("-ERR the reply of a command"));
}

// ---- errors ----

TEST_F(InterpreterTest, ErrorsSayWhereTheyHappened) {
  const std::string body = "\nreturn redis.call('x')";
  host.answer = "-WRONGTYPE of key\r\n";
  EXPECT_EQ(Eval(body), "-WRONGTYPE of key script: " + Sha1Hex(body) + ", on @user_script:2.\r\n");
  EXPECT_TRUE(host.errors.back().second);
  const std::string other = "error('boom')";
  EXPECT_EQ(Eval(other), "-ERR user_script:1: boom script: " + Sha1Hex(other) + ", on @user_script:1.\r\n");
  EXPECT_FALSE(host.errors.back().second);
  EXPECT_EQ(Eval("return redis.pcall('x')"), "-WRONGTYPE of key\r\n");
  EXPECT_TRUE(host.errors.back().second);
  EXPECT_EQ(Eval("local ok, e = pcall(redis.call, 'x') return {tostring(ok), e}"),
            "*2\r\n$5\r\nfalse\r\n$16\r\nWRONGTYPE of key\r\n");
  EXPECT_THAT(Eval("return +"), StartsWith("-ERR Error compiling script (new function): user_script:1:"));
  EXPECT_THAT(Eval("error({err='MINE x'})"), StartsWith("-MINE x script: "));
}

TEST_F(InterpreterTest, ErrorRepliesGetACode) {
  EXPECT_EQ(Eval("return redis.error_reply('My Err')"), "-My Err\r\n");
  EXPECT_EQ(Eval("return redis.error_reply('-My Err')"), "-My Err\r\n");
  EXPECT_EQ(Eval("return redis.error_reply('oneword')"), "-ERR oneword\r\n");
  EXPECT_EQ(Eval("return redis.error_reply(1)"), "-ERR wrong number or type of arguments\r\n");
  EXPECT_EQ(Eval("return redis.status_reply('x')"), "+x\r\n");
}

// ---- the sandbox ----

TEST_F(InterpreterTest, GlobalsAreClosed) {
  EXPECT_THAT(Eval("return nosuch"), HasSubstr("Script attempted to access nonexistent global variable 'nosuch'"));
  EXPECT_THAT(Eval("a = 1"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("redis.call = 1"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("rawset(_G, 'a', 1)"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("setmetatable(_G, {})"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("getmetatable(_G).__index = nil"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("getmetatable('').__index = nil"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("rawset(getmetatable(''), '__index', 1)"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("string.rep = 1"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Eval("table.insert(math, 1)"), HasSubstr("Attempt to modify a readonly table"));
}

TEST_F(InterpreterTest, WhatCouldReachOutsideIsNotThere) {
  for (const std::string name :
       {"print", "dofile", "loadfile", "require", "module", "package", "io", "os", "debug", "newproxy"}) {
    EXPECT_THAT(Eval("return " + name), HasSubstr("nonexistent global variable '" + name + "'"));
  }
}

TEST_F(InterpreterTest, BytecodeIsNotLoaded) {
  EXPECT_THAT(Eval("return loadstring(string.dump(function() return 1 end))()"), StartsWith("-ERR"));
  EXPECT_THAT(Eval("local code = string.dump(function() return 1 end) local given = false "
                   "return load(function() if given then return nil end given = true return code end)()"),
              StartsWith("-ERR"));
  EXPECT_THAT(Eval("return tostring(loadstring('\\27Lua'))"), Not(HasSubstr("function")));
  EXPECT_EQ(Eval("return loadstring('return 7')()"), ":7\r\n");
}

TEST_F(InterpreterTest, ScriptsDoNotReachTheNextOne) {
  EXPECT_EQ(Eval("setfenv(0, {redis=redis}) return 1"), ":1\r\n");
  EXPECT_EQ(Eval("return KEYS[1]", {"k"}), "$1\r\nk\r\n");
  const std::string_view body =
      "local n = tostring(getfenv(1) == _G) setfenv(1, setmetatable({}, {__index=function() return nil end})) return n";
  EXPECT_EQ(Eval(body), "$4\r\ntrue\r\n");
  EXPECT_EQ(Eval(body), "$4\r\ntrue\r\n");
  EXPECT_THAT(Eval("setfenv(redis.call, {})"), HasSubstr("cannot change environment"));
}

TEST_F(InterpreterTest, GarbageIsCollectedWhateverAScriptWants) {
  EXPECT_EQ(Eval("return {collectgarbage('stop'), collectgarbage('setpause', 10000), collectgarbage('collect')}"),
            "*3\r\n:0\r\n:200\r\n:0\r\n");
  EXPECT_EQ(Eval("for i=1,1e6 do local t={i} end return 1"), ":1\r\n");
  EXPECT_EQ(Eval("return collectgarbage('count') < 1000"), ":1\r\n");
  EXPECT_THAT(Eval("collectgarbage('x')"), HasSubstr("invalid option 'x'"));
}

TEST_F(InterpreterTest, RandomNumbersFollowTheirSeed) {
  const std::string_view body = "math.randomseed(ARGV[1]) local t={} for i=1,5 do t[i]=math.random(1000) end return t";
  const std::string first = Eval(body, {}, {"10"});
  EXPECT_EQ(Eval(body, {}, {"10"}), first);
  EXPECT_NE(Eval(body, {}, {"11"}), first);
  EXPECT_EQ(first, "*5\r\n:879\r\n:796\r\n:481\r\n:526\r\n:460\r\n");
}

// ---- what would use up the server ----

TEST_F(InterpreterTest, MemoryHasALimit) {
  EXPECT_THAT(Eval("local t={} for i=1,1e9 do t[i]={i} end"), HasSubstr("not enough memory"));
  EXPECT_THAT(Eval("local s='x' while true do s=s..s end"), HasSubstr("not enough memory"));
  EXPECT_THAT(Eval("return string.rep('x', 2147483647)"), HasSubstr("not enough memory"));
  EXPECT_THAT(
      Eval("local t={} while true do local ok,e=pcall(string.rep,'x',1e7) t[#t+1]=e if #t>5 then return #t end end"),
      testing::AnyOf(StartsWith(":"), HasSubstr("not enough memory")));
  EXPECT_THAT(Eval("local t={'x'} for i=1,100 do t={t,t} end return cjson.encode(t)"), HasSubstr("not enough memory"));
  EXPECT_THAT(Eval("cjson.encode_keep_buffer(false) local t={'x'} for i=1,100 do t={t,t} end "
                   "return tostring(pcall(cjson.encode, t))"),
              "$5\r\nfalse\r\n");
  EXPECT_THAT(Eval("local t={string.rep('x',1e6)} for i=1,12 do t={t,t} end return cmsgpack.pack(t)"),
              HasSubstr("not enough memory"));
  EXPECT_EQ(Eval("return 1"), ":1\r\n");
  EXPECT_LT(interpreter.memory().script_bytes, 1024u * 1024);
}

TEST_F(InterpreterTest, StatesShareABudget) {
  LuaBudget budget(16 * 1024 * 1024);
  const auto run = [&](Interpreter& other, std::string_view body) {
    net::OutputBuffer out;
    net::ReplyBuilder reply(&out, client_resp);
    (void)other.Run({.digest = Sha1Hex(body), .body = std::string(body)}, {}, {}, host, reply);
    return out.ToString();
  };
  {
    Interpreter first(32 * 1024 * 1024, &budget), second(32 * 1024 * 1024, &budget);
    const std::string_view large = "local s = string.rep('x', 2e6) return #s";
    EXPECT_EQ(run(first, large), ":2000000\r\n");
    EXPECT_EQ(run(second, large), ":2000000\r\n");
    EXPECT_THAT(run(second, "local t = {} for i=1,30 do t[i] = string.rep(i % 10, 1e6) end return #t"),
                HasSubstr("not enough memory"));
    EXPECT_EQ(run(second, "return 1"), ":1\r\n") << "a small script always runs";
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(InterpreterTest, RecursionHasALimit) {
  EXPECT_THAT(Eval("local function f() return 1 + f() end return f()"), HasSubstr("stack overflow"));
  EXPECT_THAT(Eval("local function f() return pcall(f) end return f()"), StartsWith(":1"));
  EXPECT_THAT(Eval("local function f() local c=coroutine.wrap(f) return c() end return f()"),
              HasSubstr("C stack overflow"));
  EXPECT_THAT(Eval("return loadstring(string.rep('(', 1e5) .. '1' .. string.rep(')', 1e5))"), StartsWith("$-1"));
  EXPECT_THAT(Eval("return string.find(string.rep('a', 1e6), string.rep('a?', 1e6))"),
              HasSubstr("pattern too complex"));
  EXPECT_THAT(Eval("return string.gsub('a', string.rep('(', 1e6), '')"), HasSubstr("too many captures"));
  EXPECT_EQ(Eval("local s = string.rep('ab', 1e5) return string.find(s .. 'c', s .. 'c', 1, true)"), ":1\r\n");
  EXPECT_THAT(Eval("local t={} for i=1,1e5 do t={t} end return cjson.encode(t)"), HasSubstr("excessive nesting"));
  EXPECT_THAT(Eval("cjson.encode_max_depth(1e9) local t={} for i=1,1e6 do t={t} end return cjson.encode(t)"),
              StartsWith("-ERR"));
  EXPECT_THAT(Eval("cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[', 1e6))"), StartsWith("-ERR"));
  EXPECT_THAT(Eval("local t={} for i=1,1e5 do t={t} end return #cmsgpack.pack(t)"), StartsWith(":"));
  EXPECT_THAT(Eval("return cmsgpack.unpack(string.rep('\\145', 1e6))"), StartsWith("-ERR"));
  EXPECT_THAT(Eval("return {unpack({}, 0, 1e8)}"), HasSubstr("too many results to unpack"));
}

TEST_F(InterpreterTest, LibrariesAnswerBadInputWithErrors) {
  EXPECT_THAT(Eval("return struct.unpack('s2147483647', 'a')"), StartsWith("-ERR"));
  EXPECT_THAT(Eval("return struct.pack('>I2147483648', '10')"), StartsWith("-ERR"));
  EXPECT_THAT(Eval("return cjson.encode({[1]=1,[1000000]=2})"), HasSubstr("excessively sparse array"));
  EXPECT_THAT(Eval("return cjson.decode('[1,')"), StartsWith("-ERR"));
  EXPECT_EQ(Eval("return cjson.encode({1,{a='x'}})"), "$13\r\n[1,{\"a\":\"x\"}]\r\n");
  EXPECT_EQ(Eval("return cmsgpack.unpack(cmsgpack.pack({1,2}))"), "*2\r\n:1\r\n:2\r\n");
  EXPECT_EQ(Eval("return bit.tohex(65535, -4)"), "$4\r\nFFFF\r\n");
  EXPECT_EQ(Eval("return struct.unpack('>I2', struct.pack('>I2', 513))"), ":513\r\n");
}

// ---- unwinding ----

TEST_F(InterpreterTest, NothingCatchesAnUnwinding) {
  for (const std::string_view body : {
           "while true do end",
           "while true do pcall(function() while true do end end) end",
           "while true do xpcall(function() while true do end end, function() while true do end end) end",
           "local function f() pcall(f) while true do end end f()",
           "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
           "while true do pcall(coroutine.wrap(function() while true do pcall(error) end end)) end",
           "local t = setmetatable({}, {__index=function() while true do end end}) while true do pcall(function() "
           "return t.x end) end",
           "while true do pcall(table.sort, {3,2,1}, function() while true do end end) end",
           "return string.find(string.rep('a', 300), string.rep('a*', 30) .. 'b')",
           "while true do pcall(string.gsub, string.rep('a', 300), string.rep('a-', 30) .. 'b', '') end",
       }) {
    host.ticks = 0;
    host.unwind_at_tick = 5;
    EXPECT_EQ(Eval(body), "") << body;
    EXPECT_EQ(outcome, Interpreter::Outcome::kUnwound) << body;
    EXPECT_LE(host.ticks, 7) << body;
    EXPECT_EQ(interpreter.stopped_at(), "@user_script:1") << body;
    host.unwind_at_tick = 1000;
    EXPECT_EQ(Eval("return 1"), ":1\r\n");
  }
}

TEST_F(InterpreterTest, SlowInstructionsAreInterruptedSooner) {
  host.unwind_at_tick = 1;
  EXPECT_EQ(Eval("local n = 0 while true do n = n + #string.rep('x', 1e6) if n > 1e8 then return n end end"), "");
  EXPECT_EQ(outcome, Interpreter::Outcome::kUnwound);
}

TEST_F(InterpreterTest, NoCommandRunsAfterACallThatUnwinds) {
  for (const std::string_view body : {
           "redis.call('a') pcall(redis.call, 'b') redis.call('c') return 1",
           "redis.call('a') redis.pcall('b') redis.call('c') return 1",
           "redis.call('a') coroutine.resume(coroutine.create(function() redis.call('b') end)) redis.call('c') return "
           "1",
           "redis.call('a') xpcall(function() redis.call('b') end, function() redis.call('c') end) redis.call('c') "
           "return 1",
       }) {
    host.calls = 0;
    host.unwind_at_call = 2;
    EXPECT_EQ(Eval(body), "") << body;
    EXPECT_EQ(outcome, Interpreter::Outcome::kUnwound) << body;
    EXPECT_EQ(host.calls, 2) << body;
  }
}

// ---- functions ----

TEST_F(InterpreterTest, ALibraryRegistersFunctions) {
  FunctionLibrary library;
  EXPECT_EQ(Load("#!lua name=lib\nlocal n = 0\n"
                 "redis.register_function('count', function(keys, args) n = n + 1 return {n, keys[1], args[1]} end)\n"
                 "redis.register_function{function_name='two', callback=function() return redis.call('get', 'x') end, "
                 "flags={'no-writes', 'ALLOW-OOM'}, description='d'}",
                 &library),
            "");
  ASSERT_EQ(library.functions.size(), 2u);
  EXPECT_EQ(library.functions[0].name, "count");
  EXPECT_EQ(library.functions[0].description, std::nullopt);
  EXPECT_EQ(library.functions[1].description, "d");
  EXPECT_EQ(library.functions[1].flags, kScriptNoWrites | kScriptAllowOom);
  EXPECT_EQ(Call(library, "count", {"k"}, {"v"}), "*3\r\n:1\r\n$1\r\nk\r\n$1\r\nv\r\n");
  EXPECT_EQ(Call(library, "count", {"k"}, {"v"}), "*3\r\n:2\r\n$1\r\nk\r\n$1\r\nv\r\n");
  EXPECT_EQ(Call(library, "two"), "+OK\r\n");
  host.answer = "-ERR no\r\n";
  EXPECT_EQ(Call(library, "two"), "-ERR no script: two, on @user_function:4.\r\n");
  library.version = ++version;
  EXPECT_EQ(Call(library, "count"), "*1\r\n:1\r\n") << "a new version begins anew";
}

TEST_F(InterpreterTest, WhileALibraryLoadsItSeesLittle) {
  FunctionLibrary library;
  EXPECT_THAT(Load("#!lua name=lib\nreturn math.random()", &library), HasSubstr("nonexistent global variable 'math'"));
  EXPECT_THAT(Load("#!lua name=lib\nreturn redis.call('x')", &library),
              HasSubstr("nonexistent global variable 'call'"));
  EXPECT_THAT(Load("#!lua name=lib\na = 1", &library), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_THAT(Load("#!lua name=lib\nreturn +", &library), StartsWith("ERR Error compiling function: user_function:2:"));
  EXPECT_THAT(Load("#!lua name=lib\nredis.register_function('a b', function() end)", &library),
              HasSubstr("Library names can only contain"));
  EXPECT_THAT(Load("#!lua name=lib\nredis.register_function('a')", &library),
              HasSubstr("only applicable to Lua table"));
  EXPECT_THAT(Load("#!lua name=lib\nredis.register_function{function_name='a', callback=function() end, flags={'x'}}",
                   &library),
              HasSubstr("unknown flag given"));
  EXPECT_THAT(Load("#!lua name=lib\nwhile true do end", &library), HasSubstr("FUNCTION LOAD timeout"));
  EXPECT_EQ(host.calls, 0);
}

TEST_F(InterpreterTest, FunctionsSeeAllButTheGlobalsOfScripts) {
  FunctionLibrary library;
  library.functions.clear();
  EXPECT_EQ(Load("#!lua name=lib\nlocal keep = redis.register_function\n"
                 "redis.register_function('keys', function() return KEYS end)\n"
                 "redis.register_function('later', function() keep('x', function() end) end)\n"
                 "redis.register_function('set', function() a = 1 end)\n"
                 "redis.register_function('nine', function() return math.floor(9.5) end)",
                 &library),
            "");
  EXPECT_THAT(Call(library, "keys"), HasSubstr("nonexistent global variable 'KEYS'"));
  EXPECT_THAT(Call(library, "later"), HasSubstr("redis.register_function can only be called on FUNCTION LOAD command"));
  EXPECT_THAT(Call(library, "set"), HasSubstr("Attempt to modify a readonly table"));
  EXPECT_EQ(Call(library, "nine"), ":9\r\n");
}

}  // namespace
}  // namespace basalt
