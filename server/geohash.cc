#include "server/geohash.h"

#include <algorithm>
#include <cmath>

namespace basalt {
namespace {

constexpr double kRadiansPerDegree = M_PI / 180.0;
constexpr double kEarthRadius = 6372797.560856;     // metres
constexpr double kMercatorMax = 20037726.37;        // metres from the zero meridian to its opposite
constexpr uint64_t kEvenBits = 0x5555555555555555;  // latitude; the odd ones are the longitude

double Radians(double degrees) { return degrees * kRadiansPerDegree; }
double Degrees(double radians) { return radians / kRadiansPerDegree; }

// Bit i goes to bit 2i.
uint64_t Spread(uint32_t bits) {
  uint64_t x = bits;
  x = (x | x << 16) & 0x0000ffff0000ffff;
  x = (x | x << 8) & 0x00ff00ff00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x << 2) & 0x3333333333333333;
  return (x | x << 1) & kEvenBits;
}

uint32_t Gather(uint64_t x) {
  x &= kEvenBits;
  x = (x | x >> 1) & 0x3333333333333333;
  x = (x | x >> 2) & 0x0f0f0f0f0f0f0f0f;
  x = (x | x >> 4) & 0x00ff00ff00ff00ff;
  x = (x | x >> 8) & 0x0000ffff0000ffff;
  return static_cast<uint32_t>(x | x >> 16);
}

// One cell of the grid in which each coordinate has `step` bits.
struct Cell {
  uint64_t bits = 0;
  int step = 0;
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct Area {
  double longitude_min, longitude_max, latitude_min, latitude_max;
};

Cell Encode(const GeoPoint& point, int step, double latitude_max) {
  double latitude = (point.latitude + latitude_max) / (latitude_max + latitude_max);
  double longitude = (point.longitude + kLongitudeMax) / (kLongitudeMax + kLongitudeMax);
  latitude *= static_cast<double>(1ull << step);
  longitude *= static_cast<double>(1ull << step);
  return {Spread(static_cast<uint32_t>(latitude)) | Spread(static_cast<uint32_t>(longitude)) << 1, step};
}

Area AreaOf(const Cell& cell) {
  const uint32_t latitude = Gather(cell.bits);
  const uint32_t longitude = Gather(cell.bits >> 1);
  const auto cells = static_cast<double>(1ull << cell.step);
  constexpr double kLatitudes = kLatitudeMax + kLatitudeMax;
  constexpr double kLongitudes = kLongitudeMax + kLongitudeMax;
  return {-kLongitudeMax + (longitude * 1.0 / cells) * kLongitudes,
          -kLongitudeMax + ((longitude + 1) * 1.0 / cells) * kLongitudes,
          -kLatitudeMax + (latitude * 1.0 / cells) * kLatitudes,
          -kLatitudeMax + ((latitude + 1) * 1.0 / cells) * kLatitudes};
}

// The cell so many steps to the east and to the north, -1 … 1 each; around the edges of the map. A point at the very
// edge (180 degrees) is one cell beyond the last, and stays there unless it is moved.
Cell Neighbor(const Cell& cell, int east, int north) {
  const uint32_t mask = (1u << cell.step) - 1;
  uint32_t longitude = Gather(cell.bits >> 1);
  uint32_t latitude = Gather(cell.bits);
  if (east != 0) longitude = (longitude + static_cast<uint32_t>(east)) & mask;
  if (north != 0) latitude = (latitude + static_cast<uint32_t>(north)) & mask;
  return {Spread(latitude) | Spread(longitude) << 1, cell.step};
}

double LatitudeDistance(double a, double b) { return kEarthRadius * std::fabs(Radians(b) - Radians(a)); }

// How fine a grid may be whose nine cells still cover a radius, in most cases.
int EstimateStep(double radius, double latitude) {
  if (radius == 0) return kGeoStepMax;
  int step = 1;
  for (; radius < kMercatorMax; radius *= 2) ++step;
  step -= 2;
  const double from_equator = std::fabs(latitude);
  if (from_equator > 66) --step;  // cells are narrow towards the poles
  if (from_equator > 80) --step;
  return std::clamp(step, 1, kGeoStepMax);
}

// The least and the greatest coordinates that a shape reaches.
Area BoundsOf(const GeoShape& shape) {
  const bool circle = shape.kind == GeoShape::Kind::kCircle;
  const double height = shape.unit * (circle ? shape.radius : shape.height / 2);
  const double width = shape.unit * (circle ? shape.radius : shape.width / 2);
  const auto [longitude, latitude] = shape.center;
  const double latitude_delta = Degrees(height / kEarthRadius);
  // The edge that is farther from the equator is the one that spans more degrees.
  const double edge = latitude < 0 ? latitude - latitude_delta : latitude + latitude_delta;
  const double longitude_delta = Degrees(width / kEarthRadius / std::cos(Radians(edge)));
  return {longitude - longitude_delta, longitude + longitude_delta, latitude - latitude_delta,
          latitude + latitude_delta};
}

}  // namespace

bool IsGeoPoint(const GeoPoint& point) {
  return std::fabs(point.longitude) <= kLongitudeMax && std::fabs(point.latitude) <= kLatitudeMax;
}

uint64_t EncodeGeoScore(const GeoPoint& point) { return Encode(point, kGeoStepMax, kLatitudeMax).bits; }

GeoPoint DecodeGeoScore(double score) {
  // Scores of sorted sets that hold no positions are whatever they are; they have a meaning, if no use.
  const bool in_range = score >= 0 && score < 18446744073709551616.0;
  const Area area = AreaOf({in_range ? static_cast<uint64_t>(score) : 0, kGeoStepMax});
  const double longitude = (area.longitude_min + area.longitude_max) / 2;
  const double latitude = (area.latitude_min + area.latitude_max) / 2;
  return {std::clamp(longitude, -kLongitudeMax, kLongitudeMax), std::clamp(latitude, -kLatitudeMax, kLatitudeMax)};
}

std::string StandardGeohash(const GeoPoint& point) {
  constexpr char kLetters[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr int kWholeLetters = 10;  // five bits each; there are 52
  const uint64_t bits = Encode(point, kGeoStepMax, 90).bits;
  std::string text;
  for (int i = 1; i <= kWholeLetters; ++i) text += kLetters[bits >> (52 - 5 * i) & 31];
  return text + '0';
}

double GeoDistance(const GeoPoint& a, const GeoPoint& b) {
  const double v = std::sin((Radians(b.longitude) - Radians(a.longitude)) / 2);
  if (v == 0) return LatitudeDistance(a.latitude, b.latitude);
  const double latitude_a = Radians(a.latitude);
  const double latitude_b = Radians(b.latitude);
  const double u = std::sin((latitude_b - latitude_a) / 2);
  const double h = u * u + std::cos(latitude_a) * std::cos(latitude_b) * v * v;
  return 2.0 * kEarthRadius * std::asin(std::sqrt(h));
}

bool GeoShape::Contains(const GeoPoint& point, double* distance) const {
  if (kind == Kind::kCircle) {
    *distance = GeoDistance(center, point);
    return *distance <= radius * unit;
  }
  if (LatitudeDistance(point.latitude, center.latitude) > height * unit / 2) return false;
  if (GeoDistance(point, {center.longitude, point.latitude}) > width * unit / 2) return false;
  *distance = GeoDistance(center, point);
  return true;
}

GeoCells CellsOf(const GeoShape& shape) {
  const Area bounds = BoundsOf(shape);
  const double radius =
      shape.unit * (shape.kind == GeoShape::Kind::kCircle
                        ? shape.radius
                        : std::sqrt((shape.width / 2) * (shape.width / 2) + (shape.height / 2) * (shape.height / 2)));
  int step = EstimateStep(radius, shape.center.latitude);
  Cell middle = Encode(shape.center, step, kLatitudeMax);
  // Near the edge of its cell a shape may reach beyond the neighbours: then a coarser grid.
  const bool too_fine = AreaOf(Neighbor(middle, 0, 1)).latitude_max < bounds.latitude_max ||
                        AreaOf(Neighbor(middle, 0, -1)).latitude_min > bounds.latitude_min ||
                        AreaOf(Neighbor(middle, 1, 0)).longitude_max < bounds.longitude_max ||
                        AreaOf(Neighbor(middle, -1, 0)).longitude_min > bounds.longitude_min;
  if (step > 1 && too_fine) middle = Encode(shape.center, --step, kLatitudeMax);

  // Neighbours that the shape doesn't reach.
  const Area area = AreaOf(middle);
  const bool exact = step >= 2;
  const auto reached = [&](int east, int north) {
    if (!exact) return true;
    if (north < 0 && area.latitude_min < bounds.latitude_min) return false;
    if (north > 0 && area.latitude_max > bounds.latitude_max) return false;
    if (east < 0 && area.longitude_min < bounds.longitude_min) return false;
    return east <= 0 || area.longitude_max <= bounds.longitude_max;
  };
  // The order in which results come that nobody sorts.
  constexpr int kOrder[][2] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
  GeoCells cells;
  for (const auto& [east, north] : kOrder) {
    if (!reached(east, north)) continue;
    const uint64_t bits = Neighbor(middle, east, north).bits;
    const int shift = 52 - 2 * step;
    const GeoScoreRange range{bits << shift, (bits + 1) << shift};
    const auto end = cells.ranges.begin() + static_cast<ptrdiff_t>(cells.count);
    const bool seen =
        std::any_of(cells.ranges.begin(), end, [&](const GeoScoreRange& each) { return each.min == range.min; });
    if (!seen) cells.ranges[cells.count++] = range;
  }
  return cells;
}

}  // namespace basalt
