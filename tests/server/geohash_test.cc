// Cells must cover what is searched: random searches against looking at every point.

#include "server/geohash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace basalt {
namespace {

TEST(GeohashTest, ScoresAreRedisOwn) {
  // GEOADD sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania, as its documentation has it.
  EXPECT_EQ(EncodeGeoScore({13.361389, 38.115556}), 3479099956230698u);
  EXPECT_EQ(EncodeGeoScore({15.087269, 37.502669}), 3479447370796909u);
  EXPECT_EQ(StandardGeohash(DecodeGeoScore(3479099956230698)), "sqc8b49rny0");
  EXPECT_NEAR(GeoDistance(DecodeGeoScore(3479099956230698), DecodeGeoScore(3479447370796909)), 166274.1516, 0.00005);
}

TEST(GeohashTest, APointIsInItsCell) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> longitude(-180, 180), latitude(-kLatitudeMax, kLatitudeMax);
  for (int i = 0; i < 10'000; ++i) {
    const GeoPoint point{longitude(random), latitude(random)};
    const GeoPoint decoded = DecodeGeoScore(static_cast<double>(EncodeGeoScore(point)));
    EXPECT_NEAR(decoded.longitude, point.longitude, 6e-6);
    EXPECT_NEAR(decoded.latitude, point.latitude, 3e-6);
  }
  EXPECT_FALSE(IsGeoPoint({180.1, 0}));
  EXPECT_FALSE(IsGeoPoint({0, -85.06}));
  EXPECT_TRUE(IsGeoPoint({-180, 85.05112878}));
}

TEST(GeohashTest, CellsHaveEveryPointOfTheShapeOnce) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int round = 0; round < 300; ++round) {
    GeoShape shape;
    shape.center = {-170 + 340 * unit(random), -70 + 140 * unit(random)};
    shape.unit = 1000;
    const double size = std::pow(10, 3.2 * unit(random));  // kilometres
    shape.kind = round % 2 == 0 ? GeoShape::Kind::kCircle : GeoShape::Kind::kBox;
    shape.radius = size;
    shape.width = size * (0.2 + unit(random));
    shape.height = size * (0.2 + unit(random));
    const GeoCells cells = CellsOf(shape);
    for (int i = 0; i < 300; ++i) {
      const double spread = size / 111 * 1.2;
      const GeoPoint point{shape.center.longitude + (unit(random) - 0.5) * 2 * spread,
                           shape.center.latitude + (unit(random) - 0.5) * 2 * spread};
      double distance;
      if (!IsGeoPoint(point)) continue;
      const uint64_t score = EncodeGeoScore(point);
      if (!shape.Contains(DecodeGeoScore(static_cast<double>(score)), &distance)) continue;
      int found = 0;
      for (size_t j = 0; j < cells.count; ++j) found += cells.ranges[j].min <= score && score < cells.ranges[j].max;
      ASSERT_EQ(found, 1) << "at " << point.longitude << ", " << point.latitude;
    }
  }
}

}  // namespace
}  // namespace basalt
