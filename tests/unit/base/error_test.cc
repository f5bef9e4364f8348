#include "base/error.h"

#include <gtest/gtest.h>

#include "base/check.h"

namespace rollup {
namespace {

TEST(ErrorTest, CodesAreSpeltAsTheAtomsTheyBecome) {
  EXPECT_STREQ(to_string(ErrorCode::bad_config), "bad_config");
  EXPECT_STREQ(to_string(ErrorCode::bad_request), "bad_request");
  EXPECT_STREQ(to_string(ErrorCode::not_found), "not_found");
  EXPECT_STREQ(to_string(ErrorCode::too_large), "too_large");
  EXPECT_STREQ(to_string(ErrorCode::timeout), "timeout");
  EXPECT_STREQ(to_string(ErrorCode::storage), "storage");
  EXPECT_STREQ(to_string(ErrorCode::unsupported), "unsupported");
  EXPECT_STREQ(to_string(ErrorCode::unavailable), "unavailable");
}

TEST(ErrorTest, FailCarriesCodePlaceAndMessage) {
  const Result<int> result = fail(ErrorCode::timeout, "broker", "no answer within 5 s");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error(), (Error{ErrorCode::timeout, "broker", "no answer within 5 s"}));
}

TEST(CheckDeathTest, AFalseClaimNamesItsPlaceAndAborts) {
  const int one = 1;
  ROLLUP_CHECK(one == 1);
  EXPECT_DEATH(ROLLUP_CHECK(one == 2), "error_test.cc:[0-9]+: check failed: one == 2");
}

}  // namespace
}  // namespace rollup
