"""Numbers as people read them."""


def count(value, digits=3):
    """41.2k, 1.25M; — for None."""
    if value is None:
        return "—"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scaled = value / ({"G": 1e9, "M": 1e6, "k": 1e3}[unit])
            return significant(scaled, digits) + unit
    return "{:,.0f}".format(value) if abs(value) >= 100 else significant(value, digits)


def significant(value, digits=3):
    if value == 0:
        return "0"
    text = "%.*g" % (digits, value)
    if "e" in text:
        return "{:,.0f}".format(float(text))
    return text


def milliseconds(value):
    return "—" if value is None else "%.2f" % value if value < 10 else "%.1f" % value if value < 100 else "%.0f" % value


def size(value):
    """12.5 MiB"""
    if value is None:
        return "—"
    for limit, unit in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(value) >= limit:
            return "%s %s" % (significant(value / limit), unit)
    return "%s B" % significant(value)


def percent(value):
    return (
        "—" if value is None else "%.0f %%" % (100 * value) if value == 0 or value >= 0.1 else "%.1f %%" % (100 * value)
    )


def listed(parts):
    """a, b and c"""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
