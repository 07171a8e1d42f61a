#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace basalt {

// Positions on the earth as scores of a sorted set: longitude and latitude as 26 bits each, interleaved
// (https://en.wikipedia.org/wiki/Geohash; latitudes of the Web Mercator projection, EPSG:3857). 52 bits are a whole
// number that a double holds exactly. Pure functions; the same arithmetic as Redis', to the last digit.

inline constexpr double kLatitudeMax = 85.05112878;
inline constexpr double kLongitudeMax = 180;
inline constexpr int kGeoStepMax = 26;  // bits of each coordinate

struct GeoPoint {
  double longitude = 0, latitude = 0;  // degrees
};

// Whether the position has a score: both coordinates within their maximum.
bool IsGeoPoint(const GeoPoint& point);
// REQUIRES: IsGeoPoint.
uint64_t EncodeGeoScore(const GeoPoint& point);
// The middle of the cell that a score stands for.
GeoPoint DecodeGeoScore(double score);
// The eleven letters of the standard geohash (latitudes up to 90 degrees); the last one is always "0".
std::string StandardGeohash(const GeoPoint& point);

// Metres on a sphere of the earth's mean radius, by the haversine formula.
double GeoDistance(const GeoPoint& a, const GeoPoint& b);

// What is searched: all that is not farther than a radius from the centre, or within a box around it.
struct GeoShape {
  enum class Kind : uint8_t { kCircle, kBox } kind = Kind::kCircle;
  GeoPoint center;
  double radius = 0, width = 0, height = 0;  // in units
  double unit = 1;                           // metres

  // *distance: to the centre, in metres; set when the point is inside.
  bool Contains(const GeoPoint& point, double* distance) const;
};

// Scores [min, max).
struct GeoScoreRange {
  uint64_t min = 0, max = 0;
};
// Cells that together have every point of the shape, the middle one first; each once.
struct GeoCells {
  std::array<GeoScoreRange, 9> ranges;
  size_t count = 0;
};
GeoCells CellsOf(const GeoShape& shape);

}  // namespace basalt
