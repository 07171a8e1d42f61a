#pragma once

namespace basalt {

// The users, their passwords and what each may do; the log of what was denied. Any thread.
class UserRegistry {};

}  // namespace basalt
