#pragma once

namespace basalt {

// Scripts and functions: what is known by its digest or name, what runs, and the interpreters that run it (one a pool
// thread).
class Scripting {};

}  // namespace basalt
