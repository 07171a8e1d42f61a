#include "server/scripting/script_cache.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "server/digest.h"

namespace basalt {

namespace {

size_t BytesOf(const Script& script) { return script.body.size() + sizeof(KnownScript) + kSha1HexBytes; }

}  // namespace

KnownScriptPtr ScriptCache::Use(const KnownScriptPtr& script) const {
  script->last_use.store(clock_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
  return script;
}

KnownScriptPtr ScriptCache::Find(std::string_view digest) const {
  if (digest.size() != kSha1HexBytes) return nullptr;
  char lower[kSha1HexBytes];
  std::transform(digest.begin(), digest.end(), lower,
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; });
  std::shared_lock lock(mu_);
  const auto found = by_digest_.find(std::string_view(lower, kSha1HexBytes));
  return found != by_digest_.end() ? Use(found->second) : nullptr;
}

KnownScriptPtr ScriptCache::FindBody(std::string_view body) const {
  std::shared_lock lock(mu_);
  const auto found = by_body_.find(body);
  return found != by_body_.end() ? Use(by_digest_.find(found->second->script.digest)->second) : nullptr;
}

KnownScriptPtr ScriptCache::Add(std::string_view body, uint32_t flags, Origin origin) {
  auto added = std::make_shared<KnownScript>();
  added->script = {.digest = Sha1Hex(body), .body = std::string(body), .flags = flags};
  std::unique_lock lock(mu_);
  auto [place, inserted] = by_digest_.try_emplace(added->script.digest, added);
  KnownScript& script = *place->second;
  if (inserted) {
    by_body_.emplace(script.script.body, &script);
    ++eval_scripts_;
    eval_bytes_ += BytesOf(script.script);
    bytes_.fetch_add(BytesOf(script.script), std::memory_order_relaxed);
  }
  if (origin == Origin::kLoad && !script.loaded.exchange(true, std::memory_order_relaxed)) {
    --eval_scripts_;
    eval_bytes_ -= BytesOf(script.script);
  }
  KnownScriptPtr result = Use(place->second);
  Evict();
  count_.store(by_digest_.size(), std::memory_order_relaxed);
  return result;
}

void ScriptCache::Evict() {
  while (eval_scripts_ > kEvalScriptsMax || (eval_bytes_ > kEvalBytesMax && eval_scripts_ > 1)) {
    auto oldest = by_digest_.end();
    for (auto each = by_digest_.begin(); each != by_digest_.end(); ++each) {
      if (each->second->loaded.load(std::memory_order_relaxed)) continue;
      if (oldest == by_digest_.end() || each->second->last_use < oldest->second->last_use) oldest = each;
    }
    const std::shared_ptr<KnownScript> script = oldest->second;  // the maps' views are of its strings
    by_body_.erase(script->script.body);
    by_digest_.erase(oldest);
    --eval_scripts_;
    eval_bytes_ -= BytesOf(script->script);
    bytes_.fetch_sub(BytesOf(script->script), std::memory_order_relaxed);
  }
}

void ScriptCache::Clear() {
  std::unordered_map<std::string_view, std::shared_ptr<KnownScript>> scripts;
  {
    std::unique_lock lock(mu_);
    by_body_.clear();
    scripts.swap(by_digest_);  // freed without the lock
    eval_scripts_ = eval_bytes_ = 0;
    count_.store(0, std::memory_order_relaxed);
    bytes_.store(0, std::memory_order_relaxed);
  }
}

}  // namespace basalt
