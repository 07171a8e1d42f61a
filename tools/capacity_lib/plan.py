"""How long a run takes, and how it is made to fit a budget."""

from dataclasses import replace

OVERHEAD_S = 1.2  # starting and ending a generator, two looks at the server
PRELOAD_KEYS_PER_S = 60_000
SETTLE_S = 3.0
SHORTEST_STEP_S, SHORTEST_SUSTAIN_S = 2, 4
FEWEST_KNEE_STEPS = 8


def preload_s(keys, value_bytes):
    return keys / PRELOAD_KEYS_PER_S + keys * value_bytes / 100e6 + SETTLE_S


def sweep_step_s(profile):
    """One closed-loop step with its warm-up."""
    return rate_step_s(profile) + (profile.warmup_s + OVERHEAD_S if profile.warmup_s else 0)


def rate_step_s(profile):
    """One open-loop step; these are not warmed up, as the sweep comes before them."""
    return profile.step_s + OVERHEAD_S


def stage_s(profile, keys, value_bytes, open_loop):
    """Seconds for one value size on one server."""
    sweep = len(profile.clients) * len(profile.pipeline) * profile.repeats * sweep_step_s(profile)
    knee = (profile.knee_steps + profile.repeats - 1) * rate_step_s(profile) if open_loop else 0
    return preload_s(keys, value_bytes) + sweep + knee + profile.sustain_s + 2 * OVERHEAD_S


def profile_s(profile, memory_bytes, open_loop):
    keys = profile.key_count(memory_bytes)
    return sum(stage_s(profile, keys, value_bytes, open_loop) for value_bytes in profile.value_bytes)


def fit(profiles, servers, memory_bytes, open_loop, budget_s):
    """The profiles with shorter steps and, when that is not enough, fewer repeats and rates, so that they end within the budget; and
    the seconds that they take. A budget that cannot be kept gives the shortest plan there is."""

    def total(plan):
        return servers * sum(profile_s(profile, memory_bytes, open_loop) for profile in plan)

    plan = list(profiles)
    if budget_s is None or total(plan) <= budget_s:
        return plan, total(plan)
    for repeats, knee_steps in ((99, 99), (2, 99), (1, 99), (1, FEWEST_KNEE_STEPS)):
        for scale in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2):
            plan = [shorter(profile, scale, repeats, knee_steps) for profile in profiles]
            if total(plan) <= budget_s:
                return plan, total(plan)
    return plan, total(plan)


def shorter(profile, scale, repeats, knee_steps):
    return replace(
        profile,
        warmup_s=max(1, round(profile.warmup_s * scale)) if profile.warmup_s else 0,
        step_s=max(SHORTEST_STEP_S, round(profile.step_s * scale)),
        sustain_s=max(SHORTEST_SUSTAIN_S, round(profile.sustain_s * scale)),
        repeats=min(profile.repeats, repeats),
        knee_steps=min(profile.knee_steps, knee_steps),
    )
