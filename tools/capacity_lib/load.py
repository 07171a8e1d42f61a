"""A load: what a generator is asked to do to one server for one step."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Load:
    """Closed loop (rate None): each client keeps `pipeline` requests under way. Open loop: `rate` requests a second in all,
    spread over the clients, sent whether or not replies have come."""

    keys: int
    prefix: str
    value_bytes: int
    clients: int
    pipeline: int
    seconds: float | None  # None: each key once (preload)
    set_get: str = "1:1"
    key_pattern: str = "R:R"
    expiry_s: str | None = None
    commands: tuple = ()
    rate: float | None = None

    def lasting(self, seconds):
        return replace(self, seconds=seconds)


def of(profile, keys, value_bytes, clients, pipeline, seconds, rate=None):
    return Load(
        keys=keys,
        prefix=profile.prefix,
        value_bytes=value_bytes,
        clients=clients,
        pipeline=pipeline,
        seconds=seconds,
        set_get=profile.set_get,
        key_pattern=profile.key_pattern,
        expiry_s=profile.expiry_s,
        commands=profile.commands,
        rate=rate,
    )


def preload(profile, keys, value_bytes):
    """Loads each key once: by SET, or by the profile's own commands, one after another."""
    common = dict(keys=keys, prefix=profile.prefix, value_bytes=value_bytes, clients=8, pipeline=16, seconds=None)
    if profile.preload_commands:
        return [Load(commands=(command,), **common) for command in profile.preload_commands]
    return [Load(set_get="1:0", key_pattern="P:P", expiry_s=profile.expiry_s, **common)] if profile.preload else []
