#include "server/commands/string_lcs.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "server/commands/key_access.h"
#include "server/lcs.h"

namespace basalt {

using storage::StringValue;
using Rows = storage::StringStore::Rows;

namespace {

// Pairs of bytes that the fast lane may compare (about a millisecond).
constexpr uint64_t kFastLaneLcsPairsMax = 1 << 20;

struct LcsOptions {
  bool len = false, idx = false, with_match_len = false;
  int64_t min_match_len = 0;
};

Status ParseLcsOptions(std::span<const std::string_view> words, LcsOptions* options) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (EqualsIgnoreCase(words[i], "IDX")) {
      options->idx = true;
    } else if (EqualsIgnoreCase(words[i], "LEN")) {
      options->len = true;
    } else if (EqualsIgnoreCase(words[i], "WITHMATCHLEN")) {
      options->with_match_len = true;
    } else if (EqualsIgnoreCase(words[i], "MINMATCHLEN") && i + 1 < words.size()) {
      if (!ParseInteger(words[++i], &options->min_match_len)) return ErrorCode::kNotInteger;
    } else {
      return ErrorCode::kSyntax;
    }
  }
  if (options->len && options->idx) {
    return Status::Message("ERR If you want both the length and indexes, please just use IDX.");
  }
  return Ok();
}

// The limits are those of Redis' table of four bytes per pair, so that the same strings are refused.
Status CheckLcsSize(const CommandContext& ctx, uint64_t a, uint64_t b) {
  constexpr uint64_t kLengthMax = std::numeric_limits<uint32_t>::max() - 1;
  if (a >= kLengthMax || b >= kLengthMax) return Status::Message("ERR String too long for LCS");
  if ((a + 1) * (b + 1) > ctx.services.storage.string_bytes_max() / sizeof(uint32_t)) {
    return Status::Message("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  return a * b > kFastLaneLcsPairsMax && !ctx.in_slow_lane() ? ErrorCode::kNeedSlowLane : ErrorCode::kOk;
}

void ReplyLcsMatches(CommandContext& ctx, const Lcs& lcs, const LcsOptions& options) {
  ctx.reply.Map(2);
  ctx.reply.Bulk("matches");
  const auto shown = [&](const LcsMatch& m) { return m.length() >= options.min_match_len; };
  ctx.reply.Array(static_cast<uint64_t>(std::count_if(lcs.matches.begin(), lcs.matches.end(), shown)));
  for (const LcsMatch& match : lcs.matches) {
    if (!shown(match)) continue;
    ctx.reply.Array(options.with_match_len ? 3 : 2);
    ctx.reply.Array(2);
    ctx.reply.Integer(match.a_first);
    ctx.reply.Integer(match.a_last);
    ctx.reply.Array(2);
    ctx.reply.Integer(match.b_first);
    ctx.reply.Integer(match.b_last);
    if (options.with_match_len) ctx.reply.Integer(match.length());
  }
  ctx.reply.Bulk("len");
  ctx.reply.Integer(static_cast<int64_t>(lcs.text.size()));
}

}  // namespace

Status LcsCommand(CommandContext& ctx) {
  ctx.view().RequireSnapshot();
  StringValue values[2];
  bool wrong_type = false;
  for (size_t i = 0; i < 2; ++i) {
    const storage::Status found = LookupString(ctx, ctx.view(), ctx.key(i + 1), Rows::kNeeded, &values[i]);
    wrong_type |= found == storage::Status::kWrongType;
    if (found == storage::Status::kNotFound) values[i] = {};
    if (found != storage::Status::kOk && found != storage::Status::kNotFound && found != storage::Status::kWrongType) {
      return found;
    }
  }
  if (wrong_type) return Status::Message("ERR The specified keys must contain string values");
  LcsOptions options;
  BASALT_RETURN_IF_ERROR(ParseLcsOptions(ctx.argv.subspan(3), &options));
  BASALT_RETURN_IF_ERROR(CheckLcsSize(ctx, values[0].length, values[1].length));

  std::string buffers[2];
  std::string_view strings[2];
  for (size_t i = 0; i < 2; ++i) {
    if (values[i].record) BASALT_RETURN_IF_ERROR(WholeString(ctx.view(), values[i], &buffers[i], &strings[i]));
  }
  if (options.len) {
    ctx.reply.Integer(LcsLength(strings[0], strings[1]));
    return Ok();
  }
  const Lcs lcs = ComputeLcs(strings[0], strings[1]);
  if (options.idx) {
    ReplyLcsMatches(ctx, lcs, options);
  } else {
    ctx.reply.Bulk(lcs.text);
  }
  return Ok();
}

}  // namespace basalt
